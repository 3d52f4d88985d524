//! What the time to the first token is made of, from the log of the start.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    idle::STARTING,
    result::{Moment, Stage},
};
use crate::google::logging::{Line, Source};

/// vLLM's words when the weights are loaded; its last such line counts.
const LOADED: [&str; 2] = ["Loading weights took", "Model loading took"];
/// Uvicorn's, when the server answers.
const READY: &str = "Application startup complete.";

/// One request's start, taken apart.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Split {
    pub instance: Option<String>,
    pub stages: Vec<Stage>,
    pub notes: Vec<String>,
}

/// Whether the lines since the request was about to be sent have all that it will ever have of this start.
pub fn is_complete(lines: &[Line]) -> bool {
    let found = moments(lines).0;
    let has = |moment| found.iter().any(|(m, _)| *m == moment);
    has(Moment::Request) && has(Moment::StartupProbe) && has(Moment::EngineInit)
}

/// `lines` are those since the request was about to be sent; `sent` by this machine's clock, `first_token` from then on. The log's own clock is used wherever it can be: the
/// request counts from when the front end logged it.
pub fn split(lines: &[Line], sent: DateTime<Utc>, first_token: TimeDelta) -> Split {
    let (mut found, instance, mut notes) = moments(lines);
    if !found
        .iter()
        .any(|(moment, _)| *moment == Moment::InstanceRequested)
    {
        notes.push("the log has no line of an instance's start, so the time can't be split".to_owned());
        return Split {
            notes,
            ..Split::default()
        };
    }
    if found.first().is_none_or(|(moment, _)| *moment != Moment::Request) {
        notes.push("the log has no line of the request: it counts from this machine's clock".to_owned());
        found.insert(0, (Moment::Request, sent));
    }
    let missing = [
        Moment::ContainerStart,
        Moment::ModelLoad,
        Moment::EngineInit,
        Moment::StartupProbe,
    ]
    .into_iter()
    .filter(|wanted| found.iter().all(|(moment, _)| moment != wanted))
    .map(Moment::title);
    let missing: Vec<&str> = missing.collect();
    if !missing.is_empty() {
        notes.push(format!(
            "the log does not say when these ended: {}",
            missing.join(", ")
        ));
    }
    let end = found[0].1 + first_token;
    found.push((Moment::FirstToken, end));
    found.sort_by_key(|(moment, at)| (*at, *moment));
    let stages = found.windows(2).map(|pair| Stage {
        name: pair[1].0,
        since: pair[0].0,
        ms: (pair[1].1 - pair[0].1).num_microseconds().unwrap_or(0) as f64 / 1000.0,
    });
    Split {
        instance,
        stages: stages.collect(),
        notes,
    }
}

type Found = Vec<(Moment, DateTime<Utc>)>;

fn moments(lines: &[Line]) -> (Found, Option<String>, Vec<String>) {
    let (mut found, mut notes): (Found, _) = (Vec::new(), Vec::new());
    let ours = |line: &&Line| match &line.source {
        Source::Request(request) => request.request_url.contains("/v1/chat/completions"),
        _ => false,
    };
    found.extend(lines.iter().find(ours).map(|line| (Moment::Request, line.at)));
    let mut starts = lines
        .iter()
        .filter(|l| l.source == Source::System && l.text.starts_with(STARTING));
    let Some(start) = starts.next() else {
        return (found, None, notes);
    };
    found.push((Moment::InstanceRequested, start.at));
    let more = starts.count();
    if more > 0 {
        notes.push(format!("{more} more instances were started at the same time"));
    }
    let own = || {
        lines.iter().filter(|line| {
            line.at >= start.at && (start.instance.is_none() || line.instance == start.instance)
        })
    };
    let container = || own().filter(|line| line.source == Source::Container);
    let loaded = |line: &&Line| LOADED.iter().any(|words| line.text.contains(words));
    let probed = |line: &&Line| {
        line.source == Source::System
            && line.text.contains("STARTUP")
            && line.text.contains("probe succeeded")
    };
    let all = [
        (Moment::ContainerStart, container().next()),
        (Moment::ModelLoad, container().rfind(loaded)),
        (
            Moment::EngineInit,
            container().find(|line| line.text.contains(READY)),
        ),
        (Moment::StartupProbe, own().find(probed)),
    ];
    found.extend(
        all.into_iter()
            .filter_map(|(moment, line)| Some((moment, line?.at))),
    );
    (found, start.instance.clone(), notes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::google::logging::HttpRequest;

    fn at(ms: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_800_000_000_000 + ms).unwrap()
    }

    fn line(ms: i64, source: Source, instance: &str, text: &str) -> Line {
        Line {
            at: at(ms),
            source,
            instance: Some(instance.to_owned()).filter(|i| !i.is_empty()),
            text: text.to_owned(),
        }
    }

    /// A start as Cloud Run and vLLM log it, with another instance's lines in between.
    fn log() -> Vec<Line> {
        let request = Source::Request(HttpRequest {
            request_url: "https://s.run.app/v1/chat/completions".to_owned(),
            ..HttpRequest::default()
        });
        vec![
            line(0, request, "", ""),
            line(
                200,
                Source::System,
                "a",
                "Starting new instance. Reason: AUTOSCALING - Instance started",
            ),
            line(300, Source::Container, "b", "Application startup complete."),
            line(5_200, Source::Container, "a", "INFO vLLM API server version"),
            line(
                30_000,
                Source::Container,
                "a",
                "Loading weights took 24.00 seconds",
            ),
            line(
                31_000,
                Source::Container,
                "a",
                "Model loading took 8.6 GiB and 25.1 seconds",
            ),
            line(
                60_000,
                Source::Container,
                "a",
                "INFO:     Application startup complete.",
            ),
            line(
                61_000,
                Source::System,
                "a",
                "STARTUP HTTP probe succeeded after 6 attempts for container \"vllm\"",
            ),
        ]
    }

    #[test]
    fn the_stages_follow_each_other_and_add_up() {
        // The machine's clock is four seconds behind Google's.
        let split = split(&log(), at(-4_000), TimeDelta::milliseconds(61_500));
        let stages: Vec<_> = split.stages.iter().map(|s| (s.name, s.ms)).collect();
        assert_eq!(
            stages,
            [
                (Moment::InstanceRequested, 200.0),
                (Moment::ContainerStart, 5_000.0),
                (Moment::ModelLoad, 25_800.0),
                (Moment::EngineInit, 29_000.0),
                (Moment::StartupProbe, 1_000.0),
                (Moment::FirstToken, 500.0),
            ]
        );
        assert_eq!(stages.iter().map(|s| s.1).sum::<f64>(), 61_500.0);
        assert_eq!(split.instance.as_deref(), Some("a"));
        assert_eq!(split.notes, [] as [&str; 0]);
        assert!(is_complete(&log()));
    }

    #[test]
    fn what_the_log_does_not_say_is_no_stage_and_is_said() {
        let mut lines = log();
        lines.retain(|line| !line.text.contains("took"));
        let split = split(&lines, at(0), TimeDelta::milliseconds(61_500));
        let names: Vec<_> = split.stages.iter().map(|s| s.name).collect();
        assert!(!names.contains(&Moment::ModelLoad));
        let init = split
            .stages
            .iter()
            .find(|s| s.name == Moment::EngineInit)
            .unwrap();
        assert_eq!((init.since, init.ms), (Moment::ContainerStart, 54_800.0));
        assert_eq!(split.notes, ["the log does not say when these ended: model load"]);
        assert_eq!(split.stages.iter().map(|s| s.ms).sum::<f64>(), 61_500.0);
    }

    #[test]
    fn without_a_start_in_the_log_nothing_is_split() {
        let lines: Vec<Line> = log().into_iter().filter(|l| l.source != Source::System).collect();
        let split = split(&lines, at(0), TimeDelta::milliseconds(1));
        assert_eq!(split.stages, []);
        assert!(split.notes[0].contains("no line of an instance's start"));
        assert!(!is_complete(&lines));
    }

    #[test]
    fn a_request_that_is_not_logged_yet_counts_from_this_machine() {
        let split = split(&log()[1..], at(0), TimeDelta::milliseconds(61_500));
        assert_eq!(split.stages[0].since, Moment::Request);
        assert!(split.notes[0].contains("this machine's clock"));
        assert!(!is_complete(&log()[1..]));
    }
}
