//! Lines of a log that comes in pieces.

/// Longest line that is kept together, bytes.
const LINE_LIMIT: usize = 64 * 1024;

/// Cuts a byte stream into lines; what a carriage return overwrites is dropped.
#[derive(Default)]
pub struct Lines(Vec<u8>);

impl Lines {
    pub fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        self.0.extend_from_slice(bytes);
        let mut lines = Vec::new();
        let mut begin = 0;
        while let Some(length) = self.0[begin..].iter().position(|b| *b == b'\n') {
            lines.push(shown(&self.0[begin..begin + length]));
            begin += length + 1;
        }
        self.0.drain(..begin);
        // A progress bar may go on for hours without a line feed.
        if let Some(overwritten) = self.0.iter().rposition(|b| *b == b'\r')
            && overwritten + 1 < self.0.len()
        {
            self.0.drain(..=overwritten);
        }
        if self.0.len() > LINE_LIMIT {
            lines.push(shown(&self.0));
            self.0.clear();
        }
        lines
    }

    pub fn rest(&mut self) -> Option<String> {
        let rest = shown(&std::mem::take(&mut self.0));
        (!rest.is_empty()).then_some(rest)
    }
}

fn shown(line: &[u8]) -> String {
    let last = line
        .split(|b| *b == b'\r')
        .rfind(|part| !part.is_empty())
        .unwrap_or_default();
    String::from_utf8_lossy(last).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut all: Vec<String> = chunks.iter().flat_map(|c| lines.push(c)).collect();
        all.extend(lines.rest());
        all
    }

    #[test]
    fn lines_are_whole_whatever_the_chunks() {
        assert_eq!(lines(&[b"a", b"b\nc", b"d\n\ne"]), ["ab", "cd", "", "e"]);
    }

    #[test]
    fn a_character_cut_in_two_is_put_together() {
        assert_eq!(lines(&[b"gr\xc3", b"\xbcn\n", b"\xff\n"]), ["grün", "\u{fffd}"]);
    }

    #[test]
    fn what_a_carriage_return_overwrites_is_dropped() {
        assert_eq!(
            lines(&[b"10%\r50%", b"\r100%\r\n", b"done\r\n"]),
            ["100%", "done"]
        );
        let mut bar = Lines::default();
        for _ in 0..10_000 {
            assert!(bar.push(b"\r 7 of 9 GB").is_empty());
        }
        assert!(bar.0.len() < 100, "the overwritten states pile up");
    }

    #[test]
    fn an_endless_line_is_cut() {
        let mut endless = Lines::default();
        assert_eq!(endless.push(&vec![b'x'; LINE_LIMIT + 1]).len(), 1);
        assert_eq!(endless.rest(), None);
    }
}
