//! `preview.limits.allow`: settings that carry authority, and the values that previews may give them.

use std::{collections::BTreeMap, time::Duration};

use crate::config::{
    layers::{Resolver, Section},
    mistake::quoted,
    raw,
    values::{self, Wrong},
};
use crate::units::Memory;

/// A setting that a pull request may change only within what its base branch allows.
#[derive(Clone, Copy, Debug)]
pub struct Allowable {
    /// Dotted path in the file, as it is written at the top.
    pub key: &'static str,
    /// What is listed under `preview.limits.allow`, for the schema and the docs.
    pub meaning: &'static str,
    pub kind: Kind,
}

/// How values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Patterns with `*`.
    Text,
    /// The largest one allows all below it.
    Most(Unit),
    /// The smallest one allows all above it.
    Least(Unit),
}

/// How an amount is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    Number,
    Duration,
    Memory,
}

/// An amount in the unit of its setting: seconds, MiB or a plain number.
pub type Amount = f64;

const fn text(key: &'static str, meaning: &'static str) -> Allowable {
    let kind = Kind::Text;
    Allowable { key, meaning, kind }
}

const fn most(key: &'static str, unit: Unit, meaning: &'static str) -> Allowable {
    let kind = Kind::Most(unit);
    Allowable { key, meaning, kind }
}

const fn least(key: &'static str, unit: Unit, meaning: &'static str) -> Allowable {
    let kind = Kind::Least(unit);
    Allowable { key, meaning, kind }
}

/// Every setting that `preview.limits.allow` takes.
pub const ALLOWABLE: &[Allowable] = &[
    text(
        "project",
        "Google Cloud projects that previews may be deployed to.",
    ),
    text("region", "Regions that previews may be deployed to."),
    text("image.base", "Base images that previews may be built on."),
    text(
        "image.hf-token-secret",
        "Secrets that previews may take the Hugging Face token from.",
    ),
    text(
        "engine.args",
        "Further flags of vLLM that previews may set, with any value.",
    ),
    text("service.access", "`public` lets previews be open to anyone."),
    text(
        "service.service-account",
        "Service accounts that previews may run as; `default` is the project's default one.",
    ),
    text(
        "service.zonal-redundancy",
        "`true` lets previews reserve a second zone.",
    ),
    text(
        "service.env",
        "Names of environment variables that previews may set, to any value.",
    ),
    text(
        "service.secrets",
        "Secrets that previews may read, under any environment variable.",
    ),
    text("build.location", "Places where previews may be built."),
    text("build.machine", "Machine types that previews may be built on."),
    most(
        "build.disk-gb",
        Unit::Number,
        "Largest disk of a preview's build, in GB.",
    ),
    most("build.timeout", Unit::Duration, "Longest build of a preview."),
    text(
        "build.service-account",
        "Service accounts that previews may be built as; `default` is the project's default one.",
    ),
    text("build.bucket", "Build buckets that previews may use."),
    text(
        "build.repository",
        "Artifact Registry repositories that previews may use.",
    ),
    least(
        "build.keep",
        Unit::Number,
        "Fewest images that a preview may have the cleanup policy keep.",
    ),
    least(
        "build.delete-older-than",
        Unit::Duration,
        "Shortest age at which a preview may have the cleanup policy delete images.",
    ),
    most("preview.cpu", Unit::Number, "Most CPUs of a preview's instance."),
    most(
        "preview.memory",
        Unit::Memory,
        "Most memory of a preview's instance.",
    ),
    most(
        "latency",
        Unit::Duration,
        "Longest measurement of a preview, as it is estimated beforehand.",
    ),
];

impl Allowable {
    pub fn find(key: &str) -> Option<&'static Self> {
        ALLOWABLE.iter().find(|one| one.key == key)
    }

    /// The amount that the text stands for; negative where more is less. `None` for a setting without amounts, and
    /// for text that is none.
    pub fn amount(&self, text: &str) -> Option<Amount> {
        let read = |unit| match unit {
            Unit::Number => text.parse().ok(),
            Unit::Duration => {
                let duration =
                    values::duration(text, Duration::ZERO, Duration::from_secs(u64::from(u32::MAX)));
                duration.ok().map(|duration| duration.as_secs_f64())
            }
            Unit::Memory => Memory::parse(text).ok().map(Memory::as_gib),
        };
        match self.kind {
            Kind::Text => None,
            Kind::Most(unit) => read(unit),
            Kind::Least(unit) => read(unit).map(|amount: Amount| -amount),
        }
    }
}

/// Resolves `preview.limits.allow`.
pub(super) fn resolve(
    resolver: &mut Resolver,
    section: &Section<'_, raw::Limits>,
) -> BTreeMap<String, Vec<String>> {
    let read = |allow: raw::Allow| -> Result<BTreeMap<String, Vec<String>>, Wrong> {
        let mut all = BTreeMap::new();
        for (key, texts) in allow.0 {
            let texts: Vec<String> = texts.into_iter().map(|text| text.0).collect();
            if let Some(one) = Allowable::find(&key).filter(|one| one.kind != Kind::Text)
                && let Some(wrong) = texts.iter().find(|text| one.amount(text).is_none())
            {
                return Err(Wrong::from(format!(
                    "`{key}`: expected an amount as that setting takes it, got {}",
                    quoted(wrong)
                )));
            }
            all.insert(key, texts);
        }
        Ok(all)
    };
    resolver
        .take(section, "allow", |l| l.allow.clone(), read)
        .unwrap_or_default()
}
