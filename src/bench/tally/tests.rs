use super::*;
use crate::{bench::result::LoadShape, endpoint::Usage};

type Ended<'a> = (u64, u64, Result<Answer<'a>, Failure>);

fn millis(values: &[u64]) -> Vec<Duration> {
    values.iter().copied().map(Duration::from_millis).collect()
}

fn answer(ttft: u64, gaps: &[Duration], tokens: Option<u64>, asked: u32) -> Answer<'_> {
    let span = gaps.iter().sum();
    let ttft = Duration::from_millis(ttft);
    Answer {
        sample: Sample {
            ttft,
            e2e: ttft + span,
            queue: None,
            span,
            chunks: gaps.len() as u64 + 1,
            usage: tokens.map(|completion_tokens| Usage {
                prompt_tokens: 7,
                completion_tokens,
            }),
        },
        gaps,
        good: None,
        counted_before: None,
        asked,
    }
}

fn failure(message: &str) -> Failure {
    Failure {
        kind: "timeout",
        message: message.to_owned(),
    }
}

fn level(outcomes: Vec<Ended>, judged: bool) -> Level {
    let start = Instant::now();
    let mut tally = Tally::new(start);
    for (number, (began, ended, result)) in outcomes.into_iter().enumerate() {
        let at = |ms| start + Duration::from_millis(ms);
        tally.add(number as u64, at(began), at(ended), result.as_ref());
    }
    let mut level = Level::empty(LoadShape::Closed { concurrency: 4 });
    tally.fill(&mut level, judged, 1);
    level
}

#[test]
fn figures_are_of_the_answers_and_errors_are_apart() {
    let (one, two) = (millis(&[10, 20]), millis(&[40, 40]));
    let result = level(
        vec![
            (0, 130, Ok(answer(100, &one, Some(3), 3))),
            (0, 9000, Err(failure("POST /x had no answer after 9 s"))),
            (130, 330, Ok(answer(120, &two, Some(3), 3))),
        ],
        false,
    );
    assert_eq!((result.requests, result.errors), (3, 1));
    let ttft = result.ttft_ms.unwrap();
    assert_eq!((ttft.mean, ttft.max), (110.0, 120.0));
    let itl = result.itl_ms.unwrap();
    assert_eq!((itl.mean, itl.max), (27.5, 40.0));
    let tpot = result.tpot_ms.unwrap();
    assert_eq!((tpot.min, tpot.max), (15.0, 40.0));
    assert_eq!(result.e2e_ms.unwrap().max, 200.0);
    let rate = result.tokens_per_second.unwrap();
    assert_eq!(rate.p99, 25.0, "the slowest: 2 tokens in 80 ms");
    assert_eq!((result.output_tokens, result.input_tokens), (6, Some(14)));
    assert!(
        (result.output_tokens_per_second - 6.0 / 9.0).abs() < 1e-9,
        "wall time is to the last end"
    );
    assert!((result.requests_per_second - 2.0 / 9.0).abs() < 1e-9);
    assert!((result.total_tokens_per_second.unwrap() - 20.0 / 9.0).abs() < 1e-9);
    assert!(result.tokens_counted_by_server);
    assert_eq!(result.errors_by_kind, BTreeMap::from([("timeout".to_owned(), 1)]));
    assert_eq!(result.error_samples, ["POST /x had no answer after 9 s"]);
    assert_eq!(
        (result.notes.len(), result.goodput, result.queue_ms),
        (0, None, None)
    );
    let slices = &result.over_time;
    assert_eq!(slices.iter().map(|s| s.requests).sum::<u64>(), 3);
    assert_eq!(result.histograms["itl"].iter().map(|b| b.count).sum::<u64>(), 4);
}

#[test]
fn failed_requests_are_not_good_ones() {
    let gaps = millis(&[10]);
    let good = |good| Answer {
        good: Some(good),
        ..answer(10, &gaps, Some(2), 2)
    };
    let goodput = |outcomes| level(outcomes, true).goodput.unwrap();
    let mixed = goodput(vec![
        (0, 100, Ok(good(true))),
        (0, 200, Ok(good(false))),
        (0, 500, Err(failure("a"))),
        (0, 500, Ok(good(true))),
    ]);
    assert_eq!((mixed.share, mixed.requests_per_second), (0.5, 4.0));
    assert_eq!(goodput(vec![(0, 5, Err(failure("a")))]).share, 0.0);
}

#[test]
fn what_qualifies_the_figures_is_said() {
    let (none, one) = (millis(&[0]), millis(&[1]));
    let result = level(
        vec![
            (0, 10, Ok(answer(1, &none, Some(8), 8))),
            (0, 10, Ok(answer(1, &one, Some(5), 8))),
        ],
        false,
    );
    insta::assert_snapshot!(result.notes.join("\n"), @r"
    the server counted 13 tokens in 4 chunks with text: inter-token latency is the gap between chunks, tokens/s counts tokens
    answers had 5 to 8 tokens, 8 were asked for
    1 answers came in one chunk or one instant and have no tokens/s
    ");
    let result = level(vec![(0, 10, Ok(answer(5_000_000, &one, None, 2)))], false);
    assert!(!result.tokens_counted_by_server && result.input_tokens.is_none());
    insta::assert_snapshot!(result.notes.join("\n"), @r"
    1 answers had no usage: their tokens are counted as one a chunk
    2 values were over 3600000 and are shown as 3600000
    ");
    let result = level(
        vec![
            (0, 10, Ok(answer(1, &one, Some(2), 2))),
            (0, 10, Ok(answer(1, &one, Some(2), 64))),
        ],
        false,
    );
    insta::assert_snapshot!(result.notes.join("\n"), @"1 answers had more or fewer tokens than they were asked for");
}

#[test]
fn only_a_few_distinct_errors_are_kept() {
    let errors = (0..50).map(|i| (0, 1, Err(failure(&format!("error {}", i % 10)))));
    let result = level(errors.collect(), false);
    assert_eq!((result.requests, result.errors), (50, 50));
    assert_eq!(result.error_samples, ["error 0", "error 1", "error 2"]);
    assert_eq!((result.ttft_ms, result.output_tokens_per_second), (None, 0.0));
    assert!(!result.tokens_counted_by_server && result.notes.is_empty() && result.samples.is_none());
}

#[test]
fn counts_that_a_server_makes_up_do_not_overflow() {
    let gaps = millis(&[1]);
    let outcomes = (0..3)
        .map(|_| (0, 10, Ok(answer(1, &gaps, Some(u64::MAX / 2), 2))))
        .collect();
    let result = level(outcomes, false);
    assert_eq!(result.output_tokens, u64::MAX);
    assert!(
        result.notes.iter().any(|n| n.contains("2 were asked for")),
        "{:?}",
        result.notes
    );
}

#[test]
fn a_million_requests_leave_no_more_than_ten_thousand() {
    let size = |requests: u64| {
        let start = Instant::now();
        let mut tally = Tally::new(start);
        let mut random = fastrand::Rng::with_seed(1);
        for number in 0..requests {
            let gaps = [Duration::from_micros(random.u64(1..100_000))];
            let at = start + Duration::from_millis(number);
            let answer = answer(random.u64(1..2000), &gaps, Some(2), 2);
            tally.add(number, at, at, Ok(&answer));
        }
        let mut level = Level::empty(LoadShape::Closed { concurrency: 4 });
        tally.fill(&mut level, false, 1);
        assert_eq!(level.requests, requests);
        assert!(level.over_time.len() <= 120 && level.histograms["itl"].len() <= 200);
        serde_json::to_string(&level).unwrap().len()
    };
    let (some, many) = (size(10_000), size(1_000_000));
    assert!(many < some * 2, "{some} bytes, then {many}");
}
