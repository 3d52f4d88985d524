//! What services and containers say when something fails → what it means, and what to do. Pure.
//!
//! The known causes are one table, [`catalogue`]; its first entry that fits counts. What it doesn't know stays in
//! the words of whoever said it.

mod catalogue;
mod facts;
mod grant;
mod page;
mod progress;
#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use regex::Regex;

use catalogue::{Entry, entries};
pub use facts::Facts;
pub use page::page;

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A Google API that refused a request, or the operation that it began.
    Answer,
    /// Cloud Run, of a service or revision that does not become ready.
    Condition,
    /// Cloud Build, of how a build ended: the status, then the reason.
    Build,
    BuildLog,
    ContainerLog,
}

/// What was said about one failure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence(Vec<(Source, String)>);

impl Evidence {
    pub fn add(&mut self, source: Source, text: impl Into<String>) {
        self.0.push((source, text.into()));
    }

    /// What a service said, without logs.
    pub fn said(&self) -> Option<&str> {
        let is_log = |source: Source| matches!(source, Source::BuildLog | Source::ContainerLog);
        let mut said = self.0.iter().filter(|(source, _)| !is_log(*source));
        said.next().map(|(_, text)| text.as_str())
    }

    fn of(&self, source: Source) -> impl Iterator<Item = &str> {
        let own = self.0.iter().filter(move |(s, _)| *s == source);
        own.map(|(_, text)| text.as_str())
    }
}

/// A known cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// The entry's name in the catalogue.
    pub name: &'static str,
    /// One plain sentence.
    pub cause: String,
    pub fix: String,
    /// Settings that may cause it, the likeliest first: `service.gpu`, `build.timeout`.
    pub settings: Vec<String>,
    /// The line of a log that gave it away.
    pub line: Option<String>,
}

/// Each entry's patterns, compiled. One that isn't a pattern finds nothing; a test holds all to being one.
static PATTERNS: LazyLock<Vec<Vec<Regex>>> = LazyLock::new(|| {
    let compiled = |entry: &Entry| entry.patterns.iter().filter_map(|p| Regex::new(p).ok()).collect();
    entries().map(compiled).collect()
});

/// The first known cause that fits; `facts` fill in its values.
pub fn explain(evidence: &Evidence, facts: &Facts) -> Option<Explanation> {
    let known = entries().zip(PATTERNS.iter());
    known
        .filter_map(|(entry, patterns)| fits(entry, patterns, evidence, facts))
        .next()
}

fn fits(entry: &Entry, patterns: &[Regex], evidence: &Evidence, facts: &Facts) -> Option<Explanation> {
    for source in entry.sources {
        for text in evidence.of(*source) {
            for pattern in patterns {
                let Some(found) = pattern.captures(text) else {
                    continue;
                };
                let mut facts = facts.clone();
                for name in pattern.capture_names().flatten() {
                    if let Some(value) = found.name(name) {
                        facts.set(name, value.as_str());
                    }
                }
                derive(&mut facts, *source, evidence);
                if (entry.when)(&facts) {
                    let line = matches!(source, Source::BuildLog | Source::ContainerLog)
                        .then(|| line_of(text, found.get_match().start()));
                    return Some(Explanation {
                        name: entry.name,
                        cause: facts.fill(entry.cause),
                        fix: facts.fill(entry.fix),
                        settings: entry.settings.iter().map(|setting| facts.fill(setting)).collect(),
                        line,
                    });
                }
            }
        }
    }
    None
}

/// Values that follow from others.
fn derive(facts: &mut Facts, source: Source, evidence: &Evidence) {
    let member = match source {
        Source::Answer => "deployer",
        Source::Build | Source::BuildLog => "build-account",
        Source::Condition | Source::ContainerLog => "runtime-account",
    };
    let member = facts.fill(&format!("{{{member}}}"));
    if facts.get("account").is_none() {
        facts.set("account", &member);
    }
    facts.set("member", &member);
    let resource = facts.get("resource").unwrap_or_default().to_owned();
    if let Some(permission) = facts.get("permission").map(str::to_owned) {
        facts.set("grant", &grant::grant(&permission));
        let on = if resource.is_empty() {
            String::new()
        } else {
            format!(" on `{resource}`")
        };
        facts.set("lacking", &format!("`{permission}`{on}"));
    }
    for (collection, name) in [
        ("secrets", "secret"),
        ("buckets", "bucket"),
        ("repositories", "repository"),
    ] {
        facts.set(name, part(&resource, collection));
    }
    // As `engine.args` has it: argparse takes either dash within a name.
    if let Some(flag) = facts.get("flag") {
        let name = flag.trim_start_matches('-').replace('_', "-");
        facts.set("flag-name", &name);
    }
    let far = evidence.of(Source::ContainerLog).find_map(progress::reached);
    facts.set(
        "progress",
        far.as_deref()
            .unwrap_or("its log does not say how far it had come"),
    );
}

/// The name that follows `collection` in a resource's name, or nothing.
fn part<'a>(resource: &'a str, collection: &str) -> &'a str {
    let mut parts = resource.split('/').skip_while(|part| *part != collection);
    parts.nth(1).unwrap_or_default()
}

fn line_of(text: &str, at: usize) -> String {
    let begin = text
        .get(..at)
        .and_then(|before| before.rfind('\n'))
        .map_or(0, |n| n + 1);
    let line = text.get(begin..).unwrap_or_default();
    line.lines().next().unwrap_or_default().to_owned()
}
