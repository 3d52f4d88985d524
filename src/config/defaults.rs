//! Every default, with the reason for its number.

use std::time::Duration;

use crate::units::Memory;

/// vLLM's image for CUDA 12.9, by digest (linux/amd64). The CUDA 12 build runs on both drivers that Cloud
/// Run's pages name for the L4 (535 and 580); the default build of the same release needs CUDA 13.
pub const DEFAULT_BASE_IMAGE: &str =
    "vllm/vllm-openai:v0.28.0-cu129@sha256:50509e700235cea487715cedeb501d20a1cd15fa6a54ce93688284bd0d96995d";

pub const REVISION: &str = "main";

pub const DTYPE: &str = "bfloat16";
pub const GPU_MEMORY_UTILIZATION: f64 = 0.9;
pub const TENSOR_PARALLEL_SIZE: u32 = 1;
/// Tokens. A small context leaves an L4 room for several requests at once.
pub const MAX_MODEL_LEN: u64 = 4096;

pub const GPU: &str = "nvidia-l4";
/// Google's own tutorials give an L4 8 CPU and 32 GiB: loading weights is bound by CPU.
pub const CPU: u32 = 8;
pub const MEMORY: Memory = Memory::gib(32);
pub const PORT: u16 = 8080;
/// Scale to zero: an idle endpoint costs nothing.
pub const MIN_INSTANCES: u32 = 0;
/// Cloud Run checks quota against the maximum, and young projects have 20 vCPU and 40 GiB in a region.
pub const MAX_INSTANCES: u32 = 1;
/// vLLM batches; more than this on one small GPU slows every answer down.
pub const CONCURRENCY: u32 = 32;
/// Cloud Run's own default of 5 minutes cuts long answers off.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(600);

pub const BUILD_LOCATION: &str = "global";
pub const REPOSITORY: &str = "llm-deploy";
/// Names of the accounts that `bootstrap` makes: what the container runs as, and what builds run as.
pub const RUNTIME_ACCOUNT: &str = "llm-runtime";
pub const BUILD_ACCOUNT: &str = "llm-builder";

/// The build bucket of a project.
pub fn bucket(project: &str) -> String {
    format!("{}-llm-deploy", project.replace([':', '.'], "-"))
}

/// The address of a project's account.
pub fn account(name: &str, project: &str) -> String {
    format!("{name}@{}", account_domain(project))
}

/// What follows the `@` in the addresses of a project's accounts. A project of a domain turns its parts around.
pub fn account_domain(project: &str) -> String {
    match project.split_once(':') {
        Some((domain, id)) => format!("{id}.{domain}.iam.gserviceaccount.com"),
        None => format!("{project}.iam.gserviceaccount.com"),
    }
}

pub const KEEP: u32 = 3;
pub const DELETE_OLDER_THAN: Duration = Duration::from_secs(7 * 86_400);

/// Half of production's, so that a preview fits beside it in a young project's quota.
pub const PREVIEW_CPU: u32 = 4;
pub const PREVIEW_MEMORY: Memory = Memory::gib(16);
pub const PREVIEW_MAX_INSTANCES: u32 = 1;
pub const PREVIEW_EXPIRES: Duration = Duration::from_secs(72 * 3600);

/// Half a year of daily runs, in some hundred kilobytes.
pub const HISTORY: u32 = 200;

pub const SMOKE_TIMEOUT: Duration = Duration::from_secs(120);
pub const SMOKE_PROMPT: &str = "What is the capital of France? Answer in one word.";
/// Room for a reasoning model to think before it answers.
pub const SMOKE_MAX_TOKENS: u32 = 256;
pub const CHECK_MAX_TOKENS: u32 = 512;
pub const CHECK_TEMPERATURE: f64 = 0.0;

pub const LATENCY_REQUESTS: u32 = 20;
pub const LATENCY_CONCURRENCY: [u32; 2] = [1, 4];
pub const LATENCY_PROMPT: &str = "Explain in a few sentences how a language model generates text.";
pub const LATENCY_MAX_TOKENS: u32 = 128;
pub const LATENCY_TIMEOUT: Duration = Duration::from_secs(120);
