//! What production has measured is kept in the build bucket, and previews are compared with it.

use llm_deploy_emulator::{
    faults::{Fault, Pattern, Rule},
    seed::DOCUMENTED,
};
use serde_json::{Value, json};

use crate::support::{PROJECT, REGION, World, config, ended};

const SERVICE: &str = "qwen3-5-4b";
const MEASURED: &str = "latency: { requests: 12, concurrency: [1], max-tokens: 4 }";

fn object(world: &World, name: &str) -> Option<String> {
    let bucket = format!("{PROJECT}-llm-deploy");
    let name = format!("history/{REGION}/{name}");
    let found = world.emulator.emulator.storage.get(&bucket, &name)?;
    Some(String::from_utf8(found.to_vec()).unwrap())
}

/// The lines of the history.
fn history(world: &World) -> Vec<Value> {
    let text = object(world, &format!("{SERVICE}.jsonl")).unwrap_or_default();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn baseline(world: &World) -> Value {
    let text = object(world, &format!("{SERVICE}.baseline.json"));
    text.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap())
}

/// Requests that wrote below `history/`.
fn writes(world: &World) -> usize {
    let writes =
        |r: &&Value| r["service"] == "storage" && r["method"] == "POST" && r.to_string().contains("history/");
    world.requests().iter().filter(writes).count()
}

fn run(world: &World, event: &str, id: &str) {
    world.run_with(event, &[("GITHUB_RUN_ID", id)]).expect_code(0);
}

fn with(settings: &str) -> World {
    let world = World::new();
    world.write("llm-deploy.yaml", &config(settings));
    world
}

#[test]
fn each_push_adds_a_line_and_the_last_good_one_is_the_baseline() {
    let world = with(MEASURED);
    run(&world, "push", "41");
    let first = baseline(&world);
    run(&world, "push", "42");
    let lines = history(&world);
    assert_eq!(lines.len(), 2, "{lines:#?}");
    assert!(lines[0]["at"].as_str() < lines[1]["at"].as_str());
    for line in &lines {
        assert_eq!(
            (&line["status"], &line["service"]),
            (&json!("succeeded"), &json!(SERVICE))
        );
        assert!(line["ttft_ms"]["p95"].as_f64().unwrap() >= 2.0);
        assert!(line["run_url"].as_str().unwrap().contains("/actions/runs/4"));
    }
    let second = baseline(&world);
    assert!(second["started_at"].as_str() > first["started_at"].as_str());
    let production = &second["production"];
    let service = world.service(SERVICE).unwrap();
    assert!(
        service["latestReadyRevision"]
            .as_str()
            .unwrap()
            .ends_with(production["revision"].as_str().unwrap())
    );
    assert_eq!(production["instance"]["gpu"], "nvidia-l4");
    assert!(production["base_image"].as_str().unwrap().contains("vllm"));
    assert_eq!(world.report()["models"][0]["trend"].as_array().unwrap().len(), 2);
    assert!(
        world.report()["models"][0]["comparison"]["baseline"]
            .as_str()
            .unwrap()
            .starts_with("production, revision "),
        "a push is compared with production before it"
    );
}

#[test]
fn a_run_that_is_repeated_counts_once_and_one_that_somebody_asked_for_again_anew() {
    let world = with(MEASURED);
    run(&world, "push", "42");
    run(&world, "push", "42");
    assert_eq!(history(&world).len(), 1);
    world
        .run_with("push", &[("GITHUB_RUN_ATTEMPT", "2")])
        .expect_code(0);
    let lines = history(&world);
    assert_eq!(lines.len(), 2);
    assert!(
        lines[1]["run_url"]
            .as_str()
            .unwrap()
            .ends_with("/runs/42/attempts/2")
    );
}

#[test]
fn a_scheduled_run_is_kept_good_or_bad_with_its_cause() {
    let world = with(MEASURED);
    run(&world, "push", "41");
    run(&world, "schedule", "42");
    let good = baseline(&world);
    let failing = "smoke: { checks: [{ name: knows-paris, prompt: 'Capital of France?', contains: 'no model says this' }] }";
    world.write("llm-deploy.yaml", &config(&format!("{failing}\n{MEASURED}")));
    world
        .run_with("schedule", &[("GITHUB_RUN_ID", "43")])
        .expect_code(1);
    let lines = history(&world);
    let statuses: Vec<&Value> = lines.iter().map(|line| &line["status"]).collect();
    assert_eq!(statuses, ["succeeded", "succeeded", "failed"]);
    assert_eq!(lines[2]["stage"], "smoke");
    assert!(
        lines[2]["cause"].as_str().unwrap().contains("knows-paris"),
        "{}",
        lines[2]
    );
    assert_eq!(baseline(&world), good, "a bad run is no baseline");
    assert_eq!(
        good["production"]["base_image"]
            .as_str()
            .map(|b| b.contains("vllm")),
        Some(true)
    );
    assert_eq!(world.report()["models"][0]["trend"].as_array().unwrap().len(), 3);
}

#[test]
fn a_push_that_fails_leaves_history_and_baseline_as_they_are() {
    let world = with(MEASURED);
    run(&world, "push", "41");
    let good = (history(&world), baseline(&world));
    let failing = "engine: { max-model-len: 2048 }\nsmoke: { checks: [{ name: n, prompt: p, contains: 'no model says this' }] }";
    world.write("llm-deploy.yaml", &config(&format!("{failing}\n{MEASURED}")));
    world.run_with("push", &[("GITHUB_RUN_ID", "42")]).expect_code(1);
    assert_eq!((history(&world), baseline(&world)), good);
}

#[test]
fn a_preview_is_compared_with_production_says_so_and_writes_nothing() {
    let sizes = "service: { cpu: 8, memory: 32Gi }\npreview: { cpu: 4, memory: 16Gi }";
    let world = with(&format!("{sizes}\n{MEASURED}"));
    run(&world, "push", "41");
    let before = (history(&world), baseline(&world));
    world.forget_requests();
    run(&world, "pull_request.opened", "42");
    let comparison = world.report()["models"][0]["comparison"].clone();
    let name = comparison["baseline"].as_str().unwrap();
    let revision = before.1["production"]["revision"].as_str().unwrap();
    assert!(
        name.starts_with(&format!("production, revision {revision} of 20")),
        "{name}"
    );
    assert!(
        !comparison["changes"].as_array().unwrap().is_empty(),
        "{comparison:#}"
    );
    let notes = comparison["notes"].to_string();
    assert!(
        notes.contains("8 CPU and 32Gi, this run 4 CPU and 16Gi"),
        "{notes}"
    );
    let comment = world.read("report/comment.md");
    assert!(
        comment.contains(revision) && comment.contains("Against production"),
        "{comment}"
    );
    assert_eq!(
        world.report()["models"][0]["differences"],
        json!([]),
        "nothing was changed"
    );
    assert_eq!(writes(&world), 0);
    assert_eq!((history(&world), baseline(&world)), before);
}

#[test]
fn a_baseline_of_the_configuration_goes_before_productions() {
    let world = with(MEASURED);
    run(&world, "push", "41");
    world.write("mine.json", &baseline(&world).to_string());
    let own = MEASURED.replace("max-tokens: 4", "max-tokens: 4, baseline: mine.json");
    world.write("llm-deploy.yaml", &config(&own));
    run(&world, "pull_request.opened", "42");
    let name = world.report()["models"][0]["comparison"]["baseline"].clone();
    assert!(name.as_str().unwrap().ends_with("mine.json"), "{name}");
}

#[test]
fn a_previews_report_shows_what_the_pull_request_changes_and_without_production_nothing() {
    let world = with(MEASURED);
    run(&world, "pull_request.opened", "40");
    assert_eq!(world.report()["models"][0]["differences"], Value::Null);
    run(&world, "push", "41");
    world.allow("service.env: [NEW]");
    let changed = "engine: { max-model-len: 2048 }\nservice: { env: { NEW: secret-value } }";
    world.write("llm-deploy.yaml", &config(&format!("{changed}\n{MEASURED}")));
    run(&world, "pull_request.synchronize", "42");
    let differences = world.report()["models"][0]["differences"].clone();
    let found: Vec<String> = differences
        .as_array()
        .unwrap()
        .iter()
        .map(|d| format!("{}: {} → {}", d["what"], d["production"], d["preview"]).replace('"', ""))
        .collect();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].starts_with("--max-model-len: ") && found[0].ends_with(" → 2048"),
        "{found:?}"
    );
    assert_eq!(found[1], "variable NEW: not set → set");
}

#[test]
fn a_candidate_that_failed_is_not_taken_for_production() {
    let world = with(MEASURED);
    run(&world, "push", "41");
    let failing = "engine: { max-model-len: 2048 }\nsmoke: { checks: [{ name: n, prompt: p, contains: 'no model says this' }] }";
    world.write("llm-deploy.yaml", &config(&format!("{failing}\n{MEASURED}")));
    world.run_with("push", &[("GITHUB_RUN_ID", "42")]).expect_code(1);
    let fixed = format!("engine: {{ max-model-len: 2048 }}\n{MEASURED}");
    world.write("llm-deploy.yaml", &config(&fixed));
    run(&world, "pull_request.opened", "43");
    let differences = world.report()["models"][0]["differences"].to_string();
    assert!(differences.contains("--max-model-len"), "{differences}");
}

#[test]
fn the_plan_of_a_pull_request_shows_the_difference_and_the_idle_hour() {
    let world = with("service: { min-instances: 1 }");
    run(&world, "push", "41");
    let service = "service: { min-instances: 1 }\nengine: { max-model-len: 2048 }";
    world.write("llm-deploy.yaml", &config(service));
    let (name, payload) = world.event("pull_request.opened");
    world.write("event.json", &payload.to_string());
    let ran = world.actions(&["plan"], &name, &[]);
    ran.expect_code(0);
    assert!(ran.stdout.contains("--max-model-len: "), "{}", ran.stdout);
    assert!(ran.stdout.contains(" in production, 2048 here"), "{}", ran.stdout);
    let ran = world.actions(&["plan", "--json"], &name, &[]);
    let plan: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!(plan["models"][0]["differences"][0]["preview"], "2048");
    assert_eq!(
        plan["models"][0]["idle_cost_usd"], 0.0,
        "a preview scales to zero"
    );
}

#[test]
fn production_that_always_runs_costs_its_idle_hour() {
    let world = with(&format!(
        "service: {{ cpu: 4, memory: 16Gi, min-instances: 2, max-instances: 2 }}\n{MEASURED}"
    ));
    run(&world, "push", "41");
    let model = world.report()["models"][0].clone();
    let [hour, idle] = ["hourly_cost_usd", "idle_cost_usd"].map(|key| model[key].as_f64().unwrap());
    assert!((idle - 2.0 * hour).abs() < 1e-9, "{idle} {hour}");
    run(&world, "schedule", "42");
    assert_eq!(
        world.report()["models"][0]["idle_cost_usd"],
        model["idle_cost_usd"]
    );
}

#[test]
fn without_the_permission_the_run_is_green_with_one_warning_that_names_it() {
    let account = |name: &str| format!("{name}@{PROJECT}.iam.gserviceaccount.com");
    let accounts = format!(
        "build: {{ service-account: {} }}\nservice: {{ service-account: {} }}",
        account("llm-builder"),
        account("llm-runtime")
    );
    let world = with(&format!("{accounts}\n{MEASURED}"));
    world.emulator.emulator.settle(REGION);
    run(&world, "push", "41");
    let writer = DOCUMENTED
        .iter()
        .find(|grant| (grant.account, grant.role) == ("llm-deployer", "roles/storage.objectUser"));
    assert!(world.emulator.emulator.take(writer.unwrap(), REGION));
    let ran = world.run_federated("push", &[("GITHUB_RUN_ID", "42")]);
    ran.expect_code(0);
    let told: Vec<&str> = ran
        .stdout
        .lines()
        .filter(|line| line.contains("storage.objects."))
        .collect();
    assert_eq!(told.len(), 1, "{}", ran.stdout);
    assert!(told[0].contains("roles/storage.objectUser"), "{}", told[0]);
    assert_eq!(history(&world).len(), 1);
}

#[test]
fn without_a_bucket_the_run_is_green_with_one_warning() {
    let world = with(MEASURED);
    run(&world, "push", "41");
    world.write(
        "llm-deploy.yaml",
        &config(&format!("build: {{ bucket: not-there-at-all }}\n{MEASURED}")),
    );
    let ran = world.run_with("push", &[("GITHUB_RUN_ID", "42")]);
    ran.expect_code(0);
    let told: Vec<&str> = ran
        .stdout
        .lines()
        .filter(|line| line.contains("not-there-at-all"))
        .collect();
    assert_eq!(told.len(), 1, "{}", ran.stdout);
    assert!(told[0].contains("no bucket not-there-at-all"), "{}", told[0]);
}

#[test]
fn a_bucket_of_another_project_gets_no_history() {
    let world = with(MEASURED);
    run(&world, "push", "41");
    world
        .emulator
        .emulator
        .storage
        .add_foreign_bucket("somebody-elses");
    world.write(
        "llm-deploy.yaml",
        &config(&format!("build: {{ bucket: somebody-elses }}\n{MEASURED}")),
    );
    world.forget_requests();
    world.run_with("push", &[("GITHUB_RUN_ID", "42")]).expect_code(0);
    assert_eq!(writes(&world), 0);
}

#[test]
fn two_runs_at_once_are_both_in_the_history() {
    let world = with(MEASURED);
    run(&world, "push", "41");
    // The first of the two to write is answered late, so that the other one's write lands in between.
    world.emulator.emulator.faults.add(Rule {
        on: Pattern {
            service: Some("storage".to_owned()),
            id: Some("objects.insert".to_owned()),
            ..Pattern::default()
        },
        skip: 0,
        times: 1,
        fault: Fault::Slow(std::time::Duration::from_millis(500)),
    });
    let (name, payload) = world.event("schedule");
    world.write("event.json", &payload.to_string());
    let start = |id: &str| {
        let mut command = world.actions_command(&["run"], &name, &[("GITHUB_RUN_ID", id)]);
        command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        command.spawn().unwrap()
    };
    let both = [start("42"), start("43")];
    for child in both {
        ended(child).expect_code(0);
    }
    let mut pages: Vec<String> = history(&world)
        .iter()
        .map(|line| {
            line["run_url"]
                .as_str()
                .unwrap()
                .rsplit('/')
                .next()
                .unwrap()
                .to_owned()
        })
        .collect();
    pages.sort();
    assert_eq!(pages, ["41", "42", "43"]);
}

#[test]
fn only_sources_and_logs_are_deleted_by_age() {
    let world = with(MEASURED);
    run(&world, "push", "41");
    let bucket = world
        .get(&format!("/storage/storage/v1/b/{PROJECT}-llm-deploy"))
        .unwrap();
    let condition = &bucket["lifecycle"]["rule"][0]["condition"];
    assert_eq!(condition["matchesPrefix"], json!(["source/", "logs/"]));
    let objects = world
        .get(&format!("/storage/storage/v1/b/{PROJECT}-llm-deploy/o"))
        .unwrap();
    let names: Vec<&str> = objects["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| o["name"].as_str().unwrap())
        .collect();
    let kept = |name: &&&str| !name.starts_with("source/") && !name.starts_with("logs/");
    let kept: Vec<&&str> = names.iter().filter(kept).collect();
    assert_eq!(kept.len(), 2, "{names:?}");
    assert!(kept.iter().all(|name| name.starts_with("history/")), "{names:?}");
}
