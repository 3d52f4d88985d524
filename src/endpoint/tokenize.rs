//! `POST /tokenize`: how many tokens the server makes of a text. vLLM has it; others have none, or one of another
//! shape, which shows as a refusal or as an answer without a count.

use std::time::Duration;

use reqwest::Method;
use serde::{Deserialize, Serialize};

use super::{
    Endpoint, Error, MAX_BODY, Message,
    call::{Call, decode, read},
};

/// What is to be counted.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(untagged)]
pub enum Countable<'a> {
    /// A conversation, in the model's chat template and up to where the answer begins.
    Chat {
        messages: &'a [Message],
        add_generation_prompt: bool,
    },
    /// A text by itself, without tokens that mark its beginning.
    Text {
        prompt: &'a str,
        add_special_tokens: bool,
    },
}

impl<'a> Countable<'a> {
    pub fn chat(messages: &'a [Message]) -> Self {
        Self::Chat {
            messages,
            add_generation_prompt: true,
        }
    }

    pub fn text(prompt: &'a str) -> Self {
        Self::Text {
            prompt,
            add_special_tokens: false,
        }
    }
}

#[derive(Serialize)]
struct Request<'a> {
    model: &'a str,
    #[serde(flatten)]
    what: Countable<'a>,
}

#[derive(Deserialize)]
struct Counted {
    count: u64,
}

impl Endpoint {
    /// The number of tokens, which is believed as it is.
    ///
    /// # Errors
    /// As every request; [`Error::Unexpected`] when the answer holds no count.
    pub async fn count_tokens(
        &self,
        model: &str,
        what: Countable<'_>,
        timeout: Duration,
    ) -> Result<u64, Error> {
        let call = Call::new(Method::POST, "tokenize", timeout, self.tempo);
        // A struct of strings and flags always serializes.
        let body = serde_json::to_vec(&Request { model, what }).unwrap_or_default();
        let response = self.send(&call, Some(body)).await?.response;
        let counted: Counted = decode(&call, &read(&call, response, MAX_BODY).await?)?;
        Ok(counted.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::testing::{Script, Server, answer, json};

    const LONG: Duration = Duration::from_secs(20);

    async fn count(script: impl Fn(&str) -> Script + Send + Sync + 'static) -> Result<u64, Error> {
        let server = Server::start(script).await;
        let messages = [Message::user("Hello")];
        server
            .endpoint(None)
            .count_tokens("m", Countable::chat(&messages), LONG)
            .await
    }

    #[tokio::test]
    async fn a_conversation_is_sent_as_vllm_reads_it_and_its_count_comes_back() {
        let counted = count(|request| {
            assert!(request.starts_with("POST /tokenize "), "{request}");
            assert!(
                request.ends_with(
                    r#"{"model":"m","messages":[{"role":"user","content":"Hello"}],"add_generation_prompt":true}"#
                ),
                "{request}"
            );
            // As real vLLM answered.
            json(r#"{"count":12,"max_model_len":4096,"tokens":[4088,1512,198],"token_strs":null}"#)
        })
        .await;
        assert_eq!(counted.unwrap(), 12);
    }

    #[tokio::test]
    async fn answers_of_other_servers_hold_no_count() {
        for body in [
            r#"{"tokens":[]}"#,
            r#"[{"id":1,"text":"a","start":0,"stop":1}]"#,
            r#"{"count":-4}"#,
            "nonsense",
        ] {
            let error = count(move |_| json(body)).await.unwrap_err();
            assert!(matches!(error, Error::Unexpected { .. }), "{error}");
        }
        let missing = count(|_| answer("404 Not Found", "application/json", "{}")).await;
        assert_eq!(missing.unwrap_err().status(), Some(404));
    }
}
