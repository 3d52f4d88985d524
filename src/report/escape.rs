//! Text from outside (model output, titles, logs, services' messages) made harmless for Markdown as GitHub
//! renders it.
//!
//! GitHub links more than Markdown does: `@mentions`, `#1`, `GH-1`, commit hashes, bare addresses. Backslashes
//! don't stop that, code does. So outside text is shown as a code span or a fence, and in prose every word
//! that GitHub could link becomes a code span of its own.

use std::cmp::Ordering;
use std::fmt::Write as _;

use url::Url;

use crate::environment::require_secure;

/// Removes what a reader can't see or what steers a terminal: ANSI sequences, control characters other than
/// newline and tab, bidirectional and zero-width marks, tag characters. Line ends become `\n`.
pub fn visible(text: &str) -> String {
    let text = console::strip_ansi_codes(text);
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {
                chars.next_if_eq(&'\n');
                out.push('\n');
            }
            '\u{2028}' | '\u{2029}' | '\u{85}' => out.push('\n'),
            '\n' | '\t' => out.push(c),
            c if c.is_control() || is_hidden(c) => {}
            c => out.push(c),
        }
    }
    out
}

/// Characters that take no room or turn the reading direction. Variation selectors 15 and 16 stay, they
/// belong to emoji.
fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0d}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// One line: every run of white space is one space, and nothing hidden remains.
pub fn line(text: &str) -> String {
    visible(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

/// At most `limit` characters, the last being `…` when something was left out.
pub fn clip(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some(_) => text.chars().take(limit.saturating_sub(1)).chain(['…']).collect(),
    }
}

/// Backticks in a row that are shown. GitHub's parser knows code spans with up to 80 and fences with up to 255 of them.
const BACKTICKS: usize = 40;

/// Longer runs of backticks are cut and end in `…`.
fn cut_runs(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        match run.cmp(&(BACKTICKS + 1)) {
            Ordering::Less => out.push(c),
            Ordering::Equal => out.push('…'),
            Ordering::Greater => {}
        }
    }
    out
}

/// A code span. Not for table cells: see [`cell_code`].
pub fn code(text: &str) -> String {
    let text = cut_runs(&line(text));
    if text.is_empty() {
        return "(empty)".to_owned();
    }
    let ticks = "`".repeat(longest_run(&text, '`') + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') {
        " "
    } else {
        ""
    };
    format!("{ticks}{pad}{text}{pad}{ticks}")
}

/// A code span inside a table. Cells are split at `|` before code spans are seen, and whether a backslash
/// saves a pipe depends on what stands before it; so a pipe is shown as `¦`.
pub fn cell_code(text: &str) -> String {
    code(&text.replace('|', "¦"))
}

/// A fenced code block, longer than any fence in `text`. `language` is ours. Ends in a newline.
pub fn fence(language: &str, text: &str) -> String {
    let text = cut_runs(&visible(text));
    let ticks = "`".repeat(longest_run(&text, '`').max(2) + 1);
    format!("{ticks}{language}\n{}\n{ticks}\n", text.trim_end_matches('\n'))
}

fn longest_run(text: &str, wanted: char) -> usize {
    text.split(|c| c != wanted).map(str::len).max().unwrap_or(0)
}

/// Prose in one line. `code` between single backticks stays code; any other markup is shown as it is
/// written. Safe in a table cell.
pub fn prose(text: &str) -> String {
    let text = line(text);
    let parts: Vec<&str> = text.split('`').collect();
    let mut out = String::new();
    for (i, part) in parts.iter().enumerate() {
        let inside = i % 2 == 1;
        let paired = inside && i + 1 < parts.len();
        if paired && !part.trim().is_empty() {
            push_code(part, &mut out);
            continue;
        }
        if inside {
            out.push_str("\\`");
        }
        words(part, &mut out);
        if paired {
            out.push_str("\\`");
        }
    }
    out
}

fn words(text: &str, out: &mut String) {
    for word in text.split_inclusive(' ') {
        let bare = word.trim_end_matches(' ');
        if is_linkable(bare) {
            push_code(bare, out);
        } else {
            escape_word(bare, out.is_empty(), out);
        }
        out.push_str(&word[bare.len()..]);
    }
}

/// Two spans that touch would read as one longer delimiter.
fn push_code(text: &str, out: &mut String) {
    if out.ends_with('`') {
        out.push(' ');
    }
    out.push_str(&cell_code(text));
}

/// Some characters mean something only where a line begins: lists, headings, rules.
fn escape_word(word: &str, first: bool, out: &mut String) {
    for c in word.chars() {
        let anywhere = matches!(
            c,
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '~' | '&'
        );
        if anywhere || first && matches!(c, '-' | '+' | '.' | ')' | '=' | ':') {
            out.push('\\');
        }
        out.push(c);
    }
}

/// Whether GitHub may turn the word into something else than text: a mention, a reference, a commit, an
/// address, an emoji, a formula.
fn is_linkable(word: &str) -> bool {
    let lower = word.to_lowercase();
    word.contains(['@', '#', '$'])
        || lower.contains("://")
        || lower.contains("www.")
        || lower.contains("mailto:")
        || lower.contains("xmpp:")
        || has_hash(&lower)
        || has_ticket(word)
        || has_shortcode(&lower)
}

/// Seven hexadecimal digits or more that stand alone: a commit.
fn has_hash(word: &str) -> bool {
    word.split(|c: char| !c.is_ascii_alphanumeric())
        .any(|run| run.len() >= 7 && run.chars().all(|c| c.is_ascii_hexdigit()))
}

/// `GH-1`, `JIRA-12`, `CVE-2024-1`, `GHSA-…`: letters, a dash, then a letter or digit.
fn has_ticket(word: &str) -> bool {
    let bytes = word.as_bytes();
    bytes
        .windows(3)
        .any(|w| w[0].is_ascii_alphabetic() && w[1] == b'-' && w[2].is_ascii_digit())
        || word.to_lowercase().contains("ghsa-")
}

/// `:tada:`
fn has_shortcode(word: &str) -> bool {
    let mut parts = word.split(':');
    parts.next();
    let inner: Vec<&str> = parts.collect();
    inner
        .split_last()
        .is_some_and(|(_, middle)| middle.iter().any(|m| !m.is_empty()))
}

/// A link. `label` is Markdown of ours. A URL that isn't https (or http on loopback) is shown, not linked.
pub fn link(label: &str, url: &str) -> String {
    match safe_url(url) {
        Some(url) => format!("[{label}]({})", url.replace('&', "&amp;")),
        None => format!("{label} {}", cell_code(&clip(url, 200))),
    }
}

/// The URL as a link that shows it whole.
pub fn url_link(url: &str) -> String {
    match safe_url(url) {
        Some(_) => link(&cell_code(url), url),
        None => cell_code(&clip(url, 200)),
    }
}

/// The URL if it may be linked, with everything encoded that means something to Markdown or HTML.
pub fn safe_url(url: &str) -> Option<String> {
    if url.len() > 2_000 {
        return None;
    }
    let parsed = Url::parse(url).ok()?;
    require_secure(&parsed).ok()?;
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return None;
    }
    let mut out = String::new();
    for c in parsed.as_str().chars() {
        match c {
            '(' | ')' | '|' | '\\' | '<' | '>' | '`' | '"' | '\'' | '*' | '{' | '}' | '^' => {
                let _ = write!(out, "%{:02X}", u32::from(c));
            }
            // Left by the URL parser only inside an IPv6 host, where they belong.
            c if c.is_ascii_graphic() => out.push(c),
            _ => return None,
        }
    }
    Some(out)
}

/// Text inside our own HTML tags, which Markdown does not look into.
pub fn html(text: &str) -> String {
    let mut out = String::new();
    for c in line(text).chars() {
        if c.is_ascii_alphanumeric() || matches!(c, ' ' | ',' | '/') || !c.is_ascii() {
            out.push(c);
        } else {
            let _ = write!(out, "&#{};", u32::from(c));
        }
    }
    out
}

#[cfg(test)]
pub mod inspect;
#[cfg(test)]
mod tests;
