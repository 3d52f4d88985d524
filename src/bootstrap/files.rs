//! The workflow and the configuration file with the project's own values in them.

use std::path::{Path, PathBuf};

use super::{Action, State, Step, Wanted, apply::Failure, wanted::NUMBER};
use crate::{
    config::{self, Config, Source},
    file::open::{self, Reach},
};

/// Largest file that is read, in bytes.
const LARGEST: u64 = 1 << 20;
/// The starter workflow, whose placeholders are filled in.
const TEMPLATE: &str = include_str!("../../workflow-templates/llm-deploy.yml");
/// From the first to the last of the template's inputs.
const INPUTS: (&str, &str) = (
    "          model: Qwen/Qwen3.5-4B\n",
    "          service-account: llm-deployer@my-project.iam.gserviceaccount.com\n",
);

/// A file and its whole new text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    pub path: PathBuf,
    pub text: String,
}

/// Where the files go, and what is to stand in the configuration.
pub struct Place {
    pub workflow: PathBuf,
    pub config: PathBuf,
    /// Further inputs of the step: what the configuration file doesn't say.
    pub inputs: Vec<(String, String)>,
}

/// The workflow's text. `number` is the project's.
pub fn workflow(wanted: &Wanted, number: &str, more: &[(String, String)]) -> String {
    let mut inputs = String::new();
    for (name, value) in more {
        inputs.push_str(&format!("          {name}: {}\n", scalar(value)));
    }
    let account = match &wanted.preview_deployer {
        None => wanted.deployer.clone(),
        Some(preview) => format!(
            "${{{{ github.event_name == 'pull_request' && '{preview}' || '{}' }}}}",
            wanted.deployer
        ),
    };
    inputs.push_str(&format!(
        "          workload-identity-provider: {}\n          service-account: {account}\n",
        wanted.provider_name(number),
    ));
    let text = TEMPLATE.replace("$default-branch", &scalar(&wanted.github.default_branch));
    let Some((before, rest)) = text.split_once(INPUTS.0) else {
        return text;
    };
    let after = rest.split_once(INPUTS.1).map_or("", |(_, after)| after);
    format!("{before}{inputs}{after}")
}

/// A word as YAML reads it as text.
fn scalar(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_/.".contains(c);
    let word = text.starts_with(|c: char| c.is_ascii_alphabetic()) && text.chars().all(plain);
    let special = ["true", "false", "yes", "no", "on", "off", "null"];
    if word && !special.contains(&text.to_lowercase().as_str()) {
        text.to_owned()
    } else {
        // A JSON string is a YAML string.
        serde_json::Value::from(text).to_string()
    }
}

/// A whole new llm-deploy.yaml.
pub fn configuration(wanted: &Wanted, config: &Config) -> String {
    let mut text = format!(
        "project: {}\nregion: {}\n",
        scalar(&wanted.project),
        wanted.region
    );
    if let Some(model) = config.models.first() {
        text.push_str(&format!("model: {}\n", scalar(&model.id)));
        if let Some(secret) = &model.image.hf_token_secret {
            text.push_str(&format!(
                "\nimage:\n  hf-token-secret: {}\n",
                scalar(&secret.name)
            ));
        }
        if wanted.public {
            text.push_str("\nservice:\n  access: public\n");
        }
    }
    accounts(wanted).into_iter().fold(text, |text, (key, account)| {
        with_account(&text, key, account).unwrap_or(text)
    })
}

/// The lines that an existing file lacks; empty when it lacks none.
pub fn missing_lines(wanted: &Wanted, config: &Config) -> String {
    missing(wanted, config)
        .into_iter()
        .map(|(key, account)| format!("{key}:\n  service-account: {account}\n"))
        .collect()
}

/// The accounts that the configuration doesn't name.
fn missing<'a>(wanted: &'a Wanted, config: &Config) -> Vec<(&'static str, &'a str)> {
    let given = |key: &str| match key {
        "build" => config.build.service_account.is_some(),
        _ => config.models.iter().all(|m| m.service.service_account.is_some()),
    };
    accounts(wanted)
        .into_iter()
        .filter(|(key, _)| !given(key))
        .collect()
}

/// Which key of the file names which account.
fn accounts(wanted: &Wanted) -> Vec<(&'static str, &str)> {
    vec![
        ("build", wanted.builder.as_str()),
        ("service", wanted.default_runtime.as_str()),
    ]
}

/// The text with `service-account` under the top-level `key`, everything else as it is. `None` where the key isn't
/// written as a block of its own.
fn with_account(text: &str, key: &str, account: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let begins = |line: &&str| line.starts_with(&format!("{key}:"));
    let Some(at) = lines.iter().position(begins) else {
        let gap = if text.is_empty() || text.ends_with("\n\n") {
            ""
        } else {
            "\n"
        };
        let end = if text.is_empty() || text.ends_with('\n') {
            ""
        } else {
            "\n"
        };
        return Some(format!("{text}{end}{gap}{key}:\n  service-account: {account}\n"));
    };
    let (head, rest) = (lines.get(at)?, lines.get(at + 1..)?);
    let after = head.strip_prefix(key)?.strip_prefix(':')?.trim();
    if !after.is_empty() && !after.starts_with('#') {
        return None;
    }
    let first = rest
        .iter()
        .find(|line| !line.trim().is_empty() && !line.trim_start().starts_with('#'))?;
    let indent = first.len() - first.trim_start().len();
    if indent == 0 {
        return None;
    }
    let line = format!("{}service-account: {account}", " ".repeat(indent));
    let mut out: Vec<&str> = lines.get(..=at)?.to_vec();
    out.push(&line);
    out.extend(rest);
    Some(format!("{}\n", out.join("\n")))
}

/// Reads a file of the checkout that a person works in.
///
/// # Errors
/// As [`open::text`].
pub fn read(path: &Path) -> std::io::Result<String> {
    open::text(path, &Reach::Anywhere, LARGEST)
}

/// The steps that write both files; what is there is changed only by the lines that it lacks.
pub fn steps(place: &Place, wanted: &Wanted, number: Option<&str>, config: &Config) -> Vec<Step> {
    vec![
        configuration_step(place, wanted, config),
        workflow_step(place, wanted, number),
    ]
}

fn workflow_step(place: &Place, wanted: &Wanted, number: Option<&str>) -> Step {
    let text = workflow(wanted, number.unwrap_or(NUMBER), &place.inputs);
    let state = match read(&place.workflow) {
        // Until the project's number is known the text isn't whole, and nothing is written before it is.
        Ok(there) if there == text || number.is_none() && fits(&there, &text) => State::Exists,
        Ok(_) => State::Left(
            "it is there and says something else; it is not overwritten. Put in what is printed below, or delete it and run bootstrap again".to_owned(),
        ),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => write(&place.workflow, text),
        Err(error) => State::Left(format!("it can't be read and is not overwritten: {error}")),
    };
    step(&place.workflow, state)
}

/// Whether the texts are the same but for the project's number.
fn fits(there: &str, text: &str) -> bool {
    text.split_once(NUMBER).is_some_and(|(before, after)| {
        let number = there
            .strip_prefix(before)
            .and_then(|rest| rest.strip_suffix(after));
        number.is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
    })
}

fn configuration_step(place: &Place, wanted: &Wanted, config: &Config) -> Step {
    let there = match read(&place.config) {
        Ok(there) => there,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return step(&place.config, write(&place.config, configuration(wanted, config)));
        }
        Err(error) => {
            return step(
                &place.config,
                State::Left(format!("it can't be read and is not overwritten: {error}")),
            );
        }
    };
    let lines = |missing: &[(&str, &str)]| -> Vec<String> {
        let lines = missing
            .iter()
            .map(|(key, account)| format!("{key}.service-account: {account}"));
        lines.collect()
    };
    let missing = missing(wanted, config);
    if missing.is_empty() {
        return step(&place.config, State::Exists);
    }
    let added = missing
        .iter()
        .try_fold(there, |text, (key, account)| with_account(&text, key, account))
        .filter(|text| resolves(text, wanted));
    let state = match added {
        Some(text) => write(&place.config, text),
        None => State::Left("the lines can't be put in safely: add them yourself".to_owned()),
    };
    Step {
        details: lines(&missing),
        ..step(&place.config, state)
    }
}

/// Whether the text names the accounts, read as a run reads it.
fn resolves(text: &str, wanted: &Wanted) -> bool {
    let source = Source {
        name: "llm-deploy.yaml",
        text,
    };
    // What the file leaves to the action's inputs is not looked at here.
    let inputs = [
        ("project", wanted.project.as_str()),
        ("region", wanted.region.as_str()),
    ];
    let mut inputs: Vec<(String, String)> = inputs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect();
    let mut resolved = config::resolve(Some(source), &inputs);
    if resolved.is_err() {
        inputs.push(("model".to_owned(), "any/model".to_owned()));
        resolved = config::resolve(Some(source), &inputs);
    }
    resolved.is_ok_and(|config| {
        config.build.service_account.as_deref() == Some(&wanted.builder)
            && config.models.iter().all(|model| {
                model
                    .service
                    .service_account
                    .as_ref()
                    .is_some_and(|account| wanted.runtimes.contains(account))
            })
    })
}

fn step(path: &Path, state: State) -> Step {
    Step {
        id: format!("file {}", path.display()),
        title: format!("file {}", path.display()),
        details: Vec::new(),
        state,
    }
}

fn write(path: &Path, text: String) -> State {
    State::ToDo(Action::Write(File {
        path: path.to_owned(),
        text,
    }))
}

/// Writes beside the file and renames: nobody ever finds half of it.
pub(super) fn put(file: &File) -> Result<(), Failure> {
    replace(file).map_err(|error| Failure::File {
        path: file.path.display().to_string(),
        reason: error.to_string(),
    })
}

fn replace(file: &File) -> std::io::Result<()> {
    if let Some(folder) = file.path.parent().filter(|f| !f.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    crate::file::replace(&file.path, &file.text)
}
