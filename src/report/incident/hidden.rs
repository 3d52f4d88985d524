//! What an issue remembers, in a hidden line of its body.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Serialize, de::DeserializeOwned};

const BEGIN: &str = "<!-- llm-deploy-state:";
const END: &str = " -->";
/// A line of ours is far shorter.
const LONGEST: usize = 20_000;

/// The line, which nothing in the state can end early.
pub fn write<T: Serialize>(state: &T) -> String {
    let json = serde_json::to_string(state).unwrap_or_default();
    format!("{BEGIN}{}{END}", STANDARD.encode(json))
}

/// What the second line of an issue's body says; `None` when somebody spoilt it.
pub fn read<T: DeserializeOwned>(body: &str) -> Option<T> {
    let text = body.lines().nth(1)?.trim();
    let text = text.strip_prefix(BEGIN)?.strip_suffix(END)?;
    let json = STANDARD.decode(text.get(..text.len().min(LONGEST))?).ok()?;
    serde_json::from_slice(&json).ok()
}

/// The same body with another state, so that a closed issue remembers and its text stays.
pub fn replace<T: Serialize>(body: &str, state: &T) -> String {
    let mut lines: Vec<String> = body.lines().map(str::to_owned).collect();
    match lines.get_mut(1) {
        Some(line) if line.starts_with(BEGIN) => *line = write(state),
        _ => lines.insert(lines.len().min(1), write(state)),
    }
    lines.join("\n")
}
