//! The filter language, as far as clients here use it: comparisons joined by AND (or by nothing).
//! <https://cloud.google.com/logging/docs/view/logging-query-language>

use chrono::{DateTime, Utc};
use serde_json::Value;

/// Every term must hold.
#[derive(Debug)]
pub struct Filter(Vec<Term>);

#[derive(Debug)]
struct Term {
    path: Vec<String>,
    operator: &'static str,
    /// One of these must fit: `field=("a" OR "b")`.
    values: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Word(String),
    Quoted(String),
    Operator(&'static str),
    Open,
    Close,
}

const OPERATORS: [&str; 7] = ["!=", ">=", "<=", "=", ">", "<", ":"];

/// # Errors
/// What can't be read, in words.
pub fn parse(text: &str) -> Result<Filter, String> {
    let tokens = tokens(text)?;
    let mut rest = tokens.as_slice();
    let mut terms = Vec::new();
    while !rest.is_empty() {
        if !terms.is_empty() && rest.first() == Some(&Token::Word("AND".into())) {
            rest = &rest[1..];
        }
        let (term, after) = term(rest)?;
        terms.push(term);
        rest = after;
    }
    Ok(Filter(terms))
}

fn term(tokens: &[Token]) -> Result<(Term, &[Token]), String> {
    let (path, rest) = path(tokens)?;
    let Some((Token::Operator(operator), rest)) = rest.split_first() else {
        return Err(format!("a comparison is missing after {}", path.join(".")));
    };
    let (values, rest) = values(rest)?;
    Ok((
        Term {
            path,
            operator,
            values,
        },
        rest,
    ))
}

/// `resource.labels."quoted part"`.
fn path(tokens: &[Token]) -> Result<(Vec<String>, &[Token]), String> {
    let Some((Token::Word(word), mut rest)) = tokens.split_first() else {
        return Err(format!("a field name is missing at {:?}", tokens.first()));
    };
    if matches!(word.as_str(), "OR" | "NOT" | "AND") || word.starts_with('-') {
        return Err(format!("{word} is not understood here"));
    }
    let mut parts: Vec<String> = word.split('.').map(str::to_owned).collect();
    if let (Some(""), Some((Token::Quoted(quoted), after))) =
        (parts.last().map(String::as_str), rest.split_first())
    {
        parts.pop();
        parts.push(quoted.clone());
        rest = after;
    }
    if parts.iter().any(String::is_empty) {
        return Err(format!("{word} is no field name"));
    }
    Ok((parts, rest))
}

fn values(tokens: &[Token]) -> Result<(Vec<String>, &[Token]), String> {
    let value = |token: Option<&Token>| match token {
        Some(Token::Word(text) | Token::Quoted(text)) => Ok(text.clone()),
        other => Err(format!("a value is missing at {other:?}")),
    };
    if tokens.first() != Some(&Token::Open) {
        let first = value(tokens.first())?;
        return Ok((vec![first], &tokens[1..]));
    }
    let mut rest = &tokens[1..];
    let mut found = Vec::new();
    loop {
        found.push(value(rest.first())?);
        rest = &rest[1..];
        match rest.split_first() {
            Some((Token::Close, after)) => return Ok((found, after)),
            Some((Token::Word(word), after)) if word == "OR" => rest = after,
            other => return Err(format!("OR or ) is missing at {other:?}")),
        }
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let operator = OPERATORS.into_iter().find(|o| rest.starts_with(o));
        if first == '"' {
            let (quoted, after) = quoted(&rest[1..])?;
            out.push(Token::Quoted(quoted));
            rest = after;
        } else if first == '(' || first == ')' {
            out.push(if first == '(' { Token::Open } else { Token::Close });
            rest = &rest[1..];
        } else if let Some(operator) = operator {
            out.push(Token::Operator(operator));
            rest = &rest[operator.len()..];
        } else {
            let end = |c: char| c.is_whitespace() || "\"()=<>!".contains(c);
            // A colon is an operator after a field name, and part of a bare timestamp.
            let is_value = matches!(out.last(), Some(Token::Operator(_)));
            let length = rest
                .find(|c| end(c) || (c == ':' && !is_value))
                .unwrap_or(rest.len());
            if length == 0 {
                return Err(format!("unexpected {first:?}"));
            }
            out.push(Token::Word(rest[..length].to_owned()));
            rest = &rest[length..];
        }
        rest = rest.trim_start();
    }
    Ok(out)
}

/// Text up to the closing quote, and what follows it.
fn quoted(text: &str) -> Result<(String, &str), String> {
    let mut out = String::new();
    let mut escaped = false;
    for (n, c) in text.char_indices() {
        match c {
            c if escaped => {
                out.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => return Ok((out, &text[n + 1..])),
            c => out.push(c),
        }
    }
    Err("a quote is not closed".to_owned())
}

impl Filter {
    pub fn fits(&self, entry: &Value) -> bool {
        self.0.iter().all(|term| term.fits(entry))
    }

    /// The value that a field must be equal to, if a term says so.
    pub fn equal(&self, path: &str) -> Option<&str> {
        let term = self
            .0
            .iter()
            .find(|t| t.operator == "=" && t.path.join(".") == path)?;
        term.values.first().map(String::as_str)
    }
}

impl Term {
    fn fits(&self, entry: &Value) -> bool {
        let found = self.path.iter().try_fold(entry, |at, part| at.get(part));
        let holds = |value: &String| match self.operator {
            ":" if value == "*" => found.is_some(),
            ":" => found.is_some_and(|f| plain(f).to_lowercase().contains(&value.to_lowercase())),
            "!=" => found.is_none_or(|f| compare(&self.path, f, value) != Some(std::cmp::Ordering::Equal)),
            operator => {
                let order = found.and_then(|f| compare(&self.path, f, value));
                order.is_some_and(|o| match operator {
                    "=" => o.is_eq(),
                    ">" => o.is_gt(),
                    ">=" => o.is_ge(),
                    "<" => o.is_lt(),
                    _ => o.is_le(),
                })
            }
        };
        self.values.iter().any(holds)
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Order of an entry's value to the filter's; text is compared without regard to case.
fn compare(path: &[String], found: &Value, wanted: &str) -> Option<std::cmp::Ordering> {
    if path.first().is_some_and(|p| p == "severity") {
        return Some(severity(&plain(found))?.cmp(&severity(wanted)?));
    }
    if path
        .last()
        .is_some_and(|p| p.to_lowercase().ends_with("timestamp"))
    {
        let wanted: DateTime<Utc> = wanted.parse().ok()?;
        return Some(instant(found)?.cmp(&wanted));
    }
    if let (Some(found), Ok(wanted)) = (found.as_f64(), wanted.parse::<f64>()) {
        return found.partial_cmp(&wanted);
    }
    Some(plain(found).to_lowercase().cmp(&wanted.to_lowercase()))
}

pub fn instant(value: &Value) -> Option<DateTime<Utc>> {
    value.as_str()?.parse().ok()
}

fn severity(name: &str) -> Option<usize> {
    const ORDER: [&str; 9] = [
        "DEFAULT",
        "DEBUG",
        "INFO",
        "NOTICE",
        "WARNING",
        "ERROR",
        "CRITICAL",
        "ALERT",
        "EMERGENCY",
    ];
    ORDER.iter().position(|s| s.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn comparisons_joined_by_and_select_entries() {
        let entry = json!({
            "logName": "projects/p/logs/run.googleapis.com%2Fstdout", "severity": "WARNING",
            "timestamp": "2026-11-24T10:00:00.5Z", "textPayload": "CUDA out of memory",
            "resource": {"type": "cloud_run_revision", "labels": {"service_name": "s", "a/b": "c"}},
        });
        for (text, fits) in [
            ("", true),
            (
                r#"resource.type="cloud_run_revision" AND resource.labels.service_name="s""#,
                true,
            ),
            ("resource.type=cloud_run_revision\nseverity>=warning", true),
            ("severity>=ERROR", false),
            (r#"timestamp>="2026-11-24T10:00:00Z""#, true),
            ("timestamp<2026-11-24T10:00:00Z", false),
            (r#"textPayload:"out of""#, true),
            (r#"resource.labels."a/b"="c""#, true),
            (r#"resource.labels.service_name!="s""#, false),
            (
                r#"logName=("projects/p/logs/x" OR "projects/p/logs/run.googleapis.com%2Fstdout")"#,
                true,
            ),
            (r#"labels.missing="x""#, false),
        ] {
            assert_eq!(parse(text).unwrap().fits(&entry), fits, "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        for text in [
            "a=1 OR b=2",
            "NOT a=1",
            "(a=1)",
            "a=",
            "a",
            "=1",
            "a=\"x",
            "a=1 AND",
            "-a=1",
            "a=(1 2)",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
