//! IAM: service accounts and workload identity pools.

mod pools;

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};

use super::{
    Call, PROJECT_NUMBER, Reply, Shared, list,
    policy::{self, Policy},
};

/// What the service holds.
#[derive(Default)]
pub struct Iam {
    project: String,
    accounts: Mutex<BTreeMap<String, Account>>,
    pools: Mutex<pools::Pools>,
    /// Policy writes that don't know a new account.
    delay: Mutex<u32>,
}

struct Account {
    unique_id: String,
    display_name: String,
    disabled: bool,
    policy: Policy,
    /// Policy writes that still don't know it: a new account takes a while to be known everywhere.
    unseen: u32,
}

impl Iam {
    /// No account and no pool.
    pub fn bare(project: &str) -> Self {
        Self {
            project: project.to_owned(),
            ..Self::default()
        }
    }

    /// The accounts `llm-deployer`, `llm-builder`, `llm-runtime` and Compute Engine's default one, and the pool
    /// `github` with the provider `github`. Who may do what is [`super::seed`]'s.
    pub fn seeded(project: &str) -> Self {
        let iam = Self::bare(project);
        for id in ["llm-deployer", "llm-builder", "llm-runtime"] {
            iam.add(iam.address(id), id);
        }
        iam.add(default_account(), "Compute Engine default service account");
        iam.pools().seed();
        iam
    }

    pub async fn handle(emulator: &Shared, call: &Call) -> Reply {
        let iam = &emulator.iam;
        let Some(name) = call.id.strip_prefix("iam.projects.serviceAccounts.") else {
            return iam.pools().handle(call);
        };
        match name {
            "create" => iam.create(call),
            "list" => iam.list(call),
            "get" => iam.with(call, |email, account| {
                Reply::ok(&shown(&iam.project, email, account))
            }),
            "getIamPolicy" => iam.with(call, |_, account| Reply::ok(&account.policy.show())),
            "setIamPolicy" => iam.with(call, |_, account| account.policy.set(&call.json)),
            "enable" | "disable" => iam.with(call, |_, account| {
                account.disabled = name == "disable";
                Reply::ok(&json!({}))
            }),
            "testIamPermissions" => iam.with(call, |_, _| policy::test_permissions(&call.json)),
            _ => Reply::not_implemented(call),
        }
    }

    /// The e-mail of the account that `key` (its e-mail or unique id) names, if it exists.
    pub fn email(&self, key: &str) -> Option<String> {
        let accounts = self.lock();
        let found = accounts
            .iter()
            .find(|(email, a)| *email == key || a.unique_id == key);
        found.map(|(email, _)| email.clone())
    }

    /// Reads or changes the bindings on an account.
    pub fn bindings<T>(&self, email: &str, act: impl FnOnce(&mut Vec<Value>) -> T) -> Option<T> {
        let mut accounts = self.lock();
        accounts.get_mut(email).map(|account| account.policy.edit(act))
    }

    /// The number by which some messages call an account.
    pub fn unique_id(&self, email: &str) -> Option<String> {
        self.lock().get(email).map(|account| account.unique_id.clone())
    }

    /// A provider that is there and enabled, as the API shows it.
    pub fn provider(&self, pool: &str, provider: &str) -> Option<Value> {
        self.pools().provider(pool, provider).cloned()
    }

    /// Full name of the seeded provider, as the action's `workload-identity-provider` input takes it.
    pub fn provider_name() -> String {
        format!("projects/{PROJECT_NUMBER}/locations/global/workloadIdentityPools/github/providers/github")
    }

    fn add(&self, email: String, display_name: &str) -> Value {
        let mut accounts = self.lock();
        let account = Account {
            unique_id: format!("1{:020}", 4_815_162_342_u64 + accounts.len() as u64),
            display_name: display_name.to_owned(),
            disabled: false,
            unseen: *self.delay.lock().unwrap_or_else(PoisonError::into_inner),
            policy: Policy::default(),
        };
        let shown = shown(&self.project, &email, &account);
        accounts.insert(email, account);
        shown
    }

    pub fn address(&self, id: &str) -> String {
        format!("{id}@{}.iam.gserviceaccount.com", self.project)
    }

    fn create(&self, call: &Call) -> Reply {
        let id = call.json["accountId"].as_str().unwrap_or("");
        if !is_account_id(id) {
            return Reply::invalid(&format!(
                "The account ID \"{id}\" does not have a length between 6 and 30, or holds other characters than lower-case letters, digits and hyphens."
            ));
        }
        if self.email(&self.address(id)).is_some() {
            return Reply::already_exists(&format!(
                "Service account {id} already exists within project projects/{}.",
                self.project
            ));
        }
        let name = call.json["serviceAccount"]["displayName"].as_str().unwrap_or("");
        Reply::ok(&self.add(self.address(id), name))
    }

    /// The next accounts are unknown to this many policy writes that name them.
    pub fn delay(&self, writes: u32) {
        *self.delay.lock().unwrap_or_else(PoisonError::into_inner) = writes;
    }

    /// Whether a policy may name the account now; each refusal brings the time nearer.
    pub fn is_known(&self, email: &str) -> bool {
        match self.lock().get_mut(email) {
            Some(account) if account.unseen > 0 => {
                account.unseen -= 1;
                false
            }
            account => account.is_some(),
        }
    }

    pub fn is_known_pool(&self, pool: &str) -> bool {
        self.pools().is_known(pool)
    }

    fn list(&self, call: &Call) -> Reply {
        let accounts = self.lock();
        let all = accounts.iter().map(|(e, a)| shown(&self.project, e, a));
        list::reply(call, "accounts", &all.collect::<Vec<_>>())
    }

    fn with(&self, call: &Call, f: impl FnOnce(&str, &mut Account) -> Reply) -> Reply {
        let key = call.param("serviceAccountsId");
        let email = self.email(key).unwrap_or_default();
        match self.lock().get_mut(&email) {
            Some(account) => f(&email, account),
            None => Reply::not_found(&format!("Unknown service account: {key}")),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Account>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pools(&self) -> MutexGuard<'_, pools::Pools> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The account that builds and services run as when they name none.
pub fn default_account() -> String {
    format!("{PROJECT_NUMBER}-compute@developer.gserviceaccount.com")
}

/// What the names of the project's pools start with, in members of policies.
pub fn pools_root() -> String {
    format!("iam.googleapis.com/projects/{PROJECT_NUMBER}/locations/global/workloadIdentityPools/")
}

fn shown(project: &str, email: &str, account: &Account) -> Value {
    let mut out = json!({
        "name": format!("projects/{project}/serviceAccounts/{email}"), "projectId": project,
        "uniqueId": account.unique_id, "email": email, "displayName": account.display_name,
        "oauth2ClientId": account.unique_id, "etag": "MDEwMjE5MjA=",
    });
    if account.disabled {
        out["disabled"] = true.into();
    }
    out
}

fn is_account_id(id: &str) -> bool {
    (6..=30).contains(&id.len())
        && id.starts_with(|c: char| c.is_ascii_lowercase())
        && !id.ends_with('-')
        && id
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}
