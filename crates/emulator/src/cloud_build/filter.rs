//! Filters of `builds.list`: comparisons with AND, OR, NOT and parentheses.

use std::cmp::Ordering;

use serde_json::Value;

use crate::run::refusal::Refusal;

/// A parsed filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filter {
    Everything,
    Compare {
        field: String,
        operator: String,
        value: String,
    },
    Not(Box<Filter>),
    All(Vec<Filter>),
    Any(Vec<Filter>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Quoted(String),
    Operator(String),
    Open,
    Close,
}

/// Parses a filter; an empty one matches everything.
///
/// # Errors
/// 400 for what can't be read, or names a field that builds can't be filtered by.
pub fn parse(text: &str) -> Result<Filter, Refusal> {
    let bad = || Refusal::invalid(format!("invalid list filter: {text}"));
    let mut tokens = tokens(text).ok_or_else(bad)?;
    tokens.reverse();
    if tokens.is_empty() {
        return Ok(Filter::Everything);
    }
    let filter = any(&mut tokens).ok_or_else(bad)?;
    if tokens.is_empty() { Ok(filter) } else { Err(bad()) }
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' | ')' => {
                found.push(if first == '(' { Token::Open } else { Token::Close });
                1
            }
            '"' | '\'' => {
                let end = rest[1..].find(first)?;
                found.push(Token::Quoted(rest[1..=end].to_owned()));
                end + 2
            }
            '=' | '!' | '<' | '>' | ':' => {
                let length = if rest[1..].starts_with('=') { 2 } else { 1 };
                found.push(Token::Operator(rest[..length].to_owned()));
                length
            }
            _ => {
                let stop = |c: char| c.is_whitespace() || "()\"'=!<>:".contains(c);
                let length = rest.find(stop).unwrap_or(rest.len());
                found.push(Token::Word(rest[..length].to_owned()));
                length
            }
        };
        rest = rest[length..].trim_start();
    }
    Some(found)
}

fn word(tokens: &mut Vec<Token>, keyword: &str) -> bool {
    let here = matches!(tokens.last(), Some(Token::Word(w)) if w.eq_ignore_ascii_case(keyword));
    if here {
        tokens.pop();
    }
    here
}

fn any(tokens: &mut Vec<Token>) -> Option<Filter> {
    let mut parts = vec![all(tokens)?];
    while word(tokens, "OR") {
        parts.push(all(tokens)?);
    }
    if parts.len() == 1 {
        parts.pop()
    } else {
        Some(Filter::Any(parts))
    }
}

fn all(tokens: &mut Vec<Token>) -> Option<Filter> {
    let mut parts = vec![one(tokens)?];
    loop {
        let next = word(tokens, "AND");
        let ended = matches!(tokens.last(), None | Some(Token::Close))
            || matches!(tokens.last(), Some(Token::Word(w)) if w.eq_ignore_ascii_case("OR"));
        match (next, ended) {
            (true, true) => return None,
            (false, true) => break,
            // Two comparisons side by side are joined by AND.
            _ => parts.push(one(tokens)?),
        }
    }
    if parts.len() == 1 {
        parts.pop()
    } else {
        Some(Filter::All(parts))
    }
}

fn one(tokens: &mut Vec<Token>) -> Option<Filter> {
    if word(tokens, "NOT") {
        return Some(Filter::Not(Box::new(one(tokens)?)));
    }
    match tokens.pop()? {
        Token::Open => {
            let inside = any(tokens)?;
            (tokens.pop()? == Token::Close).then_some(inside)
        }
        Token::Word(field) => compare(field, tokens),
        _ => None,
    }
}

fn compare(field: String, tokens: &mut Vec<Token>) -> Option<Filter> {
    const FIELDS: [&str; 12] = [
        "tags",
        "status",
        "build_id",
        "id",
        "create_time",
        "createTime",
        "start_time",
        "finish_time",
        "trigger_id",
        "source",
        "images",
        "results",
    ];
    let known = FIELDS.contains(&field.split('.').next().unwrap_or_default());
    let Token::Operator(operator) = tokens.pop()? else {
        return None;
    };
    let (Token::Word(value) | Token::Quoted(value)) = tokens.pop()? else {
        return None;
    };
    known.then_some(Filter::Compare {
        field,
        operator,
        value,
    })
}

impl Filter {
    pub fn matches(&self, build: &Value) -> bool {
        match self {
            Self::Everything => true,
            Self::Not(inside) => !inside.matches(build),
            Self::All(parts) => parts.iter().all(|p| p.matches(build)),
            Self::Any(parts) => parts.iter().any(|p| p.matches(build)),
            Self::Compare {
                field,
                operator,
                value,
            } => compares(build, field, operator, value),
        }
    }
}

fn compares(build: &Value, field: &str, operator: &str, value: &str) -> bool {
    let values: Vec<&str> = match field {
        "tags" | "images" => build[field]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect(),
        "build_id" | "id" => build["id"].as_str().into_iter().collect(),
        "create_time" | "createTime" => build["createTime"].as_str().into_iter().collect(),
        "start_time" => build["startTime"].as_str().into_iter().collect(),
        "finish_time" => build["finishTime"].as_str().into_iter().collect(),
        _ => Vec::new(),
    };
    let status = build["status"].as_str();
    let values = if field == "status" {
        status.into_iter().collect()
    } else {
        values
    };
    let has = values.contains(&value);
    match operator {
        "=" | ":" => has,
        "!=" => !has,
        _ => values.iter().any(|v| {
            let order = order(v, value);
            matches!(
                (operator, order),
                (">", Ordering::Greater)
                    | ("<", Ordering::Less)
                    | (">=", Ordering::Greater | Ordering::Equal)
                    | ("<=", Ordering::Less | Ordering::Equal)
            )
        }),
    }
}

/// Times are compared as times, when both are.
fn order(a: &str, b: &str) -> Ordering {
    let time = chrono::DateTime::parse_from_rfc3339;
    match (time(a), time(b)) {
        (Ok(a), Ok(b)) => a.cmp(&b),
        _ => a.cmp(b),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn filters_select_by_tag_status_and_id() {
        let build = json!({"id": "b-1", "tags": ["key-abc", "llm"], "status": "WORKING",
            "createTime": "2026-01-02T00:00:00.5Z"});
        let cases = [
            ("", true),
            (r#"tags="key-abc""#, true),
            ("tags=key-abc", true),
            (r#"tags="other""#, false),
            (r#"tags="key-abc" AND status="WORKING""#, true),
            (r#"tags="key-abc" AND tags="none""#, false),
            (r#"tags="key-abc" status="WORKING""#, true),
            (r#"status="QUEUED" OR status="WORKING""#, true),
            (
                r#"tags="key-abc" AND (status="QUEUED" OR status="PENDING")"#,
                false,
            ),
            (r#"NOT status="WORKING""#, false),
            (r#"status!="SUCCESS""#, true),
            (r#"build_id="b-1""#, true),
            (r#"create_time>"2026-01-01T00:00:00Z""#, true),
            (r#"create_time<"2026-01-01T00:00:00Z""#, false),
        ];
        for (text, expected) in cases {
            assert_eq!(parse(text).unwrap().matches(&build), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for text in [
            "tags",
            "tags=",
            r#"tags="x" AND"#,
            r#"(tags="x""#,
            r#"colour="red""#,
            r#"tags="x"#,
            "=x",
            ")",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
