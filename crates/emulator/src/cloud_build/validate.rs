//! What a build must obey beyond the published schema.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

use super::substitutions;
use crate::run::{quantity, refusal::Refusal};

/// Largest disk of the default pool, in GB.
const DISK_GB: i64 = 4000;
const STEPS: usize = 300;
const ARGS: usize = 100;
const ARG: usize = 10_000;
const TAGS: usize = 64;
const DAY: u64 = 24 * 3600;

fn refuse<T>(text: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::invalid(text))
}

static TAG: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^[\w][\w.-]{0,127}$").ok());
static IMAGE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^[a-z0-9.-]+(:\d+)?/[a-z0-9._/:-]+(:[\w][\w.-]{0,127})?$").ok());
static SECRET_VERSION: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^projects/[^/]+/secrets/[\w-]+/versions/(latest|\d+)$").ok());
static ACCOUNT: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^projects/[^/]+/serviceAccounts/[^/@]+@?[^/]*$").ok());
static BUCKET: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"^(gs://)?[a-z0-9$][\w.${}-]*(/.*)?$").ok());

fn is(pattern: &LazyLock<Option<Regex>>, text: &str) -> bool {
    pattern.as_ref().is_some_and(|p| p.is_match(text))
}

fn strings(value: &Value) -> impl Iterator<Item = &str> {
    value.as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Checks the whole of a build.
pub fn build(build: &Value) -> Result<(), Refusal> {
    steps(build)?;
    secrets(build)?;
    account(build)?;
    options(build)?;
    source(build)?;
    for tag in strings(&build["tags"]) {
        if !is(&TAG, tag) && !tag.contains('$') {
            return refuse(format!(
                r"invalid build: invalid build tag {tag:?}: must match format '^[\w][\w.-]{{0,127}}$'"
            ));
        }
    }
    if build["tags"].as_array().is_some_and(|t| t.len() > TAGS) {
        return refuse(format!("invalid build: too many tags, at most {TAGS}"));
    }
    for image in strings(&build["images"]) {
        if !image.contains('$') && !is(&IMAGE, image) {
            return refuse(format!(
                "invalid build: invalid image name {image:?}: could not parse reference"
            ));
        }
    }
    substitutions::check(build)
}

fn seconds(build: &Value, key: &str, default: u64) -> Result<u64, Refusal> {
    let Some(text) = build[key].as_str() else {
        return Ok(default);
    };
    match quantity::duration(text) {
        Some(time) if time.as_secs() <= DAY => Ok(time.as_secs()),
        _ => refuse(format!(
            "invalid build: {key} {text} must be between 0s and {DAY}s"
        )),
    }
}

fn steps(build: &Value) -> Result<(), Refusal> {
    let whole = seconds(build, "timeout", 3600)?;
    seconds(build, "queueTtl", 3600)?;
    let steps = build["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
    if steps.is_empty() {
        return refuse("invalid build: no build step defined");
    }
    if steps.len() > STEPS {
        return refuse(format!("invalid build: at most {STEPS} steps are allowed"));
    }
    let mut ids: Vec<&str> = Vec::new();
    for (n, step) in steps.iter().enumerate() {
        let field = format!("invalid build: invalid build step #{n}:");
        if step["name"].as_str().unwrap_or_default().is_empty() {
            return refuse(format!("{field} name is required"));
        }
        let args = step["args"].as_array().map_or(0, Vec::len);
        if args > ARGS || strings(&step["args"]).any(|a| a.len() > ARG) {
            return refuse(format!(
                "{field} at most {ARGS} args of {ARG} characters are allowed"
            ));
        }
        if step.get("script").is_some() && (step.get("entrypoint").is_some() || args > 0) {
            return refuse(format!("{field} script cannot be used with entrypoint or args"));
        }
        if seconds(step, "timeout", 0)? > whole {
            return refuse(format!(
                "{field} timeout is greater than that of the build ({whole}s)"
            ));
        }
        if let Some(unknown) = strings(&step["waitFor"]).find(|w| *w != "-" && !ids.contains(w)) {
            return refuse(format!("{field} waitFor {unknown:?} is no earlier step"));
        }
        if let Some(wrong) = strings(&step["env"]).find(|e| !e.contains('=')) {
            return refuse(format!("{field} env {wrong:?} must be of the form KEY=VALUE"));
        }
        ids.extend(step["id"].as_str());
    }
    Ok(())
}

fn secrets(build: &Value) -> Result<(), Refusal> {
    let declared = build
        .pointer("/availableSecrets/secretManager")
        .and_then(Value::as_array);
    let mut names = Vec::new();
    for secret in declared.into_iter().flatten() {
        let version = secret["versionName"].as_str().unwrap_or_default();
        if !version.contains('$') && !is(&SECRET_VERSION, version) {
            return refuse(format!("invalid build: invalid secret version name {version:?}"));
        }
        let env = secret["env"].as_str().unwrap_or_default();
        if names.contains(&env) {
            return refuse(format!(
                "invalid build: secret environment variable {env:?} is defined twice"
            ));
        }
        names.push(env);
    }
    let global: Vec<&str> = build
        .pointer("/options/secretEnv")
        .map(strings)
        .into_iter()
        .flatten()
        .collect();
    let steps = build["steps"].as_array().into_iter().flatten();
    let mut used = global;
    for (n, step) in steps.enumerate() {
        for env in strings(&step["secretEnv"]) {
            if strings(&step["env"]).any(|e| e.split_once('=').is_some_and(|(k, _)| k == env)) {
                return refuse(format!(
                    "invalid build: step #{n} sets {env:?} in both env and secretEnv"
                ));
            }
            used.push(env);
        }
    }
    if let Some(unknown) = used.iter().find(|u| !names.contains(u)) {
        return refuse(format!(
            "invalid build: secret environment variable {unknown:?} is used but not defined in availableSecrets"
        ));
    }
    match names.iter().find(|n| !used.contains(n)) {
        Some(unused) => refuse(format!(
            "invalid build: secret environment variable {unused:?} is defined but not used by any step"
        )),
        None => Ok(()),
    }
}

fn account(build: &Value) -> Result<(), Refusal> {
    let Some(account) = build["serviceAccount"].as_str().filter(|a| !a.is_empty()) else {
        return Ok(());
    };
    if !account.contains('$') && !is(&ACCOUNT, account) {
        return refuse(format!(
            "invalid build: service_account {account:?} must be of the form projects/{{project}}/serviceAccounts/{{account}}"
        ));
    }
    let option = |key| build["options"][key].as_str().unwrap_or_default();
    let logs = !build["logsBucket"].as_str().unwrap_or_default().is_empty()
        || option("defaultLogsBucketBehavior") == "REGIONAL_USER_OWNED_BUCKET"
        || matches!(option("logging"), "CLOUD_LOGGING_ONLY" | "NONE");
    if logs {
        return Ok(());
    }
    refuse(
        "if 'build.service_account' is specified, the build must either (a) specify 'build.logs_bucket', (b) use the \
         REGIONAL_USER_OWNED_BUCKET build.options.default_logs_bucket_behavior option, or (c) use either \
         CLOUD_LOGGING_ONLY / NONE logging options",
    )
}

fn options(build: &Value) -> Result<(), Refusal> {
    let options = &build["options"];
    if let Some(size) = options["diskSizeGb"].as_str() {
        let good = size.parse::<i64>().is_ok_and(|s| (0..=DISK_GB).contains(&s));
        if !good {
            return refuse(format!(
                "invalid build: disk_size_gb must be between 0 and {DISK_GB}, got {size}"
            ));
        }
    }
    if options["logging"] == "GCS_ONLY" && build["logsBucket"].as_str() == Some("") {
        return refuse("invalid build: GCS_ONLY logging needs logs_bucket");
    }
    match build["logsBucket"].as_str() {
        Some(bucket) if !is(&BUCKET, bucket) => {
            refuse(format!("invalid build: invalid logs bucket {bucket:?}"))
        }
        _ => Ok(()),
    }
}

fn source(build: &Value) -> Result<(), Refusal> {
    let Some(storage) = build.pointer("/source/storageSource") else {
        return Ok(());
    };
    let object = storage["object"].as_str().unwrap_or_default();
    if storage["bucket"].as_str().unwrap_or_default().is_empty() || object.is_empty() {
        return refuse("invalid build: storage_source needs a bucket and an object");
    }
    if ![".tar.gz", ".tgz", ".zip"].iter().any(|e| object.ends_with(e)) {
        return refuse(format!(
            "invalid build: source object {object:?} must be a .tar.gz, .tgz or .zip archive"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn good() -> Value {
        json!({
            "steps": [{"id": "a", "name": "docker:27-cli", "args": ["build", "."], "secretEnv": ["HF_TOKEN"]}],
            "availableSecrets": {"secretManager": [
                {"versionName": "projects/p/secrets/hf-token/versions/latest", "env": "HF_TOKEN"}]},
            "images": ["europe-west4-docker.pkg.dev/p/r/i:t"], "timeout": "7200s", "logsBucket": "gs://b/logs",
            "serviceAccount": "projects/p/serviceAccounts/build@p.iam.gserviceaccount.com", "tags": ["key-1"],
            "source": {"storageSource": {"bucket": "b", "object": "source/x.tgz"}},
            "options": {"logging": "GCS_ONLY", "diskSizeGb": "300", "machineType": "E2_HIGHCPU_32"}
        })
    }

    /// A pointer to the parent, a key, what to put there, and what the refusal must say.
    #[test]
    fn each_rule_refuses_what_breaks_it() {
        let cases = [
            ("", "steps", json!([]), "no build step"),
            ("", "timeout", json!("90000s"), "timeout"),
            ("", "tags", json!(["white space"]), "invalid build tag"),
            ("", "images", json!(["Upper/Case"]), "could not parse reference"),
            ("", "logsBucket", json!(null), "(a) specify 'build.logs_bucket'"),
            ("", "availableSecrets", json!({}), "used but not defined"),
            (
                "",
                "serviceAccount",
                json!("build@p.iam.gserviceaccount.com"),
                "must be of the form",
            ),
            ("/options", "diskSizeGb", json!("4001"), "between 0 and 4000"),
            ("/steps/0", "name", json!(""), "name is required"),
            (
                "/steps/0",
                "script",
                json!("echo"),
                "script cannot be used with entrypoint or args",
            ),
            (
                "/steps/0",
                "timeout",
                json!("7201s"),
                "greater than that of the build",
            ),
            ("/steps/0", "waitFor", json!(["b"]), "no earlier step"),
            ("/steps/0", "secretEnv", json!([]), "defined but not used"),
            ("/steps/0", "env", json!(["HF_TOKEN=x"]), "both env and secretEnv"),
            (
                "/steps/0",
                "args",
                json!(["$HF_TOKEN"]),
                "not a valid built-in substitution",
            ),
            (
                "/source/storageSource",
                "object",
                json!("x.rar"),
                "must be a .tar.gz",
            ),
        ];
        assert_eq!(build(&good()), Ok(()));
        for (parent, key, value, expected) in cases {
            let mut body = good();
            body.pointer_mut(parent).unwrap()[key] = value;
            let refused = build(&body).unwrap_err();
            assert!(refused.message.contains(expected), "{key}: {}", refused.message);
        }
    }

    #[test]
    fn a_service_account_needs_a_place_for_logs_in_googles_words() {
        let mut body = good();
        body.as_object_mut().unwrap().remove("logsBucket");
        assert_eq!(
            build(&body).unwrap_err().message,
            "if 'build.service_account' is specified, the build must either (a) specify 'build.logs_bucket', (b) use \
             the REGIONAL_USER_OWNED_BUCKET build.options.default_logs_bucket_behavior option, or (c) use either \
             CLOUD_LOGGING_ONLY / NONE logging options"
        );
        body["options"]["logging"] = json!("CLOUD_LOGGING_ONLY");
        assert_eq!(build(&body), Ok(()));
    }
}
