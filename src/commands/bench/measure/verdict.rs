//! What a result means for the exit code.

use crate::{
    bench::result::{BenchResult, Level, Verdict as Change},
    config::latency::Objective,
};

/// The exit code, and in a line why it is not 0.
#[derive(Debug, PartialEq)]
pub struct Verdict {
    pub code: u8,
    pub why: Option<String>,
}

/// 3 when nobody was there to answer; 1 when a request failed (with an `error-rate` objective that decides instead), an
/// objective was missed, or a figure got worse and that is to fail. A sweep is meant to go too far: only the rate that it
/// found is judged.
pub fn of(result: &BenchResult, fail_on_regression: bool) -> Verdict {
    let judged: Vec<&Level> = match &result.sweep {
        Some(_) => result.headline_level().into_iter().collect(),
        None => result.levels.iter().collect(),
    };
    let failed = |code, why: String| Verdict { code, why: Some(why) };
    if judged.is_empty() {
        return failed(3, "nothing was measured".to_owned());
    }
    if judged.iter().all(|level| was_unreachable(level)) {
        return failed(3, "no request reached the endpoint".to_owned());
    }
    if judged.iter().all(|level| level.requests == 0) {
        return failed(
            1,
            "no request was due in the measured time: measure longer".to_owned(),
        );
    }
    let mut reasons: Vec<String> = Vec::new();
    reasons.extend(errors(&judged));
    let missed: Vec<&str> = judged
        .iter()
        .flat_map(|level| &level.objectives)
        .filter(|outcome| !outcome.met)
        .map(|outcome| outcome.written.as_str())
        .collect();
    if !missed.is_empty() {
        reasons.push(format!("missed {}", distinct(&missed).join(", ")));
    }
    let worse = result
        .comparison
        .iter()
        .flat_map(|comparison| &comparison.changes)
        .filter(|change| change.verdict == Change::Worse)
        .count();
    if fail_on_regression && worse > 0 {
        reasons.push(format!("{worse} of the figures are worse than the baseline's"));
    }
    match reasons.as_slice() {
        [] => Verdict { code: 0, why: None },
        reasons => failed(1, reasons.join("; ")),
    }
}

fn was_unreachable(level: &Level) -> bool {
    level.answers() == 0 && level.errors > 0 && level.errors_by_kind.keys().all(|kind| kind == "unreachable")
}

fn errors(levels: &[&Level]) -> Option<String> {
    let tolerant = |level: &&&Level| {
        let mut outcomes = level.objectives.iter();
        outcomes.any(|outcome| matches!(outcome.objective, Objective::ErrorRate { .. }))
    };
    let strict: Vec<_> = levels.iter().filter(|level| !tolerant(level)).collect();
    let errors: u64 = strict.iter().map(|level| level.errors).sum();
    let requests: u64 = strict.iter().map(|level| level.requests).sum();
    (errors > 0).then(|| format!("{errors} of {requests} requests failed"))
}

fn distinct<'a>(names: &[&'a str]) -> Vec<&'a str> {
    let mut distinct: Vec<&str> = Vec::new();
    for name in names {
        if !distinct.contains(name) {
            distinct.push(name);
        }
    }
    distinct
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{output::samples, result::ObjectiveOutcome};

    #[test]
    fn a_failed_request_is_a_failure_unless_an_objective_allows_it() {
        let mut result = samples::three_levels();
        assert_eq!(of(&result, true), Verdict { code: 0, why: None });
        result.levels[1].errors = 2;
        let verdict = of(&result, false);
        assert_eq!(verdict.code, 1);
        assert_eq!(verdict.why.as_deref(), Some("2 of 1200 requests failed"));
        let objective = Objective::ErrorRate { share: 0.01 };
        for level in &mut result.levels {
            level.objectives = vec![ObjectiveOutcome {
                objective,
                written: objective.to_string(),
                measured: Some(0.005),
                met: true,
                margin: Some(0.5),
            }];
        }
        assert_eq!(of(&result, false).code, 0);
    }

    #[test]
    fn a_missed_objective_is_named_once() {
        let mut result = samples::one_level();
        result.levels.push(result.levels[0].clone());
        let verdict = of(&result, false);
        assert_eq!(verdict.code, 1);
        assert_eq!(verdict.why.as_deref(), Some("missed itl-p99: 20ms"));
    }

    #[test]
    fn a_time_in_which_no_request_was_due_is_no_success() {
        let mut result = samples::one_level();
        result.levels = vec![Level::empty(result.levels[0].load)];
        assert_eq!(of(&result, false).code, 1);
    }

    #[test]
    fn a_regression_fails_only_when_asked_to() {
        let result = samples::compared();
        assert_eq!(of(&result, false).code, 0);
        let verdict = of(&result, true);
        assert_eq!(verdict.code, 1);
        assert!(verdict.why.unwrap().contains("1 of the figures"));
    }

    #[test]
    fn a_sweep_is_judged_by_the_rate_that_it_found() {
        let mut result = samples::sweep();
        assert_eq!(of(&result, false).code, 0);
        result.headline = Some(2);
        assert_eq!(of(&result, false).code, 1);
    }

    #[test]
    fn an_endpoint_that_nobody_reached_is_no_slow_one() {
        let mut result = samples::failures();
        assert_eq!(of(&result, false).code, 1);
        result.levels[0].errors_by_kind = [("unreachable".to_owned(), 12)].into();
        assert_eq!(of(&result, false).code, 3);
        assert_eq!(of(&samples::nothing(), false).code, 3);
    }
}
