//! One request out of a connection's bytes. Pure.

use serde::Deserialize;

/// Most bytes of a request: a prompt of a million tokens fits.
const MOST: usize = 16 << 20;
const MOST_HEADERS: usize = 64;
/// Most tokens of an answer.
const MOST_TOKENS: u32 = 1_000_000;
/// Tokens of an answer whose request doesn't say how many.
const DEFAULT_TOKENS: u32 = 16;

/// Where a request is in the bytes that were read.
#[derive(Debug, PartialEq)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// `X-Request-Id`.
    pub id: Option<String>,
    /// Whether the client wants the connection to end after the answer.
    pub close: bool,
    /// Where its body begins and ends.
    pub body: std::ops::Range<usize>,
}

/// The first request in `bytes`; `None` while there is no whole one. The error is a status and why.
pub fn parse(bytes: &[u8]) -> Result<Option<Request>, (&'static str, String)> {
    const BAD: &str = "400 Bad Request";
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let head = match parsed.parse(bytes).map_err(|e| (BAD, e.to_string()))? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial if bytes.len() > MOST => {
            return Err((
                "431 Request Header Fields Too Large",
                "the head is too long".to_owned(),
            ));
        }
        httparse::Status::Partial => return Ok(None),
    };
    let text = |name: &str| {
        let header = parsed.headers.iter().find(|h| h.name.eq_ignore_ascii_case(name));
        header.and_then(|h| std::str::from_utf8(h.value).ok())
    };
    if text("transfer-encoding").is_some() {
        let why = "the body needs a content-length here";
        return Err(("411 Length Required", why.to_owned()));
    }
    let length: usize = match text("content-length") {
        None => 0,
        Some(length) => length
            .trim()
            .parse()
            .map_err(|_| (BAD, "content-length is no number".to_owned()))?,
    };
    if length > MOST {
        return Err(("413 Content Too Large", format!("at most {MOST} bytes are read")));
    }
    let body = head..head + length;
    if bytes.len() < body.end {
        return Ok(None);
    }
    Ok(Some(Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        path: parsed.path.unwrap_or_default().to_owned(),
        id: text("x-request-id").map(str::to_owned),
        close: text("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")),
        body,
    }))
}

/// What a chat request asks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Asked {
    pub tokens: u32,
    pub stream: bool,
    /// Whether a stream ends with its usage.
    pub usage: bool,
    /// Words of the prompt, which stand for its tokens.
    pub prompt: u32,
}

#[derive(Deserialize)]
struct Body {
    max_tokens: Option<u32>,
    max_completion_tokens: Option<u32>,
    #[serde(default)]
    stream: bool,
    stream_options: Option<StreamOptions>,
    messages: Vec<Message>,
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

#[derive(Deserialize)]
struct Message {
    #[serde(default)]
    content: serde_json::Value,
}

/// Reads the body of a chat request.
pub fn asked(body: &[u8]) -> Result<Asked, String> {
    let body: Body = serde_json::from_slice(body).map_err(|e| e.to_string())?;
    let tokens = body
        .max_completion_tokens
        .or(body.max_tokens)
        .unwrap_or(DEFAULT_TOKENS);
    if !(1..=MOST_TOKENS).contains(&tokens) {
        return Err(format!("max_tokens must be from 1 to {MOST_TOKENS}"));
    }
    let words = body
        .messages
        .iter()
        .map(|message| words(&message.content))
        .sum::<usize>();
    Ok(Asked {
        tokens,
        stream: body.stream,
        usage: body.stream_options.is_some_and(|options| options.include_usage),
        prompt: u32::try_from(words).unwrap_or(u32::MAX),
    })
}

/// Of a text, or of parts with a text each.
fn words(content: &serde_json::Value) -> usize {
    match content {
        serde_json::Value::String(text) => text.split_whitespace().count(),
        serde_json::Value::Array(parts) => parts.iter().map(|part| words(&part["text"])).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POST: &[u8] = b"POST /v1/chat/completions HTTP/1.1\r\nHost: a\r\nX-Request-ID: run-7\r\n\
        Content-Length: 4\r\n\r\nbody";

    #[test]
    fn a_request_is_whole_only_with_its_last_byte() {
        for end in 0..POST.len() {
            assert_eq!(parse(&POST[..end]), Ok(None), "{end} bytes");
        }
        let mut two = POST.to_vec();
        two.extend_from_slice(POST);
        let request = parse(&two).unwrap().unwrap();
        assert_eq!(
            (
                request.method.as_str(),
                request.path.as_str(),
                request.id.as_deref()
            ),
            ("POST", "/v1/chat/completions", Some("run-7"))
        );
        assert_eq!(&two[request.body], b"body");
        assert!(!request.close);
    }

    #[test]
    fn what_is_no_request_is_refused_with_its_status() {
        for (bytes, status) in [
            ("GET\r\n\r\n", "400"),
            ("POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n", "400"),
            ("POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", "411"),
            ("POST / HTTP/1.1\r\ncontent-length: 99999999\r\n\r\n", "413"),
        ] {
            let (said, _) = parse(bytes.as_bytes()).unwrap_err();
            assert!(said.starts_with(status), "{bytes}: {said}");
        }
    }

    #[test]
    fn a_chat_request_says_how_many_tokens_and_whether_it_wants_usage() {
        let body = br#"{"model":"m","messages":[{"role":"user","content":"one two"},
            {"role":"user","content":[{"type":"text","text":"three"}]}],
            "max_tokens":9,"stream":true,"stream_options":{"include_usage":true}}"#;
        let all = Asked {
            tokens: 9,
            stream: true,
            usage: true,
            prompt: 3,
        };
        assert_eq!(asked(body), Ok(all));
        let least = Asked {
            tokens: 16,
            stream: false,
            usage: false,
            prompt: 0,
        };
        assert_eq!(asked(br#"{"messages":[]}"#), Ok(least));
        assert!(asked(br#"{"messages":[],"max_tokens":0}"#).is_err());
        assert!(asked(b"hello").is_err());
    }
}
