//! The runner's commands and files. Pure but for the two functions that append to a file.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    path::Path,
};

use crate::report::escape;

/// Hides a secret in the log from here on. Each line of it is masked by itself, as the runner does.
/// Empty for an empty secret: the runner would mask every character.
pub fn mask(secret: &str) -> String {
    secret
        .lines()
        .map(str::trim)
        .filter(|l| !l.is_empty())
        .map(|l| format!("::add-mask::{}", data(l)))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Begins a foldable group of log lines.
pub fn group(title: &str) -> String {
    format!("::group::{}", data(&escape::line(title)))
}

pub fn end_group() -> &'static str {
    "::endgroup::"
}

/// An annotation that marks the run as failed for the reader, on a line of a file where one is the cause.
pub fn error(title: &str, message: &str, place: Option<(&str, usize)>) -> String {
    match place {
        Some((file, line)) => annotation(
            &format!("error file={},line={line},", property(file)),
            title,
            message,
        ),
        None => annotation("error ", title, message),
    }
}

pub fn warning(title: &str, message: &str) -> String {
    annotation("warning ", title, message)
}

pub fn notice(title: &str, message: &str) -> String {
    annotation("notice ", title, message)
}

/// `start` is the command and its first properties.
fn annotation(start: &str, title: &str, message: &str) -> String {
    format!(
        "::{start}title={}::{}",
        property(&escape::line(title)),
        data(&escape::visible(message))
    )
}

/// A command's message: the runner decodes these three again.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A command's property: as a message, and the two that end a property.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Somebody else's log line for our own log: without control characters, and never read as a command.
/// The runner takes a line as one when it starts with `::` after white space, or has `##[` in it anywhere.
pub fn disarm(line: &str) -> String {
    harmless(&escape::visible(line).replace('\n', " "))
}

/// A finished page of ours, such as the report, with no line that is read as a command: where a title or a
/// message wraps is decided by the width alone, so that any word in it can come to a line's start.
pub fn disarm_page(page: &str) -> String {
    let lines: Vec<String> = page.split('\n').map(harmless).collect();
    lines.join("\n")
}

fn harmless(line: &str) -> String {
    let text = line.replace("##[", "## [");
    let start = text.trim_start();
    if start.starts_with("::") {
        format!("| {start}")
    } else {
        text
    }
}

/// Appends outputs to the file that GITHUB_OUTPUT names.
///
/// # Errors
/// When the file can't be written, or a name isn't made of letters, digits, `-` and `_`.
pub fn write_outputs(path: &Path, pairs: &[(String, String)]) -> io::Result<()> {
    let mut text = String::new();
    for (name, value) in pairs {
        if name.is_empty()
            || !name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
        {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("`{name}` can't be an output's name"),
            ));
        }
        let end = delimiter(value);
        text.push_str(&format!("{name}<<{end}\n{value}\n{end}\n"));
    }
    append(path, &text)
}

/// A line that the value does not hold; random, so that nobody can write a value with it in.
fn delimiter(value: &str) -> String {
    loop {
        let end = format!("llm_deploy_{}", uuid::Uuid::new_v4().simple());
        if !value.contains(&end) {
            return end;
        }
    }
}

/// Appends Markdown to the file that GITHUB_STEP_SUMMARY names.
///
/// # Errors
/// When the file can't be written.
pub fn write_summary(path: &Path, markdown: &str) -> io::Result<()> {
    append(path, &format!("{}\n", markdown.trim_end()))
}

fn append(path: &Path, text: &str) -> io::Result<()> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .open(path)?
        .write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a file as the runner does: name, delimiter, value lines.
    fn read_back(text: &str) -> Vec<(String, String)> {
        let mut lines = text.split('\n');
        let mut pairs = Vec::new();
        while let Some((name, end)) = lines.next().and_then(|l| l.split_once("<<")) {
            let value: Vec<&str> = lines.by_ref().take_while(|l| *l != end).collect();
            pairs.push((name.to_owned(), value.join("\n")));
        }
        pairs
    }

    #[test]
    fn outputs_come_back_whatever_they_hold() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("output");
        let pairs: Vec<(String, String)> = [
            "plain",
            "",
            "a\nEOF\nadmin<<EOF\ntrue",
            "x=y",
            "%0A::set-output name=a::b",
            "ends\n",
        ]
        .iter()
        .enumerate()
        .map(|(i, v)| (format!("name-{i}"), (*v).to_owned()))
        .collect();
        write_outputs(&path, &pairs[..2]).unwrap();
        write_outputs(&path, &pairs[2..]).unwrap();
        assert_eq!(read_back(&std::fs::read_to_string(&path).unwrap()), pairs);
    }

    #[test]
    fn a_name_that_could_start_another_output_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["", "a=b", "a\nb", "a<<b"] {
            assert!(
                write_outputs(&dir.path().join("o"), &[(name.to_owned(), String::new())]).is_err(),
                "{name:?}"
            );
        }
    }

    #[test]
    fn summaries_are_appended() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("summary");
        write_summary(&path, "# one\n\n").unwrap();
        write_summary(&path, "# two").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "# one\n# two\n");
    }

    #[test]
    fn annotations_are_escaped_as_the_runner_wants() {
        assert_eq!(
            error("a:b,c", "50%\nnext::x", None),
            "::error title=a%3Ab%2Cc::50%25%0Anext::x"
        );
        assert_eq!(warning("t", "m"), "::warning title=t::m");
        assert_eq!(
            notice("t\n::error::x", "m"),
            "::notice title=t %3A%3Aerror%3A%3Ax::m"
        );
        assert_eq!(
            group("Build\n::stop-commands::x"),
            "::group::Build ::stop-commands::x"
        );
    }

    #[test]
    fn every_line_of_a_secret_is_masked() {
        assert_eq!(mask("one\ntwo%\n\n"), "::add-mask::one\n::add-mask::two%25");
        assert_eq!(mask(""), "");
    }

    #[test]
    fn a_foreign_log_line_is_no_command() {
        for attack in [
            "::error::x",
            "  ::set-env name=A::b",
            "\t::add-mask::a",
            "##[error]x",
            "x ##[command]y",
            "\u{1b}[31m::error::x",
            "\u{200b}::error::x",
            "a\r::error::x",
            "a\n::error::x",
            "\u{feff}::error::x",
            "\u{a0}::error::x",
            "####[[error]",
            "#\u{200b}#[error]",
        ] {
            for text in disarm(attack).split(['\n', '\r']) {
                assert!(!text.trim_start().starts_with("::"), "{attack:?}: {text:?}");
                assert!(!text.contains("##["), "{attack:?}: {text:?}");
                assert!(!text.chars().any(|c| c.is_control() && c != '\t'), "{text:?}");
            }
        }
        assert_eq!(disarm("  step 1: a::b"), "  step 1: a::b");
    }

    #[test]
    fn no_line_of_a_page_is_a_command_and_its_colours_stay() {
        let page = "\u{1b}[32mdone\u{1b}[0m\n  title\n  ::error::x\n  a ##[error]y\n";
        let shown = "\u{1b}[32mdone\u{1b}[0m\n  title\n| ::error::x\n  a ## [error]y\n";
        assert_eq!(disarm_page(page), shown);
    }
}
