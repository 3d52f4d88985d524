//! `/tokenize` and `/detokenize`.

use axum::{
    body::Body,
    http::{HeaderMap, Response, StatusCode},
};
use serde_json::{Value, json};

use super::{answer::json_response, chat, errors::Problem, request::Fields, server::Shared, tokenizer};

pub fn tokenize(server: &Shared, headers: &HeaderMap, body: &[u8]) -> Result<Response<Body>, Problem> {
    let fields = Fields::parse(headers.get("content-type").and_then(|v| v.to_str().ok()), body)?;
    let model = server.model(fields.text("model")?)?;
    let text = match fields.text("prompt")? {
        Some(prompt) => prompt.to_owned(),
        None => tokenizer::chat_prompt(&chat::read_messages(fields.list("messages")?, &model)?, true),
    };
    let tokens = tokenizer::encode(&text);
    let names = fields.flag("return_token_strs")?.unwrap_or(false).then(|| {
        // As byte-level vocabularies write them: a space is Ġ, a line end Ċ.
        tokens
            .iter()
            .map(|id| tokenizer::decode(&[*id]).replace(' ', "Ġ").replace('\n', "Ċ"))
            .collect::<Vec<_>>()
    });
    Ok(json_response(
        StatusCode::OK,
        &json!({
            "count": tokens.len(), "max_model_len": server.flags.max_model_len, "tokens": tokens,
            "token_strs": names,
        }),
    ))
}

pub fn detokenize(server: &Shared, headers: &HeaderMap, body: &[u8]) -> Result<Response<Body>, Problem> {
    let fields = Fields::parse(headers.get("content-type").and_then(|v| v.to_str().ok()), body)?;
    server.model(fields.text("model")?)?;
    let ids: Option<Vec<u32>> = fields
        .list("tokens")?
        .iter()
        .map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok()))
        .collect();
    let ids = ids.ok_or_else(|| {
        Problem::schema(
            "int_type",
            "body.tokens",
            "Input should be a valid integer",
            "tokens",
        )
    })?;
    Ok(json_response(
        StatusCode::OK,
        &json!({"prompt": Value::String(tokenizer::decode(&ids))}),
    ))
}
