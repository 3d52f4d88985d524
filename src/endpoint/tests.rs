//! The client against recorded answers of real vLLM and against servers that misbehave.

use std::{fmt::Write as _, sync::Arc, time::Duration};

use secrecy::SecretString;
use url::Url;

use super::{
    testing::{Fixed, Script, Server, answer, json, once, sse, stream_of},
    *,
};

const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(600);

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/vllm/",
            $name
        ))
        .as_slice()
    };
}

fn request() -> ChatRequest {
    ChatRequest::user("Qwen/Qwen3.5-4B", "Say hello in five words.", 12)
}

/// What a stream holds, choice by choice, as text that can be compared.
fn describe(events: impl IntoIterator<Item = Event>) -> String {
    let mut out = String::new();
    for event in events {
        match event {
            Event::Done => out.push_str("done\n"),
            Event::Chunk(chunk) => {
                for choice in &chunk.choices {
                    let _ = writeln!(
                        out,
                        "{} reasoning={:?} content={:?} finish={:?}",
                        choice.index,
                        choice.text.reasoning(),
                        choice.text.content(),
                        choice.finish_reason
                    );
                }
                if let Some(usage) = chunk.usage {
                    let _ = writeln!(out, "usage {}+{}", usage.prompt_tokens, usage.completion_tokens);
                }
            }
        }
    }
    out
}

fn parse_parts(parts: &[&[u8]]) -> String {
    let mut parser = stream::Parser::default();
    let mut events = Vec::new();
    for part in parts {
        parser.feed(part).unwrap();
        while let Some(event) = parser.next_event() {
            events.push(event.unwrap());
        }
    }
    describe(events)
}

async fn collect(mut stream: ChatStream) -> (String, Option<Error>) {
    let mut events = Vec::new();
    while let Some(next) = stream.next().await {
        match next {
            Ok(arrived) => events.push(arrived.event),
            Err(error) => {
                assert!(stream.next().await.is_none(), "an error is the end");
                return (describe(events), Some(error));
            }
        }
    }
    (describe(events), None)
}

mod lane;
mod misbehaving;

const STREAMS: [(&str, &[u8], &[u8]); 11] = [
    (
        "usage",
        fixture!("chat_stream_usage.body"),
        fixture!("chat_stream_usage.response.http"),
    ),
    (
        "n2",
        fixture!("chat_stream_n2.body"),
        fixture!("chat_stream_n2.response.http"),
    ),
    (
        "logprobs",
        fixture!("chat_stream_logprobs.body"),
        fixture!("chat_stream_logprobs.response.http"),
    ),
    (
        "continuous_usage",
        fixture!("chat_stream_continuous_usage.body"),
        fixture!("chat_stream_continuous_usage.response.http"),
    ),
    (
        "utf8_multibyte",
        fixture!("chat_stream_utf8_multibyte.body"),
        fixture!("chat_stream_utf8_multibyte.response.http"),
    ),
    (
        "eos_first",
        fixture!("chat_stream_eos_first.body"),
        fixture!("chat_stream_eos_first.response.http"),
    ),
    (
        "nousage",
        fixture!("chat_stream_nousage.body"),
        fixture!("chat_stream_nousage.response.http"),
    ),
    (
        "stop_string",
        fixture!("chat_stream_stop_string.body"),
        fixture!("chat_stream_stop_string.response.http"),
    ),
    (
        "reasoning_then_content",
        fixture!("reasoning_stream_then_content.body"),
        fixture!("reasoning_stream_then_content.response.http"),
    ),
    (
        "reasoning_json_after_think",
        fixture!("reasoning_stream_json_after_think.body"),
        fixture!("reasoning_stream_json_after_think.response.http"),
    ),
    (
        "reasoning_hidden",
        fixture!("reasoning_include_reasoning_false_stream.body"),
        fixture!("reasoning_include_reasoning_false_stream.response.http"),
    ),
];

#[test]
fn recorded_streams_are_read_as_vllm_meant_them() {
    for (name, body, _) in STREAMS {
        insta::assert_snapshot!(name, parse_parts(&[body]));
    }
}

#[test]
fn the_split_of_reads_never_matters() {
    for (name, body, _) in STREAMS {
        let whole = parse_parts(&[body]);
        for cut in (0..=body.len()).step_by(if name == "utf8_multibyte" { 1 } else { 7 }) {
            assert_eq!(
                parse_parts(&[&body[..cut], &body[cut..]]),
                whole,
                "{name} cut at {cut}"
            );
        }
        assert_eq!(
            parse_parts(&body.chunks(1).collect::<Vec<_>>()),
            whole,
            "{name} byte by byte"
        );
    }
}

#[tokio::test]
async fn recorded_answers_are_read_from_the_wire() {
    for (name, body, response) in STREAMS {
        // As recorded, and in reads of 37 bytes, which cuts the chunk framing too.
        let parts = response
            .chunks(37)
            .map(|p| (Duration::from_nanos(1), p.to_vec()))
            .collect::<Vec<_>>();
        let parts = Arc::new(parts);
        let server = Server::start(move |request| {
            if request.contains("whole") {
                once(response)
            } else {
                Script::Parts(parts.to_vec())
            }
        })
        .await;
        for prompt in ["whole", "parts"] {
            let request = ChatRequest::user("m", prompt, 5);
            let stream = server.endpoint(None).chat_stream(&request, LONG).await.unwrap();
            let (read, error) = collect(stream).await;
            assert!(error.is_none(), "{name}: {error:?}");
            assert_eq!(read, parse_parts(&[body]), "{name}");
        }
    }
}

#[tokio::test]
async fn answers_in_one_piece_are_read() {
    let server = Server::start(|request| match request.split(' ').nth(1).unwrap() {
        "/health" => once(fixture!("get_health.response.http")),
        "/v1/models" => once(fixture!("get_v1_models.response.http")),
        _ if request.contains("think") => once(fixture!("reasoning_nonstream_length.response.http")),
        _ => once(fixture!("chat_nonstream.response.http")),
    })
    .await;
    let endpoint = server.endpoint(None);
    endpoint.health(LONG).await.unwrap();
    endpoint.health(Duration::MAX).await.unwrap();
    let models = endpoint.models(LONG).await.unwrap();
    assert_eq!(models.data[0].id, "Qwen/Qwen3.5-4B");
    assert_eq!(models.data[0].max_model_len, Some(4096));

    let completion = endpoint.chat(&request(), LONG).await.unwrap();
    assert!(completion.choices[0].message.content().starts_with("flush ssl"));
    assert_eq!(completion.choices[0].finish_reason.as_deref(), Some("length"));
    assert_eq!(completion.usage.unwrap().completion_tokens, 12);

    let thought = endpoint
        .chat(&ChatRequest::user("m", "think", 8), LONG)
        .await
        .unwrap();
    assert_eq!(thought.choices[0].message.content(), "");
    assert!(thought.choices[0].message.reasoning().starts_with("whichname"));
}

#[test]
fn reasoning_is_read_under_both_names_once() {
    for (delta, reasoning) in [
        (r#"{"reasoning_content":"a"}"#, "a"),
        (r#"{"reasoning":"a","reasoning_content":"a"}"#, "a"),
        (r#"{"reasoning":"","reasoning_content":"a","content":null}"#, "a"),
        (r#"{"role":"assistant"}"#, ""),
    ] {
        let text: answer::Text = serde_json::from_str(delta).unwrap();
        assert_eq!(text.reasoning(), reasoning);
        assert_eq!(text.is_empty(), reasoning.is_empty());
    }
}

#[tokio::test]
async fn an_api_key_and_an_id_token_travel_in_headers_of_their_own() {
    let server = Server::start(|_| json(r#"{"data":[]}"#)).await;
    let key = Some(SecretString::from("vllm-key"));
    let both = Endpoint::new(server.url.clone(), Arc::new(Fixed(Some("id-token"))), key).unwrap();
    both.models(LONG).await.unwrap();
    server.endpoint(Some("id-token")).models(LONG).await.unwrap();
    both.anonymous().models(LONG).await.unwrap();
    let seen = server.seen();
    assert!(
        seen[0].contains(
            "\r\nauthorization: Bearer vllm-key\r\nx-serverless-authorization: Bearer id-token\r\n"
        )
    );
    assert!(seen[1].contains("\r\nauthorization: Bearer id-token\r\n") && !seen[1].contains("serverless"));
    assert!(!seen[2].contains("authorization"));
    assert!(!format!("{both:?}").contains("key"));
}

/// Counts its tokens.
#[derive(Default)]
struct Renewing(std::sync::atomic::AtomicU32);

#[async_trait::async_trait]
impl Bearer for Renewing {
    async fn bearer(&self) -> Result<Option<SecretString>, String> {
        let n = self.0.load(std::sync::atomic::Ordering::SeqCst);
        Ok(Some(format!("id-{n}").into()))
    }

    async fn reject(&self, token: &SecretString) -> bool {
        let n = self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        assert_eq!(token.expose_secret(), format!("id-{n}"));
        true
    }
}

fn refused_token(text: &str) -> Script {
    once(format!(
        "HTTP/1.1 401 Unauthorized\r\nwww-authenticate: {text}\r\ncontent-length: 0\r\n\r\n"
    ))
}

#[tokio::test]
async fn a_refused_id_token_is_replaced_once() {
    let server = Server::start(|request| match request.contains("Bearer id-1") {
        true => json(r#"{"data":[]}"#),
        false => refused_token("Bearer error=\"invalid_token\""),
    })
    .await;
    let renewing = |key| Endpoint::new(server.url.clone(), Arc::new(Renewing::default()), key).unwrap();
    renewing(None).models(LONG).await.unwrap();
    renewing(Some("vllm-key".into())).models(LONG).await.unwrap();
    assert_eq!(server.seen().len(), 4);

    let never = Server::start(|_| refused_token("Bearer")).await;
    let endpoint = Endpoint::new(never.url.clone(), Arc::new(Renewing::default()), None).unwrap();
    let error = endpoint.models(LONG).await.unwrap_err();
    assert!(matches!(error, Error::Refused { status: 401, .. }), "{error}");
    assert_eq!(never.seen().len(), 2, "one renewal, no more");
}

#[tokio::test]
async fn a_key_that_vllm_refuses_costs_no_id_token() {
    let server = Server::start(|_| answer("401 Unauthorized", "application/json", "{}")).await;
    let key = Some(SecretString::from("vllm-key"));
    let endpoint = Endpoint::new(server.url.clone(), Arc::new(Renewing::default()), key).unwrap();
    endpoint.models(LONG).await.unwrap_err();
    endpoint.anonymous().models(LONG).await.unwrap_err();
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn connections_are_used_again() {
    let server = Server::start(|request| {
        if request.starts_with("GET") {
            json(r#"{"data":[]}"#)
        } else {
            stream_of(&["a", "b"], "stop", 2)
        }
    })
    .await;
    let endpoint = server.endpoint(None);
    for _ in 0..5 {
        endpoint.models(LONG).await.unwrap();
        let stream = endpoint.chat_stream(&request(), LONG).await.unwrap();
        assert!(collect(stream).await.1.is_none());
    }
    assert_eq!(*server.connections.lock().unwrap(), 1);
}

#[test]
fn only_a_safe_url_without_credentials_is_taken() {
    let build = |url: &str| Endpoint::new(Url::parse(url).unwrap(), Arc::new(Fixed(None)), None);
    for bad in [
        "http://example.com",
        "https://user:pw@example.com",
        "ftp://127.0.0.1",
    ] {
        let error = build(bad).unwrap_err().to_string();
        assert!(!error.contains("pw"), "{error}");
    }
    assert_eq!(
        build("https://example.com/a?x=1#y").unwrap().base().as_str(),
        "https://example.com/a/"
    );
}

#[test]
fn plain_http_leaves_the_machine_only_without_credentials() {
    let url: Url = "http://gpu-box:8000".parse().unwrap();
    let nobody = Arc::new(Fixed(None));
    assert!(matches!(
        Endpoint::new(url.clone(), nobody, None),
        Err(Error::BadUrl(_))
    ));
    assert!(Endpoint::open_to_all(url).is_ok());
    let named = "http://me:secret@gpu-box:8000".parse().unwrap();
    assert!(matches!(Endpoint::open_to_all(named), Err(Error::BadUrl(_))));
}
