//! Answers that say something false in one place.

use std::iter::once;

use chrono::{DateTime, Months, SecondsFormat};
use serde::Deserialize;
use serde_json::{Value, json};

/// Where the answer is false, and how.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alteration {
    /// Keys from the top of the answer, separated by `/`, such as `items/*/name`; `*` stands for every item of a list and
    /// every value of a map.
    pub at: String,
    pub to: Lie,
}

/// What becomes of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lie {
    /// It is left out.
    Absent,
    /// It has another type of JSON.
    WrongType,
    /// A time is a year earlier, a number is 1, another text is one of before.
    Stale,
    /// A time is a year later, a number a million million; a text is 10,000 characters longer, a list has each item twice.
    Larger,
    /// A user is another one.
    AnotherAuthor,
}

impl Lie {
    pub const ALL: [Self; 5] = [
        Self::Absent,
        Self::WrongType,
        Self::Stale,
        Self::Larger,
        Self::AnotherAuthor,
    ];

    /// What becomes of the value; `None` where this lie makes no sense, or makes nothing of it.
    fn of(self, value: &Value) -> Option<Value> {
        match (self, value) {
            (Self::Absent, _) => None,
            (Self::WrongType, Value::String(_)) => Some(json!(7)),
            (Self::WrongType, Value::Number(_)) => Some(json!("seven")),
            (Self::WrongType, Value::Bool(_) | Value::Null) => Some(json!({"value": true})),
            (Self::WrongType, Value::Array(_)) => Some(json!({})),
            (Self::WrongType, Value::Object(_)) => Some(json!([])),
            (Self::Stale, Value::Number(_)) => Some(json!(1)),
            (Self::Stale, Value::String(text)) => Some(earlier(text).into()),
            (Self::Larger, Value::Number(_)) => Some(json!(1_000_000_000_000_u64)),
            (Self::Larger, Value::String(text)) => Some(later(text).into()),
            (Self::Larger, Value::Array(items)) => Some(
                items
                    .iter()
                    .flat_map(|item| [item.clone(), item.clone()])
                    .collect(),
            ),
            (Self::AnotherAuthor, Value::Object(user)) if user.contains_key("login") => {
                let mut other = user.clone();
                other.insert("login".to_owned(), json!("someone-else"));
                other.insert("id".to_owned(), json!(4711));
                Some(other.into())
            }
            _ => None,
        }
        .filter(|changed| changed != value)
    }
}

fn earlier(text: &str) -> String {
    let time = DateTime::parse_from_rfc3339(text).ok();
    match time.and_then(|time| time.checked_sub_months(Months::new(12))) {
        Some(time) => time.to_rfc3339_opts(SecondsFormat::Secs, true),
        None if is_number(text) => "1".to_owned(),
        None => format!("old-{text}"),
    }
}

fn later(text: &str) -> String {
    let time = DateTime::parse_from_rfc3339(text).ok();
    match time.and_then(|time| time.checked_add_months(Months::new(12))) {
        Some(time) => time.to_rfc3339_opts(SecondsFormat::Secs, true),
        None if is_number(text) => "1000000000000".to_owned(),
        None => format!("{text}{}", "x".repeat(10_000)),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

impl Alteration {
    /// Changes the answer; how many places of it.
    pub fn apply(&self, answer: &mut Value) -> usize {
        let keys: Vec<&str> = self.at.split('/').collect();
        change(answer, &keys, self.to)
    }
}

fn change(value: &mut Value, keys: &[&str], lie: Lie) -> usize {
    let Some((key, rest)) = keys.split_first() else {
        return match lie.of(value) {
            Some(changed) => {
                *value = changed;
                1
            }
            None => 0,
        };
    };
    match (value, *key) {
        (Value::Array(items), "*") if rest.is_empty() && lie == Lie::Absent => std::mem::take(items).len(),
        (Value::Array(items), "*") => items.iter_mut().map(|item| change(item, rest, lie)).sum(),
        (Value::Object(fields), "*") => fields.values_mut().map(|field| change(field, rest, lie)).sum(),
        (Value::Array(items), index) => {
            let item = index.parse::<usize>().ok().and_then(|index| items.get_mut(index));
            item.map_or(0, |item| change(item, rest, lie))
        }
        (Value::Object(fields), key) if rest.is_empty() && lie == Lie::Absent => {
            once(fields.remove(key)).flatten().count()
        }
        (Value::Object(fields), key) => fields.get_mut(key).map_or(0, |field| change(field, rest, lie)),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_field_is_changed_and_everything_else_stays() {
        let answer = json!({"items": [{"name": "a", "size": 3, "at": "2026-01-05T08:00:00Z"}, {"name": "b"}],
            "user": {"login": "octocat", "id": 1}, "n": "12"});
        for (at, lie, pointer, expected, places) in [
            ("items/*/name", Lie::Absent, "/items/0/name", Value::Null, 2),
            ("items/*/name", Lie::WrongType, "/items/1/name", json!(7), 2),
            (
                "items/0/size",
                Lie::Larger,
                "/items/0/size",
                json!(1_000_000_000_000_u64),
                1,
            ),
            ("items/*/size", Lie::Stale, "/items/0/size", json!(1), 1),
            (
                "items/*/at",
                Lie::Stale,
                "/items/0/at",
                json!("2025-01-05T08:00:00Z"),
                1,
            ),
            (
                "items/*/at",
                Lie::Larger,
                "/items/0/at",
                json!("2027-01-05T08:00:00Z"),
                1,
            ),
            (
                "user",
                Lie::AnotherAuthor,
                "/user/login",
                json!("someone-else"),
                1,
            ),
            ("n", Lie::Larger, "/n", json!("1000000000000"), 1),
            ("items/0/name", Lie::Stale, "/items/0/name", json!("old-a"), 1),
            ("items/0/name", Lie::AnotherAuthor, "/items/0/name", json!("a"), 0),
            ("other", Lie::Absent, "/n", json!("12"), 0),
        ] {
            let mut changed = answer.clone();
            let alteration = Alteration {
                at: at.to_owned(),
                to: lie,
            };
            assert_eq!(alteration.apply(&mut changed), places, "{at} {lie:?}");
            let found = changed.pointer(pointer).cloned().unwrap_or_default();
            assert_eq!(found, expected, "{at} {lie:?}");
        }
        let mut twice = answer.clone();
        Alteration {
            at: "items".to_owned(),
            to: Lie::Larger,
        }
        .apply(&mut twice);
        assert_eq!(twice["items"].as_array().unwrap().len(), 4);
    }
}
