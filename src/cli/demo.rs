//! `demo` and `emulator`.

use std::path::PathBuf;

use clap::{
    Args, ValueEnum,
    builder::{NonEmptyStringValueParser, RangedU64ValueParser},
};

#[derive(Clone, Debug, Args)]
pub struct DemoArgs {
    /// GitHub event that starts the job.
    #[arg(long, value_enum, default_value_t = DemoEvent::PullRequest)]
    pub event: DemoEvent,
    /// Command that serves the model for real, such as 'vllm serve …'. It gets the container's arguments and
    /// environment, PORT among them.
    #[arg(long, value_name = "CMD", value_parser = NonEmptyStringValueParser::new())]
    pub serve: Option<String>,
    /// Folder for comment.md, summary.md, report.html and report.json.
    #[arg(long, value_name = "DIR", default_value = "llm-deploy-demo")]
    pub out: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DemoEvent {
    Push,
    #[value(name = "pull_request")]
    PullRequest,
    Closed,
    Schedule,
}

#[derive(Clone, Debug, Args)]
pub struct EmulatorArgs {
    /// File that gets the port once the emulator listens.
    #[arg(long, value_name = "FILE")]
    pub port_file: PathBuf,
    /// File that gets `export` lines for every base URL, a project and a token.
    #[arg(long, value_name = "FILE")]
    pub env_file: PathBuf,
    /// Command that serves each revision; the built-in endpoint when absent.
    #[arg(long, value_name = "CMD", value_parser = NonEmptyStringValueParser::new())]
    pub serve: Option<String>,
    /// The project is as new: no service accounts, pools or secrets, hardly an API on.
    #[arg(long)]
    pub bare: bool,
    /// Faults that requests are to meet: a list in YAML or JSON, each with what the request is `on`, how many to
    /// `skip`, how many `times`, and the `fault` (docs/emulator.md lists them).
    #[arg(long, value_name = "FILE")]
    pub faults: Option<PathBuf>,
    /// Permission of the job's GitHub token, such as `checks=write` or `issues=none`; may be given several times.
    #[arg(long, value_name = "NAME=ACCESS")]
    pub permit: Vec<String>,
    /// File that gets one JSON line for each request.
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// Factor on the pretended delays of builds and imports; 0 for none.
    #[arg(long, value_name = "FACTOR", default_value_t = 1.0, value_parser = pace)]
    pub pace: f64,
    /// Milliseconds to the first token of the built-in endpoint.
    #[arg(long, value_name = "MS", default_value_t = 40, value_parser = milliseconds())]
    pub ttft_ms: u64,
    /// Milliseconds between tokens of the built-in endpoint.
    #[arg(long, value_name = "MS", default_value_t = 8, value_parser = milliseconds())]
    pub gap_ms: u64,
    /// Seconds for which an idle instance is kept.
    #[arg(long, value_name = "S", default_value_t = 600, value_parser = RangedU64ValueParser::<u64>::new().range(1..=86_400))]
    pub idle_seconds: u64,
}

/// A factor on delays: beyond a hundred nothing would ever end, and not every number is a duration.
fn pace(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|factor| (0.0..=100.0).contains(factor))
        .ok_or_else(|| "give a number from 0 to 100".to_owned())
}

/// A stated speed: at most a minute for each token.
fn milliseconds() -> RangedU64ValueParser {
    RangedU64ValueParser::new().range(..=60_000)
}
