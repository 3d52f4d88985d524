//! The Cloud Build request that makes the image.

use std::time::Duration;

use super::Recipe;
use crate::{
    config::{Logs, SecretRef},
    google::cloud_build::{
        AvailableSecrets, Build, Options, SecretManagerSecret, Source, Step, StorageSource,
    },
};

/// Docker's own client image: the one that Google builds is older than `COPY --link`.
const DOCKER: &str = "docker:27.5.1-cli";
/// Environment variable of the build step that holds the token.
const TOKEN: &str = "HF_TOKEN";
/// How long a build may wait for a worker.
const QUEUE_TTL: Duration = Duration::from_secs(1800);
/// Cloud Build's largest disk, GB.
const DISK_MAX: u64 = 4000;
/// Cloud Build's longest build.
const TIMEOUT_MAX: Duration = Duration::from_secs(24 * 3600);
/// Weights above this take the big machine, GB.
const BIG: u64 = 20;

/// The machine that a build needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sizing {
    /// `E2_HIGHCPU_8`, `E2_HIGHCPU_32`
    pub machine: String,
    pub disk_gb: u64,
    pub timeout: Duration,
}

impl Sizing {
    /// How long to follow such a build: queue, build, and a little for the push's end.
    pub fn deadline(&self) -> Duration {
        QUEUE_TTL + self.timeout + Duration::from_secs(300)
    }
}

/// By the model's size: disk for download, layers and their compressed copies beside the base image (3.5
/// times the weights and 60 GB); three quarters of an hour for the base image and 90 seconds for each GB.
pub fn sizing(weights_bytes: u64) -> Sizing {
    let gb = weights_bytes.div_ceil(1_000_000_000);
    let timeout = Duration::from_secs(45 * 60 + gb.saturating_mul(90));
    Sizing {
        machine: if gb > BIG { "E2_HIGHCPU_32" } else { "E2_HIGHCPU_8" }.to_owned(),
        disk_gb: (gb.saturating_mul(7).div_ceil(2) + 60).clamp(100, DISK_MAX),
        timeout: timeout.min(TIMEOUT_MAX),
    }
}

/// What a build is made of.
#[derive(Clone, Copy, Debug)]
pub struct BuildRequest<'a> {
    pub project: &'a str,
    pub recipe: Recipe<'a>,
    /// Name of the service, for the build's tags.
    pub service: &'a str,
    /// Tag that no other build has: by it a run knows its own.
    pub mark: &'a str,
    /// Full name with tag, `R-docker.pkg.dev/P/REPO/PACKAGE:KEY`.
    pub image: &'a str,
    /// Where the context was uploaded to.
    pub bucket: &'a str,
    /// In the same bucket, or in Cloud Logging.
    pub logs: Logs,
    pub object: &'a str,
    pub generation: &'a str,
    pub hf_token: Option<&'a SecretRef>,
    /// The account's address that the build runs as.
    pub service_account: Option<&'a str>,
    pub sizing: &'a Sizing,
}

/// The tag by which a running build of the same image for the same service is found and followed.
pub fn adoption_tag(service: &str, key: &str) -> String {
    format!("{service}.{key}")
}

/// Arguments of `docker` that build the image in the current directory. The token comes from the environment
/// variable HF_TOKEN, and stays out of image, history and arguments.
pub fn docker_arguments(recipe: &Recipe<'_>, image: &str, with_token: bool) -> Vec<String> {
    let mut arguments: Vec<String> = ["build", "--progress=plain", "--provenance=false"]
        .map(str::to_owned)
        .into();
    if with_token {
        arguments.extend(["--secret".to_owned(), format!("id=hf_token,env={TOKEN}")]);
    }
    for (name, value) in [
        ("BASE_IMAGE", recipe.base),
        ("MODEL", recipe.model),
        ("REVISION", recipe.commit),
    ] {
        arguments.extend(["--build-arg".to_owned(), format!("{name}={value}")]);
    }
    arguments.extend(["--tag".to_owned(), image.to_owned(), ".".to_owned()]);
    arguments
}

/// The build's body. Pure.
pub fn cloud_build(request: &BuildRequest<'_>) -> Build {
    let key = super::key(&request.recipe);
    let arguments = docker_arguments(&request.recipe, request.image, request.hf_token.is_some());
    let step = Step {
        id: Some("build".to_owned()),
        name: DOCKER.to_owned(),
        // The image's own entrypoint looks for a daemon elsewhere.
        entrypoint: Some("docker".to_owned()),
        args: arguments.iter().map(|a| escape(a)).collect(),
        env: vec!["DOCKER_BUILDKIT=1".to_owned()],
        secret_env: request.hf_token.map(|_| TOKEN.to_owned()).into_iter().collect(),
    };
    Build {
        source: Some(Source {
            storage_source: Some(StorageSource {
                bucket: request.bucket.to_owned(),
                object: request.object.to_owned(),
                generation: Some(request.generation.to_owned()),
            }),
        }),
        steps: vec![step],
        available_secrets: request.hf_token.map(|secret| AvailableSecrets {
            secret_manager: vec![SecretManagerSecret {
                version_name: version_name(request.project, secret),
                env: TOKEN.to_owned(),
            }],
        }),
        // Pushed by the worker when the steps are done, with a token of that moment: a push from inside the
        // step would meet the end of its token's hour.
        images: vec![request.image.to_owned()],
        timeout: Some(format!("{}s", request.sizing.timeout.as_secs())),
        queue_ttl: Some(format!("{}s", QUEUE_TTL.as_secs())),
        // Cloud Build's own log bucket can be read by project viewers only.
        logs_bucket: (request.logs == Logs::Bucket).then(|| format!("gs://{}/logs", request.bucket)),
        service_account: request.service_account.map(|a| account_name(request.project, a)),
        tags: vec![
            "llm-deploy".to_owned(),
            key.clone(),
            request.service.to_owned(),
            adoption_tag(request.service, &key),
            request.mark.to_owned(),
        ],
        options: Some(Options {
            machine_type: Some(request.sizing.machine.clone()),
            disk_size_gb: Some(request.sizing.disk_gb.to_string()),
            logging: Some(
                match request.logs {
                    Logs::Bucket => "GCS_ONLY",
                    Logs::CloudLogging => "CLOUD_LOGGING_ONLY",
                }
                .to_owned(),
            ),
            // As the log grows; Cloud Logging has no such choice.
            log_streaming_option: (request.logs == Logs::Bucket).then(|| "STREAM_ON".to_owned()),
        }),
        ..Build::default()
    }
}

/// Cloud Build replaces `$NAME`; a dollar sign of ours is doubled.
fn escape(argument: &str) -> String {
    argument.replace('$', "$$")
}

fn version_name(project: &str, secret: &SecretRef) -> String {
    if secret.name.starts_with("projects/") {
        format!("{}/versions/{}", secret.name, secret.version)
    } else {
        format!(
            "projects/{project}/secrets/{}/versions/{}",
            secret.name, secret.version
        )
    }
}

fn account_name(project: &str, account: &str) -> String {
    if account.starts_with("projects/") {
        account.to_owned()
    } else {
        format!("projects/{project}/serviceAccounts/{account}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hugging_face::ModelFile;

    fn body(hf_token: Option<&SecretRef>, service_account: Option<&str>) -> Build {
        logged(hf_token, service_account, Logs::Bucket)
    }

    fn logged(hf_token: Option<&SecretRef>, service_account: Option<&str>, logs: Logs) -> Build {
        let file = ModelFile {
            path: "model.safetensors".to_owned(),
            bytes: 8_000_000_000,
        };
        cloud_build(&BuildRequest {
            project: "p",
            recipe: Recipe {
                base: "vllm/vllm-openai@sha256:abc",
                model: "Qwen/Qwen3-4B",
                commit: "0123456789abcdef0123456789abcdef01234567",
                files: &[&file],
            },
            service: "qwen",
            mark: "run.1",
            image: "europe-west4-docker.pkg.dev/p/llm-deploy/qwen:k",
            bucket: "b",
            logs,
            object: "source/k.tgz",
            generation: "7",
            hf_token,
            service_account,
            sizing: &sizing(8_000_000_000),
        })
    }

    #[test]
    fn the_token_is_a_secret_of_the_build_and_in_no_argument() {
        let secret = SecretRef {
            name: "hf".to_owned(),
            version: "latest".to_owned(),
        };
        let build = body(Some(&secret), Some("build@p.iam.gserviceaccount.com"));
        insta::assert_json_snapshot!(build, { ".tags" => "[tags]" });
    }

    #[test]
    fn without_a_secret_the_build_names_none() {
        let text = serde_json::to_string(&body(None, None)).unwrap();
        for absent in ["secret", "HF_TOKEN", "serviceAccount"] {
            assert!(!text.contains(absent), "{absent} in {text}");
        }
    }

    #[test]
    fn a_build_that_logs_to_cloud_logging_names_no_bucket_for_it() {
        let build = logged(None, Some("build@p.iam.gserviceaccount.com"), Logs::CloudLogging);
        assert_eq!(build.logs_bucket, None);
        let options = serde_json::to_value(build.options).unwrap();
        assert_eq!(options["logging"], "CLOUD_LOGGING_ONLY");
        assert_eq!(options.get("logStreamingOption"), None);
    }

    #[test]
    fn a_build_is_found_again_by_service_and_key() {
        let build = body(None, None);
        let key = &build.tags[1];
        assert!(
            build.tags.contains(&adoption_tag("qwen", key)),
            "{:?}",
            build.tags
        );
        assert_eq!(key.len(), 16);
    }

    #[test]
    fn machine_disk_and_time_follow_the_weights() {
        let small = sizing(8_000_000_000);
        assert_eq!((small.machine.as_str(), small.disk_gb), ("E2_HIGHCPU_8", 100));
        assert_eq!(small.timeout, Duration::from_secs(57 * 60));
        let big = sizing(64_400_000_000);
        assert_eq!((big.machine.as_str(), big.disk_gb), ("E2_HIGHCPU_32", 288));
        assert_eq!(sizing(u64::MAX).disk_gb, 4000);
        assert_eq!(sizing(u64::MAX).timeout, Duration::from_secs(86_400));
    }

    #[test]
    fn dollar_signs_survive_cloud_builds_substitution() {
        assert_eq!(escape("a$B$$c"), "a$$B$$$$c");
    }
}
