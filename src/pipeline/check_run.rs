//! The report as a check run on its commit. Optional: few jobs have the permission, and nothing depends on it.

use std::time::Duration;

use crate::{
    event::RunId,
    github::{Annotation, Check, Conclusion, Error, GitHub},
    report::{self, Kind, Report, Status, words},
};

/// Longest that a run waits for it.
const LIMIT: Duration = Duration::from_secs(120);
/// A cancelled run has seconds left.
const LAST: Duration = Duration::from_millis(1500);

/// What there is to say of it afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// Nothing: it was made, or there was nothing to make.
    Nothing,
    /// The job lacks the permission, as most do.
    NotPermitted,
    /// It went wrong.
    Failed(String),
}

/// `llm-deploy`, or with what tells this job from others on the same commit: a configuration or a name of its own.
pub fn name(configuration: Option<&str>, service: Option<&str>) -> String {
    let apart: Vec<&str> = [configuration, service].into_iter().flatten().collect();
    match apart.as_slice() {
        [] => "llm-deploy".to_owned(),
        apart => format!(
            "llm-deploy ({})",
            report::escape::clip(&report::escape::line(&apart.join(", ")), 150)
        ),
    }
}

/// Makes the check run of a workflow's run. The end of a preview is none: it would hide the preview's own result.
pub async fn tell(report: &Report, name: &str, run: Option<RunId>, github: &GitHub) -> Told {
    let Some(check) = check(report, name, run) else {
        return Told::Nothing;
    };
    let limit = match report.status {
        Status::Cancelled => LAST,
        _ => LIMIT,
    };
    match tokio::time::timeout(limit, github.check_run(&check)).await {
        Ok(Ok(())) => Told::Nothing,
        Ok(Err(error)) if is_refusal(&error) => Told::NotPermitted,
        Ok(Err(error)) => Told::Failed(error.to_string()),
        Err(_) => Told::Failed("GitHub did not answer in time".to_owned()),
    }
}

/// Without the permission GitHub answers 403, in a private repository also 404.
fn is_refusal(error: &Error) -> bool {
    matches!(error.http_status(), Some(403 | 404))
}

/// Pure.
fn check(report: &Report, name: &str, run: Option<RunId>) -> Option<Check> {
    if report.kind == Kind::Cleanup || report.commit.is_empty() {
        return None;
    }
    let run = run?;
    Some(Check {
        name: name.to_owned(),
        head_sha: report.commit.clone(),
        details_url: report.run_url.clone(),
        external_id: format!("{}.{}", run.number, run.attempt),
        conclusion: conclusion(report),
        title: words::headline(report),
        summary: report::markdown::check_summary(report),
        annotations: annotations(report),
    })
}

fn conclusion(report: &Report) -> Conclusion {
    match report.status {
        Status::Failed => Conclusion::Failure,
        Status::Cancelled => Conclusion::Cancelled,
        Status::Superseded => Conclusion::Neutral,
        _ if report.kind == Kind::PlanOnly => Conclusion::Neutral,
        Status::Skipped => Conclusion::Skipped,
        Status::Succeeded | Status::Deleted => Conclusion::Success,
        // Not at a run's end.
        Status::Queued | Status::Running => Conclusion::Neutral,
    }
}

/// Of the failures whose place is known.
fn annotations(report: &Report) -> Vec<Annotation> {
    let of_models = report
        .models
        .iter()
        .filter_map(|m| Some((m.service.as_str(), m.failure.as_ref()?)));
    let of_run = report.failure.iter().map(|failure| ("llm-deploy", failure));
    let all = of_run.chain(of_models);
    all.filter_map(|(who, failure)| {
        let place = failure.place.as_ref()?;
        let parts = [Some(&failure.cause), failure.fix.as_ref()];
        let parts: Vec<&str> = parts.into_iter().flatten().map(String::as_str).collect();
        Some(Annotation {
            path: place.file.clone(),
            line: place.line,
            title: format!("{who}: {}", failure.title),
            message: parts.join("\n"),
        })
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{Failure, Place, samples};

    const RUN: RunId = RunId {
        number: 42,
        attempt: 2,
    };

    #[test]
    fn a_check_is_named_by_what_tells_jobs_apart() {
        assert_eq!(name(None, None), "llm-deploy");
        assert_eq!(name(Some("infra/a.yaml"), None), "llm-deploy (infra/a.yaml)");
        assert_eq!(name(Some("a.yaml"), Some("qwen")), "llm-deploy (a.yaml, qwen)");
    }

    #[test]
    fn a_check_concludes_as_the_run_ended() {
        for (kind, status, expected) in [
            (Kind::Preview, Status::Succeeded, Conclusion::Success),
            (Kind::Preview, Status::Failed, Conclusion::Failure),
            (Kind::Production, Status::Cancelled, Conclusion::Cancelled),
            (Kind::Production, Status::Superseded, Conclusion::Neutral),
            (Kind::Preview, Status::Skipped, Conclusion::Skipped),
            (Kind::PlanOnly, Status::Skipped, Conclusion::Neutral),
            (Kind::PlanOnly, Status::Failed, Conclusion::Failure),
        ] {
            let mut report = samples::preview();
            (report.kind, report.status) = (kind, status);
            let made = check(&report, "llm-deploy", Some(RUN)).unwrap();
            assert_eq!(made.conclusion, expected, "{kind:?} {status:?}");
        }
        let mut report = samples::preview();
        report.kind = Kind::Cleanup;
        assert!(check(&report, "llm-deploy", Some(RUN)).is_none());
        assert!(
            check(&samples::preview(), "llm-deploy", None).is_none(),
            "no workflow's run"
        );
    }

    #[test]
    fn a_failure_with_a_place_is_an_annotation_there() {
        let mut report = samples::failed_build();
        assert!(
            check(&report, "llm-deploy", Some(RUN))
                .unwrap()
                .annotations
                .is_empty()
        );
        let place = Place {
            file: "infra/llm-deploy.yaml".to_owned(),
            line: 7,
        };
        let failure: &mut Failure = report.models[0].failure.as_mut().unwrap();
        failure.place = Some(place);
        let (title, cause) = (failure.title.clone(), failure.cause.clone());
        let made = check(&report, "llm-deploy", Some(RUN)).unwrap();
        assert_eq!(made.external_id, "42.2");
        let [annotation] = made.annotations.as_slice() else {
            panic!("{:?}", made.annotations)
        };
        assert_eq!(
            (annotation.path.as_str(), annotation.line),
            ("infra/llm-deploy.yaml", 7)
        );
        assert!(annotation.title.contains(&title) && annotation.message.starts_with(&cause));
    }

    #[test]
    fn a_checks_summary_is_as_long_as_github_takes() {
        for report in [samples::preview(), samples::several(), samples::hostile()] {
            let made = check(&report, "llm-deploy", Some(RUN)).unwrap();
            assert!(made.summary.len() <= report::markdown::CHECK_LIMIT && !made.summary.is_empty());
        }
    }
}
