//! The measuring connection: as the other client where it must be, better where it measures.

use std::time::Instant;

use super::{testing::token, *};
use crate::endpoint::lane::{Lane, Outgoing};

mod credentials;
mod tunnel;

fn outgoing(prompt: &str) -> Outgoing {
    Outgoing {
        request: ChatRequest::user("m", prompt, 5),
        id: "run-7-3".to_owned(),
    }
}

async fn lane(server: &Server) -> Lane {
    server.endpoint(None).lanes().await.unwrap().lane()
}

/// What came, with its times, and how it ended.
struct Seen {
    events: Vec<Arrived>,
    end: Result<Instant, Error>,
}

impl Seen {
    fn text(&self) -> String {
        describe(self.events.iter().map(|a| a.event.clone()))
    }
}

async fn ask(lane: &mut Lane, prompt: &str, timeout: Duration) -> Seen {
    let mut events = Vec::new();
    let observe = |arrived: &Arrived| events.push(arrived.clone());
    let end = lane.stream(&outgoing(prompt), timeout, observe).await;
    Seen { events, end }
}

fn head(kind: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n\r\n").into_bytes()
}

/// Answers that are not what they should be, by the name that is the prompt.
const BAD: [&str; 18] = [
    "noauth",
    "unknown",
    "zero",
    "html",
    "busy",
    "redirect",
    "empty",
    "refused endlessly",
    "json",
    "cut short",
    "error object",
    "no json",
    "no chunk",
    "broken",
    "too long",
    "drip",
    "silent",
    "close",
];

fn bad(name: &str) -> Script {
    let hi = token("hi");
    match name {
        "noauth" => once(fixture!("err_chat_noauth_stream.response.http")),
        "unknown" => once(fixture!("err_unknown_model_stream.response.http")),
        "zero" => once(fixture!("err_max_tokens_zero.response.http")),
        "html" => answer(
            "503 Service Unavailable",
            "text/html",
            "<html><title>503</title><p>later</html>",
        ),
        "busy" => answer("429 Too Many Requests", "text/plain", "no available instance"),
        "redirect" => answer(
            "302 Found\r\nlocation: https://a.example/login?s=s3cret",
            "text/html",
            "",
        ),
        "empty" => answer("500 Internal Server Error", "text/plain", ""),
        "refused endlessly" => Script::Endless(b"HTTP/1.1 500 Oops\r\n\r\n".to_vec(), vec![b'x'; 1 << 16]),
        "json" => json(r#"{"choices":[]}"#),
        "cut short" => sse(&[&hi]),
        "error object" => sse(&[&hi, r#"{"error":{"message":"EngineCore died","code":500}}"#]),
        "no json" => sse(&[&hi, "oops"]),
        "no chunk" => sse(&[&hi, r#"{"hello":1}"#]),
        "broken" => once(format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 999\r\n\r\ndata: {hi}\n\n"
        )),
        "too long" => Script::Endless(head("text/event-stream"), vec![b'x'; 1 << 16]),
        "drip" => Script::Endless(head("text/event-stream"), b": ping\n\n".repeat(8)),
        "silent" => Script::Silent,
        "close" => Script::Close,
        other => unreachable!("{other}"),
    }
}

/// The words of an error, without those of the HTTP library about the connection.
fn words(error: &Error) -> String {
    match error {
        Error::Unreachable { request, reason } | Error::Broken { request, reason } => {
            assert!(!reason.is_empty());
            format!("{:?} {request}", std::mem::discriminant(error))
        }
        other => other.to_string(),
    }
}

#[tokio::test]
async fn what_goes_wrong_is_told_as_by_the_other_client() {
    let server = Server::start(|request| {
        let name = BAD.iter().find(|name| request.contains(&format!("\"{name}\"")));
        bad(name.unwrap())
    })
    .await;
    for name in BAD {
        let timeout = if matches!(name, "drip" | "silent") {
            SHORT
        } else {
            LONG
        };
        let request = ChatRequest::user("m", name, 5);
        let (text, error) = match server.endpoint(None).chat_stream(&request, timeout).await {
            Ok(stream) => collect(stream).await,
            Err(error) => (String::new(), Some(error)),
        };
        server.requests.lock().unwrap().clear();
        let seen = ask(&mut lane(&server).await, name, timeout).await;
        assert_eq!(seen.text(), text, "{name}");
        assert_eq!(words(&seen.end.unwrap_err()), words(&error.unwrap()), "{name}");
        assert_eq!(server.seen().len(), 1, "{name}: sent once");
    }
}

#[tokio::test]
async fn a_compressed_answer_is_told_as_such() {
    let server = Server::start(|_| {
        let kind = "text/event-stream\r\ncontent-encoding: gzip";
        answer("200 OK", kind, "\u{1f}\u{8b}")
    })
    .await;
    let error = ask(&mut lane(&server).await, "hi", LONG).await.end.unwrap_err();
    assert!(error.to_string().contains("content-encoding gzip"), "{error}");
    assert!(!server.seen()[0].to_lowercase().contains("accept-encoding"));
}

#[tokio::test]
async fn a_token_or_key_that_the_server_repeats_is_in_no_error() {
    let server = Server::start(|request| {
        let sent = |name: &str| {
            let line = request.lines().find(|l| l.to_lowercase().starts_with(name));
            line.unwrap_or("").to_owned()
        };
        let said = sent("authorization: ") + &sent("x-serverless-authorization: ");
        answer("403 Forbidden", "text/plain", &format!("not with {said}"))
    })
    .await;
    let bearer = Arc::new(Fixed(Some("id-token-1")));
    let endpoint = Endpoint::new(server.url.clone(), bearer, Some("vllm-key-1".into())).unwrap();
    let mut lane = endpoint.lanes().await.unwrap().lane();
    let errors = [
        ask(&mut lane, "hi", LONG).await.end.unwrap_err(),
        endpoint.models(LONG).await.unwrap_err(),
    ];
    for error in errors {
        let text = format!("{error} {error:?}");
        assert!(text.matches("***").count() >= 2, "{text}");
        assert!(
            !text.contains("vllm-key-1") && !text.contains("id-token-1"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn recorded_answers_are_read_in_any_split() {
    for (name, body, response) in STREAMS {
        let server = Server::start(move |request| {
            if request.contains("whole") {
                return once(response);
            }
            let parts = response.chunks(37);
            Script::Parts(parts.map(|p| (Duration::from_nanos(1), p.to_vec())).collect())
        })
        .await;
        for prompt in ["whole", "parts"] {
            let seen = ask(&mut lane(&server).await, prompt, LONG).await;
            seen.end.as_ref().unwrap();
            assert_eq!(seen.text(), parse_parts(&[body]), "{name}");
        }
    }
}

#[tokio::test]
async fn a_request_says_what_the_other_client_says_and_its_id() {
    let server = Server::start(|_| stream_of(&["a"], "stop", 1)).await;
    ask(&mut lane(&server).await, "hi", LONG).await.end.unwrap();
    let request = ChatRequest::user("m", "hi", 5);
    let stream = server.endpoint(None).chat_stream(&request, LONG).await.unwrap();
    assert!(collect(stream).await.1.is_none());
    let lines = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let (ours, theirs) = (lines(&server.seen()[0]), lines(&server.seen()[1]));
    let only_ours: Vec<_> = ours.iter().filter(|line| !theirs.contains(line)).collect();
    assert_eq!(only_ours, ["x-request-id: run-7-3"]);
    assert_eq!(ours.len(), theirs.len() + 1);
}

#[tokio::test]
async fn a_long_prompt_is_sent_whole_and_a_long_burst_is_read_whole() {
    let words = ["word"; 3000];
    let server = Server::start(move |_| stream_of(&words, "stop", 3000)).await;
    let prompt = "long ".repeat(40_000);
    let seen = ask(&mut lane(&server).await, &prompt, LONG).await;
    seen.end.as_ref().unwrap();
    assert_eq!(seen.text().matches("content=\"word\"").count(), words.len());
    assert!(server.seen()[0].contains(&prompt));
}

#[tokio::test]
async fn events_of_one_read_share_a_stamp_and_others_do_not() {
    let (a, b) = (token("a"), token("b"));
    let parts = [
        head("text/event-stream"),
        format!("data: {a}\n\ndata: {b}\n\n").into_bytes(),
        format!("data: {a}\n\ndata: [DO").into_bytes(),
        b"NE]\n\n".to_vec(),
    ];
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let endpoint = Endpoint::new(url.parse().unwrap(), Arc::new(Fixed(None)), None).unwrap();
    let mut lane = endpoint.lanes().await.unwrap().lane();
    lane.open(LONG).await.unwrap();
    let opened = Instant::now();
    // Each part from the third on is sent when an event of the one before was seen.
    let seen = tokio::sync::Notify::new();
    let server = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.readable().await.unwrap();
        for (n, part) in parts.iter().enumerate() {
            if n >= 2 {
                seen.notified().await;
            }
            tokio::io::AsyncWriteExt::write_all(&mut socket, part)
                .await
                .unwrap();
        }
        socket
    };
    let mut at = Vec::new();
    let observe = |arrived: &Arrived| {
        at.push(arrived.at);
        if at.len() >= 2 {
            seen.notify_one();
        }
    };
    let request = outgoing("hi");
    let (sent, _socket) = tokio::join!(lane.stream(&request, LONG, observe), server);
    let sent = sent.unwrap();
    assert!(opened <= sent && sent <= at[0]);
    assert_eq!(at[0], at[1]);
    assert!(at[1] < at[2] && at[2] < at[3] && at.len() == 4, "{at:?}");
}

#[tokio::test]
async fn the_connection_is_used_again() {
    let refused = || answer("400 Bad Request", "text/plain", "no");
    let server = Server::start(move |request| match request {
        r if r.contains("refused") => refused(),
        r if r.contains("late end") => {
            let body = format!("data: {}\n\ndata: [DONE]\n\n", token("a"));
            let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked";
            let answer = format!("{head}\r\n\r\n{:x}\r\n{body}\r\n", body.len());
            let end = (Duration::from_millis(2), b"0\r\n\r\n".to_vec());
            Script::KeepAliveParts(vec![(Duration::ZERO, answer.into_bytes()), end])
        }
        _ => stream_of(&["a", "b"], "stop", 2),
    })
    .await;
    let mut lane = lane(&server).await;
    for prompt in ["hi", "refused", "late end", "late end", "hi", "hi"] {
        lane.open(LONG).await.unwrap();
        let seen = ask(&mut lane, prompt, LONG).await;
        assert_eq!(seen.end.is_ok(), prompt != "refused");
    }
    assert_eq!(*server.connections.lock().unwrap(), 1);
    assert_eq!(server.seen().len(), 6);
}

#[tokio::test]
async fn a_connection_that_was_closed_is_opened_again_and_the_request_sent_once() {
    let body = format!("data: {}\n\ndata: [DONE]\n\n", token("a"));
    let answer = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let server = Server::start(move |_| once(answer.clone())).await;
    let mut lane = lane(&server).await;
    for round in 1..4 {
        ask(&mut lane, "hi", LONG).await.end.unwrap();
        assert_eq!(server.seen().len(), round);
        // The server closes right after its answer; the lane sees it as soon as it has come.
        let reopened = async {
            while *server.connections.lock().unwrap() == u32::try_from(round).unwrap() {
                lane.open(LONG).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(LONG, reopened).await.unwrap();
    }
}

#[tokio::test]
async fn a_request_that_was_sent_is_not_sent_again() {
    let server = Server::start(|request| match request {
        r if r.contains("half a head") => once("HTTP/1.1 200 OK\r\ncontent-t"),
        r if r.contains("close") => Script::Close,
        _ => stream_of(&["a"], "stop", 1),
    })
    .await;
    let mut lane = lane(&server).await;
    for prompt in ["half a head", "close"] {
        ask(&mut lane, "hi", LONG).await.end.unwrap();
        let before = server.seen().len();
        let error = ask(&mut lane, prompt, LONG).await.end.unwrap_err();
        assert!(matches!(error, Error::Unreachable { .. }), "{error}");
        assert_eq!(server.seen().len(), before + 1, "{prompt}");
    }
}

#[tokio::test]
async fn a_lane_works_on_after_an_answer_that_was_given_up() {
    let server = Server::start(|request| match request.contains("silent") {
        true => Script::Silent,
        false => stream_of(&["a"], "stop", 1),
    })
    .await;
    let mut lane = lane(&server).await;
    let error = ask(&mut lane, "silent", SHORT).await.end.unwrap_err();
    assert!(error.is_timeout());
    ask(&mut lane, "hi", LONG).await.end.unwrap();
    assert_eq!(*server.connections.lock().unwrap(), 2);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable() {
    let server = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", server.local_addr().unwrap());
    drop(server);
    let endpoint = Endpoint::new(url.parse().unwrap(), Arc::new(Fixed(None)), None).unwrap();
    let mut lane = endpoint.lanes().await.unwrap().lane();
    for error in [
        lane.open(LONG).await.unwrap_err(),
        ask(&mut lane, "hi", LONG).await.end.unwrap_err(),
    ] {
        let text = error.to_string();
        assert!(
            text.contains("got no answer: no connection: Connection refused"),
            "{text}"
        );
        assert!(error.is_passing());
    }
}

#[test]
fn the_measuring_runtime_runs_lanes() {
    let runtime = crate::endpoint::lane::runtime().unwrap();
    runtime.block_on(async {
        let server = Server::start(|_| stream_of(&["a", "b"], "stop", 2)).await;
        let mut lane = lane(&server).await;
        let seen = tokio::spawn(async move { ask(&mut lane, "hi", LONG).await })
            .await
            .unwrap();
        assert!(seen.end.unwrap() <= seen.events[0].at);
    });
}
