//! The catalogue as a page to read.

use std::fmt::Write as _;

use super::{
    Facts, Source,
    catalogue::{Entry, entries},
};

const HEAD: &str = "\
# Failures that llm-deploy explains

Made from the table in `src/explain/catalogue.rs`. A red run names the cause and what to do, with the real project, service
and account in place of the words in capitals, and keeps what the service itself said. The first entry that fits counts.
What is not here is shown in the service's own words, with the request's id. The last column says where the words by which
a cause is known were read.
";

/// Markdown.
pub fn page() -> String {
    let mut out = HEAD.to_owned();
    for (title, first) in [
        ("Google refuses a request", [Source::Answer].as_slice()),
        ("The build fails", &[Source::Build, Source::BuildLog]),
        (
            "The container does not start",
            &[Source::ContainerLog, Source::Condition],
        ),
    ] {
        let _ = writeln!(
            out,
            "\n## {title}\n\n| cause | what to do | words from |\n| --- | --- | --- |"
        );
        // Each is told once, with the source that is asked first.
        let own = |entry: &&Entry| entry.sources.first().is_some_and(|source| first.contains(source));
        for entry in entries().filter(own) {
            let (cause, fix) = (cell(entry.cause), cell(entry.fix));
            let _ = writeln!(out, "| {cause} | {fix} | {} |", entry.seen);
        }
    }
    out
}

fn cell(template: &str) -> String {
    let facts = Facts::default().with("lacking", "that is named").with(
        "grant",
        "Grant the role that has it, with the command that is shown",
    );
    facts.fill(template).replace('|', "\\|")
}
