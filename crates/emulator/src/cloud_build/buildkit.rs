//! A `docker build`, as far as its inputs go, with BuildKit's lines.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{
    context::{self, Files},
    docker::{DockerBuild, SecretSource},
    dockerfile::{self, Followed, Run},
    download,
    image::{self, BASE_BYTES},
    step::{Exit, Step},
    worker::Job,
};

/// Bytes a second at which a base image is pulled and weights are downloaded.
const PULL_RATE: f64 = 100e6;
const DOWNLOAD_RATE: f64 = 250e6;
/// Disk that system and unpacked base image take, in bytes, and how often weights are on it: as layer and as what
/// is pushed.
const DISK_USED: u64 = 8_000_000_000 + 2 * BASE_BYTES;
const COPIES: u64 = 2;
/// Disk of the default pool's machines, in GB.
const DEFAULT_DISK_GB: u64 = 100;
/// Seconds that the phases pretend to take at a pace of 1.
const PULL: f64 = 0.4;
const RUN: f64 = 1.2;
const LINE: f64 = 0.02;

/// Carries a build out; its image is then in the daemon under each tag.
pub async fn build(job: &mut Job, step: &mut Step, build: &DockerBuild) -> Result<(), Exit> {
    let folder = context::join(&step.dir, &build.context);
    let files = context::below(&job.files, &folder);
    let default = format!("{folder}/Dockerfile");
    let path = build
        .file
        .as_ref()
        .map_or(default.trim_start_matches('/').to_owned(), |f| {
            context::join(&step.dir, f)
        });
    step.say(job, "#0 building with \"default\" instance using docker driver");
    let name = path.rsplit('/').next().unwrap_or(&path).to_owned();
    step.say(job, &format!("#1 [internal] load build definition from {name}"));
    let Some(text) = job
        .files
        .get(&path)
        .map(|t| String::from_utf8_lossy(t).into_owned())
    else {
        let text =
            format!("failed to solve: failed to read dockerfile: open {name}: no such file or directory");
        return Err(Exit::with(1, format!("ERROR: {text}")));
    };
    step.say(job, &format!("#1 transferring dockerfile: {}B done", text.len()));
    step.say(job, "#1 DONE 0.0s");
    let args = arguments(build, step);
    let followed =
        dockerfile::follow(&text, &files, &args).map_err(|e| Exit::with(1, format!("ERROR: {e}")))?;
    if !followed.unused.is_empty() {
        let text = format!(
            "[Warning] One or more build-args [{}] were not consumed",
            followed.unused.join(" ")
        );
        step.say(job, &text);
    }
    let number = pull(job, step, &files, &followed).await;
    let weights = runs(job, step, build, &files, &followed, &path, number).await?;
    let made = image::make(&files, build, &args, &followed, weights);
    let last = number + followed.steps.len();
    step.say(job, &format!("#{last} exporting to image"));
    step.say(job, &format!("#{last} exporting layers done"));
    step.say(job, &format!("#{last} writing image {} done", made.digest));
    for tag in &build.tags {
        step.say(job, &format!("#{last} naming to {tag} done"));
        job.images.insert(tag.clone(), made.clone());
    }
    step.say(job, &format!("#{last} DONE 0.1s"));
    if build.push {
        for tag in &build.tags {
            job.push_one(tag, &made)
                .map_err(|f| Exit::with(1, format!("ERROR: {}", f.detail)))?;
        }
    }
    Ok(())
}

/// Arguments without a value come from the environment, as Docker takes them.
fn arguments(build: &DockerBuild, step: &Step) -> BTreeMap<String, String> {
    let args = build.args.iter();
    args.filter_map(|(name, value)| {
        Some((
            name.clone(),
            value.as_ref().or_else(|| step.variables.get(name))?.clone(),
        ))
    })
    .collect()
}

async fn pull(job: &mut Job, step: &Step, files: &Files, followed: &Followed) -> usize {
    let mut number = 2;
    for base in &followed.bases {
        step.say(
            job,
            &format!("#{number} [internal] load metadata for {}", canonical(base)),
        );
        step.say(job, &format!("#{number} DONE 0.6s"));
        number += 1;
    }
    step.say(job, &format!("#{number} [internal] load build context"));
    let bytes: usize = files.values().map(Vec::len).sum();
    step.say(job, &format!("#{number} transferring context: {bytes}B done"));
    step.say(job, &format!("#{number} DONE 0.0s"));
    job.pretend(PULL * followed.bases.len() as f64).await;
    job.clock += followed.bases.len() as f64 * BASE_BYTES as f64 / PULL_RATE;
    number + 1
}

/// `vllm/vllm-openai` is `docker.io/vllm/vllm-openai`.
fn canonical(image: &str) -> String {
    match image.split_once('/') {
        None => format!("docker.io/library/{image}"),
        Some((host, _)) if !host.contains(['.', ':']) => format!("docker.io/{image}"),
        Some(_) => image.to_owned(),
    }
}

/// Carries the steps out; answers the bytes of weights that were downloaded.
async fn runs(
    job: &mut Job,
    step: &Step,
    build: &DockerBuild,
    files: &Files,
    followed: &Followed,
    path: &str,
    first: usize,
) -> Result<u64, Exit> {
    let mut pending = followed.runs.iter();
    let mut weights = 0;
    for (n, text) in followed.steps.iter().enumerate() {
        let number = first + n;
        step.say(job, &format!("#{number} {text}"));
        job.pretend(LINE).await;
        if !text.contains("] RUN ") {
            step.say(job, &format!("#{number} DONE 0.1s"));
            continue;
        }
        let Some(run) = pending.next() else { continue };
        let given = mounted(step, build, run)
            .map_err(|text| Exit::with(1, format!("ERROR: failed to solve: {text}")))?;
        let outcome = carry_out(job, step, run, followed, files, given.as_deref(), number).await;
        match outcome {
            Ok(bytes) => weights += bytes,
            Err(lines) => return Err(broken(number, text, path, run, &lines)),
        }
        let used = DISK_USED + COPIES * weights;
        let size = job.build.pointer("/options/diskSizeGb").and_then(Value::as_str);
        let disk = size
            .and_then(|s| s.parse().ok())
            .filter(|s| *s > 0)
            .unwrap_or(DEFAULT_DISK_GB);
        if weights > 0 && used > disk * 1_000_000_000 {
            let line = "OSError: [Errno 28] No space left on device: write: no space left on device";
            return Err(broken(number, text, path, run, &[line.to_owned()]));
        }
        step.say(
            job,
            &format!("#{number} DONE {:.1}s", weights as f64 / DOWNLOAD_RATE),
        );
    }
    Ok(weights)
}

fn broken(number: usize, text: &str, path: &str, run: &Run, lines: &[String]) -> Exit {
    // BuildKit shows the command as it is written, never with a secret in it.
    let command = text.split_once("] RUN ").map_or(text, |(_, c)| c);
    let solved = format!("process \"/bin/sh -c {command}\" did not complete successfully: exit code: 1");
    let mut all: Vec<String> = lines.iter().map(|l| format!("#{number} 1.042 {l}")).collect();
    all.push(format!("#{number} ERROR: {solved}"));
    all.push("------".to_owned());
    all.push(format!(" > {text}:"));
    all.extend(lines.iter().map(|l| format!("1.042 {l}")));
    all.push("------".to_owned());
    all.push(format!(
        "{}:{}",
        path.rsplit('/').next().unwrap_or(path),
        run.line
    ));
    all.push(format!("ERROR: failed to solve: {solved}"));
    Exit { code: 1, lines: all }
}

/// The first secret that the RUN mounts and the build was given.
fn mounted(step: &Step, build: &DockerBuild, run: &Run) -> Result<Option<String>, String> {
    let mut first = None;
    for (id, required) in &run.secrets {
        let source = build.secrets.iter().find(|s| s.id == *id);
        let value = source.map(|s| value(step, s)).transpose()?;
        if value.is_none() && *required {
            return Err(format!("secret {id}: not found"));
        }
        first = first.or(value);
    }
    Ok(first)
}

fn value(step: &Step, source: &SecretSource) -> Result<String, String> {
    if let Some(file) = &source.file {
        let missing = || format!("failed to stat {file}: stat {file}: no such file or directory");
        return step.written.get(file).cloned().ok_or_else(missing);
    }
    let env = source.env.as_ref().unwrap_or(&source.id);
    let missing = || {
        format!(
            "could not find secret {}: environment variable {env} is not set",
            source.id
        )
    };
    step.variables.get(env).cloned().ok_or_else(missing)
}

/// The downloads of a RUN.
async fn carry_out(
    job: &mut Job,
    step: &Step,
    run: &Run,
    followed: &Followed,
    files: &Files,
    token: Option<&str>,
    number: usize,
) -> Result<u64, Vec<String>> {
    let downloads = download::of(run, followed, files);
    if downloads.is_empty() {
        job.clock += 20.0;
        return Ok(0);
    }
    let listed = download::listed(followed, files);
    let mut bytes = 0;
    for download in &downloads {
        let text = format!(
            "#{number} 0.731 Fetching {} at {}",
            download.model, download.revision
        );
        step.say(job, &text);
        job.pretend(RUN).await;
        bytes += download::fetch(&job.emulator, download, token, &listed).await?;
    }
    job.clock += bytes as f64 / DOWNLOAD_RATE;
    let text = format!(
        "#{number} {:.3} Downloaded {bytes} bytes",
        bytes as f64 / DOWNLOAD_RATE
    );
    step.say(job, &text);
    Ok(bytes)
}
