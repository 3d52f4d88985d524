use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{Server, Timing};

const MS: Duration = Duration::from_millis(1);

fn timing(ttft: u32, gap: u32) -> Timing {
    Timing {
        ttft: MS * ttft,
        gap: MS * gap,
        record: true,
        ..Timing::default()
    }
}

/// A client of a few lines that stamps each line as it reads it.
struct Client(BufReader<TcpStream>);

impl Client {
    fn new(server: &Server) -> Self {
        let socket = TcpStream::connect(server.address()).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self(BufReader::new(socket))
    }

    fn send(&mut self, method: &str, path: &str, id: &str, body: &str) {
        let length = body.len();
        let text = format!(
            "{method} {path} HTTP/1.1\r\nx-request-id: {id}\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        self.0.get_mut().write_all(text.as_bytes()).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// An answer with a length: its status and body.
    fn answer(&mut self) -> (String, String) {
        let (status, mut length) = (self.line(), 0);
        loop {
            let line = self.line();
            if line.is_empty() {
                break;
            }
            if let Some(text) = line.strip_prefix("content-length: ") {
                length = text.parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        (status, String::from_utf8(body).unwrap())
    }

    fn get(&mut self, path: &str) -> Value {
        self.send("GET", path, "", "");
        serde_json::from_str(&self.answer().1).unwrap()
    }

    /// The events of a stream with the time of each, to the end of the answer.
    fn events(&mut self) -> Vec<(Instant, String)> {
        let mut events = Vec::new();
        loop {
            let line = self.line();
            if let Some(data) = line.strip_prefix("data: ") {
                events.push((Instant::now(), data.to_owned()));
            } else if line == "0" {
                assert_eq!(self.line(), "");
                return events;
            }
        }
    }
}

fn body(tokens: u32, more: &str) -> String {
    format!(r#"{{"messages":[{{"role":"user","content":"a b c"}}],"max_tokens":{tokens}{more}}}"#)
}

const STREAM: &str = r#","stream":true,"stream_options":{"include_usage":true}"#;

#[test]
fn a_stream_has_its_tokens_in_order_with_role_reason_usage_and_end() {
    let server = Server::start(timing(0, 0), 0).unwrap();
    let mut client = Client::new(&server);
    // On one connection, one after the other.
    for tokens in [1, 2, 40] {
        client.send("POST", "/v1/chat/completions", "x", &body(tokens, STREAM));
        let events: Vec<String> = client.events().into_iter().map(|(_, data)| data).collect();
        let (end, chunks) = events.split_last().unwrap();
        assert_eq!(end, "[DONE]");
        let chunks: Vec<Value> = chunks.iter().map(|c| serde_json::from_str(c).unwrap()).collect();
        let (usage, words) = chunks.split_last().unwrap();
        assert_eq!(words.len(), tokens as usize);
        assert_eq!(usage["usage"]["completion_tokens"], tokens);
        assert_eq!(usage["usage"]["prompt_tokens"], 3);
        for (index, word) in words.iter().enumerate() {
            let choice = &word["choices"][0];
            assert_eq!(choice["delta"]["content"], " tok");
            assert_eq!(choice["delta"]["role"].is_string(), index == 0);
            assert_eq!(choice["finish_reason"].is_string(), index + 1 == words.len());
        }
    }
    client.send("POST", "/v1/chat/completions", "x", &body(1, r#","stream":true"#));
    assert_eq!(client.events().len(), 2, "no usage unless it is asked for");
}

#[test]
fn what_is_recorded_is_never_before_its_time_and_never_after_the_client_has_it() {
    let server = Server::start(
        Timing {
            spread: 2 * MS,
            ..timing(15, 3)
        },
        0,
    )
    .unwrap();
    let mut client = Client::new(&server);
    let started = Instant::now();
    client.send("POST", "/v1/chat/completions", "run-7", &body(6, STREAM));
    let seen = client.events();
    let timings = client.get("/timings");
    let sent = &timings[0];
    assert_eq!(sent["id"], "run-7");
    let mut at = Duration::from_nanos(sent["ttft_ns"].as_u64().unwrap());
    let gaps = sent["gaps_ns"].as_array().unwrap();
    assert_eq!(gaps.len(), 5);
    for (index, (arrived, _)) in (0..6).zip(&seen) {
        if index > 0 {
            at += Duration::from_nanos(gaps[index as usize - 1].as_u64().unwrap());
        }
        assert!(at >= MS * (15 + 3 * index), "token {index} left early: {at:?}");
        // Sent counts from the arrival of the request, which is after its start.
        assert!(at <= *arrived - started, "token {index} was seen before it left");
    }
    let stats = client.get("/stats");
    assert_eq!(
        (stats["requests"].as_u64(), stats["tokens"].as_u64()),
        (Some(1), Some(6))
    );
    assert_eq!(stats["late_ms"]["count"], 6);
    assert!(stats["ttft_ms"]["p50"].as_f64().unwrap() >= 15.0);
    client.send("POST", "/reset", "", "");
    client.answer();
    assert_eq!(client.get("/stats")["requests"], 0);
    assert_eq!(client.get("/timings"), Value::Array(Vec::new()));
}

#[test]
fn many_streams_at_once_each_get_their_own_tokens() {
    let server = Server::start(timing(5, 1), 0).unwrap();
    let clients: Vec<_> = (0..20)
        .map(|number| {
            let mut client = Client::new(&server);
            client.send(
                "POST",
                "/v1/chat/completions",
                &number.to_string(),
                &body(8, STREAM),
            );
            client
        })
        .collect();
    for mut client in clients {
        assert_eq!(client.events().len(), 10);
    }
    let timings = Client::new(&server).get("/timings");
    let mut ids: Vec<u32> = timings
        .as_array()
        .unwrap()
        .iter()
        .map(|sent| sent["id"].as_str().unwrap().parse().unwrap())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..20).collect::<Vec<_>>());
}

#[test]
fn an_answer_in_one_piece_comes_when_its_last_token_is_due() {
    let server = Server::start(timing(10, 5), 0).unwrap();
    let mut client = Client::new(&server);
    let started = Instant::now();
    client.send("POST", "/v1/chat/completions", "", &body(4, ""));
    let (status, text) = client.answer();
    assert!(started.elapsed() >= 25 * MS);
    assert_eq!(status, "HTTP/1.1 200 OK");
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer["choices"][0]["message"]["content"], " tok tok tok tok");
    assert_eq!(answer["usage"]["total_tokens"], 7);
}

#[test]
fn what_it_does_not_take_is_refused_and_the_connection_lives_on() {
    let server = Server::start(Timing::default(), 0).unwrap();
    let mut client = Client::new(&server);
    client.send("POST", "/v1/chat/completions", "", "hello");
    assert_eq!(client.answer().0, "HTTP/1.1 400 Bad Request");
    client.send("GET", "/timings", "", "");
    let (status, why) = client.answer();
    assert!(
        status.contains("404") && why.contains("--record"),
        "{status} {why}"
    );
    client.send("GET", "/health", "", "");
    assert_eq!(client.answer().0, "HTTP/1.1 200 OK");
    assert_eq!(client.get("/v1/models")["data"][0]["id"], "known-timing");
}

#[test]
fn a_client_that_goes_away_ends_its_stream_alone() {
    let server = Server::start(timing(5, 1), 0).unwrap();
    let mut gone = Client::new(&server);
    gone.send("POST", "/v1/chat/completions", "", &body(100_000, STREAM));
    gone.line();
    drop(gone);
    let mut client = Client::new(&server);
    let deadline = Instant::now() + Duration::from_secs(20);
    while client.get("/stats")["abandoned"] != 1 {
        assert!(Instant::now() < deadline, "the stream goes on");
        std::thread::sleep(5 * MS);
    }
}
