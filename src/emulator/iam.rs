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
    tokens::Principal,
};

/// What the service holds.
#[derive(Default)]
pub struct Iam {
    project: String,
    accounts: Mutex<BTreeMap<String, Account>>,
    pools: Mutex<pools::Pools>,
}

struct Account {
    unique_id: String,
    display_name: String,
    policy: Policy,
}

impl Iam {
    /// No account and no pool.
    pub fn bare(project: &str) -> Self {
        Self {
            project: project.to_owned(),
            ..Self::default()
        }
    }

    /// The accounts `llm-deployer`, `llm-builder`, `llm-runtime` and the pool `github` with the provider
    /// `github`; jobs of the pool may act as the deployer.
    pub fn seeded(project: &str) -> Self {
        let iam = Self::bare(project);
        for id in ["llm-deployer", "llm-builder", "llm-runtime"] {
            iam.add(id, id);
        }
        let deployer = iam.address("llm-deployer");
        let jobs = format!(
            "principalSet://{}github/attribute.repository/org/app",
            pools_root()
        );
        if let Some(account) = iam.lock().get_mut(&deployer) {
            account.policy = Policy::of(&[
                ("roles/iam.workloadIdentityUser", vec![jobs]),
                (
                    "roles/iam.serviceAccountOpenIdTokenCreator",
                    vec![format!("serviceAccount:{deployer}")],
                ),
            ]);
        }
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

    /// Whether `principal` holds one of `roles` on the account.
    pub fn allows(&self, email: &str, principal: &Principal, roles: &[&str]) -> bool {
        let accounts = self.lock();
        let Some(account) = accounts.get(email) else {
            return false;
        };
        let is = |member: &str| match principal {
            Principal::Owner => true,
            Principal::ServiceAccount(e) => member.strip_prefix("serviceAccount:") == Some(e),
            Principal::Federated { pool } => {
                let start = format!("://{}{pool}/", pools_root());
                member.starts_with("principal") && member.contains(&start)
            }
        };
        roles.iter().any(|role| account.policy.has(role, is))
    }

    /// A provider that is there and enabled, as the API shows it.
    pub fn provider(&self, pool: &str, provider: &str) -> Option<Value> {
        self.pools().provider(pool, provider).cloned()
    }

    /// Full name of the seeded provider, as the action's `workload-identity-provider` input takes it.
    pub fn provider_name() -> String {
        format!("projects/{PROJECT_NUMBER}/locations/global/workloadIdentityPools/github/providers/github")
    }

    fn add(&self, id: &str, display_name: &str) -> Value {
        let email = self.address(id);
        let mut accounts = self.lock();
        let account = Account {
            unique_id: format!("1{:020}", 4_815_162_342_u64 + accounts.len() as u64),
            display_name: display_name.to_owned(),
            policy: Policy::default(),
        };
        let shown = shown(&self.project, &email, &account);
        accounts.insert(email, account);
        shown
    }

    fn address(&self, id: &str) -> String {
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
        Reply::ok(&self.add(id, name))
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

fn pools_root() -> String {
    format!("iam.googleapis.com/projects/{PROJECT_NUMBER}/locations/global/workloadIdentityPools/")
}

fn shown(project: &str, email: &str, account: &Account) -> Value {
    json!({
        "name": format!("projects/{project}/serviceAccounts/{email}"), "projectId": project,
        "uniqueId": account.unique_id, "email": email, "displayName": account.display_name,
        "oauth2ClientId": account.unique_id, "etag": "MDEwMjE5MjA=",
    })
}

fn is_account_id(id: &str) -> bool {
    (6..=30).contains(&id.len())
        && id.starts_with(|c: char| c.is_ascii_lowercase())
        && !id.ends_with('-')
        && id
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}
