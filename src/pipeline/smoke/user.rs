//! The user's own checks: a prompt, and what its answer must satisfy.

use regex::RegexBuilder;

use super::{
    answer::Answer,
    builtin::failed,
    json, request,
    verdict::{Failure, Target, Verdict},
};
use crate::{
    config::Check,
    endpoint::{ChatRequest, error::shorten, hint},
};

/// Mistakes against a JSON Schema that are listed.
const MISTAKES: usize = 5;

/// Sends the prompt and judges the answer's content; reasoning is not part of it.
pub async fn run(target: Target<'_>, check: &Check) -> Verdict {
    let request = ChatRequest::user(&target.model.id, &check.prompt, check.max_tokens)
        .with_system(check.system.as_deref())
        .with_temperature(check.temperature);
    let sent = request::chat(target.endpoint.base(), &request, target.credentials());
    let completion = target.endpoint.chat(&request, check.deadline).await;
    let completion = completion.map_err(|e| failed(&e, sent.clone(), target))?;
    let answer = Answer::of(&completion).unwrap_or_default();
    judge(check, &answer).map_err(|wrong| {
        Box::new(Failure {
            detail: wrong,
            sent,
            received: Some(answer.shown()),
            hint: Some(advice(check, &answer)),
        })
    })
}

/// What the answer satisfied, or what it didn't, all of it.
fn judge(check: &Check, answer: &Answer) -> Result<String, String> {
    if answer.content.trim().is_empty() {
        return Err(if answer.reasoning.is_empty() {
            "the answer is empty".to_owned()
        } else {
            "the answer has reasoning but no content".to_owned()
        });
    }
    let results = [
        check
            .contains
            .as_deref()
            .map(|part| contains(part, &answer.content)),
        check
            .matches
            .as_deref()
            .map(|pattern| matches(pattern, &answer.content)),
        check
            .json_schema
            .as_ref()
            .map(|schema| satisfies(schema, &answer.content)),
    ];
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for result in results.into_iter().flatten() {
        match result {
            Ok(text) => good.push(text),
            Err(text) => bad.push(text),
        }
    }
    if !bad.is_empty() {
        return Err(bad.join("; "));
    }
    if good.is_empty() {
        good.push("the answer is not empty".to_owned());
    }
    Ok(good.join("; "))
}

fn contains(part: &str, content: &str) -> Result<String, String> {
    let shown = shorten(part, 100);
    if content.contains(part) {
        return Ok(format!("contains `{shown}`"));
    }
    let other_case = content.to_lowercase().contains(&part.to_lowercase());
    let note = if other_case {
        " (it does in other upper and lower case)"
    } else {
        ""
    };
    Err(format!("the answer does not contain `{shown}`{note}"))
}

fn matches(pattern: &str, content: &str) -> Result<String, String> {
    let shown = shorten(pattern, 100);
    let regex = RegexBuilder::new(pattern).build();
    let regex = regex.map_err(|e| {
        format!(
            "`{shown}` is no regular expression: {}",
            shorten(&e.to_string(), 200)
        )
    })?;
    if regex.is_match(content) {
        Ok(format!("matches `{shown}`"))
    } else {
        Err(format!("does not match `{shown}`"))
    }
}

fn satisfies(schema: &serde_json::Value, content: &str) -> Result<String, String> {
    let found =
        json::find(content).map_err(|e| format!("the answer does not satisfy the JSON Schema: {e}"))?;
    let validator = jsonschema::validator_for(schema).map_err(|e| {
        format!(
            "the check's JSON Schema can't be used: {}",
            shorten(&e.to_string(), 200)
        )
    })?;
    let fenced = if found.fenced {
        " (the JSON stands in a Markdown code fence)"
    } else {
        ""
    };
    let mistakes: Vec<String> = validator
        .iter_errors(&found.value)
        .take(MISTAKES)
        .map(|e| {
            let place = e.instance_path().to_string();
            let place = if place.is_empty() {
                "the whole"
            } else {
                place.as_str()
            };
            format!("at {}: {}", shorten(place, 80), shorten(&e.to_string(), 160))
        })
        .collect();
    if mistakes.is_empty() {
        return Ok(format!("satisfies the JSON Schema{fenced}"));
    }
    Err(format!(
        "the answer does not satisfy the JSON Schema{fenced}: {}",
        mistakes.join("; ")
    ))
}

fn advice(check: &Check, answer: &Answer) -> String {
    let cut = answer.finish_reason.as_deref() == Some("length");
    if answer.content.trim().is_empty() {
        return hint::for_empty_answer(answer.finish_reason.as_deref(), !answer.reasoning.is_empty())
            .to_owned();
    }
    if cut {
        return format!(
            "The answer was cut off at {} tokens: raise the check's `max-tokens`.",
            check.max_tokens
        );
    }
    if check.json_schema.is_some() {
        return "Ask for JSON and nothing else in the prompt or `system`, and show the shape that is wanted."
            .to_owned();
    }
    let random = if check.temperature > 0.0 {
        " With `temperature: 0` it answers more steadily."
    } else {
        ""
    };
    format!(
        "The model answered, but not as expected: look at the prompt and at what the check asks for.{random}"
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::json;

    use super::*;

    fn check() -> Check {
        Check {
            name: "own".to_owned(),
            prompt: "p".to_owned(),
            system: None,
            max_tokens: 10,
            temperature: 0.0,
            contains: None,
            matches: None,
            json_schema: None,
            deadline: Duration::from_secs(5),
        }
    }

    fn said(content: &str) -> Answer {
        Answer {
            content: content.to_owned(),
            finish_reason: Some("stop".to_owned()),
            ..Answer::default()
        }
    }

    #[test]
    fn every_condition_must_hold_and_each_that_does_not_is_named() {
        let mut check = check();
        assert_eq!(judge(&check, &said("x")).unwrap(), "the answer is not empty");
        check.contains = Some("Paris".to_owned());
        check.matches = Some(r"(?i)^the\b".to_owned());
        assert_eq!(
            judge(&check, &said("The capital is Paris.")).unwrap(),
            r"contains `Paris`; matches `(?i)^the\b`"
        );
        assert_eq!(
            judge(&check, &said("It is PARIS.")).unwrap_err(),
            r"the answer does not contain `Paris` (it does in other upper and lower case); does not match `(?i)^the\b`"
        );
    }

    #[test]
    fn a_json_schema_is_held_against_the_whole_answer() {
        let mut check = check();
        check.json_schema = Some(json!({
            "type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}
        }));
        assert_eq!(
            judge(&check, &said(r#"{"city":"Paris"}"#)).unwrap(),
            "satisfies the JSON Schema"
        );
        assert_eq!(
            judge(&check, &said("```json\n{\"city\":\"Paris\"}\n```")).unwrap(),
            "satisfies the JSON Schema (the JSON stands in a Markdown code fence)"
        );
        let wrong = judge(&check, &said(r#"{"city":7}"#)).unwrap_err();
        assert!(wrong.contains("at /city: 7 is not of type"), "{wrong}");
        let missing = judge(&check, &said("```\n{}\n```")).unwrap_err();
        assert!(
            missing.contains("code fence): at the whole: \"city\" is a required property"),
            "{missing}"
        );
        assert!(
            judge(&check, &said("Paris"))
                .unwrap_err()
                .contains("it is no JSON")
        );
    }

    #[test]
    fn reasoning_is_no_answer() {
        let answer = Answer {
            reasoning: "Paris".to_owned(),
            finish_reason: Some("length".to_owned()),
            ..Answer::default()
        };
        let mut check = check();
        check.contains = Some("Paris".to_owned());
        assert_eq!(
            judge(&check, &answer).unwrap_err(),
            "the answer has reasoning but no content"
        );
        assert!(advice(&check, &answer).contains("Raise `max-tokens`"));
    }
}
