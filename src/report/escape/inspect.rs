//! What a reader's browser would make of Markdown: everything active in it, as GitHub sees it.

use std::sync::LazyLock;

use pulldown_cmark::{Event, Options, Parser, Tag};
use regex::Regex;

/// Everything in a text that does more than show itself.
#[derive(Debug, Default)]
pub struct Active {
    pub links: Vec<String>,
    pub images: Vec<String>,
    pub html: Vec<String>,
    /// Runs of text outside of code that GitHub links on its own.
    pub autolinked: Vec<String>,
    pub headings: usize,
    pub rules: usize,
    /// Cells of each table row.
    pub cells: Vec<usize>,
    /// Code and text, in order, without markup.
    pub shown: String,
    pub code: Vec<String>,
}

static AUTOLINKED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)@|#\d|\bgh-\d|[a-z]-\d|ghsa-|://|www\.|mailto:|xmpp:|\b[0-9a-f]{7,}\b|:[a-z0-9_+-]+:|\$\S[^$]*\$",
        r"|[\x00-\x08\x0b-\x1f\x7f\u{200b}-\u{200f}\u{202a}-\u{202e}\u{2060}-\u{206f}\u{feff}]"
    ))
    .unwrap()
});

pub fn inspect(markdown: &str) -> Active {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_GFM
        | Options::ENABLE_MATH;
    let mut found = Active::default();
    let mut text = String::new();
    let mut in_code_block = false;
    for event in Parser::new_ext(markdown, options) {
        match &event {
            Event::Text(t) if in_code_block => {
                found.shown.push_str(t);
                found.code.push(t.to_string());
                continue;
            }
            Event::Text(t) => {
                found.shown.push_str(t);
                text.push_str(t);
                continue;
            }
            Event::SoftBreak | Event::HardBreak => {
                text.push('\n');
                found.shown.push('\n');
                continue;
            }
            _ => {}
        }
        flush(&mut text, &mut found);
        match event {
            Event::Code(c) => {
                found.shown.push_str(&c);
                found.code.push(c.to_string());
            }
            Event::Html(h) | Event::InlineHtml(h) => found.html.push(h.to_string()),
            Event::InlineMath(m) | Event::DisplayMath(m) => found.autolinked.push(format!("math {m}")),
            Event::FootnoteReference(f) => found.links.push(format!("footnote {f}")),
            Event::TaskListMarker(_) => found.html.push("task".to_owned()),
            Event::Rule => found.rules += 1,
            Event::Start(Tag::Link { dest_url, .. }) => found.links.push(dest_url.to_string()),
            Event::Start(Tag::Image { dest_url, .. }) => found.images.push(dest_url.to_string()),
            Event::Start(Tag::Heading { .. }) => found.headings += 1,
            Event::Start(Tag::CodeBlock(_)) => in_code_block = true,
            Event::End(pulldown_cmark::TagEnd::CodeBlock) => in_code_block = false,
            Event::Start(Tag::TableHead | Tag::TableRow) => found.cells.push(0),
            Event::Start(Tag::TableCell) => *found.cells.last_mut().unwrap() += 1,
            _ => {}
        }
    }
    flush(&mut text, &mut found);
    found
}

fn flush(text: &mut String, found: &mut Active) {
    found.autolinked.extend(
        AUTOLINKED
            .find_iter(text)
            .map(|m| format!("{} in {text}", m.as_str())),
    );
    text.clear();
}
