//! `bench` measures an endpoint for people, and for scripts that read its files.

use std::{
    net::TcpListener,
    process::{Command, Stdio},
    time::Duration,
};

use llm_deploy::bench::record::Record;
use llm_deploy_emulator::{
    Speed,
    endpoint::{StandIn, serve},
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::support::{Ran, World, config, ended, ran};

const MODEL: &str = "Qwen/Qwen3.5-4B";

/// A served model beside an otherwise empty folder.
struct Served {
    world: World,
    url: String,
    stop: CancellationToken,
}

impl Served {
    fn new() -> Self {
        Self::at(Speed {
            ttft: Duration::from_millis(2),
            gap: Duration::ZERO,
        })
    }

    fn at(speed: Speed) -> Self {
        let world = World::new();
        std::fs::remove_file(world.path("llm-deploy.yaml")).unwrap();
        let stop = CancellationToken::new();
        let stand_in = StandIn {
            speed,
            args: vec!["--model".to_owned(), MODEL.to_owned()],
            ..StandIn::default()
        };
        let url = world.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let url = format!("http://{}", listener.local_addr().unwrap());
            tokio::spawn(serve(stand_in, listener, |_| (), stop.clone()));
            url
        });
        Self { world, url, stop }
    }

    fn command(&self, more: &str) -> Command {
        let mut arguments = vec!["bench", "--url", self.url.as_str()];
        arguments.extend(more.split_whitespace());
        self.world.command(&arguments)
    }

    fn bench(&self, more: &str) -> Ran {
        ran(self.command(more))
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[test]
fn the_plain_form_writes_the_figures_that_scripts_read() {
    let served = Served::new();
    let form = format!("--model {MODEL} --concurrency 2 --requests 6 --output-tokens 4 --json out.json");
    let shown = served.bench(&form);
    shown.expect_code(0);
    let file = served.world.json("out.json");
    for time in ["ttft_ms", "itl_ms", "e2e_ms"] {
        for percentile in ["p50", "p90", "p95", "p99"] {
            assert!(
                file[time][percentile].as_f64().unwrap() >= 0.0,
                "{time}.{percentile}"
            );
        }
    }
    assert_eq!(file["requests"], 6);
    assert_eq!(file["errors"], 0);
    assert_eq!(file["output_tokens"], 24);
    assert_eq!(file["model"], MODEL);
    for part in ["2 at a time: 6 requests", "TTFT", "ITL", "E2E", "p95"] {
        assert!(shown.stdout.contains(part), "no `{part}` in:\n{}", shown.stdout);
    }
    let validator = jsonschema::validator_for(&schema(&served.world)).unwrap();
    let wrong: Vec<String> = validator.iter_errors(&file).map(|e| e.to_string()).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// As the command prints it, which is as it is published.
fn schema(world: &World) -> Value {
    let printed = ran(world.command(&["schema", "bench"]))
        .expect_code(0)
        .stdout
        .clone();
    let committed = concat!(env!("CARGO_MANIFEST_DIR"), "/schema/bench.schema.json");
    assert_eq!(printed, std::fs::read_to_string(committed).unwrap());
    serde_json::from_str(&printed).unwrap()
}

#[test]
fn every_request_is_a_line_of_the_raw_file_and_vllms_names_have_the_figures() {
    let served = Served::new();
    let form = "--concurrency 2 --requests 5 --output-tokens 3 --raw raw.jsonl --vllm-json vllm.json --html page.html --json -";
    let shown = served.bench(form);
    let result: Value = serde_json::from_str(&shown.expect_code(0).stdout).unwrap();
    assert_eq!(result["model"], MODEL, "the only one that is listed");
    let lines = served.world.read("raw.jsonl");
    let records: Vec<Record> = lines.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let measured: Vec<&Record> = records.iter().filter(|r| r.measured).collect();
    assert_eq!(measured.len(), 5);
    assert!(
        measured
            .iter()
            .all(|r| r.ttft_ms.is_some() && r.output_tokens == 3)
    );
    assert!(served.world.read("page.html").contains("<svg"));
    let vllm = served.world.json("vllm.json");
    assert_eq!(vllm["completed"], 5);
    assert_eq!(vllm["total_output_tokens"], 15);
    assert_eq!(vllm["median_ttft_ms"], result["ttft_ms"]["p50"]);
}

#[test]
fn a_missed_objective_ends_with_1_and_is_told_and_a_met_one_with_0() {
    let served = Served::new();
    let form = "--concurrency 1 --requests 3 --output-tokens 2 --json out.json --objective";
    served.bench(&format!("{form} e2e-p50=1h")).expect_code(2);
    served.bench(&format!("{form} e2e-p50=60s")).expect_code(0);
    let missed = served.bench(&format!("{form} ttft-p50=0.01ms"));
    missed.expect_code(1);
    assert!(
        missed.stderr.contains("missed ttft-p50: 0.01ms"),
        "{}",
        missed.stderr
    );
    assert!(missed.stdout.contains("✘ ttft-p50"), "{}", missed.stdout);
    assert_eq!(served.world.json("out.json")["objectives_met"], false);
}

#[test]
fn a_model_that_the_server_refuses_ends_with_1_and_its_words() {
    let served = Served::new();
    let refused = served.bench("--model other --concurrency 1 --requests 3 --json out.json");
    refused.expect_code(1);
    assert!(
        refused.stderr.contains(MODEL),
        "what it lists: {}",
        refused.stderr
    );
    assert!(refused.stdout.contains("404"), "{}", refused.stdout);
    let file = served.world.json("out.json");
    assert_eq!(file["ttft_ms"], Value::Null);
    assert!(file["errors"].as_u64().unwrap() > 0);
}

#[test]
fn a_baseline_is_compared_with_and_what_is_none_is_refused() {
    let served = Served::new();
    let form = "--concurrency 1 --requests 4 --output-tokens 2";
    served.bench(&format!("{form} --json one.json")).expect_code(0);
    let compared = served.bench(&format!("{form} --baseline one.json --json two.json"));
    assert!(
        compared
            .expect_code(0)
            .stdout
            .contains("Compared with the baseline\n  one.json"),
        "{}",
        compared.stdout
    );
    assert_eq!(
        served.world.json("two.json")["comparison"]["baseline"],
        "one.json"
    );
    served.world.write("three.json", r#"{"schema_version": 999}"#);
    let newer = served.bench(&format!("{form} --baseline three.json"));
    newer.expect_code(2);
    assert!(newer.stderr.contains("newer llm-deploy"), "{}", newer.stderr);
}

#[test]
fn without_an_endpoint_there_is_nothing_to_measure() {
    let world = World::new();
    std::fs::remove_file(world.path("llm-deploy.yaml")).unwrap();
    let refused = ran(world.command(&["bench", "--model", "m"]));
    refused.expect_code(2);
    assert!(refused.stderr.contains("--url"), "{}", refused.stderr);
}

#[test]
fn wrong_options_end_with_2_before_anything_is_sent() {
    let served = Served::new();
    for wrong in [
        "--concurrency 0",
        "--objective ttft=1s",
        "--requests 3 --duration 3s",
        "--json no/such/folder/out.json",
        "--raw no/such/folder/raw.jsonl",
        "--baseline no-such-file.json",
        "--fail-on-regression",
    ] {
        let refused = served.bench(wrong);
        refused.expect_code(2);
        assert!(!refused.stderr.is_empty(), "{wrong}");
    }
}

#[test]
fn an_endpoint_that_is_not_there_ends_with_3() {
    let world = World::new();
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let url = format!("http://127.0.0.1:{port}");
    let form = ["bench", "--url", &url, "--model", "m", "--json", "out.json"];
    let gone = ran(world.command(&form));
    gone.expect_code(3);
    assert!(gone.stderr.contains(&url), "{}", gone.stderr);
    assert!(!world.path("out.json").exists());
}

#[test]
fn ctrl_c_ends_with_130_and_leaves_no_half_result() {
    let served = Served::at(Speed {
        ttft: Duration::from_millis(5),
        gap: Duration::from_millis(5),
    });
    let mut command = served
        .command("--concurrency 2 --requests 1000000 --output-tokens 3 --json out.json --raw raw.jsonl");
    let run = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    served.world.wait_until("requests under way", || {
        // Made when everything was found to be right.
        served.world.path("raw.jsonl").exists()
    });
    let signalled = Command::new("kill")
        .args(["-INT", &run.id().to_string()])
        .status();
    assert!(signalled.unwrap().success());
    ended(run).expect_code(130);
    let left: Vec<String> = std::fs::read_dir(served.world.folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("out.json"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    let raw = served.world.read("raw.jsonl");
    assert!(
        raw.lines().all(|l| serde_json::from_str::<Record>(l).is_ok()),
        "{raw}"
    );
}

#[test]
fn without_a_url_the_live_service_of_the_configuration_is_measured() {
    let world = World::new();
    world.run("push").expect_code(0);
    world.write(
        "llm-deploy.yaml",
        &config("latency: { requests: 3, concurrency: [1], max-tokens: 4 }"),
    );
    let shown = ran(world.command(&["bench", "--json", "out.json", "--requests", "2"]));
    shown.expect_code(0);
    let file = world.json("out.json");
    assert_eq!(file["requests"], 2, "the option wins");
    assert_eq!(file["output_tokens"], 8, "the setting stays");
    assert_eq!(file["model"], MODEL);
}
