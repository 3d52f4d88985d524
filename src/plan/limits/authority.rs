//! The settings of a configuration that carry authority, one by one, as they are compared between a pull request and its
//! base branch. Pure.

use serde_json::Value;

use super::keys;
use crate::{
    config::{Access, Config, Model, SecretRef},
    units::human_duration,
};

/// The account that is meant when none is named.
pub const DEFAULT_ACCOUNT: &str = "default";

/// One setting that carries authority.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// Key under `preview.limits.allow`.
    pub key: &'static str,
    /// Index of the model; `None` where it holds for all.
    pub model: Option<usize>,
    /// Dotted path in the resolved configuration.
    pub setting: String,
    /// What `preview.limits.allow` would list: a value, or a flag's, variable's or secret's name.
    pub value: String,
    /// The whole setting: the same on the base branch needs no allowance.
    pub whole: String,
}

/// Returns every setting of the configuration that carries authority.
pub fn asks(config: &Config) -> Vec<Ask> {
    let mut all = shared(config);
    for (index, model) in config.models.iter().enumerate() {
        all.extend(of_model(config, model, index));
    }
    all.retain(|ask| keys::is_limited(ask.key));
    all
}

/// Those that hold for all models.
pub fn shared(config: &Config) -> Vec<Ask> {
    let mut all = Vec::new();
    let mut add = |key: &'static str, value: String| {
        all.push(Ask {
            key,
            model: None,
            setting: key.to_owned(),
            whole: value.clone(),
            value,
        });
    };
    let build = &config.build;
    add("project", config.project.clone());
    add("region", config.region.clone());
    add("build.location", build.location.clone());
    if let Some(machine) = &build.machine {
        add("build.machine", machine.clone());
    }
    if let Some(disk) = build.disk_gb {
        add("build.disk-gb", disk.to_string());
    }
    if let Some(timeout) = build.timeout {
        add("build.timeout", seconds(timeout));
    }
    add("build.service-account", account(build.service_account.as_ref()));
    add("build.bucket", build.bucket.clone());
    add("build.repository", build.repository.clone());
    add("build.keep", build.keep.to_string());
    add("build.delete-older-than", seconds(build.delete_older_than));
    all
}

/// Those of one model, whose index is that in `config`.
pub fn of_model(config: &Config, model: &Model, index: usize) -> Vec<Ask> {
    let mut all = Vec::new();
    let mut add = |key: &'static str, setting: &str, value: String, whole: String| {
        let setting = match setting.split_once('.') {
            Some(("preview", _)) => setting.to_owned(),
            _ => format!("models[{index}].{setting}"),
        };
        all.push(Ask {
            key,
            model: Some(index),
            setting,
            value,
            whole,
        });
    };
    let mut plain = |key: &'static str, value: String| add(key, key, value.clone(), value);
    let (service, image) = (&model.service, &model.image);
    if service.access == Access::Public {
        plain("service.access", "public".to_owned());
    }
    plain(
        "service.service-account",
        account(service.service_account.as_ref()),
    );
    if service.zonal_redundancy {
        plain("service.zonal-redundancy", "true".to_owned());
    }
    plain("image.base", image.base.clone());
    let (cpu, memory) = config.preview.size_on(&service.gpu);
    plain("preview.cpu", cpu.to_string());
    plain("preview.memory", memory.to_string());
    if !model.latency.is_off() {
        let estimate = model.latency.estimate();
        plain("latency", format!("{}s", estimate.as_secs().max(1)));
    }
    if let Some(secret) = &image.hf_token_secret {
        let key = "image.hf-token-secret";
        add(key, key, secret.name.clone(), version(secret));
    }
    for (name, value) in service
        .env
        .iter()
        .filter(|(name, _)| !keys::is_harmless_variable(name))
    {
        let setting = format!("service.env.{name}");
        add("service.env", &setting, name.clone(), format!("{name}={value}"));
    }
    for (name, secret) in &service.secrets {
        let setting = format!("service.secrets.{name}");
        let whole = format!("{name}={}", version(secret));
        add("service.secrets", &setting, secret.name.clone(), whole);
    }
    for (name, value) in model
        .engine
        .args
        .iter()
        .filter(|(name, value)| !is_harmless(name, value))
    {
        let setting = format!("engine.args.{name}");
        let mut whole = format!("{name}={value}");
        if name.contains("trust-") {
            // The code is the model's own.
            whole.push_str(&format!(" for {} at {}", model.id, model.revision));
        }
        add("engine.args", &setting, name.clone(), whole);
    }
    all
}

/// Whether a flag is harmless; speculation without another model is, too.
fn is_harmless(name: &str, value: &Value) -> bool {
    const FIELDS: [&str; 5] = [
        "method",
        "num_speculative_tokens",
        "prompt_lookup_max",
        "prompt_lookup_min",
        "disable_by_batch_size",
    ];
    let speculates = || {
        name == "speculative-config"
            && value.as_object().is_some_and(|fields| {
                let ngram = fields.get("method").and_then(Value::as_str) == Some("ngram");
                ngram && fields.keys().all(|field| FIELDS.contains(&field.as_str()))
            })
    };
    keys::is_harmless_flag(name) || speculates()
}

fn account(name: Option<&String>) -> String {
    name.map_or_else(|| DEFAULT_ACCOUNT.to_owned(), Clone::clone)
}

fn version(secret: &SecretRef) -> String {
    format!("{}:{}", secret.name, secret.version)
}

/// As `preview.limits.allow` takes it.
fn seconds(duration: std::time::Duration) -> String {
    match duration.as_secs() {
        all if all.is_multiple_of(3600) => format!("{}h", all / 3600),
        all if all.is_multiple_of(60) => format!("{}m", all / 60),
        all => format!("{all}s"),
    }
}

impl Ask {
    /// As a reader is told: the value, or the whole of what has a name. A variable's value is not shown.
    pub fn shown(&self) -> String {
        match self.key {
            "engine.args" | "service.secrets" => self.whole.clone(),
            "latency" => {
                let seconds = self.value.trim_end_matches('s').parse().unwrap_or(0);
                format!(
                    "about {}",
                    human_duration(std::time::Duration::from_secs(seconds))
                )
            }
            "service.service-account" | "build.service-account" if self.value == DEFAULT_ACCOUNT => {
                "the project's default account".to_owned()
            }
            _ => self.value.clone(),
        }
    }
}
