//! A mistake in the file or in an input, and how it is shown: as compilers do, with the line pointed at.

use std::{
    collections::HashSet,
    fmt::{self, Write as _},
};

use console::Style;

use super::tree::{self, Entry, MAX_MISTAKES, Top};

/// Where something stands in the file: line and column from 1, width in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    pub line: usize,
    pub column: usize,
    pub width: usize,
}

/// One thing that the user has to change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mistake {
    /// Line of the file, from 1. `None` for an input, or when a key of the file's top level is missing.
    pub line: Option<usize>,
    /// Column in characters, from 1.
    pub column: Option<usize>,
    /// Dotted path of the key (`models[0].service.cpu`) or the input's name. Hostile text.
    pub key: String,
    /// What is wrong and what was expected, printable.
    pub message: String,
    /// What to do, printable.
    pub help: Option<String>,
    width: usize,
    secret: bool,
    excerpt: Option<Excerpt>,
}

/// The part of the source line that is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Excerpt {
    text: String,
    /// Characters before the carets.
    indent: usize,
    width: usize,
}

impl Mistake {
    pub(super) fn at(mark: Mark, key: &str, message: impl Into<String>) -> Self {
        Self {
            line: (mark.line > 0).then_some(mark.line),
            column: (mark.line > 0).then_some(mark.column),
            width: mark.width,
            ..Self::without_place(key, message)
        }
    }

    pub(super) fn without_place(key: &str, message: impl Into<String>) -> Self {
        Self {
            key: key.to_owned(),
            message: message.into(),
            ..Self::default()
        }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(super) fn maybe_help(mut self, help: Option<String>) -> Self {
        self.help = help.or(self.help);
        self
    }

    /// The line may hold a secret: it isn't shown.
    pub(super) fn secret(mut self) -> Self {
        self.secret = true;
        self
    }

    fn render(&self, file: &str, styles: &Styles, out: &mut String) {
        let _ = writeln!(
            out,
            "{}{}",
            styles.error.apply_to("error"),
            styles.strong.apply_to(format!(": {}", self.message))
        );
        let Some(line) = self.line else {
            if let Some(help) = &self.help {
                let _ = writeln!(out, "  {} help: {help}", styles.frame.apply_to("="));
            }
            return;
        };
        let gutter = " ".repeat(line.to_string().len());
        let bar = styles.frame.apply_to("|");
        let arrow = styles.frame.apply_to("-->");
        let _ = writeln!(out, "{gutter}{arrow} {file}:{line}:{}", self.column.unwrap_or(1));
        if let Some(excerpt) = &self.excerpt {
            let carets = "^".repeat(excerpt.width);
            let _ = writeln!(out, "{gutter} {bar}");
            let _ = writeln!(out, "{} {bar} {}", styles.frame.apply_to(line), excerpt.text);
            let _ = writeln!(
                out,
                "{gutter} {bar} {}{}",
                " ".repeat(excerpt.indent),
                styles.error.apply_to(carets)
            );
        }
        if let Some(help) = &self.help {
            let _ = writeln!(out, "{gutter} {} help: {help}", styles.frame.apply_to("="));
        }
    }
}

struct Styles {
    error: Style,
    strong: Style,
    frame: Style,
}

impl Styles {
    fn new(colors: bool) -> Self {
        let style = || Style::new().force_styling(colors);
        Self {
            error: style().red().bold(),
            strong: style().bold(),
            frame: style().blue().bold(),
        }
    }
}

/// Every mistake in the file and the inputs, in the file's order. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes(pub Vec<Mistake>, File);

/// Printable name of the file that the places are in.
#[derive(Clone, Debug, PartialEq, Eq)]
struct File(String);

/// Mistakes that are shown; the rest is counted.
const SHOWN: usize = 50;

impl Mistakes {
    /// Sorts the mistakes by place and takes from the text what is needed to show them.
    pub(super) fn new(name: &str, text: &str, mut mistakes: Vec<Mistake>) -> Self {
        mistakes.sort_by_key(|m| (m.line.is_none(), m.line, m.column));
        let mut seen = HashSet::new();
        mistakes.retain(|m| seen.insert((m.line, m.column, m.message.clone())));
        let lines: Vec<&str> = match content(text) {
            Content::Settings => text.lines().collect(),
            Content::Map => Vec::new(),
            Content::Other => {
                mistakes.retain(|m| m.line.is_none());
                mistakes.push(no_map());
                Vec::new()
            }
        };
        for mistake in mistakes.iter_mut().take(SHOWN) {
            let line = mistake.line.and_then(|line| lines.get(line - 1));
            mistake.excerpt = line
                .filter(|_| !mistake.secret)
                .map(|line| excerpt(line, mistake));
        }
        Self(mistakes, File(printable(name, 200)))
    }

    /// The text for people; with `colors`, with ANSI colours.
    pub fn render(&self, colors: bool) -> String {
        let styles = Styles::new(colors);
        let mut out = String::new();
        for mistake in self.0.iter().take(SHOWN) {
            mistake.render(&self.1.0, &styles, &mut out);
            out.push('\n');
        }
        let count = self.0.len();
        if count > SHOWN {
            let _ = writeln!(out, "… and {} more", count - SHOWN);
        }
        let noun = if count == 1 { "mistake" } else { "mistakes" };
        let more = if count >= MAX_MISTAKES { " or more" } else { "" };
        let _ = write!(out, "{count}{more} {noun} in the configuration; nothing was done");
        out
    }
}

/// How much of a file may be quoted.
enum Content {
    /// Our settings, or nothing: any line.
    Settings,
    /// A map of something else, or JSON, as files with credentials are: its keys.
    Map,
    /// Nothing: a file with a password may have been named, which must not get into a log.
    Other,
}

fn content(text: &str) -> Content {
    match tree::top(text) {
        Top::Empty => Content::Settings,
        Top::Map(entries) => {
            let schema = super::json_schema();
            let is_json = text.trim_start().starts_with('{');
            let is_ours = |entry: &Entry| schema["properties"].get(&entry.key).is_some();
            if entries.iter().any(is_ours) && !is_json {
                Content::Settings
            } else {
                Content::Map
            }
        }
        Top::Other => Content::Other,
    }
}

fn no_map() -> Mistake {
    let start = Mark {
        line: 1,
        column: 1,
        width: 1,
    };
    Mistake::at(start, "", "expected a map of settings, and the file is none").help(
        "write `key: value` lines such as `project: my-project`, or name another file as the configuration",
    )
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

impl std::error::Error for Mistakes {}

/// Characters of a source line that are shown around the place.
const LINE_WINDOW: usize = 120;

fn excerpt(line: &str, mistake: &Mistake) -> Excerpt {
    let column = mistake.column.unwrap_or(1).saturating_sub(1);
    let skip = if column > LINE_WINDOW - 40 { column - 20 } else { 0 };
    let window: Vec<char> = line.chars().skip(skip).take(LINE_WINDOW).collect();
    let place = (column - skip).min(window.len());
    let width = mistake.width.min(window.len().saturating_sub(place)).max(1);
    let masked: Vec<char> = masked(&window.iter().collect::<String>()).chars().collect();
    let show = |part: &[char]| part.iter().map(|c| shown(*c)).collect::<String>();
    let end = (place + width).min(masked.len());
    let (before, marked) = (show(&masked[..place]), show(&masked[place..end]));
    let start = if skip > 0 { "…" } else { "" };
    let more = line.chars().nth(skip + LINE_WINDOW).map_or("", |_| "…");
    Excerpt {
        indent: console::measure_text_width(start) + console::measure_text_width(&before),
        width: console::measure_text_width(&marked).max(1),
        text: format!("{start}{before}{marked}{}{more}", show(&masked[end..])),
    }
}

/// A character as it may be printed: no control characters, no invisible ones that reorder text.
fn shown(c: char) -> char {
    match c {
        '\t' => ' ',
        c if c.is_control() => '\u{fffd}',
        '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' => {
            '\u{fffd}'
        }
        c => c,
    }
}

/// Hides what has the shape of a Hugging Face token, keeping its width.
fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(found) = rest.find("hf_") {
        let (before, token) = rest.split_at(found);
        let end = token
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(token.len());
        out.push_str(before);
        let hidden = if end >= 16 {
            format!("hf_{}", "*".repeat(end - 3))
        } else {
            token[..end].to_owned()
        };
        out.push_str(&hidden);
        rest = &token[end..];
    }
    out + rest
}

/// Outside text, printable, on one line and at most `limit` characters.
pub(super) fn printable(text: &str, limit: usize) -> String {
    // A token that the limit would cut is still recognised.
    let text = text.trim_end();
    let head: String = text.chars().take(limit + 64).collect();
    let short: String = masked(&head).chars().take(limit).map(shown).collect();
    if text.chars().nth(limit).is_some() {
        short + "…"
    } else {
        short
    }
}

/// Outside text in backticks, as messages name keys and values.
pub(super) fn quoted(text: &str) -> String {
    format!("`{}`", printable(text, 60))
}
