//! All of the smoke tests against scripted servers.

use std::sync::Mutex;

use indexmap::IndexMap;
use serde_json::json;

use super::*;
use crate::{
    config::{Access, Check, Engine, Image, Latency, Model, Places, Service, Smoke},
    endpoint::testing::{Script, Server, answer, completion, json as json_answer, sse, stream_of, token},
    units::Memory,
};

const TOKEN: &str = "s3cret-t0ken";

fn model(checks: Vec<Check>) -> Model {
    Model {
        name: "qwen".to_owned(),
        id: "Qwen/Qwen3.5-4B".to_owned(),
        revision: "main".to_owned(),
        engine: Engine {
            dtype: "bfloat16".to_owned(),
            gpu_memory_utilization: 0.9,
            tensor_parallel_size: 1,
            max_model_len: 4096,
            reasoning_parser: None,
            args: IndexMap::new(),
        },
        service: Service {
            gpu: "nvidia-l4".to_owned(),
            cpu: 8,
            memory: Memory::gib(32),
            port: 8080,
            min_instances: 0,
            max_instances: 1,
            concurrency: 8,
            request_timeout: Duration::from_secs(300),
            startup_timeout: Some(Duration::from_secs(20)),
            access: Access::Private,
            service_account: None,
            zonal_redundancy: false,
            env: IndexMap::new(),
            secrets: IndexMap::new(),
        },
        image: Image {
            base: "vllm/vllm-openai".to_owned(),
            hf_token_secret: None,
        },
        smoke: Smoke {
            timeout: Duration::from_secs(20),
            prompt: "Say hello.".to_owned(),
            max_tokens: 16,
            checks,
        },
        latency: Latency::default(),
        places: Places::default(),
    }
}

fn own(name: &str, prompt: &str) -> Check {
    Check {
        name: name.to_owned(),
        prompt: prompt.to_owned(),
        system: Some("Be brief.".to_owned()),
        max_tokens: 32,
        temperature: 0.0,
        contains: None,
        matches: None,
        json_schema: None,
        deadline: Duration::from_secs(20),
    }
}

/// A private service that works.
fn good(request: &str) -> Script {
    if !request.contains(&format!("Bearer {TOKEN}")) {
        return answer(
            "403 Forbidden",
            "text/html",
            "<html><title>403 Forbidden</title></html>",
        );
    }
    match request {
        r if r.starts_with("GET /health ") => answer("200 OK", "text/plain", ""),
        r if r.starts_with("GET /v1/models ") => {
            json_answer(r#"{"object":"list","data":[{"id":"Qwen/Qwen3.5-4B","max_model_len":4096}]}"#)
        }
        r if r.contains(r#""stream":true"#) => stream_of(&["Hello", "!"], "stop", 3),
        r if r.contains("city") => completion("```json\n{\"city\":\"Paris\"}\n```", "stop"),
        _ => completion("Hello!", "stop"),
    }
}

fn startup(model: &Model) -> Duration {
    model.service.startup_timeout.unwrap()
}

async fn smoke(model: &Model, script: impl Fn(&str) -> Script + Send + Sync + 'static) -> (Smoked, Server) {
    let server = Server::start(script).await;
    let smoked = run(
        &server.endpoint(Some(TOKEN)),
        model,
        true,
        startup(model),
        &|_| (),
    )
    .await;
    (smoked, server)
}

/// The outcomes as a reader would see them, without what varies.
fn shown(smoked: &Smoked, server: &Server) -> String {
    let mut out = String::new();
    for check in &smoked.checks {
        out.push_str(&format!(
            "{} {}: {}\n",
            if check.passed { "ok" } else { "FAILED" },
            check.name,
            check.detail
        ));
        for (label, text) in [
            ("sent", &check.sent),
            ("received", &check.received),
            ("hint", &check.hint),
        ] {
            if let Some(text) = text {
                out.push_str(&format!("   {label}: {text}\n"));
            }
        }
    }
    assert!(!out.contains(TOKEN), "no credentials in a report");
    let out = out.replace(server.url.as_str(), "https://m/");
    let times = regex::Regex::new(r"\d+ ms|\d+\.\d s").unwrap();
    let tries = regex::Regex::new(r"\d+ tries").unwrap();
    tries
        .replace_all(&times.replace_all(&out, "N ms"), "N tries")
        .into_owned()
}

#[tokio::test]
async fn a_service_that_works_passes_every_check_in_order() {
    let mut city = own("city", "A city as JSON");
    city.json_schema = Some(json!({"type": "object", "required": ["city"]}));
    let (smoked, server) = smoke(&model(vec![city, own("greeting", "Hi")]), good).await;
    insta::assert_snapshot!(shown(&smoked, &server));
    let cold = smoked.cold_start.unwrap();
    assert!(cold.ttft_ms > 0.0 && cold.e2e_ms >= cold.ttft_ms);
    let order: Vec<_> = server
        .seen()
        .iter()
        .map(|r| r.lines().next().unwrap().split(' ').nth(1).unwrap().to_owned())
        .collect();
    let chat = "/v1/chat/completions";
    assert_eq!(
        order,
        ["/health", "/v1/models", chat, chat, chat, "/health", chat, chat]
    );
    let last = server.seen().pop().unwrap();
    assert!(
        last.contains(r#"{"role":"system","content":"Be brief."},{"role":"user","content":"Hi"}"#),
        "{last}"
    );
}

#[tokio::test]
async fn failing_checks_explain_themselves_and_the_later_ones_still_run() {
    let mut greeting = own("greeting", "Hi");
    greeting.contains = Some("Bonjour".to_owned());
    let (smoked, server) = smoke(&model(vec![greeting]), |request| match request {
        r if r.starts_with("GET /health ") => answer("200 OK", "text/plain", ""),
        r if r.starts_with("GET /v1/models ") => json_answer(r#"{"data":[{"id":"other/model"}]}"#),
        r if r.contains("\"stream\":true") => sse(&[&token("Hel")]),
        r if r.contains("Say hello") => json_answer(
            &json!({"choices": [{"message": {"content": null, "reasoning": "Hm, let me"}, "finish_reason": "length"}]})
                .to_string(),
        ),
        _ => completion("Hello!", "stop"),
    })
    .await;
    assert!(smoked.cold_start.is_none());
    insta::assert_snapshot!(shown(&smoked, &server));
}

#[tokio::test]
async fn a_service_that_never_gets_healthy_skips_the_rest() {
    let mut impatient = model(vec![own("greeting", "Hi")]);
    impatient.service.startup_timeout = Some(Duration::from_millis(1500));
    impatient.smoke.timeout = Duration::from_millis(1500);
    let (smoked, server) = smoke(&impatient, |_| {
        answer(
            "429 Too Many Requests",
            "text/plain",
            "The request was aborted because there was no available instance.",
        )
    })
    .await;
    assert!(server.seen().len() >= 2, "it was tried again");
    insta::assert_snapshot!(shown(&smoked, &server));
}

#[tokio::test]
async fn a_cold_instance_is_waited_for() {
    let tries = Mutex::new(0);
    let (smoked, server) = smoke(&model(Vec::new()), move |request| {
        let mut tries = tries.lock().unwrap();
        *tries += 1;
        match *tries {
            1 => answer(
                "500 Internal Server Error",
                "text/plain",
                "The request failed because the instance could not start successfully.",
            ),
            2 => Script::Close,
            _ => good(request),
        }
    })
    .await;
    assert!(
        smoked.checks.iter().all(|c| c.passed),
        "{}",
        shown(&smoked, &server)
    );
    assert!(
        smoked.checks[0].detail.contains("and 3 tries"),
        "{}",
        smoked.checks[0].detail
    );
    assert!(
        smoked.checks[0].duration >= Duration::from_millis(300),
        "the wait is the check's duration"
    );
}

#[tokio::test]
async fn a_public_service_is_not_asked_to_refuse_strangers() {
    let server = Server::start(|request| match request {
        r if r.starts_with("GET /health ") => answer("200 OK", "text/plain", ""),
        _ => answer("403 Forbidden", "text/plain", "no"),
    })
    .await;
    let model = model(Vec::new());
    let smoked = run(&server.endpoint(None), &model, false, startup(&model), &|_| ()).await;
    assert!(smoked.checks.iter().all(|c| c.name != CLOSED));
    let refused = &smoked.checks[1];
    assert!(!refused.passed && refused.hint.as_ref().unwrap().contains("public service"));
    assert!(!refused.sent.as_ref().unwrap().contains("$TOKEN"));
}

#[tokio::test]
async fn a_private_service_that_answers_strangers_fails() {
    let open = |request: &str| good(&format!("{request} Bearer {TOKEN}"));
    let (smoked, _) = smoke(&model(Vec::new()), open).await;
    let check = smoked.checks.iter().find(|c| c.name == CLOSED).unwrap();
    assert!(!check.passed && check.detail.contains("anyone who knows the URL"));
    assert!(check.hint.as_ref().unwrap().contains("allUsers"));
    assert!(
        !check.sent.as_ref().unwrap().contains("Authorization"),
        "sent without credentials"
    );
}

#[tokio::test]
async fn each_check_has_its_deadline() {
    let mut slow = own("slow", "Hi");
    slow.deadline = Duration::from_millis(200);
    let (smoked, _) = smoke(&model(vec![slow]), |request| {
        if request.contains("\"max_tokens\":32") {
            Script::Silent
        } else {
            good(request)
        }
    })
    .await;
    let check = smoked.checks.last().unwrap();
    assert!(
        !check.passed && check.detail.contains("had no answer after 0.2 s"),
        "{}",
        check.detail
    );
    assert!(check.hint.as_ref().unwrap().contains("`deadline`"));
}
