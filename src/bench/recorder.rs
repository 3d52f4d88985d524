//! One streamed answer's times. Pure: the instants come with the events.

use std::time::{Duration, Instant};

use crate::endpoint::{Arrived, Event};

/// Collects the times of one answer.
pub struct Recorder {
    sent: Instant,
    first: Option<Instant>,
    last: Option<Instant>,
    end: Option<Instant>,
    gaps: Vec<Duration>,
    completion_tokens: Option<u64>,
    finish_reason: Option<String>,
}

/// What one complete answer gave.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// From sending the request to the first text, of reasoning or content.
    pub ttft: Duration,
    /// From sending the request to the last byte of the stream.
    pub e2e: Duration,
    /// Between one chunk with text and the next.
    pub gaps: Vec<Duration>,
    /// Chunks with text.
    pub chunks: u64,
    /// Output tokens as the server counted them.
    pub completion_tokens: Option<u64>,
    /// Output tokens per second from the first chunk with text to the last. `None` when there was but one, or
    /// all came in the same instant.
    pub rate: Option<f64>,
}

impl Sample {
    /// Tokens by the server's count, or one a chunk.
    pub fn tokens(&self) -> u64 {
        self.completion_tokens.unwrap_or(self.chunks)
    }
}

impl Recorder {
    pub fn new(sent: Instant) -> Self {
        Self {
            sent,
            first: None,
            last: None,
            end: None,
            gaps: Vec::new(),
            completion_tokens: None,
            finish_reason: None,
        }
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
                if let Some(usage) = chunk.usage {
                    self.completion_tokens = Some(usage.completion_tokens);
                }
                let reason = chunk.choices.iter().find(|c| c.index == 0);
                if let Some(reason) = reason.and_then(|c| c.finish_reason.as_ref()) {
                    self.finish_reason = Some(reason.clone());
                }
            }
        }
    }

    /// The sample of a stream that ended with `[DONE]`. The error is for the user.
    pub fn finish(self) -> Result<Sample, String> {
        let end = self.end.ok_or("the stream ended without `data: [DONE]`")?;
        let (Some(first), Some(last)) = (self.first, self.last) else {
            return Err("the stream ended without any text".to_owned());
        };
        match self.finish_reason.as_deref() {
            None => return Err("the stream ended without a finish_reason".to_owned()),
            // What the server gave up on; servers end such a stream with `[DONE]` all the same.
            Some(gave_up @ ("abort" | "error")) => {
                return Err(format!(
                    "the server ended the answer early: finish_reason {gave_up}"
                ));
            }
            Some(_) => {}
        }
        // A usage of nothing is a server that does not count: there is text.
        let completion_tokens = self.completion_tokens.filter(|count| *count > 0);
        let chunks = self.gaps.len() as u64 + 1;
        // Counted tokens that are more than the chunks are spread evenly over the chunks; the first chunk's
        // share was made before the time that is measured here.
        let tokens = completion_tokens.unwrap_or(chunks) as f64;
        let after_first = tokens * self.gaps.len() as f64 / chunks as f64;
        let span = (last - first).as_secs_f64();
        Ok(Sample {
            ttft: first - self.sent,
            e2e: end - self.sent,
            chunks,
            completion_tokens,
            rate: (span > 0.0).then(|| after_first / span),
            gaps: self.gaps,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::stream::Parser;

    /// Feeds `(milliseconds after sending, events)`: each item is one read.
    fn record(reads: &[(u64, &str)]) -> Result<Sample, String> {
        let sent = Instant::now();
        let (mut recorder, mut parser) = (Recorder::new(sent), Parser::default());
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
        recorder.finish()
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
        let sample = record(&[
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
        assert_eq!(sample.gaps, ms(&[10, 20, 5]));
        assert_eq!(sample.e2e, Duration::from_millis(90));
        assert_eq!((sample.chunks, sample.tokens()), (4, 4));
        assert!(
            (sample.rate.unwrap() - 3.0 / 0.035).abs() < 1e-9,
            "three tokens in 35 ms"
        );
    }

    #[test]
    fn several_tokens_in_a_chunk_are_counted_by_usage() {
        let usage = usage(12);
        let sample = record(&[
            (10, WORD),
            (20, WORD),
            (30, WORD),
            (30, STOP),
            (30, &usage),
            (30, "[DONE]"),
        ])
        .unwrap();
        assert_eq!((sample.chunks, sample.tokens()), (3, 12));
        assert_eq!(sample.gaps, ms(&[10, 10]));
        assert!(
            (sample.rate.unwrap() - 8.0 / 0.020).abs() < 1e-9,
            "four a chunk, two chunks after the first"
        );
    }

    #[test]
    fn several_events_in_a_read_have_no_gap() {
        let read = format!("{ROLE}|{WORD}|{WORD}|{STOP}|{}|[DONE]", usage(2));
        let sample = record(&[(10, &read)]).unwrap();
        assert_eq!(sample.gaps, ms(&[0]));
        assert_eq!(
            sample.rate, None,
            "no time passed: no rate rather than an infinite one"
        );
    }

    #[test]
    fn without_usage_a_chunk_is_a_token() {
        let sample = record(&[
            (10, WORD),
            (20, HELD_BACK),
            (30, WORD),
            (30, STOP),
            (30, "[DONE]"),
        ])
        .unwrap();
        assert_eq!((sample.completion_tokens, sample.tokens()), (None, 2));
        assert_eq!(
            sample.gaps,
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
        let sample = record(&[
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
        let sample = record(&[
            (10, WORD),
            (20, WORD),
            (20, STOP),
            (20, &usage(0)),
            (20, "[DONE]"),
        ])
        .unwrap();
        assert_eq!((sample.completion_tokens, sample.tokens()), (None, 2));
        assert!((sample.rate.unwrap() - 100.0).abs() < 1e-9);
    }
}
