//! Failures of a request to an endpoint, each saying what was sent and what came back. Never credentials.

use std::time::Duration;

use serde_json::Value;

/// Longest piece of an answer that an error quotes, in characters.
pub const QUOTE: usize = 300;

/// In the text of every error that says that a request could not be sent for want of credentials.
pub const NO_CREDENTIALS: &str = "no credentials for the endpoint";

/// Why a request did not give what was asked. `request` is method and path, such as `GET /v1/models`.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    #[error("the endpoint's URL can't be used: {0}")]
    BadUrl(String),
    #[error("the HTTP client could not be set up: {0}")]
    Client(String),
    #[error("{request} was not sent: {NO_CREDENTIALS}: {reason}")]
    Credentials { request: String, reason: String },
    #[error("{request} got no answer: {reason}")]
    Unreachable { request: String, reason: String },
    #[error("{request} had {seen} after {} s", after.as_secs_f64())]
    Timeout {
        request: String,
        after: Duration,
        /// `no answer` or `no complete answer`.
        seen: &'static str,
    },
    #[error("{request} was answered with status {status}: {message}")]
    Refused {
        request: String,
        status: u16,
        /// The server's own message, shortened.
        message: String,
    },
    #[error("{request}: the answer broke off: {reason}")]
    Broken { request: String, reason: String },
    #[error("{request}: the answer was over {limit} bytes and was not read further")]
    TooLarge { request: String, limit: usize },
    #[error("{request}: the answer is not what an OpenAI-compatible server sends ({reason}): {start}")]
    Unexpected {
        request: String,
        reason: String,
        start: String,
    },
    #[error("{request}: the server reported an error inside the stream: {message}")]
    InStream { request: String, message: String },
    #[error("{request}: the stream ended without `data: [DONE]`")]
    CutShort { request: String },
}

impl Error {
    /// Without the secrets that were sent: what a server says of a request may hold them.
    #[must_use]
    pub fn without(mut self, secrets: &[&str]) -> Self {
        let told = match &mut self {
            Self::BadUrl(text)
            | Self::Client(text)
            | Self::Credentials { reason: text, .. }
            | Self::Unreachable { reason: text, .. }
            | Self::Broken { reason: text, .. }
            | Self::Refused { message: text, .. }
            | Self::InStream { message: text, .. } => vec![text],
            Self::Unexpected { reason, start, .. } => vec![reason, start],
            Self::Timeout { .. } | Self::TooLarge { .. } | Self::CutShort { .. } => Vec::new(),
        };
        for text in told {
            for secret in secrets {
                *text = hide(text, secret);
            }
        }
        self
    }

    /// Status of an answer that was a refusal.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    pub fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout { .. })
    }

    /// Whether the same request may succeed a little later: an instance is starting, the load is too high,
    /// the connection failed.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Refused { status, .. } => matches!(status, 408 | 425 | 429 | 500..=599),
            Self::Unreachable { .. } | Self::Timeout { .. } | Self::Broken { .. } => true,
            _ => false,
        }
    }

    /// What came back, shortened, for a report. `None` when nothing did.
    pub fn received(&self) -> Option<String> {
        match self {
            Self::Refused { status, message, .. } => Some(format!("{status}: {message}")),
            Self::Unexpected { start, .. } => Some(start.clone()),
            Self::InStream { message, .. } => Some(message.clone()),
            Self::Broken { reason, .. } => Some(reason.clone()),
            Self::BadUrl(_)
            | Self::Client(_)
            | Self::Credentials { .. }
            | Self::Unreachable { .. }
            | Self::Timeout { .. }
            | Self::TooLarge { .. }
            | Self::CutShort { .. } => None,
        }
    }
}

/// The whole chain of reasons of a reqwest error, without its URL.
pub fn reason(error: reqwest::Error) -> String {
    chain(&error.without_url())
}

/// An error and what is behind it, on one short line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        source = inner.source();
    }
    shorten(&text, QUOTE)
}

/// One line of at most `most` characters: control characters and runs of white space become one space.
pub fn shorten(text: &str, most: usize) -> String {
    let mut words = text
        .split(|c: char| c.is_whitespace() || c.is_control())
        .filter(|w| !w.is_empty());
    let mut out = words.next().unwrap_or("").to_owned();
    for word in words {
        out.push(' ');
        out.push_str(word);
        if out.len() > most * 4 {
            break;
        }
    }
    match out.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &out[..end]),
        None => out,
    }
}

/// The message in an error body: vLLM's and OpenAI's `{"error":{"message":…}}`, `{"error":"…"}`, FastAPI's
/// `{"detail":…}`, the title of a front end's HTML page, or the text itself.
pub fn server_message(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let found = serde_json::from_str::<Value>(&text)
        .ok()
        .and_then(|v| json_message(&v));
    let message = found
        .or_else(|| html_text(&text))
        .unwrap_or_else(|| text.into_owned());
    match shorten(&message, QUOTE) {
        empty if empty.is_empty() => "(empty answer)".to_owned(),
        message => message,
    }
}

/// The message of an error object, as a whole body or as an event of a stream.
pub fn json_message(value: &Value) -> Option<String> {
    let message = match value.get("error").or_else(|| value.get("detail"))? {
        Value::String(text) => text.clone(),
        Value::Null => return None,
        error => match error.get("message") {
            Some(Value::String(text)) => text.clone(),
            _ => error.to_string(),
        },
    };
    Some(message)
}

/// What a reader would see of an HTML page.
fn html_text(text: &str) -> Option<String> {
    let lower = text.trim_start().get(..9)?.to_ascii_lowercase();
    if !(lower.starts_with("<!doctype") || lower.starts_with("<html")) {
        return None;
    }
    let mut visible = String::new();
    for piece in text.split('<').skip(1) {
        if let Some((tag, after)) = piece.split_once('>') {
            let tag = tag.to_ascii_lowercase();
            if !tag.starts_with("style") && !tag.starts_with("script") {
                visible.push(' ');
                visible.push_str(after);
            }
        }
    }
    Some(visible)
}

/// A quote without a secret, also where it ends within that.
fn hide(text: &str, secret: &str) -> String {
    const HIDDEN: &str = "***";
    /// So much of it tells nothing.
    const PART: usize = 6;
    if secret.is_empty() {
        return text.to_owned();
    }
    let text = text.replace(secret, HIDDEN);
    let Some(start) = text.strip_suffix('…') else {
        return text;
    };
    let parts = secret.char_indices().rev().map(|(end, _)| &secret[..end]);
    let part = parts
        .filter(|part| part.len() > PART)
        .find(|part| start.ends_with(part));
    match part {
        Some(part) => format!("{}{HIDDEN}…", &start[..start.len() - part.len()]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_own_message_is_found() {
        let cases: [(&str, &str); 8] = [
            (
                include_str!("../../tests/fixtures/vllm/err_unknown_model.body"),
                "The model `nope/none` does not exist. Valid aliases: Qwen/Qwen3.5-4B.",
            ),
            (
                include_str!("../../tests/fixtures/vllm/err_max_tokens_zero.body"),
                "max_tokens must be at least 1, got 0. (parameter=max_tokens, value=0)",
            ),
            (
                include_str!("../../tests/fixtures/vllm/err_chat_noauth_stream.body"),
                "Unauthorized",
            ),
            (r#"{"detail":"Not Found"}"#, "Not Found"),
            (
                r#"{"detail":[{"msg":"field required"}]}"#,
                r#"[{"msg":"field required"}]"#,
            ),
            (
                "<html><head><title>503 Server Error</title><style>p{}</style></head>\n<body><h1>Error: Server Error</h1></body></html>",
                "503 Server Error Error: Server Error",
            ),
            (
                "The request was aborted because there was no available instance.\n",
                "The request was aborted because there was no available instance.",
            ),
            ("", "(empty answer)"),
        ];
        for (body, message) in cases {
            assert_eq!(server_message(body.as_bytes()), message);
        }
    }

    #[test]
    fn a_secret_that_the_server_repeats_is_hidden_also_where_the_quote_ends_within_it() {
        let error = |message: String| Error::Refused {
            request: "POST /x".to_owned(),
            status: 401,
            message,
        };
        let secret = "sk-0123456789";
        let told = error(format!("no key {secret}, {secret}")).without(&["", secret]);
        assert_eq!(told.received().unwrap(), "401: no key ***, ***");
        for shown in QUOTE - secret.len()..QUOTE {
            let body = "a".repeat(shown) + secret + " is wrong";
            let told = error(server_message(body.as_bytes())).without(&[secret]);
            assert!(!told.to_string().contains("sk-0123"), "{told}");
        }
    }

    #[test]
    fn quotes_are_one_short_line() {
        assert_eq!(shorten("a\r\n\tb\u{1b}[31m  c", 100), "a b [31m c");
        assert_eq!(shorten("日本語日本語", 3), "日本語…");
        assert_eq!(shorten(&"x ".repeat(100_000), 5), "x x x…");
        assert_eq!(
            server_message("é".repeat(5000).as_bytes()).chars().count(),
            QUOTE + 1
        );
        assert_eq!(server_message(b"\xff\xfe"), "\u{fffd}\u{fffd}");
    }
}
