//! A text as a reader takes it: escapes undone, each byte with its place in the text.

use std::{
    iter::{Peekable, repeat_n},
    ops::Range,
    str::CharIndices,
};

/// What is seen, and where it stands.
pub struct View {
    pub bytes: Vec<u8>,
    /// For each byte the part of the text that it comes from, a whole character or escape.
    places: Vec<Range<usize>>,
}

impl View {
    /// Undoes what URLs (`%41`), JSON (`\u0041`, `\n`), Markdown (`\_`) and HTML (`&amp;`, `&#65;`) make of characters.
    pub fn plain(text: &str) -> Self {
        let mut view = Self {
            bytes: Vec::with_capacity(text.len()),
            places: Vec::with_capacity(text.len()),
        };
        let mut at = 0;
        while let Some(first) = text[at..].chars().next() {
            let rest = &text[at..];
            let (seen, length) = match first {
                '%' => percent(rest).map(|(byte, length)| (Seen::Byte(byte), length)),
                '\\' => backslash(rest).map(|(seen, length)| (Seen::Char(seen), length)),
                '&' => entity(rest).map(|(seen, length)| (Seen::Char(seen), length)),
                _ => None,
            }
            .unwrap_or((Seen::Char(first), first.len_utf8()));
            view.push(seen, &(at..at + length));
            at += length;
        }
        view
    }

    /// Without white space and invisible characters, and with one spelling for base64's two alphabets: what was split over
    /// lines is in one piece again.
    pub fn joined(self) -> Self {
        let unseen = match std::str::from_utf8(&self.bytes) {
            Ok(text) => unseen(text.char_indices().peekable(), text.len()),
            // What a URL escapes need not be UTF-8: byte by byte, then.
            Err(_) => self.bytes.iter().map(u8::is_ascii_whitespace).collect(),
        };
        let kept = self.bytes.iter().zip(self.places).zip(unseen);
        let (bytes, places) = kept
            .filter(|(_, unseen)| !unseen)
            .map(|((byte, place), _)| (one_alphabet(*byte), place))
            .unzip();
        Self { bytes, places }
    }

    /// The part of the text that these bytes come from.
    pub fn place(&self, bytes: &Range<usize>) -> Option<Range<usize>> {
        let first = self.places.get(bytes.start)?;
        let last = self.places.get(bytes.end.checked_sub(1)?)?;
        Some(first.start..last.end)
    }

    fn push(&mut self, seen: Seen, place: &Range<usize>) {
        let mut buffer = [0; 4];
        let bytes = match seen {
            Seen::Byte(byte) => {
                buffer[0] = byte;
                &buffer[..1]
            }
            Seen::Char(c) => c.encode_utf8(&mut buffer).as_bytes(),
        };
        for byte in bytes {
            self.bytes.push(*byte);
            self.places.push(place.clone());
        }
    }
}

#[derive(Clone, Copy)]
enum Seen {
    Byte(u8),
    Char(char),
}

/// For each byte of a text whether it belongs to an invisible character.
fn unseen(mut chars: Peekable<CharIndices<'_>>, length: usize) -> Vec<bool> {
    let mut unseen = Vec::with_capacity(length);
    while let Some((start, c)) = chars.next() {
        let end = chars.peek().map_or(length, |(next, _)| *next);
        let hidden = c.is_whitespace()
            || c.is_control()
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}');
        unseen.extend(repeat_n(hidden, end - start));
    }
    unseen
}

/// base64 for URLs has `-` and `_` for `+` and `/`.
fn one_alphabet(byte: u8) -> u8 {
    match byte {
        b'-' => b'+',
        b'_' => b'/',
        other => other,
    }
}

fn percent(text: &str) -> Option<(u8, usize)> {
    let digits = text
        .get(1..3)
        .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
    Some((u8::from_str_radix(digits, 16).ok()?, 3))
}

fn backslash(text: &str) -> Option<(char, usize)> {
    match text[1..].chars().next()? {
        'n' => Some(('\n', 2)),
        'r' => Some(('\r', 2)),
        't' => Some(('\t', 2)),
        'u' => {
            let digits = text.get(2..6)?;
            Some((char::from_u32(u32::from_str_radix(digits, 16).ok()?)?, 6))
        }
        c if c.is_ascii_punctuation() || c == '\n' => Some((c, 1 + c.len_utf8())),
        _ => None,
    }
}

fn entity(text: &str) -> Option<(char, usize)> {
    let end = text.bytes().take(12).position(|b| b == b';')?;
    let name = &text[1..end];
    let number = |digits: &str, base| char::from_u32(u32::from_str_radix(digits, base).ok()?);
    let seen = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        _ => match name.strip_prefix('#')? {
            hexadecimal if hexadecimal.starts_with(['x', 'X']) => number(&hexadecimal[1..], 16)?,
            decimal => number(decimal, 10)?,
        },
    };
    Some((seen, end + 1))
}
