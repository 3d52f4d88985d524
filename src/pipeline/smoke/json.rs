//! JSON out of a model's answer. Pure.

use serde_json::Value;

/// An answer that is JSON.
#[derive(Debug, PartialEq)]
pub struct Found {
    pub value: Value,
    /// The JSON stood in a Markdown code fence and nothing else was there.
    pub fenced: bool,
}

/// Reads the whole of `text` as JSON, raw or in one code fence. The error says what is wrong.
pub fn find(text: &str) -> Result<Found, String> {
    let text = text.trim();
    let (inner, fenced) = match fence(text) {
        Some(inner) => (inner, true),
        None => (text, false),
    };
    match serde_json::from_str(inner) {
        Ok(value) => Ok(Found { value, fenced }),
        Err(error) if text.contains("```") && !fenced => Err(format!(
            "it has text around its code fence, so the answer as a whole is no JSON ({error})"
        )),
        Err(error) if fenced => Err(format!("what is in its code fence is no JSON ({error})")),
        Err(error) => Err(format!("it is no JSON ({error})")),
    }
}

/// What is between the opening line of a fence and its end.
fn fence(text: &str) -> Option<&str> {
    let body = text.strip_prefix("```")?.strip_suffix("```")?;
    let (language, inner) = body.split_once('\n')?;
    let plain = matches!(
        language.trim().to_ascii_lowercase().as_str(),
        "" | "json" | "jsonc" | "json5"
    );
    (plain && !inner.contains("```")).then_some(inner)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn raw_and_fenced_json_are_told_apart() {
        for (text, fenced) in [
            (r#" {"a": 1} "#, false),
            ("```json\n{\"a\": 1}\n```", true),
            ("\n```\n{\"a\":\n1}```\n", true),
            ("```JSON\r\n{\"a\": 1}\r\n```", true),
        ] {
            let value = json!({"a": 1});
            assert_eq!(find(text), Ok(Found { value, fenced }), "{text}");
        }
    }

    #[test]
    fn anything_around_it_is_named() {
        for (text, part) in [
            (
                "Here you are:\n```json\n{\"a\": 1}\n```",
                "text around its code fence",
            ),
            ("```json\n{\"a\": 1\n```", "in its code fence is no JSON"),
            ("```python\n{\"a\": 1}\n```", "text around"),
            ("Sure! {}", "it is no JSON"),
            ("{} {}", "it is no JSON"),
            ("", "it is no JSON"),
            ("```", "no JSON"),
            ("``````", "no JSON"),
        ] {
            let error = find(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
        let deep = "[".repeat(100_000);
        assert!(find(&deep).is_err(), "depth is bounded");
    }
}
