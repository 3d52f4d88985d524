//! What the user wants: `llm-deploy.yaml` and the action's inputs, resolved into one [`Config`].
//!
//! Pure: text in, [`Config`] or every mistake out. No I/O, no clock, no environment.

mod check;
pub mod defaults;
mod engine;
pub mod gpu;
mod infrastructure;
mod inputs;
pub mod latency;
mod layers;
mod limits;
mod mistake;
mod models;
mod names;
mod objective;
mod outline;
mod places;
mod positions;
mod raw;
mod resolve;
mod schedule;
mod schema;
mod service;
mod smoke;
mod suggest;
pub(crate) mod tree;
mod values;
pub mod vllm_flags;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, time::Duration};

use indexmap::IndexMap;
use serde::{Serialize, Serializer};
use serde_json::Value;

pub(crate) use self::suggest::nearest;
pub use self::{
    inputs::parse_input_names,
    latency::Latency,
    limits::{ALLOWABLE, Allowable, Allowance, BaseFile, BaseSettings, Limits, Pattern, base_file},
    mistake::{Mistake, Mistakes},
    outline::Outline,
    places::{Places, Stand},
    resolve::{Source, resolve},
    schedule::{OnFailure, Schedule},
    schema::json_schema,
};
use crate::units::{Memory, human_duration};

/// The resolved configuration: every default filled in, every value checked.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Config {
    /// Google Cloud project id.
    pub project: String,
    /// Cloud Run and Artifact Registry region, such as `europe-west4`.
    pub region: String,
    /// One or more models, each its own Cloud Run service. Never empty; names are unique.
    pub models: Vec<Model>,
    pub build: Build,
    pub preview: Preview,
    pub schedule: Schedule,
    /// Where each resolved value came from, by dotted path (`models[0].service.cpu`); `plan` shows it.
    #[serde(skip)]
    pub origins: BTreeMap<String, Origin>,
}

/// Where a resolved value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Default,
    /// Line (1-based) of the configuration file.
    File(usize),
    /// An input of the action or an option of the command, by name.
    Input(String),
}

/// One model and the service that serves it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Model {
    /// Cloud Run service name of the production service, at most 37 characters so that a candidate
    /// tag fits beside it (Cloud Run allows 46 for tag and name together).
    pub name: String,
    /// Hugging Face repository id, such as `Qwen/Qwen3.5-4B`.
    pub id: String,
    /// Branch, tag or commit at Hugging Face; resolved to a commit before the build. Default `main`.
    pub revision: String,
    pub engine: Engine,
    pub service: Service,
    pub image: Image,
    pub smoke: Smoke,
    pub latency: Latency,
    /// Where its settings stand, for whoever has to point at one.
    #[serde(skip)]
    pub places: Places,
}

/// vLLM's settings. All are container arguments: changing one needs a new revision, never a build.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Engine {
    pub dtype: String,
    /// Share of the GPU's memory that vLLM may take, above 0 and at most 1.
    pub gpu_memory_utilization: f64,
    pub tensor_parallel_size: u32,
    /// Context length in tokens.
    pub max_model_len: u64,
    /// `--reasoning-parser`; by default `qwen3` for Qwen3 models, otherwise none.
    pub reasoning_parser: Option<String>,
    /// Any other vLLM flag without its dashes. `true` gives `--flag`, `false` gives `--no-flag`, a map or
    /// list of maps is passed as JSON, a list of scalars as repeated values.
    pub args: IndexMap<String, Value>,
}

/// The Cloud Run service.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Service {
    /// Accelerator type as Cloud Run names it, `nvidia-l4`.
    pub gpu: String,
    pub cpu: u32,
    pub memory: Memory,
    pub port: u16,
    pub min_instances: u32,
    pub max_instances: u32,
    /// Requests that one instance takes at a time.
    pub concurrency: u32,
    /// Longest request, at most an hour.
    #[serde(serialize_with = "human")]
    pub request_timeout: Duration,
    /// How long the container may take to answer `/health`; by default sized to the model.
    #[serde(serialize_with = "human_option")]
    pub startup_timeout: Option<Duration>,
    pub access: Access,
    /// Service account that the container runs as; the project's default one when absent.
    pub service_account: Option<String>,
    pub zonal_redundancy: bool,
    pub env: IndexMap<String, String>,
    /// Environment variable → Secret Manager secret.
    pub secrets: IndexMap<String, SecretRef>,
}

impl Service {
    /// Whether vLLM asks callers for a key: it takes it from this variable as from `--api-key`.
    pub fn has_api_key(&self) -> bool {
        self.secrets.contains_key("VLLM_API_KEY")
    }
}

/// Who may call the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Callers need `roles/run.invoker` and a Google ID token.
    Private,
    /// Anyone who knows the URL.
    Public,
}

/// A secret in Secret Manager, written `name` or `name:version`. Never its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretRef {
    pub name: String,
    /// A number, an alias or `latest`.
    pub version: String,
}

/// How the baked image is made.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Image {
    /// Base image with vLLM, pinned by digest by default.
    pub base: String,
    /// Secret that holds the Hugging Face token, for gated models.
    pub hf_token_secret: Option<SecretRef>,
}

/// Cloud Build and Artifact Registry.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Build {
    /// Cloud Build location: a region or `global`. New projects often have no regional quota, `global` does.
    pub location: String,
    /// Machine type; by default by the model's size.
    pub machine: Option<String>,
    /// Disk in GB; by default by the model's size.
    pub disk_gb: Option<u64>,
    /// Longest build; by default by the model's size.
    #[serde(serialize_with = "human_option")]
    pub timeout: Option<Duration>,
    /// Service account that builds run as; the project's default one when absent.
    pub service_account: Option<String>,
    /// Cloud Storage bucket for sources and logs; by default `<project>-llm-deploy`.
    pub bucket: String,
    /// Where builds write their logs.
    pub logs: Logs,
    /// Artifact Registry repository; by default `llm-deploy`.
    pub repository: String,
    /// How many images of each model the cleanup policy keeps.
    pub keep: u32,
    /// Age after which the others are deleted.
    #[serde(serialize_with = "human")]
    pub delete_older_than: Duration,
}

/// Where builds write their logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Logs {
    /// `logs/` in the build bucket, as they come.
    Bucket,
    /// Cloud Logging, some seconds late.
    CloudLogging,
}

/// What differs for a pull request's preview.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Preview {
    pub cpu: u32,
    pub memory: Memory,
    pub max_instances: u32,
    /// How long a preview lives at most.
    #[serde(serialize_with = "human")]
    pub expires: Duration,
    /// Label that a pull request into this file's branch needs to get a preview.
    pub label: Option<String>,
    /// What the previews of pull requests into this file's branch may cost.
    pub limits: Limits,
}

/// Smoke tests: the built-in ones and the user's own.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Smoke {
    /// Deadline of each built-in check.
    #[serde(serialize_with = "human")]
    pub timeout: Duration,
    /// Prompt of the built-in chat checks.
    pub prompt: String,
    pub max_tokens: u32,
    pub checks: Vec<Check>,
}

/// A check that the user wrote: a prompt and what its answer must satisfy (all that are given).
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Check {
    pub name: String,
    pub prompt: String,
    pub system: Option<String>,
    pub max_tokens: u32,
    pub temperature: f64,
    pub contains: Option<String>,
    /// A regular expression in the `regex` crate's syntax, already known to compile.
    pub matches: Option<String>,
    /// A JSON Schema that the whole answer, parsed as JSON, must satisfy; already known to compile.
    pub json_schema: Option<Value>,
    #[serde(serialize_with = "human")]
    pub deadline: Duration,
}

impl Model {
    /// A warning when Google's pages didn't list the region for the accelerator when they were read. No mistake:
    /// regions are added, and Cloud Run itself refuses a wrong one.
    pub fn region_warning(&self, region: &str) -> Option<String> {
        gpu::find(&self.service.gpu)?.check_region(region).err()
    }
}

impl Preview {
    /// CPUs and memory of a preview on this accelerator: with different ones in one file, at least its least.
    pub fn size_on(&self, accelerator: &str) -> (u32, Memory) {
        match gpu::find(accelerator) {
            Some(found) => (self.cpu.max(found.min_cpu()), self.memory.max(found.min_memory)),
            None => (self.cpu, self.memory),
        }
    }
}

/// Durations as people read them: `plan` shows the configuration.
fn human<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&human_duration(*duration))
}

fn human_option<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => human(duration, serializer),
        None => serializer.serialize_none(),
    }
}

impl Serialize for SecretRef {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}:{}", self.name, self.version))
    }
}
