//! YAML text → a tree that knows where everything stands.
//!
//! The tree is built from the parser's events on an explicit stack with limits on size and depth, so a
//! hostile file costs no more than its own length. Anchors, aliases, merge keys and tags are refused: the
//! sections at the top of the file already are the defaults of every model, and an alias can expand without
//! bound.

use saphyr_parser::{Event, Parser, ScalarStyle, Span};

use super::mistake::{Mark, Mistake, quoted};

/// Largest file that is read. A real one has a few kilobytes.
const MAX_BYTES: usize = 1 << 20;
/// Deepest nesting that is read. The schema needs seven; a JSON Schema inside a check may need more.
const MAX_DEPTH: usize = 40;
/// Mistakes collected before reading stops.
pub const MAX_MISTAKES: usize = 500;

/// A value and where it stands.
#[derive(Debug)]
pub struct Node {
    pub kind: Kind,
    pub mark: Mark,
}

#[derive(Debug)]
pub enum Kind {
    Scalar(Scalar),
    List(Vec<Node>),
    Map(Vec<Entry>),
    /// Already reported; nothing more is said about it.
    Refused,
}

#[derive(Debug)]
pub struct Entry {
    pub key: String,
    pub key_mark: Mark,
    pub value: Node,
}

/// A scalar as written; `plain` ones are null, booleans or numbers when they look like it.
#[derive(Debug)]
pub struct Scalar {
    pub text: String,
    pub plain: bool,
}

impl Scalar {
    /// Returns the value: null, a boolean or a decimal number when the scalar is plain and looks like one, else text as
    /// it is written.
    pub fn value(&self) -> serde_yaml::Value {
        use serde_yaml::Value;
        if !self.plain {
            return Value::String(self.text.clone());
        }
        match self.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Value::Null,
            "true" | "True" | "TRUE" => Value::Bool(true),
            "false" | "False" | "FALSE" => Value::Bool(false),
            text => number(text).map_or_else(|| Value::String(text.to_owned()), Value::Number),
        }
    }
}

/// Decimal integers and floats. Notations that YAML readers disagree on (`0x10`, `0b11`, `1_000`, `010`, `.inf`) stay
/// text, so they are reported where a number is expected, and passed on as written where anything is.
fn number(text: &str) -> Option<serde_yaml::Number> {
    let digits = text.trim_start_matches(['+', '-']);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') || text.len() - digits.len() > 1 {
        return None;
    }
    let leading_zero = digits.len() > 1 && digits.starts_with('0') && !digits.contains(['.', 'e', 'E']);
    if leading_zero {
        return None;
    }
    if let Ok(whole) = text.parse::<u64>() {
        return Some(whole.into());
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Some(whole.into());
    }
    let float: f64 = text.parse().ok()?;
    float.is_finite().then(|| float.into())
}

/// Reads one document. What could be read is returned beside the mistakes; `None` when nothing could.
pub fn read(text: &str) -> (Option<Node>, Vec<Mistake>) {
    let (builder, whole) = build(text);
    (builder.root.filter(|_| whole), builder.mistakes)
}

/// What a file is as a whole.
#[derive(Debug)]
pub enum Top {
    /// Nothing but comments.
    Empty,
    /// A map, with its entries as far as the file can be read.
    Map(Vec<Entry>),
    /// Text, a list, or something that is no YAML from its start.
    Other,
}

/// Reads a file as far as it can be read.
pub fn top(text: &str) -> Top {
    let (mut builder, whole) = build(text);
    let root = builder.root.take().map(|node| node.kind);
    match (root, builder.stack.into_iter().next()) {
        (Some(Kind::Map(entries)), _) | (None, Some(Open::Map(entries, ..))) => Top::Map(entries),
        (None, None) if whole => Top::Empty,
        (Some(Kind::Scalar(scalar)), _) if scalar.value().is_null() => Top::Empty,
        _ => Top::Other,
    }
}

/// Reads until the end, which is true, or until the first mistake that makes the rest unreadable.
fn build(text: &str) -> (Builder, bool) {
    let mut builder = Builder::default();
    if text.len() > MAX_BYTES {
        let message = format!(
            "the file has {} bytes, more than the {MAX_BYTES} that are read",
            text.len()
        );
        builder.mistakes.push(Mistake::at(Mark::default(), "", message));
        return (builder, false);
    }
    for event in Parser::new_from_str(text) {
        let step = match event {
            Ok((event, span)) => builder.take(event, mark(span)),
            Err(error) => {
                let at = Mark {
                    line: error.marker().line(),
                    column: error.marker().col() + 1,
                    width: 1,
                };
                Err(Box::new(Mistake::at(
                    at,
                    "",
                    format!("not valid YAML: {}", quoted_text(error.info())),
                )))
            }
        };
        if let Err(fatal) = step {
            builder.mistakes.push(*fatal);
            return (builder, false);
        }
        if builder.mistakes.len() > MAX_MISTAKES {
            return (builder, false);
        }
    }
    (builder, true)
}

fn quoted_text(text: &str) -> String {
    super::mistake::printable(text, 200)
}

/// What an error about this span underlines: its first line, to the end when it has more.
fn mark(span: Span) -> Mark {
    let (start, end) = (span.start, span.end);
    let one_line = start.line() == end.line();
    let width = if one_line {
        end.col().saturating_sub(start.col()).max(1)
    } else {
        usize::MAX
    };
    Mark {
        line: start.line(),
        column: start.col() + 1,
        width,
    }
}

/// A collection that is not closed yet.
enum Open {
    List(Vec<Node>, Mark),
    Map(Vec<Entry>, Option<(String, Mark)>, Mark),
}

#[derive(Default)]
struct Builder {
    stack: Vec<Open>,
    root: Option<Node>,
    documents: usize,
    mistakes: Vec<Mistake>,
}

impl Builder {
    /// Takes one event; an error ends the reading.
    fn take(&mut self, event: Event<'_>, mark: Mark) -> Result<(), Box<Mistake>> {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Box::new(
                        Mistake::at(mark, "", "a second YAML document: only one is read").help(
                            "remove the `---` line and what follows, or list several models under `models`",
                        ),
                    ));
                }
            }
            Event::Alias(_) => {
                self.refuse(mark, "aliases (`*name`) are not supported");
                self.add(Node {
                    kind: Kind::Refused,
                    mark,
                })?;
            }
            Event::Scalar(text, style, anchor, tag) => {
                self.reject_properties(anchor, tag.is_some(), mark);
                let scalar = Scalar {
                    text: text.into_owned(),
                    plain: style == ScalarStyle::Plain,
                };
                self.add(Node {
                    kind: Kind::Scalar(scalar),
                    mark,
                })?;
            }
            Event::SequenceStart(anchor, tag) => {
                self.reject_properties(anchor, tag.is_some(), mark);
                self.open(Open::List(Vec::new(), mark), mark)?;
            }
            Event::MappingStart(anchor, tag) => {
                self.reject_properties(anchor, tag.is_some(), mark);
                self.open(Open::Map(Vec::new(), None, mark), mark)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close()?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn reject_properties(&mut self, anchor: usize, tagged: bool, mark: Mark) {
        if anchor > 0 {
            self.refuse(mark, "anchors (`&name`) are not supported");
        }
        if tagged {
            self.refuse(mark, "tags (`!name`) are not supported");
        }
    }

    fn refuse(&mut self, mark: Mark, message: &str) {
        self.mistakes.push(Mistake::at(mark, "", message).help(
            "write the value out; `engine`, `service`, `image`, `smoke` and `latency` at the top of the file \
             already are the defaults of every model",
        ));
    }

    fn open(&mut self, open: Open, mark: Mark) -> Result<(), Box<Mistake>> {
        if self.stack.len() >= MAX_DEPTH {
            return Err(Box::new(Mistake::at(
                mark,
                "",
                format!("nested more than {MAX_DEPTH} levels deep"),
            )));
        }
        self.stack.push(open);
        Ok(())
    }

    fn close(&mut self) -> Result<(), Box<Mistake>> {
        match self.stack.pop() {
            Some(Open::List(items, mark)) => self.add(Node {
                kind: Kind::List(items),
                mark,
            }),
            Some(Open::Map(entries, _, mark)) => self.add(Node {
                kind: Kind::Map(entries),
                mark,
            }),
            None => Ok(()),
        }
    }

    /// Puts a finished value where it belongs: as a key, a value, an item or the root.
    fn add(&mut self, node: Node) -> Result<(), Box<Mistake>> {
        match self.stack.last_mut() {
            None => self.root = Some(node),
            Some(Open::List(items, _)) => items.push(node),
            Some(Open::Map(entries, pending, _)) => match pending.take() {
                Some((key, key_mark)) => {
                    entries.push(Entry {
                        key,
                        key_mark,
                        value: node,
                    });
                }
                None => *pending = Some(key_of(node)?),
            },
        }
        Ok(())
    }
}

fn key_of(node: Node) -> Result<(String, Mark), Box<Mistake>> {
    match node.kind {
        Kind::Scalar(scalar) => Ok((scalar.text, node.mark)),
        _ => Err(Box::new(Mistake::at(
            node.mark,
            "",
            "expected a key, found a collection or an alias",
        ))),
    }
}

/// Reports keys that are given twice and merge keys, and drops them from the tree.
pub fn drop_duplicates(node: &mut Node, mistakes: &mut Vec<Mistake>) {
    match &mut node.kind {
        Kind::List(items) => items.iter_mut().for_each(|item| drop_duplicates(item, mistakes)),
        Kind::Map(entries) => {
            let mut seen: std::collections::HashMap<String, usize> = std::collections::HashMap::new();
            entries.retain(|entry| {
                if entry.key == "<<" {
                    mistakes.push(
                        Mistake::at(entry.key_mark, &entry.key, "merge keys (`<<`) are not supported").help(
                            "write the keys out; the sections at the top of the file already are the \
                             defaults of every model",
                        ),
                    );
                    return false;
                }
                if let Some(line) = seen.get(&entry.key) {
                    let message = format!("key {} is given twice, first on line {line}", quoted(&entry.key));
                    mistakes.push(Mistake::at(entry.key_mark, &entry.key, message).help("keep one of them"));
                    return false;
                }
                seen.insert(entry.key.clone(), entry.key_mark.line);
                true
            });
            for entry in entries {
                drop_duplicates(&mut entry.value, mistakes);
            }
        }
        Kind::Scalar(_) | Kind::Refused => {}
    }
}

#[cfg(test)]
mod tests;
