//! The steps of a build: which `docker` commands they run, and how these end.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    buildkit,
    docker::{self, DockerBuild},
    methods::now,
    shell::{self, Command, Variables},
    worker::{Failure, Job},
};
use crate::run::quantity;

/// Why a command of a step ended badly.
pub struct Exit {
    pub code: i32,
    pub lines: Vec<String>,
}

impl Exit {
    pub fn with(code: i32, line: impl Into<String>) -> Self {
        Self {
            code,
            lines: vec![line.into()],
        }
    }
}

/// One step while it runs.
pub struct Step {
    prefix: String,
    pub dir: String,
    pub variables: Variables,
    /// Files that the step's script has written, by path.
    pub written: BTreeMap<String, String>,
}

impl Step {
    pub fn say(&self, job: &Job, text: &str) {
        job.log.line(&format!("{}{text}", self.prefix));
    }
}

/// Runs all steps in order.
pub async fn all(job: &mut Job, secrets: &BTreeMap<String, String>) -> Result<(), Failure> {
    let steps = job.build["steps"].as_array().cloned().unwrap_or_default();
    let several = steps.len() > 1;
    for (n, spec) in steps.iter().enumerate() {
        let id = spec["id"]
            .as_str()
            .map_or_else(String::new, |id| format!(" - \"{id}\""));
        let title = format!("Step #{n}{id}");
        let prefix = if several {
            format!("{title}: ")
        } else {
            String::new()
        };
        if several {
            job.log.line(&format!("Starting {title}"));
        }
        let started = now();
        let before = job.clock;
        let mut step = Step {
            prefix,
            dir: super::context::join("", spec["dir"].as_str().unwrap_or_default()),
            variables: variables(&job.build, spec, secrets),
            written: BTreeMap::new(),
        };
        step.say(
            job,
            &format!(
                "Already have image: {}",
                spec["name"].as_str().unwrap_or_default()
            ),
        );
        let outcome = one(job, &mut step, spec).await;
        let timeout = spec["timeout"].as_str().and_then(quantity::duration);
        let late = timeout.is_some_and(|t| job.clock - before > t.as_secs_f64());
        let in_time = job.in_time();
        let status = match (&outcome, late, &in_time) {
            (_, true, _) | (_, _, Err(_)) => "TIMEOUT",
            (Err(_), ..) => "FAILURE",
            _ => "SUCCESS",
        };
        record(job, n, status, &started, outcome.as_ref().err().map(|e| e.code));
        in_time?;
        if several {
            job.log.line(&format!("Finished {title}"));
        }
        if late {
            let detail = format!(
                "build step {n} {:?} timed out",
                spec["name"].as_str().unwrap_or_default()
            );
            return Err(Failure {
                status: "TIMEOUT",
                kind: None,
                detail,
            });
        }
        if let Err(exit) = outcome {
            for line in &exit.lines {
                step.say(job, line);
            }
            if !allowed(spec, exit.code) {
                return Err(failed(n, spec, exit.code));
            }
        }
    }
    Ok(())
}

fn allowed(spec: &Value, code: i32) -> bool {
    let codes = spec["allowExitCodes"].as_array();
    spec["allowFailure"].as_bool() == Some(true) || codes.is_some_and(|c| c.contains(&json!(code)))
}

fn failed(n: usize, spec: &Value, code: i32) -> Failure {
    let name = spec["name"].as_str().unwrap_or_default();
    Failure {
        status: "FAILURE",
        kind: Some("USER_BUILD_STEP"),
        detail: format!("build step {n} \"{name}\" failed: step exited with non-zero status: {code}"),
    }
}

fn record(job: &Job, n: usize, status: &str, started: &str, code: Option<i32>) {
    job.update(|b| {
        let step = &mut b["steps"][n];
        step["status"] = json!(status);
        step["timing"] = json!({"startTime": started, "endTime": now()});
        if let Some(code) = code {
            step["exitCode"] = json!(code);
        }
    });
}

fn variables(build: &Value, spec: &Value, secrets: &BTreeMap<String, String>) -> Variables {
    let mut variables = Variables::new();
    for list in [build.pointer("/options/env"), spec.get("env")] {
        for pair in list
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            if let Some((name, value)) = pair.split_once('=') {
                variables.insert(name.to_owned(), value.to_owned());
            }
        }
    }
    for list in [build.pointer("/options/secretEnv"), spec.get("secretEnv")] {
        for name in list
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            if let Some(value) = secrets.get(name) {
                variables.insert(name.to_owned(), value.clone());
            }
        }
    }
    variables
}

async fn one(job: &mut Job, step: &mut Step, spec: &Value) -> Result<(), Exit> {
    let commands = commands(spec, &mut step.variables);
    if commands.is_empty() {
        let text = "(The emulator carries out docker commands only; this step is passed over.)";
        step.say(job, text);
    }
    for command in commands {
        run(job, step, command).await?;
    }
    Ok(())
}

/// The commands of a step: its arguments are `docker`'s, or a shell's script.
fn commands(spec: &Value, variables: &mut Variables) -> Vec<Command> {
    if let Some(script) = spec["script"].as_str() {
        return shell::commands(script, variables);
    }
    let args = spec["args"].as_array().into_iter().flatten();
    let args: Vec<String> = args.filter_map(|a| a.as_str().map(str::to_owned)).collect();
    let name = spec["name"].as_str().unwrap_or_default();
    let image = name.split('@').next().unwrap_or_default();
    let image = image
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .split(':')
        .next()
        .unwrap_or_default();
    let entrypoint = spec["entrypoint"].as_str().and_then(|e| e.rsplit('/').next());
    let words = match (entrypoint, args.first().map(String::as_str)) {
        (Some("docker"), _) => [vec!["docker".to_owned()], args].concat(),
        (None, Some("docker")) if image == "docker" => args,
        (None, Some(_)) if image == "docker" => [vec!["docker".to_owned()], args].concat(),
        (Some("sh" | "bash" | "ash"), _) => {
            let flag = args.iter().position(|a| a.starts_with('-') && a.contains('c'));
            let script = flag.and_then(|f| args.get(f + 1));
            return script.map(|s| shell::commands(s, variables)).unwrap_or_default();
        }
        _ => return Vec::new(),
    };
    vec![Command { words, output: None }]
}

async fn run(job: &mut Job, step: &mut Step, command: Command) -> Result<(), Exit> {
    let Some((program, rest)) = command.words.split_first() else {
        return Ok(());
    };
    match (program.as_str(), &command.output) {
        ("printf" | "echo", Some(file)) => {
            let text = rest.last().cloned().unwrap_or_default();
            step.written.insert(file.clone(), text);
            Ok(())
        }
        ("false", _) => Err(Exit {
            code: 1,
            lines: Vec::new(),
        }),
        ("exit", _) => match rest.first().and_then(|c| c.parse().ok()).unwrap_or(0) {
            0 => Ok(()),
            code => Err(Exit {
                code,
                lines: Vec::new(),
            }),
        },
        ("docker", _) => docker(job, step, rest).await,
        _ => Ok(()),
    }
}

async fn docker(job: &mut Job, step: &mut Step, words: &[String]) -> Result<(), Exit> {
    if let Some(build) = docker::parse(words) {
        let build: DockerBuild = build.map_err(|e| Exit::with(125, format!("ERROR: {e}")))?;
        return buildkit::build(job, step, &build).await;
    }
    match words {
        [push, rest @ ..] if push == "push" => {
            let name = rest.last().cloned().unwrap_or_default();
            let Some(image) = job.images.get(&name).cloned() else {
                return Err(Exit::with(
                    1,
                    format!("An image does not exist locally with the tag: {name}"),
                ));
            };
            job.push_one(&name, &image).map_err(|f| Exit::with(1, f.detail))
        }
        [tag, from, to] if tag == "tag" => match job.images.get(from).cloned() {
            Some(image) => {
                job.images.insert(to.clone(), image);
                Ok(())
            }
            None => Err(Exit::with(
                1,
                format!("Error response from daemon: No such image: {from}"),
            )),
        },
        _ => Ok(()),
    }
}
