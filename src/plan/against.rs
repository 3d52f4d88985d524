//! What a pull request changes: production as it would be with the pull request's configuration, against production as
//! it is live. Pure.
//!
//! That every preview has a name, labels and a size of its own is no change: the settings are compared as production
//! would have them. Live values are the server's own words: hostile text. Of environment variables only the names are
//! told, whatever they hold.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    ModelPlan, owner, service,
    target::{Stage, Target},
};
use crate::{
    google::run::types::{Container, EnvVar, RevisionTemplate, Service},
    report::{Difference, escape::clip, words::short_image},
};

/// Most rows: a live service may have any number of arguments.
const MOST: usize = 60;
/// Longest text of a cell in characters.
const LONGEST: usize = 200;
/// Words in a flag's name that mark its value as a secret.
const SECRET: [&str; 4] = ["key", "token", "secret", "password"];

/// Production's service and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Production<'a> {
    pub live: &'a Service,
    /// Template of the revision that has the traffic.
    pub template: &'a RevisionTemplate,
    /// Where it is known.
    pub base_image: Option<&'a str>,
    /// Hugging Face commit, where it is known.
    pub model_revision: Option<&'a str>,
}

/// Whether a service is this repository's production, by its labels.
pub fn is_production(target: &Target, live: &Service) -> bool {
    owner::foreign(&merged(target), &live.labels).is_none()
}

/// Each difference, the image's first, then the engine's flags, the resources, access, the environment.
pub fn differences(plan: &ModelPlan, production: &Production<'_>) -> Vec<Difference> {
    let facts = &plan.facts;
    let image = match &facts.image_digest {
        Some(digest) => format!("{}@{digest}", facts.image_path),
        None => format!("{}:{} (to be built)", facts.image_path, facts.image_key),
    };
    let merged = merged(&plan.target);
    let desired = service::desired(&merged, &image, plan.startup_window);
    let mut rows = Rows::default();
    let nothing = RevisionTemplate::default();
    let template = desired.template.as_ref().unwrap_or(&nothing);
    let no_container = Container::default();
    let [old, new] = [production.template, template].map(|t| t.containers.first().unwrap_or(&no_container));
    rows.known("base image", production.base_image, &merged.model.image.base);
    rows.known("model revision", production.model_revision, &facts.commit);
    rows.row("image", &short_image(&old.image), &short_image(&new.image));
    flags(&old.args, &new.args, &mut rows);
    resources(
        (production.live, production.template),
        (&desired, template),
        &mut rows,
    );
    environment(&old.env, &new.env, &mut rows);
    rows.bounded()
}

/// The target as production would have it after a merge.
fn merged(preview: &Target) -> Target {
    let mut merged = preview.clone();
    merged.stage = Stage::Production;
    merged.model.service = preview.production.clone();
    merged
}

#[derive(Default)]
struct Rows(Vec<Difference>);

impl Rows {
    fn row(&mut self, what: &str, production: &str, preview: &str) {
        if production != preview {
            self.0.push(Difference {
                what: clip(what, LONGEST),
                production: clip(production, LONGEST),
                preview: clip(preview, LONGEST),
            });
        }
    }

    fn known(&mut self, what: &str, production: Option<&str>, preview: &str) {
        if let Some(production) = production {
            self.row(what, production, preview);
        }
    }

    fn bounded(self) -> Vec<Difference> {
        let mut rows = self.0;
        if rows.len() > MOST {
            let more = rows.len() - MOST;
            rows.truncate(MOST);
            rows.push(Difference {
                what: format!("and {more} more"),
                production: String::new(),
                preview: String::new(),
            });
        }
        rows
    }
}

/// In the preview's order, then those that only production has.
fn flags(old: &[String], new: &[String], rows: &mut Rows) {
    let (old, new) = (by_name(old), by_name(new));
    let find = |flags: &[(String, String)], name: &str| {
        let found = flags.iter().find(|(known, _)| known == name);
        found.map_or_else(String::new, |(_, value)| value.clone())
    };
    let only_old = old.iter().filter(|(name, _)| find(&new, name).is_empty());
    for (name, _) in new.iter().chain(only_old) {
        let (was, is) = (find(&old, name), find(&new, name));
        let (was, is) = if is_secret(name) {
            hidden(&was, &is)
        } else {
            (was, is)
        };
        rows.row(&shown_flag(name), &was, &is);
    }
}

/// Name and value of each flag, `on` and `off` for switches. One that comes several times has all of its values.
fn by_name(args: &[String]) -> Vec<(String, String)> {
    let mut flags: Vec<(String, Vec<&str>)> = Vec::new();
    for arg in args {
        match (arg.strip_prefix("--"), flags.last_mut()) {
            (Some(flag), _) => {
                let (name, value) = flag.split_once('=').map_or((flag, None), |(n, v)| (n, Some(v)));
                flags.push((name.to_owned(), value.into_iter().collect()));
            }
            (None, Some((_, values))) => values.push(arg),
            (None, None) => flags.push((String::new(), vec![arg])),
        }
    }
    let mut joined: Vec<(String, String)> = Vec::new();
    for (name, values) in flags {
        let (name, value) = match (name.strip_prefix("no-"), values.is_empty()) {
            (Some(switch), true) => (switch.to_owned(), "off".to_owned()),
            (_, true) => (name, "on".to_owned()),
            _ => (name, values.join(" ")),
        };
        match joined.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) => *values = format!("{values} {value}"),
            None => joined.push((name, value)),
        }
    }
    joined
}

fn shown_flag(name: &str) -> String {
    match name {
        "served-model-name" => "model".to_owned(),
        "" => "arguments".to_owned(),
        name => format!("--{name}"),
    }
}

fn is_secret(flag: &str) -> bool {
    flag.split(['-', '_']).any(|word| SECRET.contains(&word))
}

/// Two values as far as they may be told.
fn hidden(old: &str, new: &str) -> (String, String) {
    let set = |value: &str| if value.is_empty() { "not set" } else { "set" }.to_owned();
    let differs = !old.is_empty() && !new.is_empty() && old != new;
    (set(old), if differs { "differs".to_owned() } else { set(new) })
}

fn resources(
    (live, old): (&Service, &RevisionTemplate),
    (desired, new): (&Service, &RevisionTemplate),
    rows: &mut Rows,
) {
    let gpu = |t: &RevisionTemplate| {
        t.node_selector
            .clone()
            .map_or_else(String::new, |n| n.accelerator)
    };
    let limit = |t: &RevisionTemplate, name: &str| {
        let resources = t.containers.first().and_then(|c| c.resources.as_ref());
        resources
            .and_then(|r| r.limits.get(name))
            .cloned()
            .unwrap_or_default()
    };
    let number = |count: Option<u32>| count.map_or_else(String::new, |count| count.to_string());
    let least = |s: &Service| {
        s.scaling
            .as_ref()
            .and_then(|s| s.min_instance_count)
            .unwrap_or(0)
            .to_string()
    };
    let most = |t: &RevisionTemplate| number(t.scaling.as_ref().and_then(|s| s.max_instance_count));
    let zones = |t: &RevisionTemplate| {
        if t.gpu_zonal_redundancy_disabled {
            "off"
        } else {
            "on"
        }
    };
    let access = |s: &Service| {
        if s.invoker_iam_disabled {
            "public"
        } else {
            "private"
        }
    };
    rows.row("gpu", &gpu(old), &gpu(new));
    rows.row("zonal redundancy", zones(old), zones(new));
    rows.row("cpu", &limit(old, "cpu"), &limit(new, "cpu"));
    rows.row("memory", &limit(old, "memory"), &limit(new, "memory"));
    rows.row("min instances", &least(live), &least(desired));
    rows.row("max instances", &most(old), &most(new));
    let together = |t: &RevisionTemplate| number(t.max_instance_request_concurrency);
    rows.row("concurrency", &together(old), &together(new));
    rows.row("access", access(live), access(desired));
}

fn environment(old: &[EnvVar], new: &[EnvVar], rows: &mut Rows) {
    let named = |list: &[EnvVar]| -> BTreeMap<String, String> {
        let value = |variable: &EnvVar| {
            // The kind is part of it: the same text as a secret's name is another value.
            format!(
                "{:?} {:?}",
                variable.value.as_deref().unwrap_or_default(),
                variable.value_source
            )
        };
        list.iter().map(|one| (one.name.clone(), value(one))).collect()
    };
    let (old, new) = (named(old), named(new));
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    for name in names {
        let value = |list: &BTreeMap<String, String>| list.get(name).cloned().unwrap_or_default();
        let (was, is) = hidden(&value(&old), &value(&new));
        // Both set, and alike, tell the same word.
        rows.row(&format!("variable {name}"), &was, &is);
    }
}

#[cfg(test)]
mod tests;
