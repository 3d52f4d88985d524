//! `/v1/chat/completions`.

use axum::{
    body::Body,
    http::{HeaderMap, Response, StatusCode},
};
use serde_json::{Map, Value, json};

use super::{
    answer::{Frame, Job, json_response, stream_usage},
    errors::Problem,
    generate::{self, Answer, Part, Source, Token},
    metrics::Flight,
    request::Fields,
    sampling::{Delivery, Sampling},
    server::{self, Shared},
    text::Dice,
    tokenizer,
};

/// What shapes the chunks besides the answer.
struct Shape {
    delivery: Delivery,
    /// Alternatives to list for each token.
    logprobs: Option<usize>,
    include_reasoning: bool,
    /// A reasoning parser is at work: usage has its count.
    parses_reasoning: bool,
    fingerprint: String,
}

/// # Errors
/// What vLLM would refuse.
pub async fn answer(server: &Shared, headers: &HeaderMap, body: &[u8]) -> Result<Response<Body>, Problem> {
    let fields = Fields::parse(headers.get("content-type").and_then(|v| v.to_str().ok()), body)?;
    let messages = fields.list("messages")?;
    let delivery = Delivery::read(&fields)?;
    let model = server.model(fields.text("model")?)?;
    check_tools(&fields, server.flags.tools)?;
    let messages = read_messages(messages, &model)?;
    let thinks = server.flags.reasoning && thinking(&fields, &server.flags.chat_template_kwargs);
    let prompt = tokenizer::chat_prompt(&messages, !server.flags.reasoning || thinks);
    let prompt_ids = tokenizer::encode(&prompt);
    let sampling = Sampling::read(&fields, prompt_ids.len(), server.flags.max_model_len, None)?;
    let asked = messages
        .iter()
        .rev()
        .find(|(role, _)| role == "user")
        .map_or("", |(_, text)| text);
    let source = Source {
        prompt: &prompt,
        asked,
        thinks,
    };
    let shape = Shape {
        delivery,
        logprobs: logprobs(&fields)?,
        include_reasoning: fields.flag("include_reasoning")?.unwrap_or(true),
        parses_reasoning: server.flags.reasoning,
        fingerprint: server.fingerprint.clone(),
    };
    let mut job = Job {
        id: format!("chatcmpl-{}", server::request_id(headers)),
        created: chrono::Utc::now().timestamp(),
        model,
        answers: (0..sampling.n)
            .map(|index| generate::answer(&source, &sampling, index))
            .collect(),
        flight: Flight::new(&server.metrics, prompt_ids.len()),
        prompt_ids,
    };
    if shape.delivery.stream {
        let frames = shape.frames(&job);
        return Ok(job.stream(server, frames));
    }
    job.complete(server).await;
    Ok(json_response(StatusCode::OK, &shape.whole(&job)))
}

fn thinking(fields: &Fields, defaults: &Value) -> bool {
    let asked = fields
        .get("chat_template_kwargs")
        .and_then(|all| all["enable_thinking"].as_bool());
    asked
        .or_else(|| defaults["enable_thinking"].as_bool())
        .unwrap_or(true)
}

fn check_tools(fields: &Fields, enabled: bool) -> Result<(), Problem> {
    let has_tools = fields
        .get("tools")
        .and_then(Value::as_array)
        .is_some_and(|tools| !tools.is_empty());
    if enabled || !has_tools {
        return Ok(());
    }
    let message = match fields.get("tool_choice") {
        Some(Value::String(choice)) if choice == "none" => return Ok(()),
        Some(Value::String(choice)) if choice == "required" => {
            "tool_choice=\"required\" requires --tool-call-parser to be set".to_owned()
        }
        Some(Value::Object(choice)) => {
            let name = choice
                .get("function")
                .and_then(|function| function["name"].as_str())
                .unwrap_or_default();
            format!("tool_choice=function \"{name}\" requires --tool-call-parser to be set")
        }
        _ => "\"auto\" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set"
            .to_owned(),
    };
    Err(Problem::bad_request(message, None))
}

/// Role and text of each message.
pub fn read_messages(messages: &[Value], model: &str) -> Result<Vec<(String, String)>, Problem> {
    if messages.is_empty() {
        return Err(Problem::bad_request(
            "Cannot apply chat template to an empty conversation. Provide at least one message.",
            None,
        ));
    }
    messages
        .iter()
        .map(|message| read_message(message, model))
        .collect()
}

fn read_message(message: &Value, model: &str) -> Result<(String, String), Problem> {
    let role = message["role"]
        .as_str()
        .ok_or_else(|| Problem::schema("missing", "body.messages.role", "Field required", "<dict>"))?;
    let mut text = String::new();
    match &message["content"] {
        Value::String(content) => text.push_str(content),
        Value::Array(parts) => {
            for part in parts {
                match part["type"].as_str() {
                    Some("text" | "input_text" | "output_text" | "refusal" | "thinking") => {
                        text.push_str(part["text"].as_str().unwrap_or_default());
                    }
                    _ => {
                        return Err(Problem::bad_request(
                            format!("{model} is not a multimodal model"),
                            None,
                        ));
                    }
                }
            }
        }
        Value::Null => {}
        _ => {
            return Err(Problem::schema(
                "string_type",
                "body.messages.content",
                "Input should be a valid string",
                "",
            ));
        }
    }
    Ok((role.to_owned(), text))
}

/// Most alternatives per token: vLLM's default of `--max-logprobs`.
const MOST_LOGPROBS: i64 = 20;

fn logprobs(fields: &Fields) -> Result<Option<usize>, Problem> {
    let top = fields.integer("top_logprobs")?;
    if !fields.flag("logprobs")?.unwrap_or(false) {
        return match top {
            Some(top) if top > 0 => Err(Problem::bad_request(
                "when using `top_logprobs`, `logprobs` must be set to true. (parameter=top_logprobs)",
                Some("top_logprobs"),
            )),
            _ => Ok(None),
        };
    }
    let top = top.unwrap_or(0);
    if !(0..=MOST_LOGPROBS).contains(&top) {
        return Err(Problem::bad_request(
            format!("Requested sample logprobs of {top}, which is greater than max allowed: {MOST_LOGPROBS}"),
            Some("top_logprobs"),
        ));
    }
    Ok(Some(usize::try_from(top).unwrap_or(0)))
}

impl Shape {
    fn details(&self, reasoning: usize) -> Value {
        if self.parses_reasoning {
            json!({ "reasoning_tokens": reasoning })
        } else {
            Value::Null
        }
    }

    fn whole(&self, job: &Job) -> Value {
        let choices: Vec<Value> = job
            .answers
            .iter()
            .enumerate()
            .map(|(index, answer)| self.choice(index, answer))
            .collect();
        json!({
            "id": job.id, "object": "chat.completion", "created": job.created, "model": job.model,
            "choices": choices, "service_tier": null, "system_fingerprint": self.fingerprint,
            "usage": job.usage(&self.details(job.reasoning_tokens())), "prompt_logprobs": null,
            "prompt_token_ids": self.delivery.return_token_ids.then_some(&job.prompt_ids), "prompt_text": null,
            "kv_transfer_params": null, "ec_transfer_params": null, "metrics": null,
        })
    }

    fn choice(&self, index: usize, answer: &Answer) -> Value {
        let thought = answer.text_of(Part::Reasoning);
        let said = answer.text_of(Part::Content);
        // A parser that saw thinking and nothing after it leaves no content at all.
        let content = if said.is_empty() && !thought.is_empty() {
            Value::Null
        } else {
            json!(said)
        };
        let reasoning = (!thought.is_empty() && self.include_reasoning).then_some(thought);
        json!({
            "index": index,
            "message": {
                "role": "assistant", "content": content, "refusal": null, "annotations": null, "audio": null,
                "function_call": null, "reasoning": reasoning,
            },
            "logprobs": self.logprobs.map(|top| logprobs_of(&answer.tokens, top)),
            "finish_reason": answer.finish, "stop_reason": answer.stop_reason,
            "token_ids": self.delivery.return_token_ids.then(|| answer.ids()), "routed_experts": null,
        })
    }

    fn frames(&self, job: &Job) -> Vec<Frame> {
        let mut frames = Vec::new();
        for index in 0..job.answers.len() {
            frames.push(Frame {
                step: 0,
                data: Some(self.opening(job, index).to_string()),
            });
        }
        for step in 0..job.steps() {
            for (index, answer) in job.answers.iter().enumerate() {
                if let Some(token) = answer.tokens.get(step) {
                    let chunk = self.chunk(job, index, answer, step, token);
                    frames.push(Frame {
                        step,
                        data: chunk.map(|value| value.to_string()),
                    });
                }
            }
        }
        let last = job.steps().saturating_sub(1);
        if self.delivery.include_usage {
            frames.push(Frame {
                step: last,
                data: Some(self.closing(job).to_string()),
            });
        }
        frames.push(Frame {
            step: last,
            data: Some("[DONE]".to_owned()),
        });
        frames
    }

    fn envelope(job: &Job) -> Map<String, Value> {
        let mut chunk = Map::new();
        chunk.insert("id".to_owned(), json!(job.id));
        chunk.insert("object".to_owned(), json!("chat.completion.chunk"));
        chunk.insert("created".to_owned(), json!(job.created));
        chunk.insert("model".to_owned(), json!(job.model));
        chunk
    }

    fn opening(&self, job: &Job, index: usize) -> Value {
        let mut chunk = Self::envelope(job);
        chunk.insert(
            "choices".to_owned(),
            json!([{
                "index": index, "delta": {"role": "assistant", "content": ""}, "logprobs": null,
                "finish_reason": null,
            }]),
        );
        if self.delivery.continuous_usage {
            chunk.insert("usage".to_owned(), self.usage_so_far(job, 0, 0));
        }
        let ids = self.delivery.return_token_ids.then_some(&job.prompt_ids);
        chunk.insert("prompt_token_ids".to_owned(), json!(ids));
        chunk.insert("prompt_text".to_owned(), Value::Null);
        Value::Object(chunk)
    }

    fn usage_so_far(&self, job: &Job, completion: usize, reasoning: usize) -> Value {
        let mut usage = stream_usage(job.prompt_ids.len(), completion);
        usage["completion_tokens_details"] = self.details(reasoning);
        usage
    }

    /// `None` for a token that shows nothing and ends nothing.
    fn chunk(&self, job: &Job, index: usize, answer: &Answer, step: usize, token: &Token) -> Option<Value> {
        let is_last = step + 1 == answer.tokens.len();
        let delta = match token.part {
            Part::Content => json!({ "content": token.text }),
            Part::Reasoning if self.include_reasoning => json!({ "reasoning": token.text }),
            Part::Reasoning | Part::Silent if !is_last => return None,
            Part::Reasoning => json!({}),
            Part::Silent => json!({ "content": "" }),
        };
        let mut choice = Map::new();
        choice.insert("index".to_owned(), json!(index));
        choice.insert("delta".to_owned(), delta);
        let logprobs = self
            .logprobs
            .map(|top| logprobs_of(std::slice::from_ref(token), top));
        choice.insert("logprobs".to_owned(), json!(logprobs));
        choice.insert(
            "finish_reason".to_owned(),
            json!(is_last.then_some(answer.finish)),
        );
        if is_last {
            choice.insert("stop_reason".to_owned(), json!(answer.stop_reason));
        }
        let ids = self.delivery.return_token_ids.then(|| vec![token.id]);
        choice.insert("token_ids".to_owned(), json!(ids));
        let mut chunk = Self::envelope(job);
        chunk.insert("choices".to_owned(), json!([choice]));
        if self.delivery.continuous_usage {
            let made = answer.tokens.get(..=step).unwrap_or_default();
            let reasoning = made.iter().filter(|token| token.part == Part::Reasoning).count();
            chunk.insert("usage".to_owned(), self.usage_so_far(job, step + 1, reasoning));
        }
        if is_last && !self.delivery.include_usage {
            chunk.insert("system_fingerprint".to_owned(), json!(self.fingerprint));
        }
        Some(Value::Object(chunk))
    }

    fn closing(&self, job: &Job) -> Value {
        let mut chunk = Self::envelope(job);
        chunk.insert("choices".to_owned(), json!([]));
        let mut usage = stream_usage(job.prompt_ids.len(), job.completion_tokens());
        if self.parses_reasoning {
            usage["completion_tokens_details"] = self.details(job.reasoning_tokens());
        }
        chunk.insert("usage".to_owned(), usage);
        chunk.insert("system_fingerprint".to_owned(), json!(self.fingerprint));
        Value::Object(chunk)
    }
}

/// Made-up, repeatable probabilities of the tokens and `top` alternatives to each.
fn logprobs_of(tokens: &[Token], top: usize) -> Value {
    let content: Vec<Value> = tokens
        .iter()
        .map(|token| {
            let mut dice = Dice::new(u64::from(token.id));
            let mut entry = |text: &str| {
                let logprob = -0.1 - (dice.below(7000) as f64) / 1000.0;
                json!({"token": text, "logprob": logprob, "bytes": text.as_bytes()})
            };
            let mut chosen = entry(&token.text);
            let mut list = vec![chosen.clone()];
            list.extend((1..top).map(|n| entry(&format!(" alternative{n}"))));
            list.truncate(top);
            chosen["top_logprobs"] = Value::Array(list);
            chosen
        })
        .collect();
    json!({ "content": content })
}
