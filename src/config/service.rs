//! The Cloud Run service: sizes that the accelerator allows, environment, secrets, limits.

use std::time::Duration;

use indexmap::IndexMap;

use super::{
    Access, SecretRef, Service, defaults,
    gpu::{self, Accelerator},
    layers::{Resolver, Section},
    mistake::quoted,
    raw,
    values::{self, Wrong},
};

const SECOND: Duration = Duration::from_secs(1);
/// Cloud Run's longest request.
const MAX_REQUEST: Duration = Duration::from_secs(3600);
/// The longest window that Cloud Run documents for a GPU service's startup probe.
const MAX_STARTUP: Duration = Duration::from_secs(1800);
/// Cloud Run's longest value of an environment variable, in bytes.
const MAX_ENV_VALUE: usize = 32_768;

/// Variables that Cloud Run sets.
const RESERVED: [&str; 4] = ["PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION"];
/// Variables whose value is a secret.
const SECRET_NAMES: [&str; 4] = [
    "HF_TOKEN",
    "HUGGING_FACE_HUB_TOKEN",
    "HUGGINGFACE_TOKEN",
    "VLLM_API_KEY",
];
const SECRET_ENDINGS: [&str; 3] = ["_API_KEY", "_PASSWORD", "_SECRET"];

/// Resolves the service's settings.
pub fn resolve(resolver: &mut Resolver, section: &Section<'_, raw::Service>) -> Service {
    let name = resolver
        .plain(section, "gpu", |s| s.gpu.clone())
        .unwrap_or_else(|| defaults::GPU.to_owned());
    let accelerator = gpu::find(&name);
    let (cpu, memory) = size(resolver, section, accelerator);
    let port = resolver.plain(section, "port", |s| s.port);
    let min_instances = resolver.plain(section, "min-instances", |s| s.min_instances);
    let max_instances = resolver.plain(section, "max-instances", |s| s.max_instances);
    let concurrency = resolver.plain(section, "concurrency", |s| s.concurrency);
    let request = |text: String| values::duration(&text, SECOND, MAX_REQUEST);
    let request_timeout = resolver.take(section, "request-timeout", |s| s.request_timeout.clone(), request);
    let startup = |text: String| values::duration(&text, SECOND, MAX_STARTUP);
    let startup_timeout = resolver.take(section, "startup-timeout", |s| s.startup_timeout.clone(), startup);
    let access = resolver.plain(section, "access", |s| s.access.clone());
    let account = |text: String| values::service_account(&text);
    let service_account = resolver.take(section, "service-account", |s| s.service_account.clone(), account);
    let zonal_redundancy = resolver.plain(section, "zonal-redundancy", |s| s.zonal_redundancy);
    let env = env(resolver, section);
    let secrets = secrets(resolver, section, &env);
    let service = Service {
        gpu: name,
        cpu,
        memory,
        port: port.unwrap_or(defaults::PORT),
        min_instances: min_instances.unwrap_or(defaults::MIN_INSTANCES),
        max_instances: max_instances.unwrap_or(defaults::MAX_INSTANCES),
        concurrency: concurrency.unwrap_or(defaults::CONCURRENCY),
        request_timeout: request_timeout.unwrap_or(defaults::REQUEST_TIMEOUT),
        startup_timeout,
        access: if access.as_deref() == Some("public") {
            Access::Public
        } else {
            Access::Private
        },
        service_account,
        zonal_redundancy: zonal_redundancy.unwrap_or(false),
        env,
        secrets,
    };
    if service.min_instances > service.max_instances {
        let (min, max) = (service.min_instances, service.max_instances);
        let targets = ["min-instances", "max-instances"].map(|key| format!("{}.{key}", section.target));
        let wrong = Wrong::from(format!(
            "expected at most `max-instances`, which is {max}, got `{min}`"
        ));
        resolver.blame_given(
            &targets,
            wrong.help(format!("raise `service.max-instances` to {min} or more")),
        );
    }
    service
}

/// CPU and memory, checked against the accelerator. The defaults follow it.
fn size(
    resolver: &mut Resolver,
    section: &Section<'_, raw::Service>,
    accelerator: Option<&Accelerator>,
) -> (u32, crate::units::Memory) {
    let cpu = resolver.plain(section, "cpu", |s| s.cpu);
    let memory = resolver.take(
        section,
        "memory",
        |s| s.memory.clone(),
        |text| values::memory(&text),
    );
    let Some(accelerator) = accelerator else {
        return (cpu.unwrap_or(defaults::CPU), memory.unwrap_or(defaults::MEMORY));
    };
    let cpu = cpu.unwrap_or(defaults::CPU.max(accelerator.min_cpu()));
    let memory = memory.unwrap_or_else(|| {
        accelerator
            .most_for(cpu)
            .min(defaults::MEMORY)
            .max(accelerator.min_memory)
    });
    let targets =
        |first: &str, second: &str| [first, second, "gpu"].map(|key| format!("{}.{key}", section.target));
    if let Err(message) = accelerator.check_cpu(cpu) {
        resolver.blame_given(&targets("cpu", "gpu"), message.into());
    } else if let Err(message) = accelerator.check_memory(memory, cpu) {
        resolver.blame_given(&targets("memory", "cpu"), message.into());
    }
    (cpu, memory)
}

fn env(resolver: &mut Resolver, section: &Section<'_, raw::Service>) -> IndexMap<String, String> {
    let mut all = IndexMap::new();
    for (at, layer) in section.layers.iter().rev() {
        for (name, value) in layer.env.iter().flatten() {
            let target = format!("{}.env.{name}", section.target);
            resolver.found(&target, at, &format!("env.{name}"));
            match check_name(name).and_then(|()| check_value(name, &value.0)) {
                Ok(()) => drop(all.insert(name.clone(), value.0.clone())),
                Err(wrong) => resolver.blame(&target, wrong),
            }
        }
    }
    all
}

fn secrets(
    resolver: &mut Resolver,
    section: &Section<'_, raw::Service>,
    env: &IndexMap<String, String>,
) -> IndexMap<String, SecretRef> {
    let mut all = IndexMap::new();
    for (at, layer) in section.layers.iter().rev() {
        for (name, secret) in layer.secrets.iter().flatten() {
            let target = format!("{}.secrets.{name}", section.target);
            resolver.found(&target, at, &format!("secrets.{name}"));
            match check_name(name).and_then(|()| values::secret(&secret.0)) {
                Ok(_) if env.contains_key(name) => {
                    let wrong = Wrong::from(format!("{} is under `env` and under `secrets`", quoted(name)));
                    resolver.blame(&target, wrong.help("keep one of them").secret());
                }
                Ok(secret) => drop(all.insert(name.clone(), secret)),
                Err(wrong) => resolver.blame(&target, wrong),
            }
        }
    }
    all
}

fn check_name(name: &str) -> Result<(), Wrong> {
    let first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let inner = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.len() > 200 || !name.starts_with(first) || !name.chars().all(inner) {
        let what = "expected a variable's name (letters, digits and `_`, not beginning with a digit)";
        return Err(Wrong::from(format!("{what}, got {}", quoted(name))).secret());
    }
    if name == "PORT" {
        return Err(Wrong::from("Cloud Run sets `PORT` itself").help("use `service.port`"));
    }
    if RESERVED.contains(&name) || name.starts_with("X_GOOGLE_") {
        return Err(Wrong::from(format!("{} is reserved by Cloud Run", quoted(name))));
    }
    Ok(())
}

fn check_value(name: &str, value: &str) -> Result<(), Wrong> {
    let secret = SECRET_NAMES.contains(&name) || SECRET_ENDINGS.iter().any(|e| name.ends_with(e));
    if secret {
        let wrong = Wrong::from(format!(
            "{} holds a secret, and this file is no place for one",
            quoted(name)
        ));
        let help =
            format!("store it in Secret Manager and name it under `service.secrets`: `{name}: my-secret`");
        return Err(wrong.help(help).secret());
    }
    if value.len() > MAX_ENV_VALUE {
        let message = format!("expected at most {MAX_ENV_VALUE} bytes, got {}", value.len());
        return Err(Wrong::from(message).secret());
    }
    if value.contains('\0') {
        return Err(Wrong::from("the value holds a NUL character").secret());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cloud_run_keeps_for_itself_are_refused() {
        for (name, expected) in [
            ("PORT", "sets `PORT`"),
            ("K_SERVICE", "reserved"),
            ("X_GOOGLE_A", "reserved"),
            ("1A", "expected a variable"),
            ("A-B", "expected a variable"),
            ("", "expected a variable"),
        ] {
            assert!(check_name(name).unwrap_err().message.contains(expected), "{name}");
        }
        for name in ["HF_HUB_OFFLINE", "VLLM_LOGGING_LEVEL", "_x"] {
            assert_eq!(check_name(name), Ok(()));
        }
    }

    #[test]
    fn plain_secrets_are_sent_to_secret_manager_without_being_shown() {
        for name in ["HF_TOKEN", "VLLM_API_KEY", "OPENAI_API_KEY", "DB_PASSWORD"] {
            let wrong = check_value(name, "s3cret").unwrap_err();
            assert!(wrong.secret && !format!("{wrong:?}").contains("s3cret"), "{name}");
        }
        assert_eq!(check_value("TOKENIZERS_PARALLELISM", "false"), Ok(()));
        assert!(
            check_value("A", &"x".repeat(MAX_ENV_VALUE + 1))
                .unwrap_err()
                .message
                .contains("32768")
        );
    }
}
