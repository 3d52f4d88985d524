//! Who counts input tokens: the server, the model's tokenizer.json, or a guess.

use std::time::Duration;

use super::tokenizer::Tokenizer;
use crate::{
    endpoint::{ChatRequest, Countable, Endpoint, Error, Message},
    file::open::Named,
};

/// Tries at a count while the server is out of reach, and the pause between them.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);

/// Counts tokens, as well as it can be done for this server.
pub struct Counter {
    endpoint: Endpoint,
    model: String,
    timeout: Duration,
    way: Way,
    /// Tokens that the server's `usage` has more than `way` counts: the chat template, where `way` doesn't know it.
    offset: i64,
}

enum Way {
    /// `POST /tokenize`.
    Server,
    Tokenizer(Box<Tokenizer>),
    /// A token a word.
    Estimate,
}

impl Counter {
    /// The server when it has vLLM's `/tokenize`, else the tokenizer when there is one, else a guess.
    ///
    /// # Errors
    /// For the user: the server is out of reach, or the tokenizer can't be read.
    pub async fn find(
        endpoint: &Endpoint,
        model: &str,
        tokenizer: Option<&Named>,
        timeout: Duration,
    ) -> Result<Self, String> {
        let mut counter = Self {
            endpoint: endpoint.clone(),
            model: model.to_owned(),
            timeout,
            way: Way::Server,
            offset: 0,
        };
        match counter.ask(Countable::chat(&[Message::user("a")])).await {
            Ok(1..) => return Ok(counter),
            // An answer, but none that counts: the server has no such path, or one of another shape.
            Ok(0) | Err(Error::Unexpected { .. } | Error::TooLarge { .. }) => {}
            Err(Error::Refused { status, .. }) if !matches!(status, 408 | 425 | 429 | 502..=504) => {}
            Err(error) => return Err(format!("the server could not be asked for token counts: {error}")),
        }
        counter.way = match tokenizer.cloned() {
            None => Way::Estimate,
            Some(file) => {
                let loaded = tokio::task::spawn_blocking(move || Tokenizer::load(&file)).await;
                let loaded =
                    loaded.map_err(|_| "the tokenizer could not be loaded: it crashed".to_owned())??;
                Way::Tokenizer(Box::new(loaded))
            }
        };
        Ok(counter)
    }

    /// As in [`super::super::result::InputShape::counted_by`].
    pub fn name(&self) -> &'static str {
        match self.way {
            Way::Server => "server",
            Way::Tokenizer(_) => "tokenizer",
            Way::Estimate => "estimate",
        }
    }

    /// Compares the count of `messages` with the `usage` of a request for a single token, and adds the difference
    /// to each count of a conversation from then on. Returns it; `None` when the server sent no usage.
    pub async fn calibrate(&mut self, messages: &[Message]) -> Result<Option<i64>, String> {
        let request = ChatRequest {
            messages: messages.to_vec(),
            ..ChatRequest::user(&self.model, "", 1)
        };
        let usage = match self.endpoint.chat(&request, self.timeout).await {
            Ok(completion) => completion.usage.filter(|usage| usage.prompt_tokens > 0),
            // The measured requests will show what is wrong.
            Err(_) => None,
        };
        let Some(usage) = usage else {
            return Ok(None);
        };
        self.offset = 0;
        let counted = self.conversation(messages).await?;
        self.offset = usage
            .prompt_tokens
            .cast_signed()
            .saturating_sub(counted.cast_signed());
        Ok(Some(self.offset))
    }

    /// Input tokens of a request with these messages.
    ///
    /// # Errors
    /// For the user: the server, which did answer before, does no longer.
    pub async fn conversation(&self, messages: &[Message]) -> Result<u64, String> {
        let count = match &self.way {
            Way::Server => self.ask(Countable::chat(messages)).await.map_err(lost)?,
            Way::Tokenizer(_) | Way::Estimate => {
                messages.iter().map(|message| self.local(&message.content)).sum()
            }
        };
        Ok(count.saturating_add_signed(self.offset))
    }

    /// Tokens of a text by itself.
    ///
    /// # Errors
    /// As [`Self::conversation`].
    pub async fn text(&self, text: &str) -> Result<u64, String> {
        match &self.way {
            Way::Server => self.ask(Countable::text(text)).await.map_err(lost),
            Way::Tokenizer(_) | Way::Estimate => Ok(self.local(text)),
        }
    }

    fn local(&self, text: &str) -> u64 {
        let counted = match &self.way {
            Way::Tokenizer(tokenizer) => tokenizer.count(text),
            Way::Server | Way::Estimate => None,
        };
        counted.unwrap_or_else(|| text.split_whitespace().count()) as u64
    }

    async fn ask(&self, what: Countable<'_>) -> Result<u64, Error> {
        let mut tries = 1;
        loop {
            match self.endpoint.count_tokens(&self.model, what, self.timeout).await {
                Err(error) if error.is_passing() && !error.is_timeout() && tries < TRIES => tries += 1,
                result => return result,
            }
            self.endpoint.tempo().sleep(PAUSE).await;
        }
    }
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn lost(error: Error) -> String {
    format!("the server no longer counts tokens: {error}")
}
