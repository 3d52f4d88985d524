//! Server-sent events out of bytes, as the WHATWG HTML standard (9.2.6) frames them.
//!
//! Own code, because `eventsource-stream` 0.2 panics on a byte order mark, stalls on invalid UTF-8 and copies
//! what is left of its buffer at each line; a server that is being tested may send any of these.

use std::collections::VecDeque;

/// Longest line that is kept, in bytes; a chunk with 20 alternatives of log probabilities is under 8 KiB.
pub const MAX_LINE: usize = 1 << 20;

/// A line or an event grew over [`MAX_LINE`].
#[derive(Debug, PartialEq, Eq)]
pub struct TooLong;

/// Decodes one stream. Fields other than `data` are skipped: OpenAI's protocol does not use them.
#[derive(Default)]
pub struct Decoder {
    line: Vec<u8>,
    data: Option<Vec<u8>>,
    after_carriage_return: bool,
    past_first_line: bool,
}

impl Decoder {
    /// Takes the next bytes, in any split, and appends each event that they complete.
    pub fn feed(&mut self, mut bytes: &[u8], events: &mut VecDeque<Vec<u8>>) -> Result<(), TooLong> {
        while let Some(end) = bytes.iter().position(|b| matches!(b, b'\n' | b'\r')) {
            let second_half_of_crlf = self.after_carriage_return && end == 0 && bytes[0] == b'\n';
            self.after_carriage_return = bytes[end] == b'\r';
            if !second_half_of_crlf {
                self.keep(&bytes[..end])?;
                self.end_line(events)?;
            }
            bytes = &bytes[end + 1..];
        }
        if !bytes.is_empty() {
            self.after_carriage_return = false;
            self.keep(bytes)?;
        }
        Ok(())
    }

    fn keep(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if self.line.len() + bytes.len() > MAX_LINE {
            return Err(TooLong);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self, events: &mut VecDeque<Vec<u8>>) -> Result<(), TooLong> {
        let mut line = self.line.as_slice();
        if !self.past_first_line {
            self.past_first_line = true;
            line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        }
        if line.is_empty() {
            events.extend(self.data.take());
        } else if let Some(value) = data_field(line) {
            match &mut self.data {
                None => self.data = Some(value.to_vec()),
                Some(data) if data.len() + value.len() > MAX_LINE => return Err(TooLong),
                Some(data) => {
                    data.push(b'\n');
                    data.extend_from_slice(value);
                }
            }
        }
        self.line.clear();
        Ok(())
    }
}

/// The value of a `data` line: `data`, `data:x` and `data: x`.
fn data_field(line: &[u8]) -> Option<&[u8]> {
    match line.strip_prefix(b"data")? {
        [] => Some(&[]),
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(parts: &[&[u8]]) -> Vec<String> {
        let (mut decoder, mut events) = (Decoder::default(), VecDeque::new());
        for part in parts {
            decoder.feed(part, &mut events).unwrap();
        }
        events
            .into_iter()
            .map(|e| String::from_utf8(e).unwrap())
            .collect()
    }

    #[test]
    fn framing_follows_the_standard() {
        assert_eq!(
            decode(&[b"data: a\n\ndata: b\n\n"]),
            ["a", "b"],
            "several events in one read"
        );
        assert_eq!(decode(&[b"data: a\r\n\r\ndata: b\r\n\r\n"]), ["a", "b"], "CRLF");
        assert_eq!(decode(&[b"data: a\r\rdata: b\r\r"]), ["a", "b"], "CR");
        assert_eq!(
            decode(&[b"data: a\r", b"\n\r", b"\n"]),
            ["a"],
            "CRLF split over reads"
        );
        assert_eq!(
            decode(&[b"data:a\ndata:  b\n\n"]),
            ["a\n b"],
            "one space is dropped, lines are joined"
        );
        assert_eq!(
            decode(&[b": ping\n\nevent: x\nid: 1\nretry: 5\ndatax: 1\n\n"]),
            [""; 0],
            "no data, no event"
        );
        assert_eq!(decode(&[b"\xef\xbb\xbfdata: a\n\n"]), ["a"], "byte order mark");
        assert_eq!(decode(&[b"data\n\n"]), [""], "data without a value");
        assert_eq!(
            decode(&[b"data: a\n"]),
            [""; 0],
            "an event that was not ended is dropped"
        );
    }

    #[test]
    fn a_line_or_an_event_without_end_is_refused() {
        let mut decoder = Decoder::default();
        let block = vec![b'x'; 64 * 1024];
        let feed = |decoder: &mut Decoder, block: &[u8]| {
            (0..=MAX_LINE / block.len())
                .map(|_| decoder.feed(block, &mut VecDeque::new()))
                .collect::<Vec<_>>()
        };
        let results = feed(&mut decoder, &block);
        assert!(results[0].is_ok());
        assert_eq!(results.last(), Some(&Err(TooLong)));

        let line = [b"data: ".as_slice(), &block, b"\n"].concat();
        let mut decoder = Decoder::default();
        let results = feed(&mut decoder, &line);
        assert!(results[0].is_ok());
        let refused = (0..4).any(|_| decoder.feed(&line, &mut VecDeque::new()).is_err());
        assert!(refused, "many data lines of one event");
    }
}
