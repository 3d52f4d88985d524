//! The words of a `vllm serve` command line, sorted as argparse does.

use std::collections::BTreeMap;

use super::{
    Refused,
    flag_names::{MANY, SHORT, SWITCHES, VALUED},
};

/// The command line, sorted into flags and words.
#[derive(Default)]
pub struct Given {
    pub values: BTreeMap<String, Vec<String>>,
    switches: Vec<String>,
    words: Vec<String>,
}

impl Given {
    /// # Errors
    /// What argparse refuses: unknown flags, missing values.
    pub fn read(args: &[String]) -> Result<Self, Refused> {
        let mut given = Self::default();
        let mut unknown = Vec::new();
        let mut rest = args.iter().map(String::as_str).peekable();
        for word in ["vllm", "serve"] {
            rest.next_if(|next| *next == word);
        }
        while let Some(arg) = rest.next() {
            let Some(flag) = long_form(arg) else {
                if arg.starts_with('-') || !given.words.is_empty() {
                    unknown.push(arg.to_owned());
                } else {
                    given.words.push(arg.to_owned());
                }
                continue;
            };
            let (name, inline) = flag
                .split_once('=')
                .map_or((flag.as_str(), None), |(n, v)| (n, Some(v)));
            let name = name.replace('_', "-");
            let name = in_full(&name)?;
            let base = name.split(['.', '+']).next().unwrap_or(&name);
            if VALUED.contains(&base) {
                let values = given.values.entry(base.to_owned()).or_default();
                values.clear();
                match inline {
                    Some(value) => values.push(value.to_owned()),
                    None => {
                        let many = MANY.contains(&base);
                        while let Some(value) = rest.next_if(|next| !is_flag(next)) {
                            values.push(value.to_owned());
                            if !many {
                                break;
                            }
                        }
                    }
                }
                if values.is_empty() {
                    let wanted = if MANY.contains(&base) {
                        "at least one argument"
                    } else {
                        "one argument"
                    };
                    return Err(argparse(&format!("argument --{base}: expected {wanted}")));
                }
            } else if SWITCHES.contains(&name.as_str()) {
                given.switches.push(name);
            } else if name
                .strip_prefix("no-")
                .is_some_and(|positive| SWITCHES.contains(&positive))
            {
                given
                    .switches
                    .retain(|switch| Some(switch.as_str()) != name.strip_prefix("no-"));
            } else {
                unknown.push(arg.to_owned());
                // What follows belongs to it, as far as argparse can tell.
                while let Some(value) = rest.next_if(|next| !next.starts_with('-')) {
                    unknown.push(value.to_owned());
                }
            }
        }
        if unknown.is_empty() {
            Ok(given)
        } else {
            Err(argparse(&format!(
                "unrecognized arguments: {}",
                unknown.join(" ")
            )))
        }
    }

    /// The last value of a flag.
    pub fn last(&self, name: &str) -> Option<&str> {
        self.values.get(name)?.last().map(String::as_str)
    }

    pub fn has(&self, switch: &str) -> bool {
        self.switches.iter().any(|given| given == switch)
    }

    /// Name or path of the model.
    pub fn model(&self, env: &BTreeMap<String, String>) -> String {
        self.words
            .first()
            .map(String::as_str)
            .or_else(|| self.last("model"))
            .or_else(|| env.get("MODEL_PATH").map(String::as_str))
            .or_else(|| self.last("served-model-name"))
            .unwrap_or("Qwen/Qwen3-0.6B")
            .to_owned()
    }
}

/// `--max_model_len=4` → `max_model_len=4`; `-tp=2` → `tensor-parallel-size=2`; `None` for a word.
fn long_form(arg: &str) -> Option<String> {
    if let Some(name) = arg.strip_prefix("--") {
        return (!name.is_empty()).then(|| name.to_owned());
    }
    if let Some(level) = arg.strip_prefix("-O") {
        return Some(format!("optimization-level={}", level.trim_start_matches('=')));
    }
    let (short, value) = arg
        .split_once('=')
        .map_or((arg, None), |(short, value)| (short, Some(value)));
    // `-cc.mode` sets one key of a JSON value.
    let (short, key) = short
        .split_once('.')
        .map_or((short, None), |(short, key)| (short, Some(key)));
    let (_, long) = SHORT.iter().find(|(name, _)| *name == short)?;
    let key = key.map(|key| format!(".{key}")).unwrap_or_default();
    let value = value.map(|value| format!("={value}")).unwrap_or_default();
    Some(format!("{long}{key}{value}"))
}

/// The flag's whole name: argparse takes the beginning of a name when only one flag begins so, and refuses it when several
/// do. A name that begins none stays as it is.
fn in_full(name: &str) -> Result<String, Refused> {
    let at = name.find(['.', '+']).unwrap_or(name.len());
    let (beginning, rest) = name.split_at(at);
    let negative = SWITCHES.iter().map(|switch| format!("no-{switch}"));
    let positive = VALUED.iter().chain(SWITCHES).map(|flag| (*flag).to_owned());
    let help = std::iter::once("help".to_owned());
    let mut begun: Vec<String> = positive
        .chain(negative)
        .chain(help)
        .filter(|flag| flag.starts_with(beginning))
        .collect();
    if begun.iter().any(|flag| flag == beginning) {
        return Ok(name.to_owned());
    }
    match begun.len() {
        0 => Ok(name.to_owned()),
        1 => Ok(format!("{}{rest}", begun.remove(0))),
        _ => Err(argparse(&format!(
            "ambiguous option: --{beginning} could match --{}",
            begun.join(", --")
        ))),
    }
}

fn is_flag(word: &str) -> bool {
    word.starts_with('-') && word.parse::<f64>().is_err()
}

/// A refusal by the command line's parser.
pub fn argparse(message: &str) -> Refused {
    let (program, usage) = if message.starts_with("argument") {
        ("vllm serve", "usage: vllm serve [model_tag] [options]")
    } else {
        (
            "vllm",
            "usage: vllm [-h] [-v] {chat,complete,serve,launch,bench,collect-env,download-kernels,preload,run-batch,snapshot} ...",
        )
    };
    Refused {
        exit_code: 2,
        message: format!("{usage}\n{program}: error: {message}"),
    }
}
