//! `/v1/completions`.

use axum::{
    body::Body,
    http::{HeaderMap, Response, StatusCode},
};
use serde_json::{Value, json};

use super::{
    answer::{Frame, Job, json_response, stream_usage},
    errors::Problem,
    generate::{self, Answer, Part, Source},
    metrics::Flight,
    request::Fields,
    sampling::{Delivery, Sampling},
    server::{self, Shared},
    tokenizer,
};

/// OpenAI's default length of a text completion, in tokens.
const DEFAULT_MAX_TOKENS: usize = 16;

/// # Errors
/// What vLLM would refuse.
pub async fn answer(server: &Shared, headers: &HeaderMap, body: &[u8]) -> Result<Response<Body>, Problem> {
    let fields = Fields::parse(headers.get("content-type").and_then(|v| v.to_str().ok()), body)?;
    let delivery = Delivery::read(&fields)?;
    let model = server.model(fields.text("model")?)?;
    for name in ["logprobs", "echo", "prompt_embeds", "use_beam_search"] {
        if fields.get(name).is_some_and(|value| *value != false) {
            let message = format!("The stand-in endpoint has no `{name}` on /v1/completions");
            return Err(Problem::bad_request(message, Some(name)));
        }
    }
    let prompts = prompts(&fields)?;
    let (mut answers, mut prompt_ids) = (Vec::new(), Vec::new());
    for prompt in &prompts {
        let ids = tokenizer::encode(prompt);
        let length = server.flags.max_model_len;
        let sampling = Sampling::read(&fields, ids.len(), length, Some(DEFAULT_MAX_TOKENS))?;
        let source = Source {
            prompt,
            asked: prompt,
            thinks: false,
        };
        for _ in 0..sampling.n {
            answers.push(generate::answer(&source, &sampling, answers.len()));
        }
        prompt_ids.extend(ids);
    }
    let mut job = Job {
        id: format!("cmpl-{}", server::request_id(headers)),
        created: chrono::Utc::now().timestamp(),
        model,
        answers,
        flight: Flight::new(&server.metrics, prompt_ids.len()),
        prompt_ids,
    };
    if delivery.stream {
        let frames = frames(&job, delivery, &server.fingerprint);
        return Ok(job.stream(server, frames));
    }
    job.complete(server).await;
    Ok(json_response(
        StatusCode::OK,
        &whole(&job, delivery, &server.fingerprint),
    ))
}

fn prompts(fields: &Fields) -> Result<Vec<String>, Problem> {
    let empty = || {
        Problem::bad_request(
            "Either prompt or prompt_embeds must be provided and non-empty.",
            None,
        )
    };
    let wrong = || {
        Problem::schema(
            "string_type",
            "body.prompt",
            "Input should be a valid string",
            "prompt",
        )
    };
    let ids = |list: &[Value]| -> Option<Vec<u32>> {
        list.iter()
            .map(|id| id.as_u64().and_then(|id| u32::try_from(id).ok()))
            .collect()
    };
    let prompts = match fields.get("prompt") {
        None => return Err(empty()),
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(list)) => match ids(list) {
            Some(tokens) if !tokens.is_empty() => vec![tokenizer::decode(&tokens)],
            _ => list
                .iter()
                .map(|item| match item {
                    Value::String(text) => Some(text.clone()),
                    Value::Array(tokens) => ids(tokens).map(|tokens| tokenizer::decode(&tokens)),
                    _ => None,
                })
                .collect::<Option<Vec<String>>>()
                .ok_or_else(wrong)?,
        },
        Some(_) => return Err(wrong()),
    };
    if prompts.is_empty() || prompts.iter().any(String::is_empty) {
        Err(empty())
    } else {
        Ok(prompts)
    }
}

fn whole(job: &Job, delivery: Delivery, fingerprint: &str) -> Value {
    let choices: Vec<Value> = job
        .answers
        .iter()
        .enumerate()
        .map(|(index, answer)| {
            json!({
                "index": index, "text": answer.text_of(Part::Content), "logprobs": null,
                "finish_reason": answer.finish, "stop_reason": answer.stop_reason,
                "token_ids": delivery.return_token_ids.then(|| answer.ids()), "prompt_logprobs": null,
                "prompt_token_ids": delivery.return_token_ids.then_some(&job.prompt_ids), "routed_experts": null,
            })
        })
        .collect();
    json!({
        "id": job.id, "object": "text_completion", "created": job.created, "model": job.model, "choices": choices,
        "service_tier": null, "system_fingerprint": fingerprint, "usage": job.usage(&Value::Null),
        "kv_transfer_params": null, "ec_transfer_params": null, "metrics": null,
    })
}

fn frames(job: &Job, delivery: Delivery, fingerprint: &str) -> Vec<Frame> {
    let mut frames = Vec::new();
    for step in 0..job.steps() {
        for (index, answer) in job.answers.iter().enumerate() {
            if let Some(chunk) = chunk(job, delivery, fingerprint, index, answer, step) {
                frames.push(Frame {
                    step,
                    data: Some(chunk.to_string()),
                });
            }
        }
    }
    let last = job.steps().saturating_sub(1);
    if delivery.include_usage {
        let mut closing = envelope(job, json!([]));
        closing["usage"] = stream_usage(job.prompt_ids.len(), job.completion_tokens());
        closing["system_fingerprint"] = json!(fingerprint);
        frames.push(Frame {
            step: last,
            data: Some(closing.to_string()),
        });
    }
    frames.push(Frame {
        step: last,
        data: Some("[DONE]".to_owned()),
    });
    frames
}

fn envelope(job: &Job, choices: Value) -> Value {
    let mut chunk =
        json!({"id": job.id, "object": "text_completion", "created": job.created, "model": job.model});
    chunk["choices"] = choices;
    chunk
}

fn chunk(
    job: &Job,
    delivery: Delivery,
    fingerprint: &str,
    index: usize,
    answer: &Answer,
    step: usize,
) -> Option<Value> {
    let token = answer.tokens.get(step)?;
    let is_last = step + 1 == answer.tokens.len();
    let choices = json!([{
        "index": index, "text": token.text, "logprobs": null,
        "finish_reason": is_last.then_some(answer.finish),
        "stop_reason": if is_last { answer.stop_reason.clone() } else { None },
        "prompt_token_ids": (delivery.return_token_ids && step == 0).then_some(&job.prompt_ids),
        "token_ids": delivery.return_token_ids.then(|| vec![token.id]),
    }]);
    let mut chunk = envelope(job, choices);
    if delivery.continuous_usage {
        chunk["usage"] = stream_usage(job.prompt_ids.len(), step + 1);
    }
    if is_last && !delivery.include_usage {
        chunk["system_fingerprint"] = json!(fingerprint);
    }
    Some(chunk)
}
