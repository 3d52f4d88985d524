//! No secret of a run reaches a log, a comment, a file, a request where it doesn't belong, or the image's context.

use std::io::Read;

use llm_deploy_emulator::{Call, hugging_face, tokens::Kind};

use crate::{
    api_key,
    support::{PROJECT, Ran, World, config, found_below},
};

/// A secret with the services that get it in a request's `Authorization` or `X-Serverless-Authorization`.
struct Secret {
    what: &'static str,
    value: String,
    belongs_to: &'static [&'static str],
}

const GOOGLE: &[&str] = &[
    "run",
    "cloudbuild",
    "artifactregistry",
    "storage",
    "secretmanager",
    "serviceusage",
    "iam",
    "iamcredentials",
    "logging",
    "monitoring",
    "cloudresourcemanager",
    "cloudquotas",
];
const GATED: &str = "google/gemma-3-4b-it";
const RUNNER: &str = "runner-request-token-2718281828";

#[test]
fn no_secret_is_found_anywhere_after_a_full_run() {
    let world = api_key::guarded();
    let text = config(
        "image: { hf-token-secret: hf-token }\nservice: { secrets: { VLLM_API_KEY: vllm-key } }\nlatency: { requests: 1, concurrency: [1], max-tokens: 2 }",
    );
    world.write("llm-deploy.yaml", &text.replace("Qwen/Qwen3.5-4B", GATED));
    world.emulator.emulator.recorder.keep();
    let ran = run(&world, api_key::KEY);
    ran.expect_code(0);
    let secrets = secrets(&world, api_key::KEY);
    for kind in ["OIDC token", "federated token", "access token", "ID token"] {
        assert!(secrets.iter().any(|s| s.what == kind), "no {kind} was minted");
    }
    hunt(&world, &ran, &secrets);
    let kept = world.emulator.emulator.recorder.kept();
    let build = kept
        .iter()
        .find(|(_, call)| call.id == "cloudbuild.projects.locations.builds.create");
    assert!(
        build.is_some_and(|(_, call)| call.json["availableSecrets"].is_object()),
        "the build's request was looked at"
    );
    assert!(
        kept.iter().any(|(service, _)| service == "endpoint"),
        "the checks were looked at"
    );
    assert!(
        stored(&world)
            .iter()
            .any(|(name, text)| name.starts_with("source/") && text.contains("Dockerfile"))
    );
    assert!(
        stored(&world)
            .iter()
            .any(|(name, text)| name.contains("log-") && !text.is_empty())
    );
}

#[test]
fn no_secret_is_found_anywhere_after_a_failed_run() {
    let world = api_key::guarded();
    world.emulator.emulator.recorder.keep();
    let ran = run(&world, "sk-not-the-right-key");
    ran.expect_code(1);
    assert!(
        ran.stdout.contains("LLM_DEPLOY_API_KEY"),
        "the check failed for the key: {}",
        ran.stdout
    );
    hunt(&world, &ran, &secrets(&world, "sk-not-the-right-key"));
}

fn run(world: &World, api_key: &str) -> Ran {
    let more = [("LLM_DEPLOY_API_KEY", api_key), ("HF_TOKEN", hugging_face::TOKEN)];
    world.run_federated("pull_request.opened", &more)
}

/// Every secret of a run by federation: what it was given, and what was minted for it.
fn secrets(world: &World, api_key: &str) -> Vec<Secret> {
    let emulator = &world.emulator.emulator;
    let secret = |what, value: &str, belongs_to| Secret {
        what,
        value: value.to_owned(),
        belongs_to,
    };
    let mut secrets = vec![
        secret("HF_TOKEN", hugging_face::TOKEN, &["hf"]),
        secret("GITHUB_TOKEN", emulator.tokens.github(), &["github"]),
        secret("the request token", emulator.tokens.oidc_request(), &["oidc"]),
        secret("LLM_DEPLOY_API_KEY", api_key, &["endpoint"]),
    ];
    for minted in emulator.tokens.minted() {
        if minted.token == emulator.tokens.ready() {
            continue;
        }
        let (what, belongs_to) = match minted.kind {
            Kind::Oidc => ("OIDC token", &[] as &[_]),
            Kind::Federated => ("federated token", &["iamcredentials"] as &[_]),
            Kind::Access => ("access token", GOOGLE),
            Kind::Id => ("ID token", &["endpoint"] as &[_]),
        };
        secrets.push(secret(what, &minted.token, belongs_to));
    }
    secrets
}

/// Looks for each secret in all that the run has left behind and has sent.
fn hunt(world: &World, ran: &Ran, secrets: &[Secret]) {
    let mut places = vec![
        ("standard output".to_owned(), ran.stdout.clone()),
        ("standard error".to_owned(), ran.stderr.clone()),
    ];
    places.extend(world.comments().into_iter().map(|c| ("a comment".to_owned(), c)));
    places.extend(stored(world));
    let requests = world.emulator.emulator.recorder.kept();
    assert!(requests.len() > 20, "the requests were kept");
    for Secret {
        what,
        value,
        belongs_to,
    } in secrets
    {
        let masked = ran.masked.iter().filter(|m| *m == value).count();
        assert_eq!(masked, 1, "{what} was masked {masked} times");
        for (place, text) in &places {
            assert!(!text.contains(value), "{what} in {place}");
        }
        let files = found_below(world.folder.path(), value);
        assert!(files.is_empty(), "{what} in {files:?}");
        for (service, call) in &requests {
            let misplaced = misplaced(service, call, value, belongs_to);
            assert!(
                misplaced.is_none(),
                "{what} in {} of {service} {} {}",
                misplaced.unwrap(),
                call.method,
                call.path
            );
        }
    }
}

/// Where a request holds a secret that doesn't belong there.
fn misplaced(service: &str, call: &Call, secret: &str, belongs_to: &[&str]) -> Option<String> {
    let query = |(name, value): &(String, String)| name.contains(secret) || value.contains(secret);
    if call.path.contains(secret) || call.query.iter().any(query) {
        return Some("the URL".to_owned());
    }
    for (name, value) in &call.headers {
        let for_it = ["authorization", "x-serverless-authorization"].contains(&name.as_str());
        let holds = String::from_utf8_lossy(value.as_bytes()).contains(secret);
        if holds && !(for_it && belongs_to.contains(&service)) {
            return Some(format!("the header {name}"));
        }
    }
    let body = if service == "sts" {
        let mut json = call.json.clone();
        json["subjectToken"] = serde_json::Value::Null;
        json.to_string()
    } else {
        String::from_utf8_lossy(&call.body).into_owned()
    };
    body.contains(secret).then(|| "the body".to_owned())
}

/// Names and contents of what lies in the bucket: build contexts, unpacked, and build logs.
fn stored(world: &World) -> Vec<(String, String)> {
    let bucket = format!("{PROJECT}-llm-deploy");
    let list = world.get(&format!("/storage/storage/v1/b/{bucket}/o")).unwrap();
    let names = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|o| o["name"].as_str().unwrap());
    let object = |name: &str| world.emulator.emulator.storage.get(&bucket, name).unwrap();
    names
        .map(|name| {
            let bytes = object(name);
            let text = if name.starts_with("source/") {
                unpacked(&bytes)
            } else {
                String::from_utf8_lossy(&bytes).into_owned()
            };
            (name.to_owned(), text)
        })
        .collect()
}

fn unpacked(archive: &[u8]) -> String {
    let mut text = String::new();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(archive));
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        text.push_str(&entry.path().unwrap().display().to_string());
        entry.read_to_string(&mut text).unwrap();
    }
    text
}

#[test]
fn secrets_are_masked_on_standard_error_where_standard_output_is_json() {
    let world = World::new();
    let variables = [
        ("HF_TOKEN", hugging_face::TOKEN),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", RUNNER),
    ];
    let (name, payload) = world.event("push");
    world.write("event.json", &payload.to_string());
    let output = world
        .actions_command(&["plan", "--json"], &name, &variables)
        .output()
        .unwrap();
    serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    for secret in [
        hugging_face::TOKEN,
        RUNNER,
        world.emulator.emulator.tokens.ready(),
    ] {
        assert_eq!(log.matches(secret).count(), 1, "{log}");
        assert!(log.contains(&format!("::add-mask::{secret}\n")), "{log}");
    }
}

#[test]
fn outside_of_actions_no_secret_is_printed_to_be_hidden() {
    let world = World::new();
    let output = world
        .command(&["plan"])
        .env("HF_TOKEN", hugging_face::TOKEN)
        .output()
        .unwrap();
    assert!(output.status.success());
    for stream in [output.stdout, output.stderr] {
        let text = String::from_utf8(stream).unwrap();
        assert!(
            !text.contains("add-mask") && !text.contains(hugging_face::TOKEN),
            "{text}"
        );
    }
}
