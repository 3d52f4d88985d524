//! `report.html`: one file, no script, nothing loaded from elsewhere.

mod history;
mod latency;
mod overview;
mod prose;
mod requests;
mod timeline;

use askama::Template;

use super::escape::{clip, line, safe_url, visible};
use super::{CheckOutcome, Difference, Failure, Link, ModelReport, Report, Status, call, words};

use history::History;
pub use latency::Latency;
use prose::{Prose, prose};
use requests::Requests;
use timeline::Timeline;

/// Most characters of one fact: engine flags may hold a whole chat template.
const LONGEST: usize = 1_000;

/// The page. Outside text is escaped by the template; hidden and control characters are taken out first.
///
/// # Errors
/// When the template can't be rendered, which in-memory text has no cause for.
pub fn render(report: &Report) -> Result<String, askama::Error> {
    Page {
        headline: words::headline(report),
        status: words::status(report.status),
        emoji: words::emoji(report.status),
        repository: line(&report.repository),
        commit: words::short_commit(&line(&report.commit)),
        commit_url: words::commit_url(report).as_deref().and_then(safe_url),
        pull_request: report
            .pull_request
            .as_ref()
            .map(|pr| format!("#{} {}", pr.number, clip(&line(&pr.title), 200))),
        run_url: report.run_url.as_deref().and_then(safe_url),
        notices: report.notices.iter().map(|n| prose(n)).collect(),
        failure: report.failure.as_ref().map(failure),
        overview: overview::of(report),
        models: report.models.iter().map(|m| model(report, m)).collect(),
        timeline: timeline::of(report),
        environment: report
            .environment
            .iter()
            .map(|f| (clip(&line(&f.name), LONGEST), clip(&line(&f.value), LONGEST)))
            .collect(),
        tool_version: line(&report.tool_version),
        started: words::time(report.started_at),
        total: words::total(report),
    }
    .render()
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page {
    headline: String,
    status: &'static str,
    emoji: &'static str,
    repository: String,
    commit: String,
    commit_url: Option<String>,
    pull_request: Option<String>,
    run_url: Option<String>,
    notices: Vec<Prose>,
    failure: Option<FailureView>,
    overview: Vec<overview::Row>,
    models: Vec<Model>,
    timeline: Option<Timeline>,
    environment: Vec<(String, String)>,
    tool_version: String,
    started: String,
    total: String,
}

struct Model {
    open: bool,
    emoji: &'static str,
    status: &'static str,
    id: String,
    facts: Vec<Fact>,
    links: Vec<Fact>,
    warnings: Vec<Prose>,
    changes: Vec<String>,
    differences: Option<Vec<Differs>>,
    failure: Option<FailureView>,
    latency: Option<Latency>,
    requests: Vec<Requests>,
    history: Option<History>,
    cold: Option<String>,
    checks_summary: String,
    checks_failed: bool,
    checks: Vec<Check>,
    snippets: Vec<call::Snippet>,
    private_note: Option<Prose>,
}

struct Differs {
    what: String,
    production: String,
    preview: String,
}

struct Fact {
    name: String,
    value: String,
    url: Option<String>,
}

struct FailureView {
    title: Prose,
    cause: String,
    fix: Option<Prose>,
    said: Option<String>,
    log: String,
    /// Settings that cause it.
    settings: Vec<String>,
    /// `llm-deploy.yaml, line 5`
    place: Option<String>,
}

struct Check {
    emoji: &'static str,
    name: String,
    time: String,
    detail: String,
    evidence: Vec<(&'static str, String)>,
}

fn model(report: &Report, model: &ModelReport) -> Model {
    Model {
        open: report.models.len() == 1 || model.status == Status::Failed,
        emoji: words::emoji(model.status),
        status: words::status(model.status),
        id: line(&model.model),
        facts: facts(model),
        links: model.links.iter().map(link).collect(),
        warnings: model.warnings.iter().map(|w| prose(w)).collect(),
        changes: model.changes.iter().map(|c| line(c)).collect(),
        differences: model
            .differences
            .as_ref()
            .map(|all| all.iter().map(differs).collect()),
        failure: model.failure.as_ref().map(failure),
        latency: (!model.latency.is_empty())
            .then(|| Latency::of(&model.latency, model.comparison.as_ref(), model.latency_seed)),
        requests: requests::of(model),
        history: history::of(report, model),
        cold: words::cold_start(model),
        checks_summary: words::checks(model),
        checks_failed: model.checks.iter().any(|c| !c.passed),
        checks: model.checks.iter().map(check).collect(),
        snippets: call::snippets(model),
        private_note: (model.private && model.url.is_some()).then(|| prose(call::PRIVATE_NOTE)),
    }
}

fn differs(difference: &Difference) -> Differs {
    let value = |text: &str| {
        if text.is_empty() {
            "–".to_owned()
        } else {
            clip(&line(text), LONGEST)
        }
    };
    Differs {
        what: clip(&line(&difference.what), LONGEST),
        production: value(&difference.production),
        preview: value(&difference.preview),
    }
}

fn facts(model: &ModelReport) -> Vec<Fact> {
    let plain = |name: &str, value: Option<String>| value.map(|v| (name.to_owned(), v, None));
    let linked = |name: &str, value: Option<String>, url: Option<&str>| {
        value.map(|v| (name.to_owned(), v, url.and_then(safe_url)))
    };
    let revision = model
        .model_revision
        .as_ref()
        .map(|r| format!(" at {}", clip(r, 40)))
        .unwrap_or_default();
    let rows = vec![
        linked("Endpoint", model.url.clone(), model.url.as_deref()),
        linked(
            "Model",
            Some(format!("{}{revision}", model.model)),
            Some(&words::huggingface(model)),
        ),
        plain("Image", model.image.clone()),
        plain("Service", Some(model.service.clone())),
        plain("Revision", model.revision.clone()),
        plain(
            "Access",
            model.url.as_ref().map(|_| words::access(model).to_owned()),
        ),
        plain("Cost", words::cost(model)),
        plain("Expires", model.expires_at.map(words::time)),
    ];
    rows.into_iter()
        .flatten()
        .map(|(name, value, url)| Fact {
            name: line(&name),
            value: line(&value),
            url,
        })
        .collect()
}

fn link(link: &Link) -> Fact {
    Fact {
        name: line(&link.label),
        value: clip(&line(&link.url), 200),
        url: safe_url(&link.url),
    }
}

fn failure(failure: &Failure) -> FailureView {
    FailureView {
        title: prose(&words::capital(&failure.title)),
        cause: visible(&failure.cause),
        fix: failure.fix.as_ref().map(|f| prose(f)),
        said: failure.said.as_ref().map(|s| line(s)),
        log: visible(&failure.log.join("\n")),
        settings: failure.settings.iter().map(|s| line(s)).collect(),
        place: failure
            .place
            .as_ref()
            .map(|p| format!("{}, line {}", line(&p.file), p.line)),
    }
}

fn check(check: &CheckOutcome) -> Check {
    let parts = [
        ("Sent", &check.sent),
        ("Received", &check.received),
        ("Look at", &check.hint),
    ];
    Check {
        emoji: if check.passed { "✅" } else { "❌" },
        name: line(&check.name),
        time: words::spent(check.duration),
        detail: line(&check.detail),
        evidence: parts
            .into_iter()
            .filter_map(|(what, text)| Some((what, visible(text.as_ref()?))))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn all() -> impl Iterator<Item = (&'static str, Report)> {
        samples::all().into_iter().chain(samples::pages())
    }

    #[test]
    fn every_state_has_its_page() {
        for (name, report) in all() {
            insta::assert_snapshot!(format!("html_{name}"), render(&report).unwrap());
        }
    }

    #[test]
    fn the_page_loads_nothing_and_runs_nothing() {
        let allowed = regex::Regex::new(
            r"^</?(html|head|title|meta|link|style|body|main|header|section|h1|h2|h3|h4|p|ul|ol|li|dl|dt|dd|div|table|caption|thead|tbody|tr|th|td|pre|code|details|summary|span|a|footer|strong|b|br|figure|figcaption|svg|line|polyline|polygon|circle|rect|text)[ >]",
        )
        .unwrap();
        for (name, report) in all() {
            let page = render(&report).unwrap();
            assert!(page.contains("default-src 'none'"), "{name}");
            for (at, _) in page.match_indices('<').skip(1) {
                let tag: String = page[at..].chars().take(40).collect();
                assert!(allowed.is_match(&tag), "{name}: {tag}");
            }
            for forbidden in [
                "src=\"",
                "xlink",
                "@import",
                "url(",
                "\u{202e}",
                "\u{1b}",
                "href=\"javascript",
            ] {
                assert!(!page.contains(forbidden), "{name}: {forbidden}");
            }
        }
    }
}
