//! A chat completion's outcome in one form, streamed or not.

use std::time::{Duration, Instant};

use crate::endpoint::{ChatStream, Completion, Error, Event, Usage, error::shorten};

/// Most bytes of text that are kept of a stream.
const MOST_TEXT: usize = 1 << 20;

/// What the model said, and how it ended.
#[derive(Debug, Default)]
pub struct Answer {
    pub reasoning: String,
    pub content: String,
    pub finish_reason: Option<String>,
    pub usage: Option<Usage>,
    /// To the first text; streams only.
    pub ttft: Option<Duration>,
    /// To the last byte; streams only.
    pub e2e: Option<Duration>,
}

impl Answer {
    /// The first choice of `completion`; `None` when there is none.
    pub fn of(completion: &Completion) -> Option<Self> {
        let choice = completion.choices.first()?;
        Some(Self {
            reasoning: choice.message.reasoning().to_owned(),
            content: choice.message.content().to_owned(),
            finish_reason: choice.finish_reason.clone(),
            usage: completion.usage,
            ttft: None,
            e2e: None,
        })
    }

    /// Reads `stream` to its end. When it fails, what came until then is returned with the error.
    pub async fn read(mut stream: ChatStream) -> (Self, Option<Error>) {
        let sent = stream.sent();
        let mut answer = Self::default();
        while let Some(next) = stream.next().await {
            match next {
                Ok(arrived) => answer.take(arrived.event, arrived.at, sent),
                Err(error) => return (answer, Some(error)),
            }
        }
        (answer, None)
    }

    fn take(&mut self, event: Event, at: Instant, sent: Instant) {
        let chunk = match event {
            Event::Done => {
                self.e2e = Some(at - sent);
                return;
            }
            Event::Chunk(chunk) => chunk,
        };
        if chunk.has_text() {
            self.ttft.get_or_insert(at - sent);
        }
        self.usage = chunk.usage.or(self.usage);
        for choice in chunk.choices.into_iter().filter(|c| c.index == 0) {
            if self.content.len() + self.reasoning.len() < MOST_TEXT {
                self.reasoning.push_str(choice.text.reasoning());
                self.content.push_str(choice.text.content());
            }
            self.finish_reason = choice.finish_reason.or(self.finish_reason.take());
        }
    }

    pub fn is_empty(&self) -> bool {
        self.content.trim().is_empty() && self.reasoning.trim().is_empty()
    }

    /// What came back, shortened, for a report.
    pub fn shown(&self) -> String {
        let mut parts = Vec::new();
        if !self.reasoning.is_empty() {
            parts.push(format!("reasoning: {}", shorten(&self.reasoning, 200)));
        }
        parts.push(format!("content: {}", shorten(&self.content, 300)));
        parts.push(format!(
            "finish_reason: {}",
            self.finish_reason.as_deref().unwrap_or("none")
        ));
        parts.push(match self.usage {
            Some(usage) => format!("completion_tokens: {}", usage.completion_tokens),
            None => "no usage".to_owned(),
        });
        shorten(&parts.join("; "), 800)
    }

    /// What an answer must have whatever it says: text, a finish reason, counted tokens. The error says which
    /// is missing.
    pub fn complete(&self) -> Result<(), String> {
        if self.is_empty() {
            return Err("the answer has no text, neither content nor reasoning".to_owned());
        }
        match self.finish_reason.as_deref() {
            None => return Err("the answer has no finish_reason".to_owned()),
            Some(gave_up @ ("abort" | "error")) => {
                return Err(format!(
                    "the server ended the answer early: finish_reason {gave_up}"
                ));
            }
            Some(_) => {}
        }
        match self.usage {
            None => Err("the answer has no usage".to_owned()),
            Some(usage) if usage.completion_tokens == 0 => {
                Err("usage says 0 completion tokens though there is text".to_owned())
            }
            Some(_) => Ok(()),
        }
    }

    /// One line on a good answer: `12 tokens, finish_reason stop`.
    pub fn summary(&self) -> String {
        let tokens = self.usage.map_or(0, |u| u.completion_tokens);
        let kind = if self.content.trim().is_empty() {
            ", all of it reasoning"
        } else {
            ""
        };
        let finish = shorten(self.finish_reason.as_deref().unwrap_or("none"), 40);
        format!("{tokens} tokens{kind}, finish_reason {finish}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_the_server_gave_up_on_is_not_complete() {
        let ended = |reason: &str| {
            let (prompt_tokens, completion_tokens) = (1, 1);
            let answer = Answer {
                content: "Hel".to_owned(),
                finish_reason: Some(reason.to_owned()),
                usage: Some(Usage {
                    prompt_tokens,
                    completion_tokens,
                }),
                ..Answer::default()
            };
            answer.complete()
        };
        for reason in ["abort", "error"] {
            assert!(ended(reason).unwrap_err().contains(reason));
        }
        assert_eq!((ended("stop"), ended("length")), (Ok(()), Ok(())));
    }
}
