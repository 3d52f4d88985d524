//! A production service as its scheduled tests see it: well, failing since when, recovered, flapping; and what
//! there is to tell of it. Pure.
//!
//! | what happened | the issue | told |
//! | --- | --- | --- |
//! | fails for the first time | opened, or the last one reopened when it was closed within a day | yes |
//! | fails again | updated in place | when the cause changed, at most once a day |
//! | is good again | closed with a note | yes |
//! | went good and bad three times in a week | stays open until three good runs in a row | no more |
//!
//! The same state results from replaying the history and from what the issue remembers, so that either is enough.

mod body;
mod hidden;
mod hindered;
mod message;
mod state;
#[cfg(test)]
mod tests;

pub use body::{Page, body, note};
pub use hidden::{read, replace};
pub use hindered::{Hindered, hindered_body, is_due};
pub use message::{Message, message};
use state::REOPENED_WITHIN;
pub use state::{Announce, Incident, Outcome, Seen, State, Step};

/// Label of every issue of ours.
pub const LABEL: &str = "llm-deploy";

/// What the issue of a service is called, and the marker by which it is found again.
pub fn title(service: &str) -> String {
    super::escape::clip(
        &format!(
            "LLM endpoint {} fails its scheduled test",
            super::escape::line(service)
        ),
        TITLE,
    )
}

/// The hidden first line of a service's issue.
pub fn marker(project: &str, region: &str, service: &str) -> String {
    super::markdown::marker(&format!("incident/{project}/{region}/{service}"))
}

/// GitHub refuses a longer title.
const TITLE: usize = 256;

/// The issue that says that the test itself can't be made; a repository has one.
pub const HINDERED_TITLE: &str = "The scheduled test of the LLM endpoints can't run";

/// The hidden first line of that issue.
pub fn hindered_marker() -> String {
    super::markdown::marker("incident/hindered")
}
