use super::*;
use crate::report::escape::inspect::inspect;
use crate::report::samples;

#[test]
fn every_state_has_its_comment() {
    for (name, report) in samples::all() {
        insta::assert_snapshot!(format!("comment_{name}"), comment(&report, "preview"));
    }
}

#[test]
fn the_summary_of_a_preview_reads_like_the_comment() {
    insta::assert_snapshot!(summary(&samples::preview()));
}

#[test]
fn the_marker_is_the_first_line() {
    for (_, report) in samples::all() {
        assert_eq!(
            comment(&report, "preview").lines().next(),
            Some(marker("preview").as_str())
        );
        assert!(!summary(&report).contains(&marker("preview")));
    }
}

#[test]
fn a_target_cannot_end_the_marker() {
    assert_eq!(marker("a--> <b>"), "<!-- llm-deploy:a-b -->");
    assert_eq!(marker("production/eu"), "<!-- llm-deploy:production/eu -->");
}

/// Our own tags.
fn strip_ours(html: &str) -> String {
    let ours = [
        "<details>",
        "<details open>",
        "</details>",
        "<summary>",
        "</summary>",
        "<b>",
        "</b>",
        "<code>",
        "</code>",
    ];
    let mut html = html.replace(&marker("preview"), "");
    for tag in ours {
        html = html.replace(tag, "");
    }
    html
}

#[test]
fn hostile_text_makes_no_link_image_html_or_mention() {
    let mut several = samples::several();
    several.models.push(samples::hostile().models.remove(0));
    for report in [samples::hostile(), several] {
        for text in [comment(&report, "preview"), summary(&report)] {
            let active = inspect(&text);
            assert!(active.images.is_empty(), "{active:?}");
            assert!(active.autolinked.is_empty(), "{:?}", active.autolinked);
            let html = strip_ours(&active.html.concat());
            assert!(!html.contains('<'), "{html}");
            for link in active.links {
                let host = link.split('/').nth(2).unwrap().to_owned();
                let ours = ["huggingface.co", "github.com", "console.cloud.google.com"];
                // The one foreign URL stands in the sample as a service's own link.
                assert!(
                    ours.contains(&host.as_str())
                        || host.ends_with(".run.app")
                        || link.starts_with("https://evil.example/%29%3Cimg"),
                    "{link}"
                );
            }
        }
    }
}

#[test]
fn what_is_folded_is_closed_again() {
    for (name, report) in samples::all() {
        let text = comment(&report, "preview");
        assert_eq!(
            text.matches("<details").count(),
            text.matches("</details>\n").count(),
            "{name}"
        );
    }
}

/// A report in which everything is as long and as expensive to escape as can be.
fn enormous(models: usize, character: &str) -> Report {
    let long = character.repeat(2_500);
    let mut model = samples::hostile().models.remove(0);
    let list = |n: usize| vec![long.clone(); n];
    model.model.clone_from(&long);
    model.service.clone_from(&long);
    model.revision = Some(long.clone());
    model.image = Some(long.clone());
    model.changes = list(20);
    for check in &mut model.checks {
        (check.name, check.detail) = (long.clone(), long.clone());
        (check.sent, check.received, check.hint) =
            (Some(long.clone()), Some(long.clone()), Some(long.clone()));
        check.passed = false;
    }
    model.checks = model.checks.iter().cycle().take(12).cloned().collect();
    model.stages = model.stages.iter().cycle().take(12).cloned().collect();
    let failure = model.failure.as_mut().unwrap();
    (failure.title, failure.cause, failure.fix) = (long.clone(), long.clone(), Some(long.clone()));
    failure.log = list(20);
    model.latency = vec![model.latency[0].clone(); 30];
    let mut report = samples::report(crate::report::Kind::Preview, Status::Failed, vec![model; models]);
    report.notices = list(20);
    report
}

#[test]
fn a_text_is_never_longer_than_github_takes() {
    for models in [1, 16] {
        for character in ["🌈", "*", "@ ", "&"] {
            let report = enormous(models, character);
            // Shortening ends by itself, never by a cut through the text.
            for (text, limit) in [
                (comment(&report, "preview"), COMMENT_LIMIT),
                (summary(&report), SUMMARY_LIMIT),
            ] {
                assert!(text.len() <= limit, "{models} × {character:?}: {}", text.len());
                assert!(text.ends_with(" took 12m 22s\n"), "cut: {models} × {character:?}");
            }
        }
    }
}

#[test]
fn log_lines_go_first_when_a_text_is_shortened() {
    let mut report = samples::failed_build();
    report.models[0].failure.as_mut().unwrap().log = (0..4000)
        .map(|n| format!("line {n} {}", "🌈".repeat(600)))
        .collect();
    report.models[0].changes = vec!["🌈".repeat(900); 5];
    let text = comment(&report, "preview");
    assert!(text.contains("line 3999 ") && !text.contains("line 3900 "));
    assert!(text.contains("Shortened to fit"));
    assert!(text.contains("What to do"));
}
