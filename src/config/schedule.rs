//! Scheduled tests: what is kept of them, and who is told when one fails.

use serde::{Serialize, Serializer};

use super::{
    defaults,
    layers::{At, Resolver, Section},
    raw,
};

/// What scheduled tests keep, and whom they tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Schedule {
    pub on_failure: OnFailure,
    /// Results of each service that are kept, the latest ones.
    pub history: u32,
}

/// Who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnFailure {
    /// One issue for each service.
    pub issue: bool,
    /// The URL in LLM_DEPLOY_WEBHOOK_URL.
    pub webhook: bool,
}

impl OnFailure {
    pub const ISSUE: Self = Self {
        issue: true,
        webhook: false,
    };
}

/// As it is written in the file.
impl Serialize for OnFailure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match (self.issue, self.webhook) {
            (true, true) => ["issue", "webhook"].serialize(serializer),
            (true, false) => serializer.serialize_str("issue"),
            (false, true) => serializer.serialize_str("webhook"),
            (false, false) => serializer.serialize_str("none"),
        }
    }
}

/// Resolves the section; the schema has checked its values already.
pub fn resolve(resolver: &mut Resolver, file: &raw::File) -> Schedule {
    let layers = file
        .schedule
        .iter()
        .map(|s| (At::File("schedule".to_owned()), s))
        .collect();
    let section = Section {
        target: "schedule".to_owned(),
        layers,
    };
    let ways = resolver.plain(&section, "on-failure", |s| s.on_failure.clone());
    let history = resolver.plain(&section, "history", |s| s.history);
    let on_failure = ways.map_or(OnFailure::ISSUE, |ways| {
        let names = |wanted: &str| ways.0.iter().any(|name| name == wanted);
        OnFailure {
            issue: names("issue"),
            webhook: names("webhook"),
        }
    });
    Schedule {
        on_failure,
        history: history.unwrap_or(defaults::HISTORY),
    }
}
