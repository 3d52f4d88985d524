//! What a reader's browser would make of Markdown: everything active in it, as GitHub sees it.

use std::sync::LazyLock;

use comrak::nodes::{AstNode, NodeValue};
use comrak::{Arena, Options, parse_document};
use regex::Regex;

/// Everything in a text that does more than show itself.
#[derive(Debug, Default)]
pub struct Active {
    pub links: Vec<String>,
    pub images: Vec<String>,
    pub html: Vec<String>,
    /// Runs of text outside of code that GitHub links on its own.
    pub autolinked: Vec<String>,
    /// Structure that nobody but us may make: tasks, footnotes, alerts.
    pub structures: Vec<String>,
    /// Languages of fenced blocks; GitHub draws some.
    pub languages: Vec<String>,
    pub headings: usize,
    pub rules: usize,
    /// Cells of each table row.
    pub cells: Vec<usize>,
    /// Code and text, in order, without markup.
    pub shown: String,
    pub code: Vec<String>,
}

/// What GitHub's filters look for in text after Markdown is done: mentions, references, commits, addresses, emoji,
/// formulas. And what a reader can't see.
static AUTOLINKED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?i)@|#\d|\bgh-\d|[a-z]-\d|ghsa-|://|www\.|mailto:|xmpp:|\b[0-9a-f]{7,}\b|:[a-z0-9_+-]+:|\$\S[^$]*\$",
        r"|[\x00-\x08\x0b-\x1f\x7f\u{200b}-\u{200f}\u{202a}-\u{202e}\u{2060}-\u{206f}\u{feff}]"
    ))
    .unwrap()
});

/// GitHub's dialect, as comrak (written after GitHub's own parser) knows it.
fn dialect() -> Options<'static> {
    let mut options = Options::default();
    let extension = &mut options.extension;
    extension.strikethrough = true;
    extension.table = true;
    extension.autolink = true;
    extension.tasklist = true;
    extension.footnotes = true;
    extension.alerts = true;
    extension.math_dollars = true;
    extension.math_code = true;
    options
}

pub fn inspect(markdown: &str) -> Active {
    let arena = Arena::new();
    let mut walk = Walk::default();
    walk.visit(parse_document(&arena, markdown, &dialect()));
    walk.flush();
    walk.found
}

#[derive(Default)]
struct Walk {
    found: Active,
    /// Text since the last markup, which GitHub looks at as one.
    text: String,
}

impl Walk {
    fn visit<'a>(&mut self, node: &'a AstNode<'a>) {
        self.enter(&node.data.borrow().value);
        for child in node.children() {
            self.visit(child);
        }
        // A block's end or a markup's end ends the text.
        if !matches!(
            node.data.borrow().value,
            NodeValue::Text(_) | NodeValue::SoftBreak | NodeValue::LineBreak
        ) {
            self.flush();
        }
    }

    fn enter(&mut self, value: &NodeValue) {
        match value {
            NodeValue::Text(text) => return self.read(text),
            NodeValue::SoftBreak | NodeValue::LineBreak => return self.read("\n"),
            _ => self.flush(),
        }
        let found = &mut self.found;
        match value {
            NodeValue::Code(code) => {
                found.shown.push_str(&code.literal);
                found.code.push(code.literal.clone());
            }
            NodeValue::CodeBlock(block) => {
                found.shown.push_str(&block.literal);
                found.code.push(block.literal.clone());
                found.languages.push(block.info.clone());
            }
            NodeValue::HtmlBlock(html) => found.html.push(html.literal.clone()),
            NodeValue::HtmlInline(html) => found.html.push(html.clone()),
            NodeValue::Math(math) => found.autolinked.push(format!("math {}", math.literal)),
            NodeValue::Link(link) => found.links.push(link.url.clone()),
            NodeValue::Image(link) => found.images.push(link.url.clone()),
            NodeValue::Heading(_) => found.headings += 1,
            NodeValue::ThematicBreak => found.rules += 1,
            NodeValue::TableRow(_) => found.cells.push(0),
            NodeValue::TableCell => *found.cells.last_mut().unwrap() += 1,
            NodeValue::TaskItem(_)
            | NodeValue::FootnoteReference(_)
            | NodeValue::FootnoteDefinition(_)
            | NodeValue::Alert(_) => found.structures.push(format!("{value:?}")),
            _ => {}
        }
    }

    fn read(&mut self, text: &str) {
        self.found.shown.push_str(text);
        self.text.push_str(text);
    }

    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        let hits = AUTOLINKED.find_iter(&text);
        self.found
            .autolinked
            .extend(hits.map(|m| format!("{} in {text}", m.as_str())));
    }
}
