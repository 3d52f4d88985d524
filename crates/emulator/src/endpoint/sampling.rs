//! Sampling parameters: read, checked against each other and the model's length.

use serde_json::Value;

use super::{errors::Problem, instance, request::Fields, tokenizer};

/// How an answer is to be made.
#[derive(Clone, Debug, Default)]
pub struct Sampling {
    pub max_tokens: usize,
    pub min_tokens: usize,
    pub ignore_eos: bool,
    pub stop: Vec<String>,
    pub n: usize,
    pub seed: i64,
    /// A bias that makes the end the likeliest first token.
    pub end_at_once: bool,
    /// The only text that the request allows.
    pub forced: Option<String>,
}

/// How an answer is to be sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Delivery {
    pub stream: bool,
    pub include_usage: bool,
    pub continuous_usage: bool,
    pub return_token_ids: bool,
}

impl Delivery {
    pub fn read(fields: &Fields) -> Result<Self, Problem> {
        let stream = fields.flag("stream")?.unwrap_or(false);
        let options = fields.get("stream_options");
        if options.is_some() && !stream {
            return Err(Problem::bad_request(
                "Stream options can only be defined when `stream=True`. (parameter=stream_options)",
                Some("stream_options"),
            ));
        }
        let option = |name: &str| options.is_some_and(|all| all[name].as_bool() == Some(true));
        Ok(Self {
            stream,
            include_usage: option("include_usage"),
            continuous_usage: option("include_usage") && option("continuous_usage_stats"),
            return_token_ids: fields.flag("return_token_ids")?.unwrap_or(false),
        })
    }
}

/// Most answers to one request (vLLM's default of VLLM_MAX_N_SEQUENCES).
const MOST_CHOICES: i64 = 16_384;
/// A bias on the end token from which on nothing else is drawn.
const CERTAIN_BIAS: f64 = 50.0;

impl Sampling {
    /// `default_max` is what `max_tokens` is when the request has none, before the room left is applied.
    pub fn read(
        fields: &Fields,
        prompt_tokens: usize,
        max_model_len: usize,
        default_max: Option<usize>,
    ) -> Result<Self, Problem> {
        let max_tokens = match fields.integer("max_completion_tokens")? {
            Some(tokens) => Some(tokens),
            None => fields.integer("max_tokens")?,
        };
        let n = fields.integer("n")?.unwrap_or(1);
        if !(1..=MOST_CHOICES).contains(&n) {
            return Err(Problem::bad_request(
                format!("n must be at least 1, got {n}. (parameter=n, value={n})"),
                Some("n"),
            ));
        }
        ranges(fields)?;
        let max_tokens = room(max_tokens, prompt_tokens, max_model_len, default_max)?;
        let min_tokens = fields.integer("min_tokens")?.unwrap_or(0);
        if min_tokens < 0 {
            return Err(Problem::parameter(
                &format!("min_tokens must be greater than or equal to 0, got {min_tokens}."),
                "min_tokens",
                &min_tokens.to_string(),
            ));
        }
        let min_tokens = usize::try_from(min_tokens).unwrap_or(0);
        if min_tokens > max_tokens {
            return Err(Problem::bad_request(
                format!(
                    "min_tokens must be less than or equal to max_tokens={max_tokens}, got {min_tokens}."
                ),
                Some("min_tokens"),
            ));
        }
        let end = tokenizer::IM_END.to_string();
        Ok(Self {
            max_tokens,
            min_tokens,
            ignore_eos: fields.flag("ignore_eos")?.unwrap_or(false),
            stop: stops(fields)?,
            n: usize::try_from(n).unwrap_or(1),
            seed: fields.integer("seed")?.unwrap_or(0),
            end_at_once: fields
                .get("logit_bias")
                .and_then(|bias| bias[&end].as_f64())
                .is_some_and(|bias| bias >= CERTAIN_BIAS),
            forced: forced(fields)?,
        })
    }
}

fn ranges(fields: &Fields) -> Result<(), Problem> {
    if let Some(value) = fields.float("temperature")?.filter(|value| *value < 0.0) {
        return Err(Problem::parameter(
            &format!("temperature must be non-negative, got {value:?}."),
            "temperature",
            &format!("{value:?}"),
        ));
    }
    if let Some(value) = fields
        .float("top_p")?
        .filter(|value| !(*value > 0.0 && *value <= 1.0))
    {
        return Err(Problem::parameter(
            &format!("top_p must be in (0, 1], got {value:?}."),
            "top_p",
            &format!("{value:?}"),
        ));
    }
    for name in ["presence_penalty", "frequency_penalty"] {
        if let Some(value) = fields.float(name)?.filter(|value| !(-2.0..=2.0).contains(value)) {
            return Err(Problem::bad_request(
                format!("{name} must be in [-2, 2], got {value:?}."),
                None,
            ));
        }
    }
    Ok(())
}

/// The tokens that the answer may have, given what the prompt leaves.
fn room(
    asked: Option<i64>,
    prompt: usize,
    length: usize,
    default_max: Option<usize>,
) -> Result<usize, Problem> {
    if let Some(tokens) = asked.filter(|tokens| *tokens < 1) {
        return Err(Problem::parameter(
            &format!("max_tokens must be at least 1, got {tokens}."),
            "max_tokens",
            &tokens.to_string(),
        ));
    }
    let asked = asked.and_then(|tokens| usize::try_from(tokens).ok());
    if let Some(tokens) = asked.filter(|tokens| *tokens > length) {
        return Err(Problem::parameter(
            &format!(
                "max_tokens={tokens} cannot be greater than max_model_len={length}. Please request fewer output tokens."
            ),
            "max_tokens",
            &tokens.to_string(),
        ));
    }
    if prompt >= length {
        let least = length + 1;
        return Err(Problem::parameter(
            &format!(
                "This model's maximum context length is {length} tokens. However, your prompt contains at least \
                 {least} input tokens, which exceeds this limit even without any output tokens. Please reduce the \
                 length of the input prompt."
            ),
            "input_tokens",
            &least.to_string(),
        ));
    }
    let left = length - prompt;
    // More than is left is cut to it, not refused.
    Ok(asked.or(default_max).map_or(left, |tokens| tokens.min(left)))
}

fn stops(fields: &Fields) -> Result<Vec<String>, Problem> {
    let stop = match fields.get("stop") {
        None => return Ok(Vec::new()),
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(_) => {
            return Err(Problem::schema(
                "string_type",
                "body.stop",
                "Input should be a valid string",
                "stop",
            ));
        }
    };
    if stop.iter().any(String::is_empty) {
        return Err(Problem::bad_request(
            "stop cannot contain an empty string.",
            Some("stop"),
        ));
    }
    Ok(stop)
}

/// The text that `response_format` or `structured_outputs` leave.
fn forced(fields: &Fields) -> Result<Option<String>, Problem> {
    let refuse = |message: String| Problem::bad_request(message, None);
    let json = |schema: &Value| {
        instance::of(schema)
            .map(|value| Some(value.to_string()))
            .map_err(refuse)
    };
    if let Some(format) = fields.get("response_format") {
        match format["type"].as_str() {
            Some("text") => {}
            Some("json_object") => return Ok(Some("{\"stand_in\": true}".to_owned())),
            Some("json_schema") if format["json_schema"]["schema"].is_object() => {
                return json(&format["json_schema"]["schema"]);
            }
            Some("json_schema") => {
                return Err(refuse(
                    "When response_format type is 'json_schema', the 'json_schema' field must be provided."
                        .to_owned(),
                ));
            }
            _ => return Err(refuse("response_format has an unknown type".to_owned())),
        }
    }
    let Some(outputs) = fields.get("structured_outputs") else {
        return Ok(None);
    };
    if let Some(first) = outputs["choice"]
        .as_array()
        .and_then(|all| all.first())
        .and_then(Value::as_str)
    {
        return Ok(Some(first.to_owned()));
    }
    match &outputs["json"] {
        Value::Null => {}
        Value::String(text) => {
            let schema: Value = serde_json::from_str(text)
                .map_err(|error| refuse(format!("Invalid JSON schema: {error}")))?;
            return json(&schema);
        }
        schema => return json(schema),
    }
    match outputs["regex"].as_str() {
        Some(pattern) => plain(pattern).map(Some).ok_or_else(|| {
            refuse("The stand-in endpoint takes a regex only when it is plain text".to_owned())
        }),
        None if outputs.get("grammar").is_some() => {
            Err(refuse("The stand-in endpoint takes no grammar".to_owned()))
        }
        None => Ok(None),
    }
}

/// The one text that a pattern without operators matches.
fn plain(pattern: &str) -> Option<String> {
    let mut text = String::new();
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.push(chars.next().filter(|escaped| !escaped.is_alphanumeric())?),
            '.' | '*' | '+' | '?' | '[' | ']' | '(' | ')' | '{' | '}' | '|' | '^' | '$' => return None,
            other => text.push(other),
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_gets_what_the_prompt_leaves_and_no_more() {
        assert_eq!(room(Some(10), 90, 100, None), Ok(10));
        assert_eq!(room(Some(50), 90, 100, None), Ok(10));
        assert_eq!(room(None, 90, 100, None), Ok(10));
        assert_eq!(room(None, 10, 100, Some(16)), Ok(16));
        assert!(room(Some(101), 10, 100, None).is_err());
        assert!(room(Some(1), 101, 100, None).is_err());
    }
}
