use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use llm_deploy_emulator::{
    Speed,
    endpoint::{StandIn, serve},
};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{Watch, difference::server_side, scrape::Scrape};
use crate::{
    bench::result::{Distribution, Level, LoadShape, ServerSide},
    endpoint::{
        ChatRequest, Endpoint,
        testing::{Fixed, Script, Server, answer},
    },
    tempo::Tempo,
};

const BEFORE: &str = include_str!("../../../tests/fixtures/vllm/metrics_before.body");
const AFTER: &str = include_str!("../../../tests/fixtures/vllm/metrics_after.body");

fn mean(mean: f64) -> Distribution {
    Distribution {
        count: 1,
        mean,
        min: mean,
        p50: mean,
        p75: mean,
        p90: mean,
        p95: mean,
        p99: mean,
        p99_9: mean,
        max: mean,
        ci95: None,
    }
}

/// A level of so many good requests.
fn level(requests: u64) -> Level {
    Level {
        requests,
        ttft_ms: Some(mean(100.0)),
        e2e_ms: Some(mean(200.0)),
        ..Level::empty(LoadShape::Closed { concurrency: 1 })
    }
}

fn between(before: &str, after: &str, level: &Level) -> ServerSide {
    server_side(
        &Scrape::read(before).unwrap(),
        &Scrape::read(after).unwrap(),
        level,
    )
}

#[test]
fn the_recorded_pages_give_the_servers_figures() {
    let side = between(BEFORE, AFTER, &level(25));
    let ttft = side.ttft_ms.unwrap();
    assert_eq!(ttft.count, 25);
    assert!((ttft.mean - 1_731.096_267_7 / 25.0).abs() < 1e-6);
    // 12.5 of 25 are among the 17 between 5 ms and 10 ms.
    assert!(
        (ttft.p50 - (5.0 + 5.0 * 12.5 / 17.0)).abs() < 1e-9,
        "{}",
        ttft.p50
    );
    // 24.75 of 25: three quarters of the way through the one between 1 s and 2.5 s.
    assert!((ttft.p99 - 2125.0).abs() < 1e-9, "{}", ttft.p99);
    assert!((ttft.outside.unwrap() - (100.0 - ttft.mean)).abs() < 1e-9);
    assert_eq!(side.itl_ms.unwrap().count, 199);
    assert_eq!(side.itl_ms.unwrap().outside, None, "the client has no gaps");
    assert_eq!(side.queue_ms.unwrap().outside, None);
    assert_eq!(
        (side.prompt_tokens, side.generated_tokens),
        (Some(437), Some(224))
    );
    assert_eq!(
        (side.preemptions, side.prefix_cache_hit_rate),
        (Some(0), Some(0.0))
    );
    assert_eq!(side.notes, [] as [&str; 0]);
}

#[test]
fn only_what_was_added_counts() {
    let later = AFTER
        .replace(
            "prompt_tokens_total{engine=\"0\",model_name=\"Qwen/Qwen3.5-4B\"} 437.0",
            "prompt_tokens_total{engine=\"0\",model_name=\"Qwen/Qwen3.5-4B\"} 450.0",
        )
        .replace(
            "num_preemptions_total{engine=\"0\",model_name=\"Qwen/Qwen3.5-4B\"} 0.0",
            "num_preemptions_total{engine=\"0\",model_name=\"Qwen/Qwen3.5-4B\"} 2.0",
        );
    let side = between(AFTER, &later, &level(0));
    assert_eq!(side.ttft_ms, None, "nothing was served");
    assert_eq!((side.prompt_tokens, side.preemptions), (Some(13), Some(2)));
    assert_eq!(side.prefix_cache_hit_rate, None, "nothing was looked up");
}

#[test]
fn engines_are_added_up() {
    let second = |text: &str| {
        let lines = text
            .lines()
            .filter(|l| l.starts_with("vllm:"))
            .map(|l| l.replace("engine=\"0\"", "engine=\"1\"") + "\n");
        format!("{text}{}", lines.collect::<String>())
    };
    let side = between(&second(BEFORE), &second(AFTER), &level(50));
    assert_eq!(side.ttft_ms.unwrap().count, 50);
    assert_eq!(side.generated_tokens, Some(448));
    assert_eq!(side.notes, [] as [&str; 0]);
}

#[test]
fn a_counter_that_went_back_leaves_no_figures() {
    let side = between(AFTER, BEFORE, &level(25));
    assert_eq!((side.ttft_ms, side.prompt_tokens), (None, None));
    assert!(side.notes[0].contains("started anew"), "{:?}", side.notes);
    // Another process that has served more by now: nothing went back, but it says when it was born.
    let other = AFTER.replace("1.79551919", "1.79551920");
    let side = between(BEFORE, &other, &level(25));
    assert_eq!(side.ttft_ms, None);
    assert!(
        side.notes[0].contains("another instance answered"),
        "{:?}",
        side.notes
    );
}

#[test]
fn requests_that_are_not_the_clients_are_said() {
    let note = |level: &Level| between(BEFORE, AFTER, level).notes.join("|");
    assert!(note(&level(30)).contains("25 of the client's 30 requests: several instances"));
    assert!(note(&level(20)).contains("5 more requests, so another client"));
    let mut ramped = level(20);
    ramped.excluded_requests = 5;
    assert!(note(&ramped).contains("5 more requests, which the client's figures leave out"));
    let mut failing = level(30);
    failing.errors = 5;
    assert_eq!(
        note(&failing),
        "",
        "a request that failed need not have been served"
    );
}

#[test]
fn in_an_open_loop_the_wait_before_sending_is_not_the_networks() {
    let mut open = level(25);
    open.queue_ms = Some(mean(20.0));
    let (closed, open) = (between(BEFORE, AFTER, &level(25)), between(BEFORE, AFTER, &open));
    let outside = |side: &ServerSide| side.ttft_ms.unwrap().outside.unwrap();
    assert!((outside(&closed) - outside(&open) - 20.0).abs() < 1e-9);
}

#[test]
fn a_percentile_beyond_the_last_bucket_is_said() {
    let histogram = |inside: u32, count: u32| {
        let name = "vllm:time_to_first_token_seconds";
        format!(
            "{name}_bucket{{le=\"2560.0\"}} {inside}\n{name}_bucket{{le=\"+Inf\"}} {count}\n{name}_count {count}\n{name}_sum {count}\n"
        )
    };
    let side = between(&histogram(0, 0), &histogram(94, 100), &level(100));
    assert_eq!(side.ttft_ms.unwrap().p95, 2_560_000.0);
    assert_eq!(
        side.notes,
        [
            "the server's TTFT from p95 on is above 2560 s, where its last bucket starts: that is shown"
                .to_owned()
        ]
    );
}

#[tokio::test]
async fn a_server_without_metrics_is_not_watched() {
    for script in [
        ("404 Not Found", "no"),
        ("200 OK", "<html>hello</html>"),
        ("200 OK", "up 1\n"),
    ] {
        let server = Server::start(move |_| answer(script.0, "text/plain", script.1)).await;
        assert!(Watch::begin(&server.endpoint(None)).await.is_none(), "{script:?}");
    }
    let endless = Server::start(|_| {
        Script::Endless(
            b"HTTP/1.1 200 OK\r\n\r\n".to_vec(),
            b"vllm:x 1\n".repeat(4096).clone(),
        )
    })
    .await;
    assert!(Watch::begin(&endless.endpoint(None)).await.is_none());
}

#[tokio::test]
async fn the_fullest_kv_cache_of_the_level_is_kept_and_the_end_waits_for_the_last_request() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let page = |kv: f64, text: &str| {
        text.replace(
            "kv_cache_usage_perc{engine=\"0\",model_name=\"Qwen/Qwen3.5-4B\"} 0.0",
            &format!("kv_cache_usage_perc{{engine=\"0\",model_name=\"Qwen/Qwen3.5-4B\"}} {kv}"),
        )
    };
    let server = Server::start(move |_| {
        let text = match count.fetch_add(1, Ordering::SeqCst) {
            0 => page(0.0, BEFORE),
            1 => page(0.25, BEFORE),
            2 => page(0.75, BEFORE),
            3 | 4 => page(0.5, BEFORE),
            _ => page(0.0, AFTER),
        };
        answer("200 OK", "text/plain", &text)
    })
    .await;
    let watch = Watch::begin(&server.endpoint(None).at(Tempo::new(0.1)))
        .await
        .unwrap();
    while asked.load(Ordering::SeqCst) < 4 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let side = watch.end(&level(25)).await.unwrap();
    assert_eq!(side.kv_cache_use, Some(0.75));
    assert_eq!(side.ttft_ms.unwrap().count, 25);
    assert_eq!(side.notes, [] as [&str; 0]);
}

#[tokio::test]
async fn a_page_that_is_gone_at_the_end_is_said() {
    let asked = AtomicUsize::new(0);
    let server = Server::start(move |_| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => answer("200 OK", "text/plain", BEFORE),
        _ => answer("503 Service Unavailable", "text/plain", "gone"),
    })
    .await;
    let watch = Watch::begin(&server.endpoint(None)).await.unwrap();
    let side = watch.end(&level(1)).await.unwrap();
    assert_eq!(side.ttft_ms, None);
    assert!(side.notes[0].contains("503"), "{:?}", side.notes);
}

#[tokio::test]
async fn the_emulators_server_tells_what_the_client_saw() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let stand_in = StandIn {
        speed: Speed {
            ttft: Duration::from_millis(30),
            gap: Duration::from_millis(5),
        },
        args: ["tiny", "--served-model-name", "m"].map(str::to_owned).to_vec(),
        ..StandIn::default()
    };
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    tokio::spawn(serve(stand_in, listener, |_| {}, stop));
    let endpoint = Endpoint::new(url, Arc::new(Fixed(None)), None).unwrap();
    let ask = async || {
        let request = ChatRequest {
            ignore_eos: Some(true),
            ..ChatRequest::user("m", "hello", 4)
        };
        endpoint.chat(&request, Duration::from_secs(10)).await.unwrap();
    };
    ask().await;
    let watch = Watch::begin(&endpoint).await.unwrap();
    for _ in 0..3 {
        ask().await;
    }
    let side = watch.end(&level(3)).await.unwrap();
    let ttft = side.ttft_ms.unwrap();
    assert_eq!(
        (ttft.count, side.e2e_ms.unwrap().count),
        (3, 3),
        "the one before is not in"
    );
    assert!(ttft.mean >= 29.0, "{ttft:?}");
    assert_eq!(side.itl_ms.unwrap().count, 9);
    assert_eq!(side.generated_tokens, Some(12));
    assert_eq!(side.notes, [] as [&str; 0]);
}
