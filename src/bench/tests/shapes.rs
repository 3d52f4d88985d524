//! Load shapes against scripted servers: what is sent, what counts, and from when.

use std::time::{Duration, Instant};

use super::*;
use crate::{
    bench::record::Record,
    config::latency::{Arrivals, Objective, Timing},
};

const PAUSE: Duration = Duration::from_millis(400);

/// A server that answers at once, except that it answers nobody for a while from its request number `stall` on.
async fn stalling(stall: u32) -> Server {
    let (calls, until) = (AtomicU32::new(0), Mutex::new(None::<Instant>));
    Server::start(move |request| {
        if request.starts_with("GET") {
            return answer("200 OK", "text/plain", "");
        }
        let now = Instant::now();
        let mut until = until.lock().unwrap();
        if calls.fetch_add(1, Ordering::Relaxed) == stall {
            *until = Some(now + PAUSE);
        }
        let pause = until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        if pause.is_zero() {
            stream_of(&["a", "b"], "length", 2)
        } else {
            late(pause)
        }
    })
    .await
}

/// An answer after a pause; then the connection is closed, as is told.
fn late(pause: Duration) -> Script {
    let Script::KeepAlive(bytes) = stream_of(&["a", "b"], "length", 2) else {
        unreachable!("it is kept alive");
    };
    let text = String::from_utf8(bytes).unwrap();
    let text = text.replacen("content-length", "connection: close\r\ncontent-length", 1);
    Script::Parts(vec![(pause, text.into_bytes())])
}

fn open(rate: f64, requests: u32) -> Latency {
    Latency {
        rate: vec![rate],
        arrivals: Arrivals::Constant,
        ..latency(requests, &[], 2)
    }
}

async fn measure(server: &Server, latency: &Latency, options: &Options) -> Level {
    let endpoint = server.endpoint(None);
    let result = run(&endpoint, "m", latency, options, &|_| ()).await.unwrap();
    result.levels.into_iter().next_back().unwrap()
}

/// Keeps all records.
fn observed() -> (Options, Arc<Mutex<Vec<Record>>>) {
    let records = Arc::new(Mutex::new(Vec::new()));
    let kept = records.clone();
    let observer: Observer = Arc::new(move |record| kept.lock().unwrap().push(record.clone()));
    let options = Options {
        observer: Some(observer),
        ..Options::default()
    };
    (options, records)
}

#[tokio::test]
async fn a_stalled_server_can_hide_from_a_closed_loop_but_not_from_an_open_one() {
    // One connection: while the server stalls nothing else is sent, only found to be due.
    let one = Options {
        most_in_flight: Some(1),
        ..Options::default()
    };
    let opened = measure(&stalling(10).await, &open(100.0, 60), &one).await;
    let closed = measure(&stalling(10).await, &latency(60, &[1], 2), &one).await;
    assert_eq!(
        (opened.errors, closed.errors),
        (0, 0),
        "{:?}",
        opened.error_samples
    );
    let (opened_ttft, closed_ttft) = (opened.ttft_ms.unwrap(), closed.ttft_ms.unwrap());
    assert!(
        closed_ttft.p75 < 200.0 && closed_ttft.max >= 390.0,
        "{closed_ttft:?}"
    );
    // Of 40 requests that were due in the stall, half were late by 200 ms and more.
    assert!(
        opened_ttft.p75 >= 150.0 && opened_ttft.max >= 390.0,
        "{opened_ttft:?}"
    );
    assert!(opened.queue_ms.unwrap().max >= 300.0 && closed.queue_ms.is_none());
    assert_eq!(opened.peak_in_flight, 1);
    let notes = opened.notes.join("\n");
    assert!(
        notes.contains("requests waited for one of 1 connections"),
        "{notes}"
    );
}

#[tokio::test]
async fn an_open_loop_sends_what_is_due_whatever_became_of_the_others() {
    let opened = measure(&stalling(5).await, &open(100.0, 40), &Options::default()).await;
    assert!(opened.peak_in_flight >= 10, "{}", opened.peak_in_flight);
    assert_eq!(opened.requests, 40);
}

#[tokio::test]
async fn an_open_loop_that_fell_behind_for_good_ends() {
    let server = Server::start(|request| match request.starts_with("GET") {
        true => answer("200 OK", "text/plain", ""),
        false => Script::Silent,
    })
    .await;
    let mut latency = open(100.0, 20);
    latency.timeout = Duration::from_millis(300);
    let options = Options {
        most_in_flight: Some(2),
        ..Options::default()
    };
    let level = measure(&server, &latency, &options).await;
    assert!(level.errors > 0 && level.errors == level.requests);
    assert!(level.errors_by_kind["timeout"] >= 2, "{:?}", level.errors_by_kind);
    assert!(level.seconds < 10.0);
}

#[tokio::test]
async fn a_server_that_takes_no_connection_is_not_asked_for_each_beforehand() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let tried = Arc::new(AtomicU32::new(0));
    let count = tried.clone();
    tokio::spawn(async move {
        // Closes before TLS is set up.
        while listener.accept().await.is_ok() {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    let bearer = Arc::new(crate::endpoint::testing::Fixed(None));
    let endpoint = Endpoint::new(url.parse().unwrap(), bearer, None).unwrap();
    let asked = latency(200, &[200], 2);
    let result = run(&endpoint, "m", &asked, &Options::default(), &|_| ()).await;
    let requests = result.unwrap().levels[0].errors;
    assert!(requests > 0);
    let beforehand = u64::from(tried.load(Ordering::Relaxed)) - requests;
    assert!(beforehand < 100, "{beforehand}");
}

#[tokio::test]
async fn a_connection_that_was_closed_is_opened_anew_before_the_next_request_is_due() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let waits = Arc::new(Mutex::new(Vec::new()));
    let seen = waits.clone();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let (accepted, seen) = (Instant::now(), seen.clone());
            tokio::spawn(async move {
                let mut request = [0; 4096];
                let read = socket.read(&mut request).await.unwrap_or(0);
                let script = match request[..read].starts_with(b"POST") {
                    true => stream_of(&["a", "b"], "length", 2),
                    false => answer("404 Not Found", "text/plain", ""),
                };
                if let (Script::KeepAlive(bytes), 1..) = (script, read) {
                    seen.lock().unwrap().push((request[0], accepted.elapsed()));
                    // Closes without a word.
                    let _ = socket.write_all(&bytes).await;
                }
            });
        }
    });
    let bearer = Arc::new(crate::endpoint::testing::Fixed(None));
    let endpoint = Endpoint::new(url.parse().unwrap(), bearer, None).unwrap();
    let result = run(&endpoint, "m", &open(1.0, 2), &Options::default(), &|_| ()).await;
    let level = &result.unwrap().levels[0];
    assert_eq!(
        (level.requests, level.errors),
        (2, 0),
        "{:?}",
        level.error_samples
    );
    let waits = waits.lock().unwrap();
    let last = waits.iter().rfind(|(method, _)| *method == b'P').unwrap();
    assert!(last.1 >= PAUSE / 2, "{waits:?}");
}

#[tokio::test]
async fn warm_up_and_ramp_up_are_in_no_figure() {
    let server = Server::start(|_| stream_of(&["a", "b"], "length", 2)).await;
    let (options, records) = observed();
    let warm = Latency {
        warm_up: 3,
        ..latency(5, &[2], 2)
    };
    let level = measure(&server, &warm, &options).await;
    assert_eq!((level.requests, level.excluded_requests), (5, 3));
    assert!(
        level
            .notes
            .contains(&"3 requests are in no figure: 3 to warm up".to_owned()),
        "{:?}",
        level.notes
    );
    let records = std::mem::take(&mut *records.lock().unwrap());
    assert_eq!(records.iter().filter(|r| r.measured).count(), 5);
    let first_measured = records.iter().find(|r| r.measured).unwrap();
    let warm_up = records.iter().filter(|r| !r.measured);
    assert!(warm_up.map(|r| r.sent_at).all(|at| at <= first_measured.sent_at));

    let ramp = Latency {
        ramp_up: Duration::from_millis(200),
        ..open(200.0, 10)
    };
    let level = measure(&server, &ramp, &options).await;
    assert_eq!(level.requests, 10);
    assert_eq!(
        level.excluded_requests, 20,
        "the mean rate of the ramp is half the rate"
    );
    let said = level.notes.iter().any(|n| n.contains("during the ramp-up"));
    assert!(said, "{:?}", level.notes);
}

#[tokio::test]
async fn a_time_ends_a_level_and_requests_in_flight_are_counted() {
    let server = Server::start(|_| late(Duration::from_millis(120))).await;
    let timed = Latency {
        duration: Some(Duration::from_millis(300)),
        ..latency(1, &[2], 2)
    };
    let level = measure(&server, &timed, &Options::default()).await;
    assert!((2..=6).contains(&level.requests), "{}", level.requests);
    assert_eq!(level.errors, 0, "{:?}", level.error_samples);
    assert!(
        level.seconds >= 0.12,
        "the last ones were awaited: {}",
        level.seconds
    );
}

#[tokio::test]
async fn errors_have_kinds() {
    let server = Server::start(|request| match request {
        r if r.starts_with("GET") => answer("200 OK", "text/plain", ""),
        r => match r.split("say-").nth(1).and_then(|r| r.chars().next()) {
            Some('0') => answer("429 Too Many Requests", "text/plain", "full"),
            Some('1') => Script::Close,
            Some('2') => crate::endpoint::testing::sse(&["nonsense"]),
            Some('3') => crate::endpoint::testing::sse(&[&token("a")]),
            Some('4') => stream_of(&[], "length", 0),
            Some('5') => stream_of(&["a"], "abort", 1),
            _ => stream_of(&["a", "b"], "length", 2),
        },
    })
    .await;
    let mixed = Latency {
        input: Input::Prompts((0..8).map(|i| format!("say-{}", (i + 6) % 8)).collect()),
        ..latency(8, &[1], 2)
    };
    let level = measure(&server, &mixed, &Options::default()).await;
    let kinds: Vec<&str> = level.errors_by_kind.keys().map(String::as_str).collect();
    for kind in ["refused", "malformed", "cut_short", "no_text", "aborted"] {
        assert!(kinds.contains(&kind), "{kinds:?}");
    }
    assert_eq!((level.requests, level.errors), (8, 6));
}

#[tokio::test]
async fn the_same_seed_asks_the_same() {
    let seeded = Latency {
        seed: Some(7),
        ..latency(6, &[1], 2)
    };
    let mut asked = Vec::new();
    for _ in 0..2 {
        let server = Server::start(|_| stream_of(&["a", "b"], "length", 2)).await;
        let level = measure(&server, &seeded, &Options::default()).await;
        asked.push(prompts(&server));
        assert!(
            level.notes.iter().any(|n| n.contains("run with seed 7")),
            "{:?}",
            level.notes
        );
    }
    assert_eq!(asked[0], asked[1]);
    assert_eq!(asked[0].len(), 7);
}

#[tokio::test]
async fn several_tokens_a_chunk_are_counted_and_said() {
    let server = Server::start(|_| stream_of(&["a b", "c d", "e"], "length", 5)).await;
    let level = measure(&server, &latency(4, &[2], 5), &Options::default()).await;
    assert_eq!((level.output_tokens, level.chunks), (20, 12));
    assert_eq!(level.itl_ms.unwrap().count, 8);
    assert!(
        level.notes.iter().any(|n| n.contains("20 tokens in 12 chunks")),
        "{:?}",
        level.notes
    );
    assert_eq!(level.input_tokens, Some(20), "as the server counted");
}

#[tokio::test]
async fn a_sweep_measures_saturation_first_and_then_rates() {
    let server = Server::start(|_| stream_of(&["a", "b"], "length", 2)).await;
    let asked = Latency {
        objectives: vec![Objective::AtMost {
            timing: Timing::Ttft,
            percentile: 50.0,
            milliseconds: 60_000.0,
        }],
        ..latency(4, &[1], 2)
    };
    let options = Options {
        sweep: Some(Sweep {
            concurrency: 4,
            steps: 2,
            most_levels: 3,
        }),
        ..Options::default()
    };
    let endpoint = server.endpoint(None);
    let result = run(&endpoint, "m", &asked, &options, &|_| ()).await.unwrap();
    let found = result.sweep.unwrap();
    let saturation = found.saturation_rate.unwrap();
    assert_eq!(result.levels[0].load, LoadShape::Closed { concurrency: 4 });
    assert_eq!(result.levels[0].requests, 12);
    let rates: Vec<f64> = result.levels[1..]
        .iter()
        .map(|level| match level.load {
            LoadShape::Open { rate, .. } => rate,
            LoadShape::Closed { .. } => 0.0,
        })
        .collect();
    // They are rounded to three digits.
    let near = |rate: f64, expected: f64| (rate / expected - 1.0).abs() < 0.005;
    assert!(
        near(rates[0], saturation / 2.0) && near(rates[1], saturation),
        "{rates:?}"
    );
    assert_eq!(rates.len(), 2);
}
