//! Command-line definitions, nothing else.

mod bench;
#[cfg(feature = "demo")]
mod demo;
mod measure;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use bench::{BenchArgs, BenchCommand, ColdStartArgs};
#[cfg(feature = "demo")]
pub use demo::{DemoArgs, DemoEvent, EmulatorArgs};
pub use measure::{Auth, InputArgs, LoadArgs, MeasureArgs, OutputArgs, TargetArgs, VerdictArgs};

macro_rules! exit_codes {
    () => {
        "Exit codes: 0 done · 1 the deployment or a check failed · 2 the input is wrong · 3 a service or the network failed · 130 interrupted"
    };
}

#[cfg(feature = "demo")]
const AFTER_HELP: &str = concat!(
    exit_codes!(),
    "\n\nNo account at hand? `llm-deploy demo` shows the whole job on this machine."
);
#[cfg(not(feature = "demo"))]
const AFTER_HELP: &str = exit_codes!();

/// Turns a push into a verified LLM endpoint on Google Cloud Run GPU.
#[derive(Debug, Parser)]
#[command(
    version,
    about,
    long_about = None,
    after_help = AFTER_HELP
)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Does what the GitHub event asks for: production, preview, clean-up or scheduled test.
    Run(Common),
    /// Shows what would be done, and every setting with its origin; changes nothing.
    Plan(Common),
    /// Builds the image of every model that is not in Artifact Registry yet.
    Build(Common),
    /// Builds, deploys, tests and gives the traffic to the tested revision.
    Deploy(DeployArgs),
    /// Tests the live production services: smoke checks and latency.
    Smoke(Common),
    /// Measures an OpenAI-compatible endpoint: TTFT, ITL, TPOT, E2E, throughput, goodput.
    Bench(Box<BenchArgs>),
    /// Deletes this repository's previews that have expired or, with GITHUB_TOKEN, whose pull request is closed.
    Cleanup(CleanupArgs),
    /// Sets up the Google Cloud project for a repository: APIs, accounts, roles, sign-in, bucket, images, secret.
    Bootstrap(BootstrapArgs),
    /// Looks at credentials, permissions, quota and everything else that a run needs; changes nothing.
    Doctor(Common),
    /// Prints the JSON Schema of llm-deploy.yaml, or of what `bench` writes.
    Schema(SchemaArgs),
    /// Runs the whole job on this machine, against a built-in emulator of Google Cloud, GitHub and Hugging Face.
    #[cfg(feature = "demo")]
    Demo(DemoArgs),
    /// Serves that emulator for other programs until it is stopped.
    #[cfg(feature = "demo")]
    Emulator(EmulatorArgs),
}

/// Options of every command that works on a configuration. Each can be given as an input of the action or in the
/// environment as well; they win over the file.
#[derive(Clone, Debug, Default, Args)]
pub struct Common {
    /// Configuration file, in GitHub Actions one of the checkout [default: llm-deploy.yaml, if it is there].
    #[arg(long, value_name = "FILE", env = "LLM_DEPLOY_CONFIG")]
    pub config: Option<String>,
    /// Hugging Face model, such as Qwen/Qwen3.5-4B.
    #[arg(long, value_name = "ID", env = "LLM_DEPLOY_MODEL")]
    pub model: Option<String>,
    /// Branch, tag or commit of the model [default: main].
    #[arg(long, value_name = "REV", env = "LLM_DEPLOY_MODEL_REVISION")]
    pub model_revision: Option<String>,
    /// Cloud Run service name [default: from the model's name].
    #[arg(long, env = "LLM_DEPLOY_NAME")]
    pub name: Option<String>,
    /// Google Cloud project id.
    #[arg(long, env = "LLM_DEPLOY_PROJECT")]
    pub project: Option<String>,
    /// Google Cloud region, such as europe-west4.
    #[arg(long, env = "LLM_DEPLOY_REGION")]
    pub region: Option<String>,
    /// Workload Identity provider: projects/N/locations/global/workloadIdentityPools/POOL/providers/PROVIDER. Without
    /// it the credentials are those of GOOGLE_APPLICATION_CREDENTIALS, of CLOUDSDK_AUTH_ACCESS_TOKEN, or of this machine.
    #[arg(long, value_name = "NAME", env = "LLM_DEPLOY_WORKLOAD_IDENTITY_PROVIDER")]
    pub workload_identity_provider: Option<String>,
    /// Service account that deploys and that calls private endpoints.
    #[arg(long, value_name = "EMAIL", env = "LLM_DEPLOY_SERVICE_ACCOUNT")]
    pub service_account: Option<String>,
    /// Secret in Secret Manager that holds the Hugging Face token: NAME or NAME:VERSION.
    #[arg(long, value_name = "SECRET", env = "LLM_DEPLOY_HF_TOKEN_SECRET")]
    pub hf_token_secret: Option<String>,
    /// Accelerator [default: nvidia-l4].
    #[arg(long, env = "LLM_DEPLOY_GPU")]
    pub gpu: Option<String>,
    /// vCPUs [default: 8].
    #[arg(long, env = "LLM_DEPLOY_CPU")]
    pub cpu: Option<String>,
    /// Memory [default: 32Gi].
    #[arg(long, env = "LLM_DEPLOY_MEMORY")]
    pub memory: Option<String>,
    /// Context length in tokens [default: 4096].
    #[arg(long, value_name = "TOKENS", env = "LLM_DEPLOY_MAX_MODEL_LEN")]
    pub max_model_len: Option<String>,
    /// Instances that always run [default: 0].
    #[arg(long, value_name = "N", env = "LLM_DEPLOY_MIN_INSTANCES")]
    pub min_instances: Option<String>,
    /// Instances that may run at most [default: 1].
    #[arg(long, value_name = "N", env = "LLM_DEPLOY_MAX_INSTANCES")]
    pub max_instances: Option<String>,
    /// Who may call the endpoint: private or public [default: private].
    #[arg(long, env = "LLM_DEPLOY_ACCESS")]
    pub access: Option<String>,
    /// Base image with vLLM [default: a pinned vllm/vllm-openai].
    #[arg(long, value_name = "IMAGE", env = "LLM_DEPLOY_BASE_IMAGE")]
    pub base_image: Option<String>,
    /// Folder for report.json, report.html, comment.md and summary.md [default: llm-deploy-report in GitHub Actions,
    /// none elsewhere]; `plan` and `build` write none.
    #[arg(long, value_name = "DIR", env = "LLM_DEPLOY_REPORT_DIR")]
    pub report_dir: Option<String>,
    /// Standard output is the result as JSON, and nothing else.
    #[arg(long)]
    pub json: bool,
}

#[derive(Clone, Debug, Args)]
pub struct DeployArgs {
    #[command(flatten)]
    pub common: Common,
    /// Deploys the preview of this pull request instead of production.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub pull_request: Option<u64>,
}

#[derive(Clone, Copy, Debug, Args)]
pub struct SchemaArgs {
    /// Of what.
    #[arg(value_enum, default_value_t = SchemaOf::Config)]
    pub of: SchemaOf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SchemaOf {
    /// llm-deploy.yaml
    Config,
    /// The result of `bench --json`
    Bench,
    /// The result of `bench cold-start --json`
    ColdStart,
}

#[derive(Clone, Debug, Args)]
pub struct CleanupArgs {
    #[command(flatten)]
    pub common: Common,
    /// Deletes the preview of this pull request, whether it has expired or not.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    pub pull_request: Option<u64>,
}

#[derive(Clone, Debug, Default, Args)]
pub struct BootstrapArgs {
    #[command(flatten)]
    pub common: Common,
    /// Repository at GitHub whose jobs may deploy, owner/name [default: GITHUB_REPOSITORY, then the git remote
    /// `origin` of this folder].
    #[arg(long, value_name = "OWNER/NAME")]
    pub repository: Option<String>,
    /// The repository's id, when GitHub's API can't be asked (`gh api repos/OWNER/NAME --jq .id`).
    #[arg(long, value_name = "ID", requires = "owner_id", value_parser = clap::value_parser!(u64).range(1..))]
    pub repository_id: Option<u64>,
    /// The id of the repository's owner (`gh api repos/OWNER/NAME --jq .owner.id`).
    #[arg(long, value_name = "ID", requires = "repository_id", value_parser = clap::value_parser!(u64).range(1..))]
    pub owner_id: Option<u64>,
    /// Does the steps without asking.
    #[arg(long)]
    pub yes: bool,
    /// Shows the steps, each with its gcloud command, and does none.
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Keeps the deploying account for jobs of the default branch, and makes a second one for pull requests, by which they
    /// sign in. A later run without it leaves that as it is.
    #[arg(long)]
    pub protect_production: bool,
    /// Writes .github/workflows/llm.yml, and the service accounts into llm-deploy.yaml; overwrites nothing.
    #[arg(long)]
    pub write: bool,
}

impl Command {
    /// Whether it asks Google, GitHub or Hugging Face at the addresses in its environment.
    pub fn asks_services(&self) -> bool {
        match self {
            Self::Schema(_) => false,
            #[cfg(feature = "demo")]
            Self::Demo(_) | Self::Emulator(_) => false,
            _ => true,
        }
    }

    /// Whether it uses the job's credentials as the checkout's files say, whatever the event is.
    pub fn acts_on_checkout(&self) -> bool {
        match self {
            Self::Build(_)
            | Self::Deploy(_)
            | Self::Smoke(_)
            | Self::Cleanup(_)
            | Self::Bootstrap(_)
            | Self::Doctor(_) => true,
            // `run` and `plan` use no credentials on a fork's event.
            Self::Run(_) | Self::Plan(_) => false,
            // What they use is on the command line alone.
            Self::Bench(_) | Self::Schema(_) => false,
            #[cfg(feature = "demo")]
            Self::Demo(_) | Self::Emulator(_) => false,
        }
    }

    /// Whether standard output belongs to a program that reads JSON.
    pub fn prints_json(&self) -> bool {
        match self {
            Self::Run(common)
            | Self::Plan(common)
            | Self::Build(common)
            | Self::Smoke(common)
            | Self::Doctor(common) => common.json,
            Self::Deploy(args) => args.common.json,
            Self::Cleanup(args) => args.common.json,
            Self::Bootstrap(args) => args.common.json,
            Self::Bench(args) => args.measure.output.to_stdout(),
            Self::Schema(_) => true,
            #[cfg(feature = "demo")]
            Self::Demo(_) | Self::Emulator(_) => false,
        }
    }
}

impl Common {
    /// The settings that go into the configuration, by the action's input names. Actions passes absent inputs as
    /// empty values; those are left out.
    pub fn inputs(&self) -> Vec<(String, String)> {
        [
            ("model", &self.model),
            ("model-revision", &self.model_revision),
            ("name", &self.name),
            ("project", &self.project),
            ("region", &self.region),
            ("hf-token-secret", &self.hf_token_secret),
            ("gpu", &self.gpu),
            ("cpu", &self.cpu),
            ("memory", &self.memory),
            ("max-model-len", &self.max_model_len),
            ("min-instances", &self.min_instances),
            ("max-instances", &self.max_instances),
            ("access", &self.access),
            ("base-image", &self.base_image),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), given(value.as_deref())?.to_owned())))
        .collect()
    }
}

/// A value that is there and not empty.
pub fn given(value: Option<&str>) -> Option<&str> {
    value.map(str::trim).filter(|v| !v.is_empty())
}
