//! Each rule, as a list of runs: `g` good, `a` and `b` bad for two reasons; and what is told of each.

use super::*;

/// `F`irst failure, `A`gain, `f`laps, `c`ause changed, `R`ecovered, `.` nothing; upper or lower as it is.
fn told(every_hours: i64, runs: &str) -> (String, bool) {
    let (mut state, mut told, mut hours) = (State::default(), String::new(), 0);
    for run in runs.chars() {
        hours += every_hours;
        let cause = match run {
            'g' => None,
            // As far apart as two measurements of one trouble.
            'a' => Some(format!("ttft-p95 is {hours}.5 ms, the objective is 800 ms")),
            'b' => Some("2 of 5 smoke checks failed, the first is: chat".to_owned()),
            _ => continue,
        };
        let step = state.step(&outcome(hours, cause.as_deref()));
        told.push(match step.announce {
            None => '.',
            Some(Announce::Fails) => 'F',
            Some(Announce::FailsAgain) => 'A',
            Some(Announce::Flaps) => 'f',
            Some(Announce::CauseChanged) => 'c',
            Some(Announce::Recovered) => 'R',
        });
        state = step.state;
    }
    (told, state.incident.is_some())
}

#[test]
fn who_is_told_when() {
    for (rule, every, runs, expected, open) in [
        ("a healthy service", 24, "gggg", "....", false),
        ("the first run ever fails", 24, "a", "F", true),
        (
            "it goes on failing for the same reason",
            24,
            "gaaaa",
            ".F...",
            true,
        ),
        ("it recovers", 24, "gaag", ".F.R", false),
        ("the cause changes, on another day", 24, "gab", ".Fc", true),
        ("the cause changes within a day", 1, "gabababa", ".F......", true),
        (
            "the cause changes back before it could be told",
            12,
            "gabaa",
            ".F...",
            true,
        ),
        (
            "a changed cause is told when the day is over",
            12,
            "gabbb",
            ".F.c.",
            true,
        ),
        ("it fails again within a day", 12, "aga", "FRA", true),
        ("it fails again after more than a day", 27, "aga", "FRF", true),
        ("it flaps", 24, "gagag", ".FRf.", true),
        ("it flaps and is steady again", 24, "gagaggg", ".FRf..R", false),
        ("it flaps on: quiet", 12, "gagagagagag", ".FRf.......", true),
        (
            "causes that change while it flaps: quiet",
            24,
            "gagabab",
            ".FRf...",
            true,
        ),
        (
            "two good runs are not enough while it flaps",
            24,
            "gagaggagg",
            ".FRf.....",
            true,
        ),
        (
            "steady, and back within the week",
            24,
            "gagaggga",
            ".FRf..Rf",
            true,
        ),
        (
            "flapping is forgotten after a quiet week",
            24,
            "gagagggggggggga",
            ".FRf..R.......F",
            true,
        ),
        (
            "good and bad in turns, a week apart each",
            169,
            "gagaga",
            ".FRFRF",
            true,
        ),
    ] {
        assert_eq!(told(every, runs), (expected.to_owned(), open), "{rule}");
    }
}

#[test]
fn a_failure_within_a_day_belongs_to_the_last_issue_and_a_later_one_does_not() {
    let failed = State::default().step(&outcome(0, Some("x"))).state;
    let over = failed.step(&outcome(1, None)).state;
    let at = |hours| start() + TimeDelta::hours(hours);
    assert!(
        failed.goes_on(at(900)),
        "it is not over, whoever closed the issue"
    );
    assert!(
        over.goes_on(at(1 + 24)),
        "a daily schedule that starts late is a day, too"
    );
    assert!(!over.goes_on(at(1 + 27)));
}
