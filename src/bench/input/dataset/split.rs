//! A dataset's entries as bytes, one after the other: lines, or the elements of a JSON array.

use std::io::{self, BufRead};

/// Longest entry.
pub const MAX_ENTRY: usize = 16 << 20;
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// One entry and the line on which it begins, from 1 on.
#[derive(Debug, PartialEq)]
pub struct Piece {
    pub line: u64,
    pub bytes: Vec<u8>,
}

/// Why there is no next entry.
#[derive(Debug)]
pub struct Broken {
    pub line: u64,
    pub reason: String,
}

/// Reads entry by entry. Whatever comes, no more than one entry is kept.
pub struct Pieces<R> {
    reader: R,
    /// Of the next byte.
    line: u64,
    form: Form,
}

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Unknown,
    Lines,
    /// In an array, before its first element or after a comma.
    Array,
    /// After the array's end.
    Ended,
}

impl<R: BufRead> Pieces<R> {
    pub fn new(reader: R) -> Self {
        Self {
            reader,
            line: 1,
            form: Form::Unknown,
        }
    }

    /// # Errors
    /// When reading fails, an entry is too long, or an array isn't one.
    pub fn next(&mut self) -> Result<Option<Piece>, Broken> {
        if self.form == Form::Unknown {
            self.form = self.find_form()?;
        }
        match self.form {
            Form::Array => self.element(),
            Form::Ended => Ok(None),
            Form::Lines | Form::Unknown => self.text_line(),
        }
    }

    fn find_form(&mut self) -> Result<Form, Broken> {
        if self.peek_many()?.starts_with(BYTE_ORDER_MARK) {
            self.reader.consume(BYTE_ORDER_MARK.len());
        }
        self.skip_space()?;
        if self.peek()? == Some(b'[') {
            self.take();
            return Ok(Form::Array);
        }
        Ok(Form::Lines)
    }

    fn text_line(&mut self) -> Result<Option<Piece>, Broken> {
        loop {
            let line = self.line;
            let mut bytes = Vec::new();
            let limit = MAX_ENTRY as u64 + 1;
            let read = io::Read::take(&mut self.reader, limit).read_until(b'\n', &mut bytes);
            match read {
                Err(error) => return Err(self.failed(&error)),
                Ok(0) => return Ok(None),
                Ok(length) if length > MAX_ENTRY => return Err(too_long(line)),
                Ok(_) => self.line += 1,
            }
            if !bytes.trim_ascii().is_empty() {
                return Ok(Some(Piece {
                    line,
                    bytes: bytes.trim_ascii().to_vec(),
                }));
            }
        }
    }

    /// Up to the comma or bracket that ends the element; commas and brackets within it or within its texts don't.
    fn element(&mut self) -> Result<Option<Piece>, Broken> {
        self.skip_space()?;
        let line = self.line;
        let mut bytes = Vec::new();
        let (mut depth, mut in_text, mut escaped) = (0_u32, false, false);
        loop {
            let Some(byte) = self.peek()? else {
                return Err(self.broken("the array doesn't end: is the file cut off?"));
            };
            self.take();
            match byte {
                _ if escaped => escaped = false,
                b'\\' if in_text => escaped = true,
                b'"' => in_text = !in_text,
                _ if in_text => {}
                b'{' | b'[' => depth += 1,
                b']' if depth == 0 => {
                    self.form = Form::Ended;
                    break;
                }
                b'}' | b']' => depth = depth.saturating_sub(1),
                b',' if depth == 0 => return Ok(Some(Piece { line, bytes })),
                _ => {}
            }
            if bytes.len() >= MAX_ENTRY {
                return Err(too_long(line));
            }
            bytes.push(byte);
        }
        self.skip_space()?;
        if self.peek()?.is_some() {
            return Err(self.broken("something follows the array's end"));
        }
        let is_empty = bytes.trim_ascii().is_empty();
        Ok((!is_empty).then_some(Piece { line, bytes }))
    }

    fn skip_space(&mut self) -> Result<(), Broken> {
        while self.peek()?.is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.take();
        }
        Ok(())
    }

    fn peek(&mut self) -> Result<Option<u8>, Broken> {
        Ok(self.peek_many()?.first().copied())
    }

    fn peek_many(&mut self) -> Result<&[u8], Broken> {
        loop {
            match self.reader.fill_buf() {
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(&error)),
            }
        }
        // Asked again, for the loop can't hand out what it borrowed; nothing is read by it.
        let line = self.line;
        self.reader.fill_buf().map_err(|error| Broken {
            line,
            reason: error.to_string(),
        })
    }

    /// Takes the byte that was peeked at.
    fn take(&mut self) {
        if matches!(self.reader.fill_buf(), Ok([b'\n', ..])) {
            self.line += 1;
        }
        self.reader.consume(1);
    }

    fn failed(&self, error: &io::Error) -> Broken {
        self.broken(&error.to_string())
    }

    fn broken(&self, reason: &str) -> Broken {
        Broken {
            line: self.line,
            reason: reason.to_owned(),
        }
    }
}

fn too_long(line: u64) -> Broken {
    Broken {
        line,
        reason: format!(
            "the entry has over {} MiB; shorten it or leave it out",
            MAX_ENTRY >> 20
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &[u8]) -> Result<Vec<(u64, String)>, Broken> {
        // A buffer of three bytes: no entry is in one piece.
        let mut pieces = Pieces::new(io::BufReader::with_capacity(3, text));
        let mut all = Vec::new();
        while let Some(piece) = pieces.next()? {
            all.push((
                piece.line,
                String::from_utf8(piece.bytes).unwrap().trim().to_owned(),
            ));
        }
        Ok(all)
    }

    fn own(pieces: &[(u64, &str)]) -> Vec<(u64, String)> {
        pieces
            .iter()
            .map(|(line, text)| (*line, (*text).to_owned()))
            .collect()
    }

    #[test]
    fn lines_and_arrays_give_the_same_entries() {
        let tricky = r#"{"a":"],[\"\\"}"#;
        let lines = format!("\u{feff}\n{{\"b\":[1,[2]]}}\r\n\n  \n{tricky}");
        assert_eq!(
            split(lines.as_bytes()).unwrap(),
            own(&[(2, r#"{"b":[1,[2]]}"#), (5, tricky)])
        );
        let array = format!(" [\n{{\"b\":[1,[2]]}},\n\n{tricky}\n]\n");
        assert_eq!(
            split(array.as_bytes()).unwrap(),
            own(&[(2, r#"{"b":[1,[2]]}"#), (4, tricky)])
        );
        assert_eq!(split(b"[]").unwrap(), []);
        assert_eq!(split(b"").unwrap(), []);
    }

    #[test]
    fn arrays_that_are_none_say_where() {
        let cut = split(b"[{},\n{\"a\":\"b").unwrap_err();
        assert!(cut.line == 2 && cut.reason.contains("cut off"), "{cut:?}");
        let more = split(b"[{}]\n\n{}").unwrap_err();
        assert!(more.line == 3 && more.reason.contains("follows"), "{more:?}");
    }

    #[test]
    fn an_endless_entry_is_not_kept() {
        let endless = || io::BufReader::new(io::Read::chain(&b"{}\n"[..], io::repeat(b'x')));
        let mut pieces = Pieces::new(endless());
        assert!(pieces.next().unwrap().is_some());
        let error = pieces.next().unwrap_err();
        assert!(error.line == 2 && error.reason.contains("16 MiB"), "{error:?}");
        let array = io::BufReader::new(io::Read::chain(&b"[\""[..], io::repeat(b'x')));
        let error = Pieces::new(array).next().unwrap_err();
        assert!(error.line == 1 && error.reason.contains("16 MiB"), "{error:?}");
    }
}
