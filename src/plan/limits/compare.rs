//! What a pull request asks for, against what its base branch sets itself. Pure.

use super::{
    Violation, Widen,
    authority::{self, Ask, DEFAULT_ACCOUNT},
};
use crate::config::{Allowable, BaseSettings, Config, Origin, Pattern, defaults};

/// What every preview may take without an allowance: no more than the least that llm-deploy takes by itself for a build,
/// and half an hour of measuring.
const FREE: [(&str, f64); 3] = [
    ("build.timeout", 3600.0),
    ("build.disk-gb", 100.0),
    ("latency", 1800.0),
];
/// Machine types no larger than the least that llm-deploy takes by itself.
const FREE_MACHINES: [&str; 3] = ["E2_MEDIUM", "E2_STANDARD_2", "E2_HIGHCPU_8"];

/// A branch that a pull request goes into.
#[derive(Clone, Copy, Debug)]
pub struct BaseBranch<'a> {
    pub name: &'a str,
    /// What its own file sets, and what it allows besides.
    pub settings: &'a BaseSettings,
}

impl BaseBranch<'_> {
    /// What `preview.limits.allow` lists for a setting.
    fn listed(&self, key: &str) -> &[String] {
        let allow = &self.settings.config.preview.limits.allow;
        allow.get(key).map(Vec::as_slice).unwrap_or_default()
    }
}

/// Every setting of `config` that carries authority and that the branch neither sets nor allows.
pub fn check_authority(branch: &BaseBranch<'_>, config: &Config) -> Vec<Violation> {
    authority::asks(config)
        .into_iter()
        .filter(|ask| !is_allowed(branch, config, ask))
        .map(|ask| {
            let own = own(branch, config, &ask);
            let same_name = ask.key == "service.env" && own.iter().any(|own| own.value == ask.value);
            let own = own.iter().map(|own| match same_name && own.value == ask.value {
                true => format!("only its own value of {}", own.value),
                false => own.shown(),
            });
            let allowed: Vec<String> = own.chain(branch.listed(ask.key).iter().cloned()).collect();
            Violation {
                branch: branch.name.to_owned(),
                limit: "preview.limits.allow",
                model: ask.model,
                asked: ask.shown(),
                allowed: match allowed.is_empty() {
                    true => "nothing but the default".to_owned(),
                    false => allowed.join(", "),
                },
                widen: Some(Widen::Allow(ask.key, ask.value)),
                setting: ask.setting,
            }
        })
        .collect()
}

/// The limited settings that are not as on the branch, as a reader is told of them. Includes what the branch allows.
pub fn differences(branch: &BaseBranch<'_>, config: &Config) -> Vec<String> {
    let asks = authority::asks(config).into_iter();
    let mut all: Vec<String> = asks
        .filter(|ask| !is_own(branch, config, ask))
        .map(|ask| format!("`{}`: {}", ask.setting, ask.shown()))
        .collect();
    for (index, (model, own)) in config.models.iter().zip(&branch.settings.models).enumerate() {
        if model.id != own.id {
            all.push(format!("`models[{index}].id`: {}", model.id));
        }
        if model.service.gpu != own.service.gpu {
            all.push(format!("`models[{index}].service.gpu`: {}", model.service.gpu));
        }
    }
    let (preview, own) = (&config.preview, &branch.settings.config.preview);
    if preview.max_instances != own.max_instances {
        all.push(format!("`preview.max-instances`: {}", preview.max_instances));
    }
    if preview.expires != own.expires {
        all.push(format!("`preview.expires`: {}", super::hours(preview.expires)));
    }
    all
}

fn is_allowed(branch: &BaseBranch<'_>, config: &Config, ask: &Ask) -> bool {
    is_own(branch, config, ask)
        || is_default(config, ask)
        || is_input(config, ask)
        || is_bootstrap_account(branch, config, ask)
        || is_listed(branch.listed(ask.key), ask)
}

/// Whether the branch sets the same, or as much.
fn is_own(branch: &BaseBranch<'_>, config: &Config, ask: &Ask) -> bool {
    let amount = |text: &str| Allowable::find(ask.key).and_then(|one| one.amount(text));
    let asked = amount(&ask.value);
    own(branch, config, ask).iter().any(|own| {
        let same = match ask.key {
            "image.base" => is_same_image(&own.whole, &ask.whole),
            _ => own.whole == ask.whole,
        };
        same || asked.is_some_and(|asked| amount(&own.value).is_some_and(|own| asked <= own))
    })
}

/// The branch's own settings under the same key.
fn own(branch: &BaseBranch<'_>, config: &Config, ask: &Ask) -> Vec<Ask> {
    let settings = branch.settings;
    let all = match ask.model {
        None => authority::shared(&settings.config),
        Some(index) => match (settings.models.get(index), config.models.get(index)) {
            (Some(own), Some(asked)) => {
                let mut own = own.clone();
                // A preview's least size depends on its accelerator, which has its own limit.
                own.service.gpu.clone_from(&asked.service.gpu);
                authority::of_model(&settings.config, &own, index)
            }
            _ => Vec::new(),
        },
    };
    all.into_iter().filter(|own| own.key == ask.key).collect()
}

/// What llm-deploy makes or takes for itself in the project.
fn is_default(config: &Config, ask: &Ask) -> bool {
    match ask.key {
        "build.bucket" => ask.value == defaults::bucket(&config.project),
        "build.repository" => ask.value == defaults::REPOSITORY,
        "build.machine" => FREE_MACHINES.contains(&ask.value.as_str()),
        key => {
            let amount = Allowable::find(key).and_then(|one| one.amount(&ask.value));
            let free = FREE.iter().find(|(free, _)| *free == key);
            matches!((amount, free), (Some(amount), Some((_, free))) if amount <= *free)
        }
    }
}

/// Project, region and the token of the model may be the workflow's: its inputs name what its credentials are for.
fn is_input(config: &Config, ask: &Ask) -> bool {
    matches!(ask.key, "project" | "region" | "image.hf-token-secret")
        && matches!(config.origins.get(&ask.setting), Some(Origin::Input(_)))
}

/// Whether the account is the one that `bootstrap` makes for this, where the branch names none: it may do less than the
/// project's default one.
fn is_bootstrap_account(branch: &BaseBranch<'_>, config: &Config, ask: &Ask) -> bool {
    let name = match ask.key {
        "service.service-account" => defaults::RUNTIME_ACCOUNT,
        "build.service-account" => defaults::BUILD_ACCOUNT,
        _ => return false,
    };
    let unnamed = own(branch, config, ask)
        .iter()
        .all(|own| own.value == DEFAULT_ACCOUNT);
    unnamed && ask.value == defaults::account(name, &config.project)
}

fn is_listed(listed: &[String], ask: &Ask) -> bool {
    let one = Allowable::find(ask.key);
    match one.and_then(|one| one.amount(&ask.value)) {
        Some(asked) => {
            let amounts = listed.iter().filter_map(|text| one?.amount(text));
            amounts.fold(f64::NEG_INFINITY, f64::max) >= asked
        }
        None => listed.iter().any(|text| Pattern::of(text).matches(&ask.value)),
    }
}

/// Whether two references name the same image: the same text, or the same digest.
pub fn is_same_image(one: &str, other: &str) -> bool {
    let digest = |image: &str| image.split_once('@').map(|(_, digest)| digest.to_owned());
    one == other || digest(one).is_some_and(|one| Some(one) == digest(other))
}
