//! The page that is written: wrapped lines, titles, tables.

use std::fmt::Write as _;

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use console::{Style, measure_text_width};

use crate::report::{
    escape::{clip, line},
    terminal::wrap,
};

#[derive(Clone, Copy)]
pub enum Mood {
    Good,
    Bad,
}

pub struct Page {
    pub out: String,
    width: usize,
    colors: bool,
}

impl Page {
    pub fn new(width: usize, colors: bool) -> Self {
        Self {
            out: String::new(),
            width: width.clamp(60, 200),
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

    /// One paragraph: `text` after `first`, further lines indented as far.
    pub fn wrapped(&mut self, indent: &str, first: &str, text: &str) {
        let hang = " ".repeat(measure_text_width(first));
        let room = self.width.saturating_sub(indent.len() + hang.len()).max(20);
        for (index, part) in wrap(&line(text), room).iter().enumerate() {
            let first = if index == 0 { first } else { &hang };
            // No word of somebody else's is longer than the terminal is wide; of ours none is.
            let _ = writeln!(self.out, "{indent}{first}{}", clip(part, QUOTED_WORD));
        }
    }

    /// A line with a mark before it.
    pub fn marked(&mut self, mark: &str, mood: Mood, text: &str) {
        let style = match mood {
            Mood::Good => Style::new().green(),
            Mood::Bad => Style::new().red(),
        };
        let mark = self.paint(style, mark);
        self.wrapped("  ", &format!("{mark} "), text);
    }

    pub fn table(&self, head: &[&str]) -> Table {
        let mut table = Table::new();
        let head = head.iter().enumerate().map(|(index, text)| cell(index, text));
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(u16::try_from(self.width - 2).unwrap_or(u16::MAX))
            .set_header(head);
        table
    }

    pub fn print(&mut self, table: &Table) {
        for row in table.to_string().lines() {
            let _ = writeln!(self.out, " {}", row.trim_end());
        }
    }
}

/// Longest word that is shown: a URL.
const QUOTED_WORD: usize = 300;

/// Names are on the left, figures on the right.
pub fn cell(index: usize, text: &str) -> Cell {
    let cell = Cell::new(text);
    if index == 0 {
        cell
    } else {
        cell.set_alignment(CellAlignment::Right)
    }
}

pub fn row(texts: impl IntoIterator<Item = String>) -> Vec<Cell> {
    texts
        .into_iter()
        .enumerate()
        .map(|(i, text)| cell(i, &text))
        .collect()
}
