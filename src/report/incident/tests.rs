use chrono::{DateTime, TimeDelta, TimeZone, Utc};

use super::*;
use crate::report::{
    Failure, ModelReport, Status,
    escape::inspect::inspect,
    record::{Figures, Record},
    samples,
};

mod table;

fn start() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 1, 6, 17, 0).unwrap()
}

/// A record so many hours after the start: good, or failed for this reason.
fn record(hours: i64, cause: Option<&str>) -> Record {
    Record {
        at: start() + TimeDelta::hours(hours),
        commit: "4f1c2a9e8b7d6c5f4e3d2c1b0a9f8e7d6c5b4a39".to_owned(),
        status: if cause.is_none() {
            Status::Succeeded
        } else {
            Status::Failed
        },
        service: "qwen3-5-4b".to_owned(),
        model: "Qwen/Qwen3.5-4B".to_owned(),
        model_revision: None,
        url: None,
        revision: None,
        ttft_ms: cause.is_none().then_some(Figures {
            p50: 210.0,
            p95: 320.0,
            p99: 400.0,
        }),
        itl_ms: None,
        e2e_ms: None,
        tokens_per_second: None,
        objectives_met: None,
        stage: cause.map(|_| "smoke".to_owned()),
        cause: cause.map(str::to_owned),
        run_url: Some(format!("https://github.com/acme/models/actions/runs/{hours}")),
        deployed: false,
    }
}

fn outcome(hours: i64, cause: Option<&str>) -> Outcome {
    Outcome::of(&record(hours, cause)).unwrap()
}

/// What the hidden line makes of a state.
fn remembered(state: &State) -> State {
    read(&format!("marker\n{}\nbody", hidden::write(state))).unwrap()
}

/// Runs at uneven times, each good or bad for one of three reasons; in long stretches of one kind, or wildly.
fn sequence(random: &mut fastrand::Rng) -> Vec<Outcome> {
    let (mut hours, mut bad) = (0, random.bool());
    let (pace, steadiness) = (random.i64(1..30), random.u32(1..12));
    (0..random.usize(1..80))
        .map(|_| {
            hours += random.i64(1..=pace);
            if random.u32(0..steadiness) == 0 {
                bad = !bad;
            }
            let reasons = ["no answer within 12 s", "out of memory", "status 503"];
            outcome(hours, bad.then(|| reasons[random.usize(0..3)]))
        })
        .collect()
}

#[test]
fn whatever_happens_the_issue_is_open_exactly_while_it_fails_and_nobody_is_told_too_often() {
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..3_000 {
        let runs = sequence(&mut random);
        let mut state = State::default();
        let mut last_word = None;
        let (mut in_a_row, mut openings, mut told) = (0, 0, 0);
        let mut told_at: Option<DateTime<Utc>> = None;
        for run in &runs {
            let flapped = state.is_flapping() && state.incident.is_some();
            let was_open = state.incident.is_some();
            let step = state.step(run);
            in_a_row = if run.good { in_a_row + 1 } else { 0 };
            let open = step.state.incident.is_some();
            assert!(run.good || open, "a failure has an open issue");
            assert!(in_a_row < 3 || !open, "three good runs close it");
            assert_eq!(step.ended.is_some(), was_open && !open);
            openings += usize::from(open && !was_open);
            if let Some(announce) = step.announce {
                told += 1;
                assert_eq!(announce == Announce::Recovered, was_open && !open);
                if flapped && step.state.is_flapping() {
                    assert_eq!(
                        announce,
                        Announce::Recovered,
                        "it flaps: quiet until it is steady"
                    );
                }
                if announce == Announce::CauseChanged {
                    assert!(run.at - told_at.unwrap() >= TimeDelta::hours(22), "once a day");
                }
                if announce != Announce::Recovered {
                    told_at = Some(run.at);
                }
                last_word = Some(announce);
            }
            let says_well = matches!(last_word, None | Some(Announce::Recovered));
            assert_eq!(says_well, !open, "the last word is true");
            assert!(step.state.changes.len() <= 20);
            state = remembered(&step.state);
            assert_eq!(state, step.state, "nothing is lost in the hidden line");
        }
        let days = usize::try_from((runs.last().unwrap().at - start()).num_hours() / 22).unwrap();
        assert!(told <= 2 * openings + days, "{told} for {openings} in {days}");
    }
}

#[test]
fn the_history_and_the_issue_come_to_the_same() {
    let mut random = fastrand::Rng::with_seed(11);
    for _ in 0..300 {
        let runs = sequence(&mut random);
        let records: Vec<Record> = runs
            .iter()
            .map(|run| Record {
                at: run.at,
                ..record(0, (!run.good).then_some(run.title.as_str()))
            })
            .collect();
        let later = start() + TimeDelta::days(1000);
        let from_history = State::default().replay(&records, later);
        let cut = random.usize(0..records.len());
        let issue = State::default().replay(&records[..cut], later);
        assert_eq!(remembered(&issue).replay(&records, later), from_history);
    }
}

#[test]
fn a_deployment_is_a_good_result_and_leaves_the_news_to_the_next_test() {
    let deployed = Record {
        deployed: true,
        ..record(30, None)
    };
    let history = [record(0, None), record(24, Some("x")), deployed.clone()];
    let before = State::default().replay(&history, start() + TimeDelta::hours(48));
    assert_eq!(before.last_good.as_ref().map(|good| good.at), Some(deployed.at));
    let step = before.step(&outcome(48, None));
    assert_eq!(step.announce, Some(Announce::Recovered));
    assert_eq!(step.ended.map(|ended| ended.failed), Some(1));
}

#[test]
fn a_run_that_is_told_twice_counts_once() {
    let once = State::default().step(&outcome(0, Some("x"))).state;
    let again = once.step(&outcome(0, Some("x")));
    assert_eq!((again.state, again.announce), (once, None));
}

#[test]
fn a_state_of_a_time_to_come_is_known_as_one() {
    let state = State::default().step(&outcome(48, None)).state;
    let at = |hours| outcome(hours, None).at;
    assert!(!State::default().is_ahead_of(at(0)));
    assert!(
        !state.is_ahead_of(at(24)),
        "clocks of runs at the same time differ"
    );
    assert!(state.is_ahead_of(at(23)));
}

#[test]
fn a_run_that_judged_nothing_changes_nothing() {
    for status in [
        Status::Cancelled,
        Status::Skipped,
        Status::Superseded,
        Status::Running,
    ] {
        let mut one = record(5, Some("x"));
        one.status = status;
        assert_eq!(Outcome::of(&one), None);
        let state = State::default().replay(&[one], start() + TimeDelta::days(1));
        assert_eq!(state, State::default());
    }
}

#[test]
fn people_hear_of_a_test_that_can_t_run_after_the_second_time_in_a_row() {
    let now = start() + TimeDelta::hours(48);
    let skipped = Record {
        status: Status::Skipped,
        ..record(24, None)
    };
    let known = |in_a_row| Hindered {
        in_a_row,
        ..Hindered::default()
    };
    let good = record(24, None);
    let this = Record {
        at: now,
        ..skipped.clone()
    };
    for (what, known, histories, due) in [
        ("good before", None, vec![vec![good.clone(), this.clone()]], false),
        (
            "hindered before",
            None,
            vec![vec![good.clone(), skipped, this]],
            true,
        ),
        ("nothing remembers", None, vec![], true),
        ("the issue remembers none", Some(known(0)), vec![], false),
        ("the issue remembers one", Some(known(1)), vec![vec![good]], true),
    ] {
        assert_eq!(is_due(known.as_ref(), &histories, now), due, "{what}");
    }
    let state = known(1).again(now);
    assert!(state.is_told() && state.goes_on(now));
    let over = state.over(now);
    assert!(!over.is_told() && over.goes_on(now + TimeDelta::hours(20)));
    assert!(!over.goes_on(now + TimeDelta::hours(30)));
}

fn failing() -> ModelReport {
    samples::failed_build().models.remove(0)
}

fn page<'a>(model: &'a ModelReport, record: &'a Record, marker: &'a str) -> Page<'a> {
    Page {
        marker,
        model,
        record,
    }
}

/// The states of one issue in their order, with the notes below it.
fn story(runs: &[(i64, Option<&str>)]) -> String {
    let (mut state, mut told) = (State::default(), String::new());
    let marker = marker("acme-ml", "europe-west4", "qwen3-5-4b");
    for (hours, cause) in runs {
        let one = record(*hours, *cause);
        let mut model = if cause.is_some() {
            failing()
        } else {
            samples::model()
        };
        model.service = "qwen3-5-4b".to_owned();
        let step = state.step(&Outcome::of(&one).unwrap());
        let page = page(&model, &one, &marker);
        let text = body(&page, &step.state, step.ended.as_ref());
        let hidden = text.lines().nth(1).unwrap().to_owned();
        let text = text.replace(&hidden, "<!-- state -->");
        told += &format!("===== after {hours} h: {:?}\n{text}\n", step.announce);
        let note = step
            .announce
            .and_then(|announce| note(&page, announce, step.ended.as_ref()));
        if let Some(note) = note {
            told += &format!("----- comment\n{note}\n");
        }
        if let Some(announce) = step.announce {
            let ended = step.ended.as_ref();
            let message = message(announce, "acme/models", &model, &one, &step.state, ended);
            told += &format!(
                "----- webhook\n{}\n",
                serde_json::to_string_pretty(&message).unwrap()
            );
        }
        state = step.state;
    }
    told
}

#[test]
fn what_a_reader_sees_from_the_first_failure_to_the_recovery() {
    insta::assert_snapshot!(story(&[
        (0, None),
        (24, Some("the build failed")),
        (48, Some("another reason")),
        (72, None)
    ]));
}

#[test]
fn what_a_reader_sees_of_a_flapping_endpoint() {
    insta::assert_snapshot!(story(&[
        (0, None),
        (24, Some("x")),
        (48, None),
        (72, Some("x")),
        (96, None),
        (120, None),
        (144, None)
    ]));
}

#[test]
fn what_others_write_does_nothing_in_an_issue_a_note_or_a_message() {
    let huge = format!("{}{}", samples::HOSTILE, "<!channel> @here ".repeat(40_000));
    for text in [samples::HOSTILE, &huge] {
        let mut one = record(0, Some(text));
        one.commit = text.to_owned();
        one.run_url = Some(format!("javascript:alert(1)//{text}"));
        let mut model = samples::hostile().models.remove(0);
        model.failure = Some(Failure {
            stage: text.to_owned(),
            title: text.to_owned(),
            cause: text.to_owned(),
            fix: Some(text.to_owned()),
            said: Some(text.to_owned()),
            log: vec![text.to_owned(); 60],
            settings: Vec::new(),
            place: None,
        });
        let step = State::default().step(&Outcome::of(&one).unwrap());
        let marker = marker("p", "r", text);
        let page = page(&model, &one, &marker);
        let texts = [
            body(&page, &step.state, None),
            note(&page, Announce::CauseChanged, None).unwrap(),
        ];
        for text in texts {
            assert!(text.chars().count() <= 65_536, "{}", text.len());
            let active = inspect(&text);
            assert!(active.autolinked.is_empty(), "{:?}", active.autolinked);
            assert!(active.images.is_empty(), "{:?}", active.images);
            let html = active
                .html
                .iter()
                .all(|html| html.trim().starts_with("<!-- llm-deploy"));
            assert!(html, "{:?}", active.html);
            let safe = |link: &String| link.starts_with("https://") && !link.contains(['<', '(', '`', ' ']);
            assert!(active.links.iter().all(safe), "{:?}", active.links);
        }
        let json = message(Announce::Fails, "acme/models", &model, &one, &step.state, None);
        assert!(!json.text.contains(['<', '>']), "{}", json.text);
        assert!(
            !json.text.contains("@here") && !json.text.contains("@octocat"),
            "{}",
            json.text
        );
        assert!(json.text.len() < 10_000);
    }
}

#[test]
fn a_spoilt_line_is_no_state() {
    for body in [
        "",
        "marker",
        "marker\n<!-- llm-deploy-state:!! -->",
        "marker\n<!-- llm-deploy-state:e30",
        "m\ntext",
    ] {
        assert_eq!(read::<State>(body), None, "{body}");
    }
    let kept = replace(
        "marker\n<!-- llm-deploy-state:e30= -->\n### Well\n",
        &State::default(),
    );
    assert_eq!(read::<State>(&kept), Some(State::default()));
    assert!(kept.ends_with("### Well"), "{kept}");
}
