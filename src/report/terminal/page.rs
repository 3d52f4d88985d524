//! What is written on: wrapped lines, titles, tables.

use std::fmt::Write as _;

use comfy_table::{Cell, CellAlignment, ContentArrangement, Row, Table, presets};
use console::{Style, measure_text_width};

use crate::report::{Status, escape::line};

/// Text for a terminal, plain where it has no colours.
pub struct Page {
    pub out: String,
    pub width: usize,
    colors: bool,
}

impl Page {
    pub fn new(width: usize, colors: bool) -> Self {
        Self {
            out: String::new(),
            width: width.clamp(40, 200),
            colors,
        }
    }

    fn paint(&self, style: Style, text: &str) -> String {
        if self.colors {
            style.force_styling(true).apply_to(text).to_string()
        } else {
            text.to_owned()
        }
    }

    /// `text` in the colour of the status.
    pub fn status(&self, status: Status, text: &str) -> String {
        let style = match status {
            Status::Succeeded => Style::new().green().bold(),
            Status::Failed => Style::new().red().bold(),
            Status::Queued
            | Status::Running
            | Status::Skipped
            | Status::Cancelled
            | Status::Superseded
            | Status::Deleted => Style::new().yellow().bold(),
        };
        self.paint(style, text)
    }

    pub fn strong(&mut self, text: &str) {
        for part in wrap(&line(text), self.width) {
            let part = self.paint(Style::new().bold(), &part);
            let _ = writeln!(self.out, "{part}");
        }
    }

    pub fn title(&mut self, text: &str) {
        self.out.push('\n');
        self.strong(text);
    }

    /// `text` wrapped at spaces, its first line after `first`, the others indented as far.
    pub fn wrapped(&mut self, indent: &str, first: &str, text: &str) {
        let hang = " ".repeat(measure_text_width(first));
        let room = self
            .width
            .saturating_sub(measure_text_width(indent) + hang.len())
            .max(20);
        for (i, part) in wrap(&line(text), room).iter().enumerate() {
            let _ = writeln!(self.out, "{indent}{}{part}", if i == 0 { first } else { &hang });
        }
    }

    /// A line after a mark that says whether something is as it should be.
    pub fn checked(&mut self, good: bool, text: &str) {
        let status = if good { Status::Succeeded } else { Status::Failed };
        let mark = self.status(status, symbol(status));
        self.wrapped("  ", &format!("{mark} "), text);
    }

    pub fn table(&self, head: impl Into<Row>) -> Table {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(u16::try_from(self.width - 2).unwrap_or(u16::MAX))
            .set_header(head);
        table
    }

    pub fn print(&mut self, table: &Table) {
        for row in table.to_string().lines() {
            let _ = writeln!(self.out, "  {}", row.trim_end());
        }
    }
}

pub const fn symbol(status: Status) -> &'static str {
    match status {
        Status::Succeeded | Status::Deleted => "✔",
        Status::Failed => "✘",
        Status::Queued | Status::Running => "…",
        Status::Skipped => "–",
        Status::Cancelled => "■",
        Status::Superseded => "»",
    }
}

/// A figure's cell.
pub fn right(text: &str) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

/// A name and its figures.
pub fn row<T: AsRef<str>>(texts: impl IntoIterator<Item = T>) -> Vec<Cell> {
    texts
        .into_iter()
        .enumerate()
        .map(|(i, text)| match i {
            0 => Cell::new(text.as_ref()),
            _ => right(text.as_ref()),
        })
        .collect()
}

/// Lines of at most `width` columns. A word that is longer stands whole on a line of its own: a URL that
/// is broken up can't be clicked.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last().map_or(0, |l| measure_text_width(l));
        match lines.last_mut() {
            Some(current) if last == 0 => current.push_str(word),
            Some(current) if last + 1 + measure_text_width(word) <= width => {
                current.push(' ');
                current.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
