//! Options of `bench` itself.

use std::{path::PathBuf, time::Duration};

use clap::{ArgGroup, Args, ValueEnum, builder::NonEmptyStringValueParser};

use crate::{
    config::latency::{Arrivals, Objective, PrefixCache},
    units::parse_duration,
};

/// Most requests in flight that one process is asked for.
const MOST_CONCURRENT: i64 = 10_000;
/// Requests a second: below it a measurement takes days, above it one process is not enough.
const RATES: std::ops::RangeInclusive<f64> = 0.001..=100_000.0;

/// What is measured, and how. What is not given comes from `latency` in llm-deploy.yaml when that names the
/// endpoint, else from its defaults.
#[derive(Clone, Debug, Default, Args)]
#[command(
    after_help = "Without --url the live production service of llm-deploy.yaml is measured, with its `latency` settings.\n\nEnvironment: LLM_DEPLOY_API_KEY is the key that the server itself asks for (vLLM's --api-key).\n\nExit codes: 0 done · 1 a request failed, an objective was missed, or worse than the baseline with --fail-on-regression · 2 the input is wrong · 3 the endpoint could not be reached, or a file not be written · 130 interrupted",
    group = ArgGroup::new("asked").args(["prompt", "input_tokens", "dataset"]),
    group = ArgGroup::new("end").args(["requests", "duration"]),
)]
pub struct MeasureArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    #[command(flatten)]
    pub load: LoadArgs,
    #[command(flatten)]
    pub input: InputArgs,
    #[command(flatten)]
    pub verdict: VerdictArgs,
    #[command(flatten)]
    pub output: OutputArgs,
}

/// Where the endpoint is and how to get in.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Endpoint")]
pub struct TargetArgs {
    /// Base URL of the endpoint, without /v1.
    #[arg(long, value_name = "URL", value_parser = NonEmptyStringValueParser::new())]
    pub url: Option<String>,
    /// Name that the server serves the model under [default: the only one that /v1/models lists]. Without --url: which
    /// model of llm-deploy.yaml, by id or by name.
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub model: Option<String>,
    /// Credentials of the request. `google`: an ID token for a private Cloud Run service, from the credentials that
    /// every command uses, with the URL as audience [default: as llm-deploy.yaml says; with --url google when a *.run.app
    /// host refuses a request without, else none].
    #[arg(long, value_enum, value_name = "KIND")]
    pub auth: Option<Auth>,
    /// Configuration file that names the endpoint [default: llm-deploy.yaml].
    #[arg(long, value_name = "FILE", env = "LLM_DEPLOY_CONFIG")]
    pub config: Option<String>,
    /// Google Cloud project id of the configured service.
    #[arg(long, env = "LLM_DEPLOY_PROJECT")]
    pub project: Option<String>,
    /// Google Cloud region of the configured service.
    #[arg(long, env = "LLM_DEPLOY_REGION")]
    pub region: Option<String>,
    /// Workload Identity provider to sign in with.
    #[arg(long, value_name = "NAME", env = "LLM_DEPLOY_WORKLOAD_IDENTITY_PROVIDER")]
    pub workload_identity_provider: Option<String>,
    /// Service account that calls the private endpoint.
    #[arg(long, value_name = "EMAIL", env = "LLM_DEPLOY_SERVICE_ACCOUNT")]
    pub service_account: Option<String>,
}

/// How many requests are sent when.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Load")]
pub struct LoadArgs {
    /// Closed loop: requests in flight at once. Several (1,4,16) are measured one after the other [default: 1,4].
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..=MOST_CONCURRENT))]
    pub concurrency: Vec<u32>,
    /// Open loop: requests a second, sent whether the ones before are answered or not; latency counts from when each
    /// was due. Several (2,4,8) are measured one after the other.
    #[arg(long, value_name = "R,…", value_delimiter = ',', allow_negative_numbers = true, value_parser = rate)]
    pub rate: Vec<f64>,
    /// Open loop: most requests in flight; those beyond wait, which is queue delay [default: 4096].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=MOST_CONCURRENT))]
    pub max_concurrency: Option<u32>,
    /// Finds how much the server completes, the latency at rates up to there, and the highest rate that meets the
    /// objectives.
    #[arg(long, conflicts_with_all = ["concurrency", "rate"])]
    pub sweep: bool,
    /// Requests at once that give the server as much work as it can take [default: 256].
    #[arg(long, value_name = "N", requires = "sweep", value_parser = clap::value_parser!(u32).range(1..=MOST_CONCURRENT))]
    pub sweep_concurrency: Option<u32>,
    /// Rates up to saturation, evenly spaced; the highest good one is narrowed down after them [default: 10].
    #[arg(long, value_name = "N", requires = "sweep", value_parser = clap::value_parser!(u32).range(1..=50))]
    pub sweep_steps: Option<u32>,
    /// When an open loop's requests are due [default: poisson].
    #[arg(long, value_enum)]
    pub arrivals: Option<Arrivals>,
    /// Measured requests at each load [default: 20].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub requests: Option<u32>,
    /// Measures each load for so long instead (90s, 5m).
    #[arg(long, value_name = "TIME", value_parser = within::<1, 86_400>)]
    pub duration: Option<Duration>,
    /// The load grows to its full size over this time, which is in no figure [default: 0s].
    #[arg(long, value_name = "TIME", value_parser = within::<0, 3_600>)]
    pub ramp_up: Option<Duration>,
    /// Requests before the measured ones, at each load, in no figure [default: 0].
    #[arg(long, value_name = "N")]
    pub warm_up: Option<u32>,
    /// Makes prompts and arrivals those of an earlier run [default: drawn, and told in the result].
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Deadline of each request [default: 2m].
    #[arg(long, value_name = "TIME", value_parser = within::<1, 3_600>)]
    pub timeout: Option<Duration>,
}

/// What the requests ask.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Input")]
pub struct InputArgs {
    /// Prompt; given several times, they are sent in turn [default: one short question].
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub prompt: Vec<String>,
    /// Made-up prompts of so many tokens.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub input_tokens: Option<u32>,
    /// JSONL with a prompt in each line: `prompt`, `messages`, or ShareGPT's `conversations`.
    #[arg(long, value_name = "FILE")]
    pub dataset: Option<PathBuf>,
    /// tokenizer.json of the model, or its folder; counts tokens where the server has no /tokenize.
    #[arg(long, value_name = "PATH")]
    pub tokenizer: Option<PathBuf>,
    /// Output tokens of each request, exactly where the server takes `ignore_eos` [default: 128].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub output_tokens: Option<u32>,
    /// Whether prompts may profit from the server's prefix cache [default: bust].
    #[arg(long, value_enum)]
    pub prefix_cache: Option<PrefixCache>,
}

/// What is expected of the figures.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Verdict")]
pub struct VerdictArgs {
    /// What must be met at each load, such as ttft-p95=800ms, itl-p99=60ms, goodput=0.99 or error-rate=0.01. May be
    /// given several times.
    #[arg(long = "objective", value_name = "KEY=VALUE", value_parser = objective)]
    pub objectives: Vec<Objective>,
    /// Result of an earlier --json to compare with; the comparison is printed and part of the result.
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Ends with exit code 1 when a figure is worse than the baseline's by more than noise explains.
    #[arg(long)]
    pub fail_on_regression: bool,
}

/// Where the result goes.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// File for the result; `-` is standard output, which then has nothing else. `llm-deploy schema bench` is its schema.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// File for the headline load's figures under the names of `vllm bench serve`.
    #[arg(long, value_name = "FILE")]
    pub vllm_json: Option<PathBuf>,
    /// File for the result as a page with charts.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// File that gets one JSON line for each request while it is measured.
    #[arg(long, value_name = "FILE")]
    pub raw: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Auth {
    /// None but LLM_DEPLOY_API_KEY, if it is set.
    None,
    /// An ID token of Google's.
    Google,
}

impl OutputArgs {
    /// Whether standard output belongs to the result alone.
    pub fn to_stdout(&self) -> bool {
        self.json.as_deref().is_some_and(|path| path.as_os_str() == "-")
    }
}

fn rate(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|rate| RATES.contains(rate))
        .ok_or_else(|| {
            format!(
                "give requests a second, from {} to {}",
                RATES.start(),
                RATES.end()
            )
        })
}

/// A duration from `LEAST` to `MOST` seconds.
fn within<const LEAST: u64, const MOST: u64>(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text)?;
    if (Duration::from_secs(LEAST)..=Duration::from_secs(MOST)).contains(&duration) {
        Ok(duration)
    } else {
        Err(format!("give a duration from {LEAST}s to {MOST}s"))
    }
}

/// `ttft-p95=800ms`, or as in the file `ttft-p95: 800ms`.
fn objective(text: &str) -> Result<Objective, String> {
    let (key, value) = text
        .split_once(['=', ':'])
        .ok_or_else(|| "give KEY=VALUE, such as ttft-p95=800ms".to_owned())?;
    Objective::parse(key, value)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::config::latency::Timing;

    #[derive(Parser)]
    struct Only {
        #[command(flatten)]
        args: MeasureArgs,
    }

    fn parse(line: &str) -> Result<MeasureArgs, clap::Error> {
        let words = std::iter::once("bench").chain(line.split_whitespace());
        Only::try_parse_from(words).map(|only| only.args)
    }

    #[test]
    fn lists_units_and_objectives_are_read() {
        let args = parse(
            "--url http://x --concurrency 1,4 --rate 0.5,8 --duration 90s --objective ttft-p95=1.5s --objective goodput:0.9",
        )
        .unwrap();
        assert_eq!(args.load.concurrency, [1, 4]);
        assert_eq!(args.load.rate, [0.5, 8.0]);
        assert_eq!(args.load.duration, Some(Duration::from_secs(90)));
        assert_eq!(
            args.verdict.objectives,
            [
                Objective::AtMost {
                    timing: Timing::Ttft,
                    percentile: 95.0,
                    milliseconds: 1500.0
                },
                Objective::Goodput { share: 0.9 }
            ]
        );
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (line, said) in [
            ("--concurrency 0", "0"),
            ("--rate inf", "requests a second"),
            ("--rate 0", "requests a second"),
            ("--requests 0", "0"),
            ("--requests 5 --duration 5s", "cannot be used with"),
            ("--sweep --rate 5", "cannot be used with"),
            ("--sweep-steps 5", "--sweep"),
            ("--prompt a --input-tokens 5", "cannot be used with"),
            ("--duration 10", "such as"),
            ("--timeout 2h", "from 1s to 3600s"),
            ("--objective ttft", "KEY=VALUE"),
            ("--objective ttft-p12=1s", "there is no objective"),
            ("--api-key k", "unexpected argument"),
        ] {
            let error = parse(line).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains(said), "{line}: {error}");
        }
    }
}
