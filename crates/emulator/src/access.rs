//! Who may do what: roles that the policies of the project and of its resources give.

use serde_json::{Value, json};

use super::permissions;
use super::{Call, Emulator, Reply, Shared, policy, roles, tokens::Principal};

/// Something that has an IAM policy of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resource {
    Project,
    Bucket(String),
    Secret(String),
    Repository {
        location: String,
        id: String,
    },
    /// By e-mail or unique id.
    Account(String),
    /// A service of Cloud Run.
    Service {
        region: String,
        id: String,
    },
}

impl Emulator {
    /// Gives `member` the role, as `add-iam-policy-binding` does; false when there is no such resource.
    pub fn grant(&self, on: &Resource, role: &str, member: &str) -> bool {
        self.bindings(on, |b| policy::grant(b, role, member)).is_some()
    }

    /// Takes the role from `member`; false when it wasn't theirs.
    pub fn revoke(&self, on: &Resource, role: &str, member: &str) -> bool {
        self.bindings(on, |b| policy::revoke(b, role, member))
            .unwrap_or(false)
    }

    /// Whether the caller holds a role that has the permission, on the resource or on the project.
    pub fn may(&self, who: &Principal, permission: &str, on: &Resource) -> bool {
        if *who == Principal::Owner {
            return true;
        }
        let project = self.bindings(&Resource::Project, |b| policy::roles(b, |m| who.is(m)));
        let project = project.unwrap_or_default();
        let here = |member: &str| who.is(member) || self.is_basic(member, &project);
        let own = self.bindings(on, |b| policy::roles(b, here)).unwrap_or_default();
        project
            .iter()
            .chain(&own)
            .any(|role| roles::has(role, permission))
    }

    /// `projectEditor:PROJECT` and its like: who holds that basic role on the project.
    fn is_basic(&self, member: &str, held: &[String]) -> bool {
        let role = match member.split_once(':') {
            Some(("projectOwner", p)) if p == self.settings.project => "roles/owner",
            Some(("projectEditor", p)) if p == self.settings.project => "roles/editor",
            Some(("projectViewer", p)) if p == self.settings.project => "roles/viewer",
            _ => return false,
        };
        held.iter().any(|h| h == role)
    }

    fn bindings<T>(&self, on: &Resource, act: impl FnOnce(&mut Vec<Value>) -> T) -> Option<T> {
        match on {
            Resource::Project => Some(self.projects.bindings(act)),
            Resource::Bucket(name) => self.storage.bindings(name, act),
            Resource::Secret(id) => self.secrets.bindings(id, act),
            Resource::Repository { location, id } => self.registry.bindings(location, id, act),
            Resource::Account(key) => self.iam.bindings(&self.iam.email(key)?, act),
            Resource::Service { region, id } => self.run.bindings(region, id, act),
        }
    }
}

/// Whether a caller may run something as `account`.
pub fn act_as(emulator: &Emulator, caller: Option<&Principal>, account: &str) -> bool {
    let on = Resource::Account(account.to_owned());
    caller.is_some_and(|who| emulator.may(who, "iam.serviceAccounts.actAs", &on))
}

/// The permissions asked for by `testIamPermissions` that the caller holds, in the service's form.
pub fn test(emulator: &Shared, call: &Call) -> Reply {
    let on = permissions::tested(call);
    let storage = call.id.starts_with("storage.");
    let asked: Vec<&str> = if storage {
        let asked = call.query.iter().filter(|(name, _)| name == "permissions");
        asked.map(|(_, p)| p.as_str()).collect()
    } else {
        let asked = call.json["permissions"].as_array().into_iter().flatten();
        asked.filter_map(Value::as_str).collect()
    };
    let held = |p: &&str| call.caller.as_ref().is_some_and(|who| emulator.may(who, p, &on));
    let held: Vec<&str> = asked.into_iter().filter(held).collect();
    let mut answer = json!({});
    if storage {
        answer["kind"] = "storage#testIamPermissionsResponse".into();
    }
    if !held.is_empty() {
        answer["permissions"] = held.into();
    }
    Reply::ok(&answer)
}
