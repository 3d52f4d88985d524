//! One streamed answer's times. Pure: the instants come with the events.

use std::time::{Duration, Instant};

use super::failure::Unusable;
use crate::endpoint::{Arrived, Event, Usage};

/// Collects the times of one answer after the other; what it needs of memory is kept between them.
#[derive(Default)]
pub struct Recorder {
    first: Option<Instant>,
    last: Option<Instant>,
    end: Option<Instant>,
    gaps: Vec<Duration>,
    usage: Option<Usage>,
    finish_reason: Option<String>,
}

/// What one complete answer gave, besides its gaps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// From when the request was due, else sent, to the first text, of reasoning or content.
    pub ttft: Duration,
    /// From when the request was due, else sent, to the last byte of the stream.
    pub e2e: Duration,
    /// From when the request was due to when it was sent.
    pub queue: Option<Duration>,
    /// From the first chunk with text to the last.
    pub span: Duration,
    /// Chunks with text.
    pub chunks: u64,
    /// Tokens as the server counted them.
    pub usage: Option<Usage>,
}

impl Sample {
    /// Output tokens by the server's count, or one a chunk.
    pub fn tokens(&self) -> u64 {
        self.counted().unwrap_or(self.chunks)
    }

    /// Output tokens as the server counted them. A usage of nothing is a server that does not count: there is text.
    pub fn counted(&self) -> Option<u64> {
        self.usage.map(|u| u.completion_tokens).filter(|count| *count > 0)
    }

    /// Output tokens per second from the first chunk with text to the last. `None` when there was but one, or all
    /// came in the same instant.
    pub fn rate(&self) -> Option<f64> {
        // Counted tokens that are more than the chunks are spread evenly over the chunks; the first chunk's
        // share was made before the time that is measured here.
        let after_first = self.tokens() as f64 * (self.chunks - 1) as f64 / self.chunks as f64;
        let span = self.span.as_secs_f64();
        (span > 0.0).then(|| after_first / span)
    }

    /// Mean time per output token after the first. `None` as for [`Self::rate`].
    pub fn tpot(&self) -> Option<Duration> {
        let after_first = self.tokens().checked_sub(1).filter(|n| *n > 0)?;
        let tpot = self.span.as_secs_f64() / after_first as f64;
        (!self.span.is_zero()).then(|| Duration::from_secs_f64(tpot))
    }
}

impl Recorder {
    /// Forgets the answer before.
    pub fn restart(&mut self) {
        self.gaps.clear();
        *self = Self {
            gaps: std::mem::take(&mut self.gaps),
            ..Self::default()
        };
    }

    /// Gaps between one chunk with text and the next.
    pub fn gaps(&self) -> &[Duration] {
        &self.gaps
    }

    pub fn observe(&mut self, arrived: &Arrived) {
        match &arrived.event {
            Event::Done => self.end = Some(arrived.at),
            Event::Chunk(chunk) => {
                if chunk.has_text() {
                    self.gaps.extend(self.last.map(|last| arrived.at - last));
                    self.first.get_or_insert(arrived.at);
                    self.last = Some(arrived.at);
                }
                // With usage in every chunk, the last one has the total.
                self.usage = chunk.usage.or(self.usage);
                let reason = chunk.choices.iter().find(|c| c.index == 0);
                if let Some(reason) = reason.and_then(|c| c.finish_reason.as_ref()) {
                    self.finish_reason = Some(reason.clone());
                }
            }
        }
    }

    /// The sample of a stream that ended with `[DONE]`, of a request that was sent at `sent`.
    pub fn finish(&self, due: Option<Instant>, sent: Instant) -> Result<Sample, Unusable> {
        let end = self.end.ok_or(Unusable::CutShort)?;
        let (Some(first), Some(last)) = (self.first, self.last) else {
            return Err(Unusable::NoText);
        };
        match self.finish_reason.as_deref() {
            None => return Err(Unusable::Unfinished),
            // What the server gave up on; servers end such a stream with `[DONE]` all the same.
            Some(gave_up @ ("abort" | "error")) => return Err(Unusable::Aborted(gave_up.to_owned())),
            Some(_) => {}
        }
        let from = due.unwrap_or(sent);
        Ok(Sample {
            ttft: first.saturating_duration_since(from),
            e2e: end.saturating_duration_since(from),
            queue: due.map(|due| sent.saturating_duration_since(due)),
            span: last - first,
            chunks: self.gaps.len() as u64 + 1,
            usage: self.usage,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::stream::Parser;

    /// Feeds `(milliseconds after sending, events)`: each item is one read.
    fn record(reads: &[(u64, &str)]) -> Result<(Sample, Vec<Duration>), String> {
        let sent = Instant::now();
        let mut recorder = Recorder::default();
        feed(&mut recorder, sent, reads);
        let sample = recorder.finish(None, sent).map_err(|e| e.to_string())?;
        Ok((sample, recorder.gaps().to_vec()))
    }

    fn feed(recorder: &mut Recorder, sent: Instant, reads: &[(u64, &str)]) {
        let mut parser = Parser::default();
        for (ms, events) in reads {
            let at = sent + Duration::from_millis(*ms);
            for event in events.split('|') {
                parser.feed(format!("data: {event}\n\n").as_bytes()).unwrap();
            }
            while let Some(event) = parser.next_event() {
                let event = event.unwrap();
                recorder.observe(&Arrived { at, event });
            }
        }
    }

    const ROLE: &str = r#"{"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}"#;
    const THOUGHT: &str = r#"{"choices":[{"index":0,"delta":{"reasoning":"hm"}}]}"#;
    const OLD_THOUGHT: &str = r#"{"choices":[{"index":0,"delta":{"reasoning_content":"hm"}}]}"#;
    const WORD: &str = r#"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#;
    const HELD_BACK: &str = r#"{"choices":[{"index":0,"delta":{"content":""}}]}"#;
    const STOP: &str = r#"{"choices":[{"index":0,"delta":{"content":""},"finish_reason":"stop"}]}"#;

    fn usage(tokens: u64) -> String {
        format!(r#"{{"choices":[],"usage":{{"prompt_tokens":9,"completion_tokens":{tokens}}}}}"#)
    }

    fn ms(values: &[u64]) -> Vec<Duration> {
        values.iter().copied().map(Duration::from_millis).collect()
    }

    #[test]
    fn times_are_those_of_the_reads() {
        let usage = usage(4);
        let (sample, gaps) = record(&[
            (5, ROLE),
            (40, THOUGHT),
            (50, OLD_THOUGHT),
            (70, WORD),
            (75, WORD),
            (80, STOP),
            (81, &usage),
            (90, "[DONE]"),
        ])
        .unwrap();
        assert_eq!(
            sample.ttft,
            Duration::from_millis(40),
            "the role is no token, reasoning is one"
        );
        assert_eq!(gaps, ms(&[10, 20, 5]));
        assert_eq!(sample.e2e, Duration::from_millis(90));
        assert_eq!((sample.chunks, sample.tokens()), (4, 4));
        assert!(
            (sample.rate().unwrap() - 3.0 / 0.035).abs() < 1e-9,
            "three tokens in 35 ms"
        );
    }

    #[test]
    fn several_tokens_in_a_chunk_are_counted_by_usage() {
        let usage = usage(12);
        let (sample, gaps) = record(&[
            (10, WORD),
            (20, WORD),
            (30, WORD),
            (30, STOP),
            (30, &usage),
            (30, "[DONE]"),
        ])
        .unwrap();
        assert_eq!((sample.chunks, sample.tokens()), (3, 12));
        assert_eq!(gaps, ms(&[10, 10]));
        assert!(
            (sample.rate().unwrap() - 8.0 / 0.020).abs() < 1e-9,
            "four a chunk, two chunks after the first"
        );
    }

    #[test]
    fn several_events_in_a_read_have_no_gap() {
        let read = format!("{ROLE}|{WORD}|{WORD}|{STOP}|{}|[DONE]", usage(2));
        let (sample, gaps) = record(&[(10, &read)]).unwrap();
        assert_eq!(gaps, ms(&[0]));
        assert_eq!(
            sample.rate(),
            None,
            "no time passed: no rate rather than an infinite one"
        );
    }

    #[test]
    fn without_usage_a_chunk_is_a_token() {
        let (sample, gaps) = record(&[
            (10, WORD),
            (20, HELD_BACK),
            (30, WORD),
            (30, STOP),
            (30, "[DONE]"),
        ])
        .unwrap();
        assert_eq!((sample.counted(), sample.tokens()), (None, 2));
        assert_eq!(
            gaps,
            ms(&[20]),
            "a token whose bytes were held back has no event of its own"
        );
    }

    #[test]
    fn with_usage_in_each_chunk_the_last_counts() {
        let word = |n| {
            format!(
                r#"{{"choices":[{{"index":0,"delta":{{"content":"a"}}}}],"usage":{{"completion_tokens":{n}}}}}"#
            )
        };
        let (sample, _) = record(&[
            (1, &word(1)),
            (2, &word(2)),
            (3, STOP),
            (3, &usage(2)),
            (3, "[DONE]"),
        ])
        .unwrap();
        assert_eq!(sample.tokens(), 2);
    }

    #[test]
    fn an_answer_without_end_or_text_is_no_sample() {
        assert!(record(&[(1, WORD)]).unwrap_err().contains("[DONE]"));
        assert!(
            record(&[(1, ROLE), (2, STOP), (2, "[DONE]")])
                .unwrap_err()
                .contains("without any text")
        );
    }

    #[test]
    fn an_answer_that_the_server_gave_up_on_is_no_sample() {
        let error = record(&[(1, WORD), (2, &usage(1)), (2, "[DONE]")]).unwrap_err();
        assert!(error.contains("without a finish_reason"), "{error}");
        for reason in ["abort", "error"] {
            let end = format!(
                r#"{{"choices":[{{"index":0,"delta":{{"content":""}},"finish_reason":"{reason}"}}]}}"#
            );
            let error = record(&[(1, WORD), (2, &end), (2, &usage(1)), (2, "[DONE]")]).unwrap_err();
            assert!(error.contains(&format!("finish_reason {reason}")), "{error}");
        }
    }

    #[test]
    fn a_usage_of_nothing_is_no_count() {
        let (sample, _) = record(&[
            (10, WORD),
            (20, WORD),
            (20, STOP),
            (20, &usage(0)),
            (20, "[DONE]"),
        ])
        .unwrap();
        assert_eq!((sample.counted(), sample.tokens()), (None, 2));
        assert!((sample.rate().unwrap() - 100.0).abs() < 1e-9);
    }

    #[test]
    fn a_usage_that_is_no_count_costs_no_answer() {
        for wild in ["null", "-3", "2.5", "1e300", "\"many\"", "[]"] {
            let usage =
                format!(r#"{{"choices":[],"usage":{{"prompt_tokens":{wild},"completion_tokens":{wild}}}}}"#);
            let (sample, _) =
                record(&[(10, WORD), (20, WORD), (20, STOP), (20, &usage), (20, "[DONE]")]).unwrap();
            assert_eq!((sample.counted(), sample.tokens()), (None, 2), "{wild}");
        }
        let most = usage(u64::MAX);
        let (sample, _) = record(&[(10, WORD), (20, WORD), (20, STOP), (20, &most), (20, "[DONE]")]).unwrap();
        assert!(sample.rate().unwrap().is_finite() && sample.tpot().is_some());
    }

    #[test]
    fn time_per_token_is_the_mean_after_the_first_token() {
        let (sample, _) = record(&[
            (10, WORD),
            (50, WORD),
            (50, STOP),
            (50, &usage(5)),
            (50, "[DONE]"),
        ])
        .unwrap();
        assert_eq!(sample.tpot(), Some(Duration::from_millis(10)));
        let (one, _) = record(&[(10, WORD), (10, STOP), (10, &usage(1)), (10, "[DONE]")]).unwrap();
        assert_eq!(one.tpot(), None);
        let (at_once, _) = record(&[(10, WORD), (10, STOP), (10, &usage(9)), (10, "[DONE]")]).unwrap();
        assert_eq!(at_once.tpot(), None, "no time passed");
    }

    #[test]
    fn times_count_from_when_the_request_was_due() {
        let due = Instant::now();
        let sent = due + Duration::from_millis(300);
        let mut recorder = Recorder::default();
        feed(
            &mut recorder,
            sent,
            &[(40, WORD), (60, WORD), (60, STOP), (70, "[DONE]")],
        );
        let sample = recorder.finish(Some(due), sent).unwrap();
        assert_eq!(
            (sample.ttft, sample.e2e, sample.queue),
            (
                Duration::from_millis(340),
                Duration::from_millis(370),
                Some(Duration::from_millis(300))
            )
        );
        assert_eq!(sample.span, Duration::from_millis(20));
    }

    #[test]
    fn nothing_of_one_answer_is_left_in_the_next() {
        let sent = Instant::now();
        let mut recorder = Recorder::default();
        feed(
            &mut recorder,
            sent,
            &[(1, WORD), (2, WORD), (2, STOP), (2, &usage(7)), (3, "[DONE]")],
        );
        recorder.restart();
        assert!(recorder.finish(None, sent).is_err());
        feed(&mut recorder, sent, &[(5, WORD), (9, STOP), (9, "[DONE]")]);
        let sample = recorder.finish(None, sent).unwrap();
        assert_eq!((sample.ttft, sample.tokens()), (Duration::from_millis(5), 1));
        assert!(recorder.gaps().is_empty());
    }
}
