//! Rules from a file, for other programs.

use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{Fault, Pattern, Rule};

/// Reads a list of rules, in YAML or JSON.
///
/// # Errors
/// A sentence that says which rule is wrong, and how.
pub fn parse(text: &str) -> Result<Vec<Rule>, String> {
    let value: Value = serde_yaml::from_str(text).map_err(|e| e.to_string())?;
    let Value::Array(rules) = value else {
        return Err("it holds no list of rules".to_owned());
    };
    let read = |(n, rule)| {
        let written = Written::deserialize(&rule).map_err(|e| format!("rule {}: {e}", n + 1))?;
        match written.fault {
            Fault::Answer { status, .. } | Fault::AnswerAfter(status) if !(200..=599).contains(&status) => {
                Err(format!("rule {}: {status} is no status of an answer", n + 1))
            }
            _ => Ok(written.rule()),
        }
    };
    rules.into_iter().enumerate().map(read).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    on: Pattern,
    #[serde(default)]
    skip: u32,
    #[serde(default = "once")]
    times: Times,
    fault: Fault,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Times {
    Number(u32),
    Word(Always),
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Always {
    Always,
}

fn once() -> Times {
    Times::Number(1)
}

impl Written {
    fn rule(self) -> Rule {
        Rule {
            on: self.on,
            skip: self.skip,
            times: match self.times {
                Times::Number(times) => times,
                Times::Word(Always::Always) => u32::MAX,
            },
            fault: self.fault,
        }
    }
}

pub(super) fn milliseconds<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    u64::deserialize(from).map(Duration::from_millis)
}
