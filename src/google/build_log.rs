//! Follows a build: its status decides, its log is read along the way and may be missing.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    client::Client,
    cloud_build::{self, Build, Status},
    error::Error,
    storage::{LogChunk, read_from},
};

/// Longest line that is kept together, bytes.
const LINE_LIMIT: usize = 64 * 1024;

/// Waits until the build has ended, and passes on its log line by line as it grows.
///
/// `log` is bucket and object. A log that isn't there or may not be read never stops the wait. After
/// `deadline` the build goes on, and [`Error::Deadline`] is returned.
#[allow(
    clippy::too_many_arguments,
    reason = "the build's name is three of them everywhere"
)]
pub async fn follow(
    c: &Client,
    project: &str,
    location: &str,
    id: &str,
    log: Option<(&str, &str)>,
    deadline: Duration,
    on_line: &(dyn Fn(&str) + Sync),
    on_status: &(dyn Fn(Status) + Sync),
) -> Result<Build, Error> {
    let began = Instant::now();
    let until = c.deadline(deadline);
    let mut log = log.map(|(bucket, object)| Log {
        bucket,
        object,
        offset: 0,
        lines: Lines::default(),
    });
    let mut last = Status::Unknown;
    let mut ramp = c.pace().ramp();
    let mut seen = Instant::now();
    loop {
        match cloud_build::get(c, project, location, id).await {
            Ok(build) => {
                seen = Instant::now();
                if build.status != last {
                    last = build.status;
                    on_status(last);
                }
                read_on(c, &mut log, on_line).await;
                if build.status.is_terminal() {
                    if let Some(rest) = log.as_mut().and_then(|l| l.lines.rest()) {
                        on_line(&rest);
                    }
                    return Ok(build);
                }
            }
            Err(error) if !c.pace().bears(&error, seen.elapsed()) => return Err(error),
            Err(_) => read_on(c, &mut log, on_line).await,
        }
        if Instant::now() >= until {
            return Err(Error::Deadline {
                what: format!("finish the build `{id}`"),
                waited: began.elapsed(),
                last: format!("it is {last:?}"),
                next: "It goes on by itself: run the job again to follow it, or set `build.timeout`"
                    .to_owned(),
            });
        }
        tokio::time::sleep(ramp.next()).await;
    }
}

struct Log<'a> {
    bucket: &'a str,
    object: &'a str,
    offset: u64,
    lines: Lines,
}

/// Reads what is new. Forbidden logs aren't asked for again.
async fn read_on(c: &Client, log: &mut Option<Log<'_>>, on_line: &(dyn Fn(&str) + Sync)) {
    let Some(open) = log else { return };
    match read_from(c, open.bucket, open.object, open.offset).await {
        Ok(LogChunk::Bytes(bytes)) => {
            open.offset += bytes.len() as u64;
            for line in open.lines.push(&bytes) {
                on_line(&line);
            }
        }
        Ok(LogChunk::NotYet | LogChunk::NothingNew) => {}
        Err(error) if error.is_user_fixable() => {
            on_line(&format!("(the build's log can't be shown: {error})"));
            *log = None;
        }
        Err(_) => {}
    }
}

/// Cuts a byte stream into lines; what a carriage return overwrites is dropped.
#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    fn push(&mut self, bytes: &[u8]) -> Vec<String> {
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

    fn rest(&mut self) -> Option<String> {
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
