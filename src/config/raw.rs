//! `llm-deploy.yaml` as written: everything optional, nothing checked. The JSON Schema comes from these
//! types, and the file is checked against that schema before it is read into them.
//!
//! The doc comments are what an editor shows.

mod latency;
mod limits;
mod schedule;

use std::fmt;

use indexmap::IndexMap;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::Value;

pub use latency::{Latency, Objectives};
pub use limits::{Allow, Limits};
pub use schedule::Schedule;

const DURATION: &str = r"^[0-9]+(ms|s|m|h|d)$";
const MEMORY: &str = r"^[0-9]+(Mi|Gi)$";
const SECRET: &str = r"^[A-Za-z0-9_-]{1,255}(:([0-9]+|latest|[A-Za-z][A-Za-z0-9_-]{0,62}))?$";
const MODEL_ID: &str = r"^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)?$";
const SERVICE_NAME: &str = r"^[a-z]([a-z0-9-]{0,35}[a-z0-9])?$";
const ACCOUNT: &str = r"^[^@\s]+@[^@\s]+\.gserviceaccount\.com$";

/// Settings of llm-deploy. `engine`, `service`, `image`, `smoke` and `latency` at the top are the defaults of
/// every model; a model's own win over them, and the action's inputs win over both.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(title = "llm-deploy.yaml")]
pub struct File {
    /// Google Cloud project id.
    #[schemars(regex(pattern = r"^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$"))]
    pub project: Option<String>,
    /// Region of Cloud Run and Artifact Registry, such as `europe-west4`. It must have the GPU.
    #[schemars(regex(pattern = r"^[a-z]+(-[a-z]+)+[0-9]+$"))]
    pub region: Option<String>,
    /// The model, when there is one: its id at Hugging Face, or a map with its own settings.
    pub model: Option<ModelEntry>,
    /// The models, when there are several; each becomes a service of its own.
    #[schemars(length(min = 1, max = 50))]
    pub models: Option<Vec<ModelEntry>>,
    pub engine: Option<Engine>,
    pub service: Option<Service>,
    pub image: Option<Image>,
    pub smoke: Option<Smoke>,
    pub latency: Option<Latency>,
    pub build: Option<Build>,
    pub preview: Option<Preview>,
    pub schedule: Option<Schedule>,
}

/// A model: its id at Hugging Face, or a map with its own settings.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(untagged)]
pub enum ModelEntry {
    Id(#[schemars(regex(pattern = MODEL_ID))] String),
    Model(Box<Model>),
}

/// Not serde's `untagged`, which would buffer the map and lose how its scalars are written.
impl<'de> Deserialize<'de> for ModelEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntryVisitor;
        impl<'de> Visitor<'de> for EntryVisitor {
            type Value = ModelEntry;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a model's id or a map")
            }

            fn visit_str<E: serde::de::Error>(self, id: &str) -> Result<ModelEntry, E> {
                Ok(ModelEntry::Id(id.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ModelEntry, A::Error> {
                Model::deserialize(MapAccessDeserializer::new(map)).map(|m| ModelEntry::Model(Box::new(m)))
            }
        }
        deserializer.deserialize_any(EntryVisitor)
    }
}

/// A model and what differs for it from the defaults at the top of the file.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Model {
    /// Repository at Hugging Face, such as `Qwen/Qwen3.5-4B`. Needed unless the input `model` gives it.
    #[schemars(regex(pattern = MODEL_ID))]
    pub id: Option<String>,
    /// Name of the Cloud Run service; by default made from the id.
    #[schemars(regex(pattern = SERVICE_NAME))]
    pub name: Option<String>,
    /// Branch, tag or commit at Hugging Face.
    #[schemars(extend("default" = "main"))]
    pub revision: Option<Text>,
    pub engine: Option<Engine>,
    pub service: Option<Service>,
    pub image: Option<Image>,
    pub smoke: Option<Smoke>,
    pub latency: Option<Latency>,
}

/// vLLM's settings. Changing one makes a new revision, never a new image.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Engine {
    /// Number format of weights and activations.
    #[schemars(extend("enum" = ["auto", "half", "float16", "bfloat16", "float", "float32"], "default" = "bfloat16"))]
    pub dtype: Option<String>,
    /// Share of the GPU's memory that vLLM may take.
    #[schemars(range(min = 0.1, max = 1), extend("default" = 0.9))]
    pub gpu_memory_utilization: Option<f64>,
    /// GPUs that the model is split over. Cloud Run has one GPU per instance, so only 1 works there.
    #[schemars(range(min = 1, max = 64), extend("default" = 1))]
    pub tensor_parallel_size: Option<u32>,
    /// Longest prompt and answer together, in tokens.
    #[schemars(range(min = 16, max = 16_777_216), extend("default" = 4096))]
    pub max_model_len: Option<u64>,
    /// vLLM's parser for the model's reasoning, or `none`. By default `qwen3` for Qwen3 models that reason.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_.-]+$"))]
    pub reasoning_parser: Option<String>,
    /// Any other flag of `vllm serve`, without its dashes. `true` gives `--flag`, `false` gives `--no-flag`, a
    /// map is passed as JSON, a list of scalars as repeated values.
    #[schemars(with = "Option<IndexMap<String, Value>>", extend("maxProperties" = 500))]
    pub args: Option<IndexMap<String, Value>>,
}

/// The Cloud Run service.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Service {
    /// Accelerator.
    #[schemars(extend("enum" = ["nvidia-l4", "nvidia-rtx-pro-6000", "nvidia-h100-80gb"], "default" = "nvidia-l4"))]
    pub gpu: Option<String>,
    /// CPUs of an instance. An L4 takes 4, 6 or 8 (default 8), an RTX PRO 6000 20 to 30.
    #[schemars(range(min = 1, max = 64), extend("default" = 8))]
    pub cpu: Option<u32>,
    /// Memory of an instance, such as `32Gi`.
    #[schemars(regex(pattern = MEMORY), extend("default" = "32Gi"))]
    pub memory: Option<String>,
    /// Port that vLLM listens on.
    #[schemars(range(min = 1, max = 65535), extend("default" = 8080))]
    pub port: Option<u16>,
    /// Instances that are kept running; each is billed all the time.
    #[schemars(range(min = 0, max = 1000), extend("default" = 0))]
    pub min_instances: Option<u32>,
    /// Instances that may run at once; the project's quota must cover them.
    #[schemars(range(min = 1, max = 1000), extend("default" = 1))]
    pub max_instances: Option<u32>,
    /// Requests that one instance takes at a time.
    #[schemars(range(min = 1, max = 1000), extend("default" = 32))]
    pub concurrency: Option<u32>,
    /// Longest request, at most an hour.
    #[schemars(regex(pattern = DURATION), extend("default" = "10m"))]
    pub request_timeout: Option<String>,
    /// How long the container may take until `/health` answers, up to `30m`; by default by the model's size and the CPUs.
    #[schemars(regex(pattern = DURATION))]
    pub startup_timeout: Option<String>,
    /// Who may call the endpoint: `private` asks for `roles/run.invoker`, `public` is open to anyone.
    #[schemars(extend("enum" = ["private", "public"], "default" = "private"))]
    pub access: Option<String>,
    /// Service account that the container runs as; the project's default one when absent.
    #[schemars(regex(pattern = ACCOUNT))]
    pub service_account: Option<String>,
    /// Reserve GPU capacity in a second zone. It costs more and needs a quota of its own.
    #[schemars(extend("default" = false))]
    pub zonal_redundancy: Option<bool>,
    /// Environment variables. No secrets: those go under `secrets`.
    #[schemars(extend("maxProperties" = 500))]
    pub env: Option<IndexMap<String, Text>>,
    /// Environment variable to secret in Secret Manager, `name` or `name:version`.
    #[schemars(extend("maxProperties" = 500))]
    pub secrets: Option<IndexMap<String, SecretText>>,
}

/// The image with the weights in it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Image {
    /// Image with vLLM that the weights are added to; a digest makes builds repeatable.
    pub base: Option<String>,
    /// Secret in Secret Manager with the Hugging Face token, for gated models: `name` or `name:version`.
    #[schemars(regex(pattern = SECRET))]
    pub hf_token_secret: Option<String>,
}

/// What must work before traffic moves.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Smoke {
    /// Deadline of each check.
    #[schemars(regex(pattern = DURATION), extend("default" = "2m"))]
    pub timeout: Option<String>,
    /// Prompt of the built-in chat checks.
    #[schemars(length(min = 1, max = 20000))]
    pub prompt: Option<String>,
    /// Output tokens of the built-in chat checks.
    #[schemars(range(min = 1, max = 100_000), extend("default" = 256))]
    pub max_tokens: Option<u32>,
    /// Checks of your own.
    #[schemars(length(max = 100))]
    pub checks: Option<Vec<Check>>,
}

/// A prompt and what its answer must satisfy: at least one of `contains`, `matches` and `json-schema`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(extend("required" = ["prompt"]))]
pub struct Check {
    /// Name in the report; by default `check 1`, `check 2` …
    #[schemars(length(min = 1, max = 80))]
    pub name: Option<String>,
    #[schemars(length(min = 1, max = 20000))]
    pub prompt: Option<String>,
    /// System message.
    #[schemars(length(min = 1, max = 20000))]
    pub system: Option<String>,
    #[schemars(range(min = 1, max = 100_000), extend("default" = 512))]
    pub max_tokens: Option<u32>,
    #[schemars(range(min = 0, max = 2), extend("default" = 0))]
    pub temperature: Option<f64>,
    /// Text that the answer must contain.
    #[schemars(length(min = 1, max = 20000))]
    pub contains: Option<String>,
    /// Regular expression that must match somewhere in the answer (syntax of Rust's `regex`).
    #[schemars(length(min = 1, max = 2000))]
    pub matches: Option<String>,
    /// JSON Schema that the whole answer, read as JSON, must satisfy.
    #[schemars(with = "Option<IndexMap<String, Value>>")]
    pub json_schema: Option<Value>,
    /// By default `smoke.timeout`.
    #[schemars(regex(pattern = DURATION))]
    pub deadline: Option<String>,
}

/// Cloud Build and Artifact Registry.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Build {
    /// Where builds run: `global` or a region. New projects often have no quota in a region.
    #[schemars(regex(pattern = r"^(global|[a-z]+(-[a-z]+)+[0-9]+)$"), extend("default" = "global"))]
    pub location: Option<String>,
    /// Machine type; by default by the model's size.
    #[schemars(extend("enum" = ["E2_MEDIUM", "E2_STANDARD_2", "E2_HIGHCPU_8", "E2_HIGHCPU_32", "N1_HIGHCPU_8", "N1_HIGHCPU_32"]))]
    pub machine: Option<String>,
    /// Disk in GB; by default by the model's size.
    #[schemars(range(min = 10, max = 4000))]
    pub disk_gb: Option<u64>,
    /// Longest build, at most 24 hours; by default by the model's size.
    #[schemars(regex(pattern = DURATION))]
    pub timeout: Option<String>,
    /// Service account that builds run as.
    #[schemars(regex(pattern = ACCOUNT))]
    pub service_account: Option<String>,
    /// Cloud Storage bucket for sources and logs; by default `<project>-llm-deploy`.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$"))]
    pub bucket: Option<String>,
    /// Where builds write their logs: `bucket`, or `cloud-logging` where buckets are restricted.
    #[schemars(extend("enum" = ["bucket", "cloud-logging"], "default" = "bucket"))]
    pub logs: Option<String>,
    /// Artifact Registry repository.
    #[schemars(regex(pattern = r"^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$"), extend("default" = "llm-deploy"))]
    pub repository: Option<String>,
    /// Images of each model that are kept, for rolling back.
    #[schemars(range(min = 1, max = 100), extend("default" = 3))]
    pub keep: Option<u32>,
    /// Age after which the others are deleted.
    #[schemars(regex(pattern = DURATION), extend("default" = "7d"))]
    pub delete_older_than: Option<String>,
}

/// What differs for a pull request's preview.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Preview {
    /// CPUs of an instance; the default is the least that the GPU allows.
    #[schemars(range(min = 1, max = 64), extend("default" = 4))]
    pub cpu: Option<u32>,
    /// Memory of an instance; the default is the least that the GPU allows.
    #[schemars(regex(pattern = MEMORY), extend("default" = "16Gi"))]
    pub memory: Option<String>,
    /// Instances of a preview that may run at once.
    #[schemars(range(min = 1, max = 100), extend("default" = 1))]
    pub max_instances: Option<u32>,
    /// How long a preview lives at most, from `1h` to `30d`.
    #[schemars(regex(pattern = DURATION), extend("default" = "72h"))]
    pub expires: Option<String>,
    /// Only pull requests with this label get a preview; without the key all do. Read from the file of the pull
    /// request's base branch.
    #[schemars(length(min = 1, max = 50))]
    pub label: Option<String>,
    pub limits: Option<Limits>,
}

/// Text that may look like a number or a boolean: it is taken as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct Text(pub String);

impl JsonSchema for Text {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Text".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

/// A secret's name, never its value.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct SecretText(pub String);

impl JsonSchema for SecretText {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "Secret in Secret Manager: `name` or `name:version`. Never the value itself.",
            "pattern": SECRET,
        })
    }
}
