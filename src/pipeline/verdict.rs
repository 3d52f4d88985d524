//! Whether the measurement's figures are good enough to go on.

use super::failed::{Blame, Failed};
use crate::{
    bench::result::{Level, ObjectiveOutcome},
    config::latency::Objective,
    report::words,
};

/// What the stage says when the figures do. Without an objective for them, errors under load fail the run: figures of
/// the requests that happened to work would flatter.
pub fn latency(levels: &[Level], objectives: &[Objective]) -> Result<String, Failed> {
    let budget = objectives
        .iter()
        .any(|o| matches!(o, Objective::ErrorRate { .. }));
    let errors: u64 = levels.iter().map(|l| l.errors).sum();
    let requests: u64 = levels.iter().map(|l| l.requests).sum();
    if requests == 0 {
        let why = "no request was due in the measured time, or none was sent";
        let fix = "Give `latency.duration` more time, or a higher `latency.rate`";
        let failed = Failed::new(Blame::Deployment, "nothing was measured", why).fix(fix);
        return Err(failed.setting("latency.duration").setting("latency.rate"));
    }
    if errors > 0 && !budget {
        return Err(failed_requests(levels, errors, requests));
    }
    let missed: Vec<(&Level, &ObjectiveOutcome)> = levels
        .iter()
        .flat_map(|level| level.objectives.iter().map(move |o| (level, o)))
        .filter(|(_, outcome)| !outcome.met)
        .collect();
    if let Some((_, first)) = missed.first() {
        return Err(missed_objectives(first, &missed));
    }
    let failed = match errors {
        0 => String::new(),
        n => format!(", {n} failed"),
    };
    Ok(match objectives.len() {
        0 => format!("{requests} requests{failed}"),
        1 => format!("{requests} requests{failed}, the objective is met"),
        n => format!("{requests} requests{failed}, all {n} objectives are met"),
    })
}

fn failed_requests(levels: &[Level], errors: u64, requests: u64) -> Failed {
    let sample = levels
        .iter()
        .flat_map(|r| &r.error_samples)
        .next()
        .cloned()
        .unwrap_or_default();
    Failed::new(
        Blame::Deployment,
        format!("{errors} of {requests} measured requests failed"),
        sample,
    )
    .fix(
        "Look at the container's log for that time; lower `latency.concurrency` or `service.concurrency` if the instance \
         is overloaded, or allow for some with the objective `error-rate`",
    )
}

fn missed_objectives(first: &ObjectiveOutcome, missed: &[(&Level, &ObjectiveOutcome)]) -> Failed {
    let lines: Vec<String> = missed
        .iter()
        .map(|(level, outcome)| {
            let shown = words::outcome(outcome);
            let margin = if shown.margin.is_empty() {
                String::new()
            } else {
                format!(" ({})", shown.margin)
            };
            format!("At {}: {}{margin}", words::load_name(level.load), against(&shown))
        })
        .collect();
    let more = match missed.len() {
        1 => String::new(),
        n => format!(" (and {} more)", n - 1),
    };
    let title = against(&words::outcome(first)) + &more;
    let failed = Failed::new(Blame::Deployment, title, lines.join("\n")).fix(format!(
        "{}. The limit stands under `latency.objectives` in llm-deploy.yaml",
        words::advice(&first.objective)
    ));
    let limits = missed
        .iter()
        .map(|(_, outcome)| format!("latency.objectives.{}", words::outcome(outcome).key));
    limits.fold(failed, Failed::setting)
}

/// `ttft-p95 is 912 ms, the objective is 800 ms`
fn against(shown: &words::Outcome) -> String {
    format!(
        "{} is {}, the objective is {}",
        shown.key, shown.measured, shown.limit
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::result::LoadShape;

    fn level(concurrency: u32, objectives: &[(&str, &str, f64, bool)]) -> Level {
        let outcome = |(key, value, measured, met): &(&str, &str, f64, bool)| ObjectiveOutcome {
            objective: Objective::parse(key, value).unwrap(),
            written: format!("{key}: {value}"),
            measured: Some(*measured),
            met: *met,
            margin: Some(if *met { 0.2 } else { -0.14 }),
        };
        Level {
            requests: 20,
            objectives: objectives.iter().map(outcome).collect(),
            ..Level::empty(LoadShape::Closed { concurrency })
        }
    }

    fn objectives(keys: &[(&str, &str)]) -> Vec<Objective> {
        keys.iter()
            .map(|(k, v)| Objective::parse(k, v).unwrap())
            .collect()
    }

    #[test]
    fn a_measurement_without_requests_is_no_success() {
        let failed = latency(&[Level::empty(LoadShape::Closed { concurrency: 1 })], &[]).unwrap_err();
        assert_eq!(failed.failure.title, "nothing was measured");
    }

    #[test]
    fn the_first_missed_objective_is_the_title_and_all_are_the_cause() {
        let levels = [
            level(
                1,
                &[
                    ("ttft-p95", "800ms", 640.0, true),
                    ("itl-p99", "60ms", 40.0, true),
                ],
            ),
            level(
                8,
                &[
                    ("ttft-p95", "800ms", 912.0, false),
                    ("itl-p99", "60ms", 68.4, false),
                ],
            ),
        ];
        let asked = objectives(&[("ttft-p95", "800ms"), ("itl-p99", "60ms")]);
        let failure = latency(&levels, &asked).unwrap_err().failure;
        assert_eq!(
            failure.title,
            "ttft-p95 is 912 ms, the objective is 800 ms (and 1 more)"
        );
        assert_eq!(
            failure.cause,
            "At 8 at a time: ttft-p95 is 912 ms, the objective is 800 ms (missed by 14 %)\n\
             At 8 at a time: itl-p99 is 68.4 ms, the objective is 60 ms (missed by 14 %)"
        );
        let fix = failure.fix.unwrap();
        assert!(
            fix.contains("max-num-batched-tokens") && fix.contains("latency.objectives"),
            "{fix}"
        );
        assert_eq!(
            failure.settings,
            ["latency.objectives.ttft-p95", "latency.objectives.itl-p99"]
        );
        assert_eq!(
            latency(&levels[..1], &asked).unwrap(),
            "20 requests, all 2 objectives are met"
        );
    }

    #[test]
    fn an_objective_for_errors_decides_over_them() {
        let mut failing = level(4, &[("error-rate", "0.1", 0.05, true)]);
        failing.errors = 1;
        failing.error_samples = vec!["503".to_owned()];
        assert_eq!(
            latency(&[failing.clone()], &objectives(&[("error-rate", "0.1")])).unwrap(),
            "20 requests, 1 failed, the objective is met"
        );
        failing.objectives.clear();
        let failure = latency(&[failing], &[]).unwrap_err().failure;
        assert_eq!(failure.title, "1 of 20 measured requests failed");
        assert_eq!(failure.cause, "503");
    }
}
