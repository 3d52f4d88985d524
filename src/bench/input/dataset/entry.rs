//! One entry of a dataset: a prompt, messages, or a recorded conversation.

use serde::Deserialize;

use super::super::Entry;
use crate::endpoint::{Message, Role, error::shorten};

/// An entry, and the answer that was once given to it, whose length can stand for the wanted one.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    pub entry: Entry,
    pub answer: Option<String>,
}

#[derive(Deserialize)]
struct Raw {
    prompt: Option<String>,
    messages: Option<Vec<RawMessage>>,
    conversations: Option<Vec<Turn>>,
    output_tokens: Option<u32>,
    max_tokens: Option<u32>,
}

#[derive(Deserialize)]
struct RawMessage {
    role: Role,
    /// Absent where an assistant called a tool.
    content: Option<String>,
}

/// ShareGPT's.
#[derive(Deserialize)]
struct Turn {
    from: String,
    value: Option<String>,
}

/// `None` for a conversation in which nobody asked anything: ShareGPT has such.
///
/// # Errors
/// What is wrong and what was expected.
pub fn parse(bytes: &[u8]) -> Result<Option<Parsed>, String> {
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(expected("it is no JSON object"));
    }
    let raw: Raw = serde_json::from_slice(bytes).map_err(|e| expected(&unreadable(&e)))?;
    let output_tokens = raw.output_tokens.or(raw.max_tokens);
    if output_tokens == Some(0) {
        return Err("`output_tokens` (or `max_tokens`) is 0: expected at least 1".to_owned());
    }
    let (messages, answer) = match (raw.prompt, raw.messages, raw.conversations) {
        (Some(prompt), None, None) if prompt.trim().is_empty() => {
            return Err("`prompt` is empty: expected text".to_owned());
        }
        (Some(prompt), None, None) => (vec![Message::user(prompt)], None),
        (None, Some(messages), None) => chat(messages)?,
        (None, None, Some(turns)) => match conversation(turns) {
            Some(found) => found,
            None => return Ok(None),
        },
        (None, None, None) => return Err(expected("it has none of them")),
        _ => return Err(expected("it has several of them")),
    };
    Ok(Some(Parsed {
        // What the entry says itself needs no recorded answer.
        answer: answer.filter(|_| output_tokens.is_none()),
        entry: Entry {
            messages,
            output_tokens,
        },
    }))
}

/// An entry has no lines of its own: the column is told, where it is on one line.
fn unreadable(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let reason = text.split(" at line ").next().unwrap_or(&text);
    let place = match error.line() {
        1 => format!(" at column {}", error.column()),
        _ => String::new(),
    };
    format!("{}{place}", shorten(reason, 160))
}

fn expected(found: &str) -> String {
    format!(
        "{found}; expected a JSON object with `prompt` (text), `messages` ([{{\"role\": \"system\", \"user\" or \
         \"assistant\", \"content\": text}}]) or ShareGPT's `conversations` ([{{\"from\": \"human\" or \"gpt\", \
         \"value\": text}}])"
    )
}

/// An assistant's message at the end is the answer, not part of the question.
fn chat(raw: Vec<RawMessage>) -> Result<(Vec<Message>, Option<String>), String> {
    let mut messages: Vec<Message> = Vec::with_capacity(raw.len());
    for RawMessage { role, content } in raw {
        let content = content.ok_or_else(|| expected("a message has no `content`"))?;
        messages.push(Message { role, content });
    }
    let ends_in_answer = messages.last().is_some_and(|last| last.role == Role::Assistant);
    let answer = messages.pop_if(|_| ends_in_answer);
    match messages.last() {
        Some(last) if last.role == Role::User && !last.content.trim().is_empty() => {
            Ok((messages, answer.map(|answer| answer.content)))
        }
        _ => Err(
            "`messages` asks nothing: expected text of the user as the last message before the answer"
                .to_owned(),
        ),
    }
}

/// The first question, with the system's text before it, and the answer that follows.
fn conversation(turns: Vec<Turn>) -> Option<(Vec<Message>, Option<String>)> {
    let mut turns = turns.into_iter().peekable();
    let mut messages = Vec::new();
    while let Some(turn) = turns.next_if(|turn| turn.from == "system") {
        let content = turn.value.filter(|text| !text.trim().is_empty());
        messages.extend(content.map(|content| Message {
            role: Role::System,
            content,
        }));
    }
    let asked = turns.find(|turn| matches!(turn.from.as_str(), "human" | "user"))?;
    messages.push(Message::user(asked.value.filter(|text| !text.trim().is_empty())?));
    let answered = turns.next_if(|turn| !matches!(turn.from.as_str(), "human" | "user" | "system"));
    let answer = answered.and_then(|turn| turn.value);
    Some((messages, answer.filter(|text| !text.trim().is_empty())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Parsed {
        parse(text.as_bytes()).unwrap().unwrap()
    }

    fn shown(parsed: &Parsed) -> String {
        serde_json::to_string(&parsed.entry.messages).unwrap()
    }

    #[test]
    fn each_form_gives_its_messages_and_its_length() {
        let prompt = parsed(r#"{"prompt":"hi","output_tokens":7,"max_tokens":9,"id":[{}]}"#);
        assert_eq!(shown(&prompt), r#"[{"role":"user","content":"hi"}]"#);
        assert_eq!((prompt.entry.output_tokens, prompt.answer), (Some(7), None));

        let chat = parsed(
            r#"{"messages":[{"role":"system","content":"s"},{"role":"user","content":"u"},
                {"role":"assistant","content":"a"}]}"#,
        );
        assert_eq!(
            shown(&chat),
            r#"[{"role":"system","content":"s"},{"role":"user","content":"u"}]"#
        );
        assert_eq!(
            (chat.entry.output_tokens, chat.answer.as_deref()),
            (None, Some("a"))
        );

        let recorded = parsed(
            r#"{"id":"x","conversations":[{"from":"gpt","value":"?"},{"from":"human","value":"q"},
                {"from":"gpt","value":"a b"},{"from":"human","value":"more"}]}"#,
        );
        assert_eq!(shown(&recorded), r#"[{"role":"user","content":"q"}]"#);
        assert_eq!(recorded.answer.as_deref(), Some("a b"));

        let told = parsed(
            r#"{"max_tokens":5,"conversations":[{"from":"system","value":"s"},{"from":"human","value":"q"},
                {"from":"gpt","value":"a"}]}"#,
        );
        assert_eq!(
            shown(&told),
            r#"[{"role":"system","content":"s"},{"role":"user","content":"q"}]"#
        );
        assert_eq!((told.entry.output_tokens, told.answer), (Some(5), None));
    }

    #[test]
    fn conversations_without_a_question_are_left_out() {
        for text in [
            r#"{"conversations":[]}"#,
            r#"{"conversations":[{"from":"gpt","value":"a"}]}"#,
            r#"{"conversations":[{"from":"human","value":" "}]}"#,
            r#"{"conversations":[{"from":"human"}]}"#,
        ] {
            assert_eq!(parse(text.as_bytes()), Ok(None), "{text}");
        }
    }

    #[test]
    fn mistakes_say_what_was_expected() {
        for (text, said) in [
            ("garbage", "no JSON object"),
            ("\u{0}\u{1b}[31m", "no JSON object"),
            ("[1]", "no JSON object"),
            (r#"{"prompt":"a""#, "EOF"),
            (r#"{"prompt":1}"#, "expected a string"),
            (r#"{"prompt":" "}"#, "expected text"),
            (r#"{"question":"a"}"#, "none of them"),
            (r#"{"prompt":"a","messages":[]}"#, "several of them"),
            (r#"{"messages":[]}"#, "asks nothing"),
            (r#"{"messages":[{"role":"user"}]}"#, "no `content`"),
            (
                r#"{"messages":[{"role":"tool","content":"a"}]}"#,
                "unknown variant `tool`",
            ),
            (
                r#"{"messages":[{"role":"assistant","content":"a"}]}"#,
                "asks nothing",
            ),
            (r#"{"prompt":"a","output_tokens":0}"#, "at least 1"),
            (r#"{"prompt":"a","output_tokens":-3}"#, "expected u32"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
            assert!(error.contains("expected") && !error.contains('\u{1b}'), "{error}");
        }
        assert!(parse(b"{\"prompt\":\"\xff\"}").is_err());
        let deep = format!("{{\"x\":{}", "[".repeat(100_000));
        assert!(parse(deep.as_bytes()).unwrap_err().contains("EOF"));
    }
}
