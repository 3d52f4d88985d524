//! What a revision's container is started with.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    conditions::{self, Cause},
    probe::Probe,
    record::Id,
};
use crate::{Emulator, access::Resource, tokens::Principal};

/// A container, ready to be started: secrets are resolved.
#[derive(Clone)]
pub struct Launch {
    pub container: String,
    /// Port in the specification; the instance itself listens on the `PORT` that it is given.
    pub port: u64,
    pub args: Vec<String>,
    pub env: BTreeMap<String, String>,
    pub probe: Probe,
}

impl Launch {
    /// Reads the container that takes the requests.
    ///
    /// # Errors
    /// When a secret isn't there, or the service's account may not read it.
    pub fn of(emulator: &Emulator, id: &Id, revision: &str, template: &Value) -> Result<Self, Cause> {
        let containers = template["containers"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let (index, container) = containers
            .iter()
            .enumerate()
            .find(|(_, c)| c["ports"].as_array().is_some_and(|p| !p.is_empty()))
            .unwrap_or((0, &Value::Null));
        let port = container
            .pointer("/ports/0/containerPort")
            .and_then(Value::as_u64)
            .unwrap_or(8080);
        let account = template["serviceAccount"].as_str().unwrap_or_default();
        let mut env = environment(emulator, index, container, account)?;
        env.insert("K_SERVICE".to_owned(), id.service.clone());
        env.insert("K_REVISION".to_owned(), revision.to_owned());
        env.insert("K_CONFIGURATION".to_owned(), id.service.clone());
        Ok(Self {
            container: container["name"].as_str().unwrap_or_default().to_owned(),
            port,
            args: strings(&container["args"]),
            env,
            probe: Probe::of(&container["startupProbe"], port),
        })
    }

    /// The arguments, with the container's port replaced by the instance's own: containers of one machine share
    /// its loopback, so each has a port of its own.
    pub fn args_at(&self, own: u16) -> Vec<String> {
        let port = self.port.to_string();
        let flag = format!("--port={port}");
        let mut after_flag = false;
        self.args
            .iter()
            .map(|arg| {
                let mapped = if *arg == flag {
                    format!("--port={own}")
                } else if after_flag && *arg == port {
                    own.to_string()
                } else {
                    arg.clone()
                };
                after_flag = arg == "--port";
                mapped
            })
            .collect()
    }

    /// The environment with `PORT`.
    pub fn env_at(&self, own: u16) -> BTreeMap<String, String> {
        let mut env = self.env.clone();
        env.insert("PORT".to_owned(), own.to_string());
        env
    }
}

fn strings(list: &Value) -> Vec<String> {
    let items = list.as_array().into_iter().flatten();
    items.filter_map(|v| v.as_str().map(str::to_owned)).collect()
}

fn environment(
    emulator: &Emulator,
    index: usize,
    container: &Value,
    account: &str,
) -> Result<BTreeMap<String, String>, Cause> {
    let mut env = BTreeMap::new();
    for (n, entry) in container["env"].as_array().into_iter().flatten().enumerate() {
        let name = entry["name"].as_str().unwrap_or_default().to_owned();
        let value = match entry.pointer("/valueSource/secretKeyRef") {
            None => entry["value"].as_str().unwrap_or_default().to_owned(),
            Some(source) => {
                let full = source["secret"].as_str().unwrap_or_default();
                let secret = full.rsplit('/').next().unwrap_or_default();
                let version = source["version"].as_str().unwrap_or("latest");
                let who = Principal::ServiceAccount(account.to_owned());
                let on = Resource::Secret(secret.to_owned());
                let may = emulator.may(&who, "secretmanager.versions.access", &on);
                let value = emulator.secrets.value(secret, version).filter(|_| may);
                let value =
                    value.ok_or_else(|| conditions::secret_denied(index, n, secret, version, account))?;
                String::from_utf8_lossy(&value).into_owned()
            }
        };
        env.insert(name, value);
    }
    Ok(env)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_container_port_in_arguments_becomes_the_instances_own() {
        let launch = Launch {
            container: String::new(),
            port: 8000,
            args: ["--port=8000", "--port", "8000", "--max-model-len", "8000"]
                .map(str::to_owned)
                .to_vec(),
            env: BTreeMap::new(),
            probe: Probe::of(&json!({}), 8000),
        };
        assert_eq!(
            launch.args_at(41_000),
            ["--port=41000", "--port", "41000", "--max-model-len", "8000"]
        );
        assert_eq!(launch.env_at(41_000)["PORT"], "41000");
    }
}
