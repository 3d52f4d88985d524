//! The known causes. The first that fits counts, so that the more specific ones come first.
//!
//! `docs/failures.md` is made from this table.

mod build;
mod container;
mod quota;
mod request;
mod services;

use super::{Facts, Source};

/// One known cause.
pub struct Entry {
    pub name: &'static str,
    /// Where its words are looked for, in this order.
    pub sources: &'static [Source],
    /// Regular expressions, one of which must be found. What a named group finds fills the texts.
    pub patterns: &'static [&'static str],
    /// What must hold besides, once the values are known.
    pub when: fn(&Facts) -> bool,
    /// `{name}` is filled in: a group's value, or a fact of the deployment.
    pub cause: &'static str,
    pub fix: &'static str,
    /// Settings that may cause it, the likeliest first, as they are written below a model (`service.gpu`) or in the
    /// file (`build.timeout`). `{name}` is filled in.
    pub settings: &'static [&'static str],
    /// Where the words were read.
    pub seen: &'static str,
}

fn always(_: &Facts) -> bool {
    true
}

fn has_permission(facts: &Facts) -> bool {
    facts.get("permission").is_some()
}

fn has_violations(facts: &Facts) -> bool {
    facts.get("violations").is_some()
}

fn is_other_port(facts: &Facts) -> bool {
    facts
        .get("port")
        .is_some_and(|port| facts.get("listens") != Some(port))
}

const fn entry(
    name: &'static str,
    sources: &'static [Source],
    patterns: &'static [&'static str],
    cause: &'static str,
    fix: &'static str,
    seen: &'static str,
) -> Entry {
    Entry {
        name,
        sources,
        patterns,
        when: always,
        cause,
        fix,
        settings: &[],
        seen,
    }
}

impl Entry {
    const fn about(mut self, settings: &'static [&'static str]) -> Self {
        self.settings = settings;
        self
    }
}

/// All of them, in their order.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    let parts = [
        services::ENTRIES,
        quota::ENTRIES,
        request::ENTRIES,
        build::ENTRIES,
        container::ENTRIES,
    ];
    parts.into_iter().flatten()
}
