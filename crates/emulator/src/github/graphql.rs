//! The one question to GitHub's GraphQL API that a job needs: who its token belongs to.

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{Answer, comments::ACTOR, refusal::Refusal};
use crate::Call;

const DOCS: &str = "https://docs.github.com/graphql";

/// Answers `query { viewer { login } }`; anything else as GitHub answers a field that it doesn't have, with status 200.
pub fn answer(call: &Call, is_signed_in: bool) -> Answer {
    if !is_signed_in {
        let message = "This endpoint requires you to be authenticated.";
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, message, DOCS));
    }
    let Some(query) = call.json.get("query").and_then(Value::as_str) else {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "A query attribute must be specified and must be a string.",
            DOCS,
        ));
    };
    let words: Vec<&str> = query.split_whitespace().collect();
    let body = match words.join(" ").as_str() {
        "query { viewer { login } }" | "{ viewer { login } }" => {
            json!({ "data": { "viewer": { "login": ACTOR } } })
        }
        _ => json!({ "errors": [{ "message": "The emulator knows `query { viewer { login } }` only" }] }),
    };
    Ok((StatusCode::OK, body))
}
