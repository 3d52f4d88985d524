//! Replays the recorded requests and compares the answers' form with the recorded ones.

use std::{path::PathBuf, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{StandIn, serve};
use crate::Speed;

/// Answers of the tiny recorded model that depend on what it happened to say.
const OTHER_WORDS: &[&str] = &[
    "reasoning_stream_then_content",
    "reasoning_nonstream_then_content",
];
/// hyper answers what is no HTTP before the stand-in sees it.
const NO_HTTP: &str = "err_bad_http";
const INSTANT: Speed = Speed {
    ttft: Duration::ZERO,
    gap: Duration::ZERO,
};

async fn start(args: &[&str], speed: Speed) -> (u16, DropGuard) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let stand_in = StandIn {
        speed,
        args: args.iter().map(|a| (*a).to_owned()).collect(),
        ..StandIn::default()
    };
    let stop = CancellationToken::new();
    tokio::spawn(serve(stand_in, listener, |_| {}, stop.clone()));
    (port, stop.drop_guard())
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn parse(raw: &[u8]) -> Self {
        let at = raw.windows(4).position(|w| w == b"\r\n\r\n").expect("a head");
        let head = String::from_utf8_lossy(&raw[..at]).to_ascii_lowercase();
        let mut body = raw[at + 4..].to_vec();
        if head.contains("transfer-encoding: chunked") {
            body = dechunk(&body);
        }
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self {
            status,
            head,
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The JSON, or each event of the stream, by shape; equal neighbours count once.
    fn shapes(&self) -> Vec<String> {
        if !self
            .header("content-type")
            .is_some_and(|kind| kind.starts_with("text/event-stream"))
        {
            return vec![serde_json::from_str(&self.body).map_or_else(|_| self.body.clone(), |v| shape(&v))];
        }
        let mut shapes: Vec<String> = self
            .body
            .split("\n\n")
            .filter_map(|event| event.strip_prefix("data: "))
            .map(|data| serde_json::from_str(data).map_or_else(|_| data.to_owned(), |v| shape(&v)))
            .collect();
        shapes.dedup();
        shapes
    }
}

fn dechunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|w| w == b"\r\n") {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).unwrap(), 16).unwrap();
        if size == 0 {
            break;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 4 + size..];
    }
    body
}

/// Keys in order and kinds of values; of a list, its first item.
fn shape(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(_) => "number".to_owned(),
        Value::String(_) => "string".to_owned(),
        Value::Array(items) => format!("[{}]", items.first().map(shape).unwrap_or_default()),
        Value::Object(fields) => {
            let fields: Vec<String> = fields.iter().map(|(k, v)| format!("{k}:{}", shape(v))).collect();
            format!("{{{}}}", fields.join(","))
        }
    }
}

async fn send(port: u16, request: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut raw = Vec::new();
    stream.read_to_end(&mut raw).await.unwrap();
    Answer::parse(&raw)
}

async fn post(port: u16, path: &str, body: &Value) -> Answer {
    let body = body.to_string();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    send(port, request.as_bytes()).await
}

async fn get(port: u16, path: &str) -> Answer {
    send(
        port,
        format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes(),
    )
    .await
}

/// Real vLLM's recorded answers, which the program's tests use as well.
fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/vllm")
}

async fn replay(set: &str, args: &[&str]) {
    let (port, _guard) = start(args, INSTANT).await;
    let folder = fixtures().join(set);
    let mut differences = Vec::new();
    let mut replayed = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_string_lossy().into_owned();
        let Some(name) = file.strip_suffix(".request.http") else {
            continue;
        };
        let recorded = Answer::parse(&std::fs::read(folder.join(format!("{name}.response.http"))).unwrap());
        let answer = send(port, &std::fs::read(&path).unwrap()).await;
        replayed += 1;
        let mut compare = |what: &str, ours: String, theirs: String| {
            if ours != theirs {
                differences.push(format!("{name}: {what}\n  ours:   {ours}\n  theirs: {theirs}"));
            }
        };
        compare("status", answer.status.to_string(), recorded.status.to_string());
        if name == NO_HTTP {
            continue;
        }
        for header in [
            "content-type",
            "server",
            "vary",
            "allow",
            "connection",
            "transfer-encoding",
        ] {
            compare(
                header,
                format!("{:?}", answer.header(header)),
                format!("{:?}", recorded.header(header)),
            );
        }
        if OTHER_WORDS.contains(&name) {
            continue;
        }
        let (mut ours, mut theirs) = (answer.shapes(), recorded.shapes());
        if name == "chat_stream_n2" {
            // How the choices interleave is chance.
            ours.sort();
            ours.dedup();
            theirs.sort();
            theirs.dedup();
        }
        compare("body", ours.join("\n          "), theirs.join("\n          "));
        if recorded.status >= 400 && !name.contains("too_long") {
            compare("words", answer.body, recorded.body);
        }
    }
    assert!(replayed > 20, "{replayed} fixtures in {}", folder.display());
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

const MODEL: &[&str] = &[
    "/models/tiny",
    "--served-model-name",
    "Qwen/Qwen3.5-4B",
    "--max-model-len",
    "4096",
];

#[tokio::test]
async fn answers_have_the_form_of_the_recorded_ones() {
    replay("default", MODEL).await;
}

#[tokio::test]
async fn answers_with_reasoning_and_key_have_the_form_of_the_recorded_ones() {
    let folder = fixtures().join("reasoning-apikey");
    let request = std::fs::read_to_string(folder.join("models_auth.request.http")).unwrap();
    let key = request
        .lines()
        .find_map(|line| line.strip_prefix("Authorization: Bearer "))
        .unwrap();
    replay(
        "reasoning-apikey",
        &[MODEL, &["--reasoning-parser", "qwen3", "--api-key", key]].concat(),
    )
    .await;
}

#[tokio::test]
async fn metrics_have_vllm_names_and_count_what_was_served() {
    let (port, _guard) = start(MODEL, INSTANT).await;
    let chat = serde_json::json!({
        "messages": [{"role": "user", "content": "x"}], "max_tokens": 7, "ignore_eos": true, "stream": true,
    });
    assert_eq!(post(port, "/v1/chat/completions", &chat).await.status, 200);
    let text = get(port, "/metrics").await.body;
    let folder = fixtures().join("metric-names.txt");
    let known = std::fs::read_to_string(folder).unwrap();
    for line in text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
    {
        let name = line.split('{').next().unwrap();
        assert!(
            known.lines().any(|known| known == name),
            "{name} is no name of vLLM's"
        );
    }
    let labels = "{engine=\"0\",model_name=\"Qwen/Qwen3.5-4B\"}";
    for (name, value) in [
        ("vllm:generation_tokens_total", "7.0"),
        ("vllm:time_to_first_token_seconds_count", "1.0"),
        ("vllm:inter_token_latency_seconds_count", "6.0"),
        ("vllm:e2e_request_latency_seconds_count", "1.0"),
        ("vllm:num_requests_running", "0.0"),
    ] {
        assert!(
            text.contains(&format!("{name}{labels} {value}\n")),
            "{name} is not {value} in\n{text}"
        );
    }
    assert!(text.contains("finished_reason=\"length\",model_name=\"Qwen/Qwen3.5-4B\"} 1.0"));
}

#[tokio::test]
async fn tokens_never_come_before_their_time_and_waiting_ones_queue() {
    let speed = Speed {
        ttft: Duration::from_millis(30),
        gap: Duration::from_millis(4),
    };
    let (port, _guard) = start(&[MODEL, &["--max-num-seqs", "1"]].concat(), speed).await;
    let chat = serde_json::json!({
        "messages": [{"role": "user", "content": "x"}], "max_tokens": 6, "ignore_eos": true, "stream": true,
    });
    let began = std::time::Instant::now();
    let (one, two) = tokio::join!(
        post(port, "/v1/chat/completions", &chat),
        post(port, "/v1/chat/completions", &chat)
    );
    assert_eq!((one.status, two.status), (200, 200));
    assert!(began.elapsed() >= Duration::from_millis(2 * (30 + 5 * 4)));
}

#[tokio::test]
async fn a_stream_is_cut_when_the_server_stops() {
    let speed = Speed {
        ttft: Duration::from_millis(1),
        gap: Duration::from_secs(3600),
    };
    let (port, guard) = start(MODEL, speed).await;
    let chat = serde_json::json!({"messages": [{"role": "user", "content": "x"}], "stream": true});
    let request = tokio::spawn(async move { post(port, "/v1/chat/completions", &chat).await });
    while !get(port, "/metrics")
        .await
        .body
        .contains("vllm:generation_tokens_total{engine=\"0\",model_name=\"Qwen/Qwen3.5-4B\"} 1.0")
    {
        tokio::task::yield_now().await;
    }
    drop(guard);
    // The connection is cut in the middle of the body: an answer without an end, or a reset.
    let ended = tokio::time::timeout(Duration::from_secs(20), request)
        .await
        .expect("the stream ends");
    if let Ok(answer) = ended {
        assert!(!answer.body.contains("[DONE]"));
    }
}

#[tokio::test]
async fn bad_flags_refuse_to_start_and_are_logged() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let lines = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = std::sync::Arc::clone(&lines);
    let stand_in = StandIn {
        args: vec!["--frobnicate".to_owned()],
        ..StandIn::default()
    };
    let refused = serve(
        stand_in,
        listener,
        move |line| log.lock().unwrap().push(line),
        CancellationToken::new(),
    )
    .await
    .unwrap_err();
    assert_eq!(refused.exit_code, 2);
    assert!(
        lines
            .lock()
            .unwrap()
            .iter()
            .any(|l| l == "vllm: error: unrecognized arguments: --frobnicate")
    );
}
