//! The stages of all models on one axis of time, from the start of the run.

use std::time::Duration;

use crate::{
    report::{ModelReport, Report, Stage, Status, escape::line, words},
    units::human_duration,
};

/// Steps between the marks of the axis, in seconds. Above the last, multiples of it.
const STEPS: [u64; 16] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 21_600,
];
/// Most marks that a phone has room for, besides the one at the start.
const MARKS: u64 = 5;

/// For the template. Places are in percent of the axis.
pub struct Timeline {
    pub marks: Vec<(String, String)>,
    pub models: Vec<Lane>,
}

pub struct Lane {
    pub model: String,
    pub rows: Vec<Row>,
}

pub struct Row {
    pub name: String,
    pub emoji: &'static str,
    pub status: &'static str,
    /// `7m 11s`
    pub time: String,
    pub detail: String,
    pub bar: Option<Bar>,
}

pub struct Bar {
    pub left: String,
    pub width: String,
    /// `from 1.2 s on`
    pub from: String,
}

/// `None` when no model has stages.
pub fn of(report: &Report) -> Option<Timeline> {
    let models: Vec<(&ModelReport, Vec<Duration>)> = report
        .models
        .iter()
        .filter(|model| !model.stages.is_empty())
        .map(|model| (model, starts(report, &model.stages)))
        .collect();
    let ends = models
        .iter()
        .flat_map(|(model, starts)| model.stages.iter().zip(starts))
        .map(|(stage, start)| *start + stage.duration);
    // Never nothing: it divides.
    let total = ends.max()?.max(Duration::from_millis(1)).as_secs_f64();
    let percent = |seconds: f64| format!("{:.2}", seconds / total * 100.0);
    Some(Timeline {
        marks: marks(total).map(|at| (percent(at as f64), mark(at))).collect(),
        models: models
            .iter()
            .map(|(model, starts)| Lane {
                model: line(&model.model),
                rows: model
                    .stages
                    .iter()
                    .zip(starts)
                    .map(|(stage, start)| row(stage, *start, percent))
                    .collect(),
            })
            .collect(),
    })
}

/// When each stage began, from the start of the run. Where that is not known, when the one before it ended.
fn starts(report: &Report, stages: &[Stage]) -> Vec<Duration> {
    let mut end = Duration::ZERO;
    let mut starts = Vec::new();
    for stage in stages {
        let known = stage.started_at.map(|at| at - report.started_at);
        // A clock that was set back would put it before the run.
        let start = known.map_or(end, |since| since.to_std().unwrap_or_default());
        end = start + stage.duration;
        starts.push(start);
    }
    starts
}

fn row(stage: &Stage, start: Duration, percent: impl Fn(f64) -> String) -> Row {
    let begun = !stage.duration.is_zero() && !matches!(stage.status, Status::Skipped | Status::Queued);
    Row {
        name: line(words::stage(&stage.name)),
        emoji: words::emoji(stage.status),
        status: words::status(stage.status),
        time: words::spent(stage.duration),
        detail: line(&stage.detail),
        bar: begun.then(|| Bar {
            left: percent(start.as_secs_f64()),
            width: percent(stage.duration.as_secs_f64()),
            from: from(start),
        }),
    }
}

fn from(start: Duration) -> String {
    match start.as_millis() {
        0 => "from the start".to_owned(),
        _ => format!("from {} on", human_duration(start)),
    }
}

/// Seconds of the marks, from zero on.
fn marks(total: f64) -> impl Iterator<Item = u64> {
    let least = total as u64 / MARKS + 1;
    let last = STEPS[STEPS.len() - 1];
    let step = STEPS
        .into_iter()
        .find(|step| *step >= least)
        .unwrap_or_else(|| least.next_multiple_of(last));
    (0..=MARKS)
        .map(move |n| n * step)
        .take_while(move |at| *at as f64 <= total)
}

/// `0`, `30 s`, `5 min`, `2 h`.
fn mark(seconds: u64) -> String {
    match seconds {
        0 => "0".to_owned(),
        s if s % 3600 == 0 => format!("{} h", s / 3600),
        s if s % 60 == 0 => format!("{} min", s / 60),
        s => format!("{s} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    fn places(report: &Report) -> Vec<Vec<Option<(String, String)>>> {
        let timeline = of(report).unwrap();
        let bar = |row: Row| row.bar.map(|bar| (bar.left, bar.width));
        let lane = |lane: Lane| lane.rows.into_iter().map(bar).collect();
        timeline.models.into_iter().map(lane).collect()
    }

    fn pair(left: &str, width: &str) -> Option<(String, String)> {
        Some((left.to_owned(), width.to_owned()))
    }

    #[test]
    fn models_that_run_at_once_stand_on_one_axis() {
        let mut report = samples::several();
        report.models.truncate(2);
        let begin = report.started_at;
        for (model, spans) in report
            .models
            .iter_mut()
            .zip([[(0, 20), (20, 60)], [(10, 40), (60, 140)]])
        {
            model.stages.truncate(2);
            for (stage, (from, to)) in model.stages.iter_mut().zip(spans) {
                stage.started_at = Some(begin + Duration::from_secs(from));
                stage.duration = Duration::from_secs(to - from);
            }
        }
        assert_eq!(
            places(&report),
            [
                [pair("0.00", "14.29"), pair("14.29", "28.57")],
                [pair("7.14", "21.43"), pair("42.86", "57.14")]
            ]
        );
    }

    #[test]
    fn a_stage_whose_start_is_unknown_follows_the_one_before() {
        let mut report = samples::preview();
        report.models[0].stages.truncate(2);
        assert_eq!(places(&report), [[pair("0.00", "0.23"), pair("0.23", "99.77")]]);
    }

    #[test]
    fn a_clock_that_was_set_back_puts_nothing_outside_of_the_axis() {
        let mut report = samples::preview();
        report.models[0].stages.truncate(1);
        report.models[0].stages[0].started_at = Some(report.started_at - Duration::from_secs(3600));
        assert_eq!(places(&report), [[pair("0.00", "100.00")]]);
    }

    #[test]
    fn what_was_not_begun_has_a_row_and_no_bar() {
        let report = samples::failed_build();
        let rows = &of(&report).unwrap().models[0].rows;
        let told: Vec<_> = rows.iter().map(|r| (r.status, r.bar.is_some())).collect();
        assert_eq!(
            told[..3],
            [("succeeded", true), ("failed", true), ("skipped", false)]
        );
    }

    #[test]
    fn marks_are_round_and_few_whatever_the_run_took() {
        for (total, expected) in [
            (0.4, "0"),
            (4.2, "0, 1 s, 2 s, 3 s, 4 s"),
            (742.0, "0, 5 min, 10 min"),
            (5_400.0, "0, 30 min, 1 h, 90 min"),
            (200_000.0, "0, 12 h, 24 h, 36 h, 48 h"),
        ] {
            let told: Vec<String> = marks(total).map(mark).collect();
            assert_eq!(told.join(", "), expected, "{total}");
        }
    }

    #[test]
    fn a_run_without_stages_has_no_timeline() {
        assert!(of(&samples::broken()).is_none());
    }
}
