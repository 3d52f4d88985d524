//! Reads a Dockerfile: stages, arguments, copied files, commands and the secrets they mount.

use std::collections::BTreeMap;

use super::{
    context::Files,
    shell::{self, Variables},
};

/// A `RUN`, with variables replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub line: usize,
    pub command: String,
    /// Id, and whether the build fails without it.
    pub secrets: Vec<(String, bool)>,
}

/// What following a Dockerfile comes to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    pub bases: Vec<String>,
    pub runs: Vec<Run>,
    /// One line per instruction that does something, as BuildKit names its steps.
    pub steps: Vec<String>,
    /// Files of the context, by the path where they are copied to.
    pub copied: BTreeMap<String, String>,
    /// Arguments that were given, but that no ARG takes.
    pub unused: Vec<String>,
}

const INSTRUCTIONS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// Instructions with their line numbers; continuations and here-documents are joined.
fn instructions(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut open: Option<(usize, String)> = None;
    let mut heredoc: Option<String> = None;
    for (number, line) in text.lines().enumerate() {
        if let Some(end) = &heredoc {
            let ended = line.trim() == end;
            if let Some((_, joined)) = found.last_mut().filter(|_| !ended) {
                joined.push('\n');
                joined.push_str(line);
            }
            heredoc = heredoc.filter(|_| !ended);
            continue;
        }
        let trimmed = line.trim();
        if trimmed.starts_with('#') || (trimmed.is_empty() && open.is_none()) {
            continue;
        }
        let (start, mut joined) = open.take().unwrap_or((number + 1, String::new()));
        match trimmed.strip_suffix('\\') {
            Some(more) => {
                joined.push_str(more);
                open = Some((start, joined));
            }
            None => {
                joined.push_str(trimmed);
                heredoc = marker(&joined);
                found.push((start, joined));
            }
        }
    }
    found.extend(open);
    found
}

fn marker(instruction: &str) -> Option<String> {
    let (_, after) = instruction.split_once("<<")?;
    let name: String = after
        .trim_start_matches(['-', '"', '\''])
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
        .collect();
    (!name.is_empty()).then_some(name)
}

fn expand(text: &str, variables: &Variables) -> Vec<String> {
    let mut variables = variables.clone();
    // A leading word keeps `NAME=value` from being read as an assignment.
    let commands = shell::commands(&format!("- {}", text.replace(['(', ')'], " ")), &mut variables);
    commands
        .into_iter()
        .next()
        .map(|c| c.words.into_iter().skip(1).collect())
        .unwrap_or_default()
}

struct Follower<'a> {
    files: &'a Files,
    given: &'a BTreeMap<String, String>,
    global: Variables,
    scope: Variables,
    stages: Vec<String>,
    out: Followed,
    used: Vec<String>,
}

/// Follows the Dockerfile with the files of the context and the build arguments.
///
/// # Errors
/// BuildKit's words, for what it refuses.
pub fn follow(text: &str, files: &Files, given: &BTreeMap<String, String>) -> Result<Followed, String> {
    let mut follower = Follower {
        files,
        given,
        global: Variables::new(),
        scope: Variables::new(),
        stages: Vec::new(),
        out: Followed::default(),
        used: Vec::new(),
    };
    let all = instructions(text);
    for (line, instruction) in &all {
        follower.instruction(*line, instruction)?;
    }
    if follower.out.bases.is_empty() {
        return Err("failed to solve: dockerfile parse error: file with no instructions".to_owned());
    }
    let unused = given.keys().filter(|k| !follower.used.contains(k));
    follower.out.unused = unused.cloned().collect();
    Ok(follower.out)
}

impl Follower<'_> {
    fn instruction(&mut self, line: usize, instruction: &str) -> Result<(), String> {
        let (word, rest) = instruction
            .split_once(char::is_whitespace)
            .unwrap_or((instruction, ""));
        let word = word.to_ascii_uppercase();
        let rest = rest.trim();
        if !INSTRUCTIONS.contains(&word.as_str()) {
            return Err(format!(
                "failed to solve: dockerfile parse error on line {line}: unknown instruction: {word}"
            ));
        }
        if rest.is_empty() {
            return Err(format!(
                "failed to solve: dockerfile parse error on line {line}: {word} requires at least one argument"
            ));
        }
        if self.stages.is_empty() && !matches!(word.as_str(), "FROM" | "ARG") {
            return Err(format!(
                "failed to solve: dockerfile parse error on line {line}: no build stage in current context"
            ));
        }
        match word.as_str() {
            "FROM" => self.from(rest),
            "ARG" => {
                self.arg(rest);
                Ok(())
            }
            "ENV" => {
                self.env(rest);
                Ok(())
            }
            "COPY" | "ADD" => self.copy(&word, rest),
            "RUN" => {
                self.run(line, rest);
                Ok(())
            }
            "WORKDIR" => {
                self.step(&format!("WORKDIR {}", expand(rest, &self.scope).join(" ")));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn step(&mut self, text: &str) {
        let stage = self.stages.last().cloned().unwrap_or_default();
        self.out.steps.push(format!("[{stage}] {text}"));
    }

    fn from(&mut self, rest: &str) -> Result<(), String> {
        let words = expand(rest, &self.global);
        let words: Vec<&String> = words.iter().filter(|w| !w.starts_with("--")).collect();
        let (image, name) = match words.as_slice() {
            [image] => (*image, None),
            [image, keyword, name] if keyword.eq_ignore_ascii_case("as") => (*image, Some((*name).clone())),
            _ => {
                let blank = rest
                    .split_whitespace()
                    .find(|w| !w.starts_with("--"))
                    .unwrap_or_default();
                return Err(format!(
                    "failed to solve: base name ({blank}) should not be blank"
                ));
            }
        };
        if image.eq_ignore_ascii_case("as") {
            return Err(format!("failed to solve: base name ({rest}) should not be blank"));
        }
        let base = if self.stages.contains(image) {
            None
        } else {
            Some(image.clone())
        };
        self.stages
            .push(name.unwrap_or_else(|| format!("stage-{}", self.stages.len())));
        self.scope = Variables::new();
        self.step(&format!("FROM {image}"));
        self.out
            .bases
            .extend(base.filter(|b| b != "scratch" && !self.out.bases.contains(b)));
        Ok(())
    }

    fn arg(&mut self, rest: &str) {
        let scope = if self.stages.is_empty() {
            &self.global
        } else {
            &self.scope
        };
        for word in expand(rest, scope) {
            let (name, default) = word
                .split_once('=')
                .map_or((word.as_str(), None), |(n, d)| (n, Some(d.to_owned())));
            let value = self
                .given
                .get(name)
                .cloned()
                .or(default)
                .or_else(|| self.global.get(name).cloned());
            self.used.push(name.to_owned());
            if let Some(value) = value {
                let scope = if self.stages.is_empty() {
                    &mut self.global
                } else {
                    &mut self.scope
                };
                scope.insert(name.to_owned(), value);
            }
        }
    }

    fn env(&mut self, rest: &str) {
        for word in expand(rest, &self.scope) {
            if let Some((name, value)) = word.split_once('=') {
                self.scope.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    fn copy(&mut self, word: &str, rest: &str) -> Result<(), String> {
        let words = expand(&rest.replace(['[', ']', ','], " "), &self.scope);
        self.step(&format!("{word} {}", words.join(" ")));
        if words.iter().any(|w| w.starts_with("--from=")) || rest.contains("<<") {
            return Ok(());
        }
        let mut paths: Vec<&String> = words.iter().filter(|w| !w.starts_with("--")).collect();
        let Some(target) = paths.pop().filter(|_| !paths.is_empty()) else {
            return Err(format!("failed to solve: {word} requires at least two arguments"));
        };
        for source in paths {
            if word == "ADD" && source.contains("://") {
                continue;
            }
            let found = self.matching(source);
            if found.is_empty() {
                let path = source.trim_start_matches("./").trim_start_matches('/');
                return Err(format!(
                    "failed to solve: failed to compute cache key: failed to calculate checksum of ref: \"/{path}\": not found"
                ));
            }
            for file in found {
                let name = file.rsplit('/').next().unwrap_or(&file);
                let to = if target.ends_with('/') {
                    format!("{target}{name}")
                } else {
                    target.clone()
                };
                self.out.copied.insert(to, file.clone());
            }
        }
        Ok(())
    }

    fn matching(&self, source: &str) -> Vec<String> {
        let path = super::context::join("", source);
        if path.is_empty() {
            return self.files.keys().cloned().collect();
        }
        let pattern = if path.contains(['*', '?']) {
            glob(&path)
        } else {
            None
        };
        let fits = |f: &&String| match &pattern {
            Some(pattern) => pattern.is_match(f),
            None => f
                .strip_prefix(&path)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
        };
        self.files.keys().filter(fits).cloned().collect()
    }

    fn run(&mut self, line: usize, rest: &str) {
        let mut secrets = Vec::new();
        let mut command = rest;
        while let Some(flags) = command.strip_prefix("--") {
            let (flag, after) = flags.split_once(char::is_whitespace).unwrap_or((flags, ""));
            if let Some(mount) = flag
                .strip_prefix("mount=")
                .filter(|m| m.split(',').any(|p| p == "type=secret"))
            {
                let field = |key: &str| {
                    mount
                        .split(',')
                        .find_map(|p| p.strip_prefix(key)?.strip_prefix('='))
                };
                let target = field("target")
                    .or_else(|| field("dst"))
                    .and_then(|t| t.rsplit('/').next());
                let id = field("id").or(target).unwrap_or_default().to_owned();
                let required = mount.split(',').any(|p| p == "required" || p == "required=true");
                secrets.push((id, required));
            }
            command = after.trim_start();
        }
        let mut replaced = command.to_owned();
        for (name, value) in self.scope.iter().rev() {
            replaced = replaced.replace(&format!("${{{name}}}"), value);
            // A longer name that starts alike stays: names come longest first from the reversed order.
            replaced = replaced.replace(&format!("${name}"), value);
        }
        self.step(&format!("RUN {}", command.replace('\n', " ")));
        self.out.runs.push(Run {
            line,
            command: replaced,
            secrets,
        });
    }
}

/// A pattern of COPY: `*` and `?` within a folder; a folder takes all that is in it.
fn glob(pattern: &str) -> Option<regex::Regex> {
    let escaped = regex::escape(pattern)
        .replace(r"\*", "[^/]*")
        .replace(r"\?", "[^/]");
    regex::Regex::new(&format!("^{escaped}(/.*)?$")).ok()
}

#[cfg(test)]
#[path = "dockerfile_tests.rs"]
mod tests;
