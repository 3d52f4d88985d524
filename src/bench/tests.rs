//! The measurement against scripted servers.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use super::{result::LoadShape, *};
use crate::config::latency::Input;
use crate::endpoint::testing::{Script, Server, answer, stream_of, token};

mod shapes;

const LENGTH: &str = r#"{"choices":[{"index":0,"delta":{"content":""},"finish_reason":"length"}]}"#;

fn latency(requests: u32, concurrency: &[u32], max_tokens: u32) -> Latency {
    Latency {
        requests,
        concurrency: concurrency.to_vec(),
        input: Input::Prompts(vec!["Tell me a story.".to_owned()]),
        max_tokens,
        timeout: Duration::from_secs(20),
        ..Latency::default()
    }
}

fn prompts(server: &Server) -> Vec<String> {
    let seen = server.seen();
    let chats = seen.iter().filter(|r| r.starts_with("POST"));
    chats
        .map(|r| {
            let body: serde_json::Value = serde_json::from_str(r.split("\r\n\r\n").nth(1).unwrap()).unwrap();
            body["messages"][0]["content"].as_str().unwrap().to_owned()
        })
        .collect()
}

#[tokio::test]
async fn each_concurrency_gets_its_requests_and_no_prompt_comes_twice() {
    let server = Server::start(|request| {
        if request.starts_with("GET") {
            answer("200 OK", "text/plain", "")
        } else {
            stream_of(&["a", "b", "c"], "length", 3)
        }
    })
    .await;
    let progress = Mutex::new(Vec::new());
    let on_progress = |p: BenchProgress| progress.lock().unwrap().push(p);
    let results = run(
        &server.endpoint(None),
        "m",
        &latency(6, &[1, 4], 3),
        &Options::default(),
        &on_progress,
    )
    .await
    .unwrap()
    .levels;

    assert_eq!(
        results
            .iter()
            .map(|r| (r.concurrency(), r.requests, r.errors))
            .collect::<Vec<_>>(),
        [(Some(1), 6, 0), (Some(4), 6, 0)]
    );
    for result in &results {
        assert_eq!(result.output_tokens, 18);
        assert!(result.tokens_counted_by_server && result.output_tokens_per_second > 0.0);
        assert!(result.ttft_ms.is_some() && result.itl_ms.is_some() && result.e2e_ms.is_some());
        assert!(
            !result.notes.iter().any(|n| n.contains("refused")),
            "{:?}",
            result.notes
        );
    }
    let progress = progress.into_inner().unwrap();
    let last = progress.last().unwrap();
    assert_eq!(last.load, LoadShape::Closed { concurrency: 4 });
    assert_eq!(
        (last.done, last.total, last.in_flight, last.errors),
        (6, Some(6), 0, 0)
    );
    assert!(last.ttft_ms.is_some());

    let mut prompts = prompts(&server);
    assert_eq!(prompts.len(), 13, "one request before the measurement");
    prompts.sort();
    prompts.dedup();
    assert_eq!(prompts.len(), 13, "no prompt comes twice");
    let last = server.seen().pop().unwrap();
    for field in [
        r#""ignore_eos":true"#,
        r#""min_tokens":3"#,
        r#""temperature":0.0"#,
        r#""include_usage":true"#,
    ] {
        assert!(last.contains(field), "{last}");
    }
}

#[tokio::test]
async fn a_known_pace_is_found_again() {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
    let event = |data: &str| format!("data: {data}\n\n").into_bytes();
    let usage = r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":3}}"#;
    let server = Server::start(move |request| {
        if request.starts_with("GET") {
            return answer("200 OK", "text/plain", "");
        }
        let pause = Duration::from_millis;
        Script::Parts(vec![
            (pause(0), head.as_bytes().to_vec()),
            (pause(60), event(&token("a"))),
            (pause(20), event(&token("b"))),
            (pause(20), event(&token("c"))),
            (pause(30), [event(LENGTH), event(usage), event("[DONE]")].concat()),
        ])
    })
    .await;
    let started = Instant::now();
    let results = run(
        &server.endpoint(None),
        "m",
        &latency(2, &[1], 3),
        &Options::default(),
        &|_| (),
    )
    .await
    .unwrap()
    .levels;
    let wall = started.elapsed().as_secs_f64() * 1000.0;
    let result = &results[0];
    // The server never is early; how late it may be is bounded only by the whole test's wall time.
    let (ttft, itl, e2e) = (
        result.ttft_ms.unwrap(),
        result.itl_ms.unwrap(),
        result.e2e_ms.unwrap(),
    );
    assert!(ttft.p50 >= 60.0 && ttft.max < wall - 120.0, "{ttft:?}");
    // Gaps can shrink on this side when a read is late; the recorder's own tests are exact about them.
    assert!(itl.max < wall && result.tokens_per_second.is_some(), "{itl:?}");
    assert!(
        e2e.p50 >= 130.0 && e2e.max < wall && e2e.p50 >= ttft.p50,
        "{e2e:?}"
    );
    assert!(result.output_tokens_per_second <= 3.0 / 0.130);
}

#[tokio::test]
async fn workers_run_side_by_side() {
    let together = Arc::new((tokio::sync::Barrier::new(3), AtomicU32::new(0)));
    // Each answer but the probe's waits for three requests to be there: with fewer workers this would not end.
    let gate = axum::Router::new().fallback(move |method: axum::http::Method| {
        let together = together.clone();
        async move {
            if method == "POST" && together.1.fetch_add(1, Ordering::Relaxed) > 0 {
                together.0.wait().await;
            }
            let events = format!("data: {}\n\ndata: {LENGTH}\n\ndata: [DONE]\n\n", token("a"));
            ([("content-type", "text/event-stream")], events)
        }
    });
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    tokio::spawn(async move { axum::serve(listener, gate).await });
    let bearer = Arc::new(crate::endpoint::testing::Fixed(None));
    let endpoint = Endpoint::new(url, bearer, None).unwrap();
    let results = run(&endpoint, "m", &latency(9, &[3], 1), &Options::default(), &|_| ())
        .await
        .unwrap()
        .levels;
    assert_eq!(
        (results[0].requests, results[0].errors),
        (9, 0),
        "{:?}",
        results[0].error_samples
    );
    assert!(!results[0].tokens_counted_by_server);
}

#[tokio::test]
async fn a_server_that_refuses_vllms_fields_is_measured_without_them() {
    let server = Server::start(|request| match request {
        r if r.starts_with("GET") => answer("200 OK", "text/plain", ""),
        r if r.contains("ignore_eos") => answer(
            "400 Bad Request",
            "application/json",
            r#"{"error":{"message":"Unrecognized request argument: ignore_eos"}}"#,
        ),
        _ => stream_of(&["a", "b"], "stop", 2),
    })
    .await;
    let results = run(
        &server.endpoint(None),
        "m",
        &latency(3, &[1], 16),
        &Options::default(),
        &|_| (),
    )
    .await
    .unwrap()
    .levels;
    assert_eq!((results[0].requests, results[0].errors), (3, 0));
    let notes = results[0].notes.join("\n");
    assert!(
        notes.contains("refused `ignore_eos` and `min_tokens`") && notes.contains("Unrecognized"),
        "{notes}"
    );
    assert!(
        notes.contains("answers had 2 tokens, 16 were asked for"),
        "{notes}"
    );
}

#[tokio::test]
async fn failures_are_counted_quoted_and_end_a_hopeless_level() {
    let server =
        Server::start(|_| answer("503 Service Unavailable", "text/plain", "no healthy upstream")).await;
    let results = run(
        &server.endpoint(None),
        "m",
        &latency(40, &[1, 4], 8),
        &Options::default(),
        &|_| (),
    )
    .await
    .unwrap()
    .levels;
    // Those under way when the third fails are still counted.
    assert!((3..=5).contains(&results[0].requests) && results[0].errors == results[0].requests);
    // Three may have failed before the fourth was begun.
    assert!((3..12).contains(&results[1].requests), "{}", results[1].requests);
    let count = results[0].requests;
    let given_up = format!("given up: the first {count} of 40 requests all failed");
    assert!(results[0].notes.contains(&given_up), "{:?}", results[0].notes);
    assert_eq!(
        results[0].error_samples,
        ["POST /v1/chat/completions was answered with status 503: no healthy upstream"]
    );
    assert_eq!(results[0].ttft_ms, None);
}

#[tokio::test]
async fn a_failure_among_answers_leaves_the_figures_alone() {
    let calls = Mutex::new(0);
    let server = Server::start(move |request| {
        if request.starts_with("GET") {
            return answer("200 OK", "text/plain", "");
        }
        let mut calls = calls.lock().unwrap();
        *calls += 1;
        if *calls == 3 {
            answer("500 Internal Server Error", "text/plain", "oops")
        } else {
            stream_of(&["a", "b"], "length", 2)
        }
    })
    .await;
    let results = run(
        &server.endpoint(None),
        "m",
        &latency(5, &[1], 2),
        &Options::default(),
        &|_| (),
    )
    .await
    .unwrap()
    .levels;
    assert_eq!(
        (results[0].requests, results[0].errors, results[0].output_tokens),
        (5, 1, 8)
    );
    assert_eq!(results[0].error_samples.len(), 1);
}

#[tokio::test]
async fn zero_requests_turn_the_measurement_off() {
    let server = Server::start(|_| answer("500 Oops", "text/plain", "")).await;
    assert!(
        run(
            &server.endpoint(None),
            "m",
            &latency(0, &[1], 2),
            &Options::default(),
            &|_| ()
        )
        .await
        .unwrap()
        .levels
        .is_empty()
    );
    assert!(server.seen().is_empty());
}
