//! The bytes of answers, chunked as HTTP/1.1 wants them and shaped as vLLM's. Pure.

use serde_json::{Value, json};

use super::MODEL;

/// What precedes a stream.
pub const STREAM_HEAD: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
    transfer-encoding: chunked\r\n\r\n";
/// Each token's text.
const TOKEN: &str = " tok";
/// The chunk that is sent most, so that it is put together once.
pub static MIDDLE: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| token(false, false));

/// The chunk of one token. The first one has the role, the last one the reason for the end.
pub fn token(first: bool, last: bool) -> Vec<u8> {
    let delta = if first {
        json!({"role": "assistant", "content": TOKEN})
    } else {
        json!({"content": TOKEN})
    };
    let finish = last.then_some("length");
    event(
        &json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]),
        None,
    )
}

/// What follows the last token: the usage when it was asked for, and the end of the stream.
pub fn end(usage: Option<Value>) -> Vec<u8> {
    let mut bytes = usage
        .map(|usage| event(&json!([]), Some(usage)))
        .unwrap_or_default();
    chunk(&mut bytes, "data: [DONE]\n\n");
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

pub fn usage(prompt: u32, completion: u32) -> Value {
    json!({
        "prompt_tokens": prompt, "completion_tokens": completion,
        "total_tokens": u64::from(prompt) + u64::from(completion),
    })
}

/// An answer in one piece.
pub fn whole(tokens: u32, usage: &Value) -> Vec<u8> {
    let body = json!({
        "id": "chatcmpl-0", "object": "chat.completion", "created": 0, "model": MODEL, "usage": usage,
        "choices": [{
            "index": 0, "finish_reason": "length",
            "message": {"role": "assistant", "content": TOKEN.repeat(tokens as usize)},
        }],
    });
    json_answer("200 OK", &body)
}

pub fn models() -> Value {
    json!({"object": "list", "data": [{
        "id": MODEL, "object": "model", "created": 0, "owned_by": "llm-deploy", "max_model_len": 1_000_000,
    }]})
}

pub fn refusal(status: &str, message: &str) -> Vec<u8> {
    let code: u16 = status.get(..3).and_then(|code| code.parse().ok()).unwrap_or(500);
    json_answer(
        status,
        &json!({"error": {"message": message, "type": "BadRequestError", "param": null, "code": code}}),
    )
}

pub fn json_answer(status: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
        .into_bytes()
}

pub fn empty() -> Vec<u8> {
    b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".to_vec()
}

fn event(choices: &Value, usage: Option<Value>) -> Vec<u8> {
    let mut data = json!({
        "id": "chatcmpl-0", "object": "chat.completion.chunk", "created": 0, "model": MODEL, "choices": choices,
    });
    if let Some(usage) = usage {
        data["usage"] = usage;
    }
    let mut bytes = Vec::new();
    chunk(&mut bytes, &format!("data: {data}\n\n"));
    bytes
}

fn chunk(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend_from_slice(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes());
}
