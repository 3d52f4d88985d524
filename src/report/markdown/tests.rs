use super::*;
use crate::report::CheckOutcome;
use crate::report::memory::Memory;
use crate::report::record::Record;
use crate::report::samples;

#[test]
fn every_state_has_its_comment() {
    for (name, report) in samples::all() {
        let text = comment(&report, "preview");
        let memory = report.memory.with(&report).hidden_line();
        assert!(text.ends_with(&format!("\n\n{memory}\n")), "{name}");
        // Packed text is not read by people, and another packer's is as good.
        let shown = text.replace(&memory, &format!("<!-- the hidden line: {} -->", kept(&report)));
        insta::assert_snapshot!(format!("comment_{name}"), shown);
    }
}

/// Commits and their results as they are kept.
fn kept(report: &Report) -> String {
    let memory = report.memory.with(report);
    let one = |r: &Record| format!("{} {}", words::short_commit(&r.commit), words::status(r.status));
    let all: Vec<String> = memory.records.iter().map(one).collect();
    let good: Vec<String> = memory.last_good.iter().map(one).collect();
    format!("[{}], last good [{}]", all.join(", "), good.join(", "))
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
    let (_, mut report) = samples::all()
        .into_iter()
        .find(|(name, _)| *name == "several_reviewed")
        .unwrap();
    let mut model = report.models.remove(0);
    model.failure = samples::failed_build().models.remove(0).failure;
    model.status = Status::Failed;
    let check = CheckOutcome {
        passed: false,
        ..model.checks[0].clone()
    };
    model.checks = vec![check; 12];
    model.stages = model.stages.iter().cycle().take(12).cloned().collect();
    model.latency = model.latency.iter().cycle().take(12).cloned().collect();
    model.differences = Some(vec![samples::differences().remove(0); 40]);
    let comparison = model.comparison.as_mut().unwrap();
    comparison.changes = comparison.changes.iter().cycle().take(120).cloned().collect();
    report.models = vec![model; models];
    report.status = Status::Failed;
    for record in &mut report.memory.records {
        record.stage = Some(String::new());
    }
    samples::poison::poison(&mut report, &long);
    for model in &mut report.models {
        model.changes = vec![long.clone(); 20];
        model.failure.as_mut().unwrap().log = vec![long.clone(); 20];
    }
    report.notices = vec![long.clone(); 20];
    report.memory = full_memory(&report.memory.records[0].clone());
    report
}

/// Ten commits of twenty models, each with as much as is kept.
fn full_memory(record: &Record) -> Memory {
    let mut random = fastrand::Rng::with_seed(3);
    let mut memory = Memory::default();
    for n in 0..200 {
        let mut noise = || {
            let letters = std::iter::repeat_with(|| random.alphanumeric());
            letters.take(150).collect::<String>()
        };
        let mut record = Record {
            commit: format!("{:040}", n / 20),
            ..record.clone()
        };
        (record.cause, record.run_url, record.url) = (Some(noise()), Some(noise()), Some(noise()));
        memory.records.push(record.clone());
        record.status = Status::Succeeded;
        memory.last_good.push(record);
    }
    memory
}

#[test]
fn a_text_is_never_longer_than_github_takes() {
    for models in [1, 16] {
        for character in ["🌈", "*", "@ ", "&"] {
            let report = enormous(models, character);
            let comment = comment(&report, "preview");
            assert!(
                comment.len() <= COMMENT_LIMIT,
                "{models} × {character:?}: {}",
                comment.len()
            );
            // Shortening ends by itself, never by a cut through the text.
            let (visible, hidden) = comment.trim_end().rsplit_once("\n\n").unwrap();
            assert!(
                visible.ends_with(" took 12m 22s"),
                "cut: {models} × {character:?}"
            );
            assert!(hidden.len() > Memory::LONGEST / 2, "{}", hidden.len());
            if character != "🌈" {
                // A megabyte of each takes long, and this one is the longest.
                continue;
            }
            let summary = summary(&report);
            assert!(
                summary.len() <= SUMMARY_LIMIT,
                "{models} × {character:?}: {}",
                summary.len()
            );
            assert!(
                summary.ends_with(" took 12m 22s\n"),
                "cut: {models} × {character:?}"
            );
        }
    }
}

#[test]
fn a_text_is_shortened_in_the_stated_order() {
    let (_, mut report) = samples::all()
        .into_iter()
        .find(|(name, _)| *name == "reviewed")
        .unwrap();
    let parts = ["🕘 <b>History</b>", "capital of France", "```python"];
    let failed = CheckOutcome {
        passed: false,
        sent: Some("word ".repeat(400)),
        received: Some("word ".repeat(400)),
        hint: Some("word ".repeat(200)),
        ..report.models[0].checks[0].clone()
    };
    // First sentences, which are few at last, then checks.
    let mut seen: Vec<[bool; 3]> = Vec::new();
    for size in 0..100_usize {
        report.models[0].warnings = vec!["word ".repeat(190); size.min(60)];
        if size > 60 {
            report.models[0].checks.push(failed.clone());
        }
        let text = comment(&report, "preview");
        let now = parts.map(|part| text.contains(part));
        if seen.last() != Some(&now) {
            seen.push(now);
        }
        assert!(text.contains("Against production"), "{size}");
    }
    let order = [
        [true, true, true],
        [false, true, true],
        [false, false, true],
        [false, false, false],
    ];
    assert_eq!(seen, order);
}

#[test]
fn log_lines_are_shortened_before_cause_and_fix() {
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

#[test]
fn the_first_text_has_nothing_folded_and_no_table() {
    let text = comment(&samples::building(), "preview");
    let queued = comment(&samples::queued(), "preview");
    assert!(!queued.contains("<details") && !queued.contains("| "), "{queued}");
    assert!(!text.contains("<details"), "{text}");
    for text in [text, queued] {
        assert!(text.contains("This comment follows [the run](https://github.com/acme/models/actions/runs/"));
    }
}

#[test]
fn the_last_good_result_stands_open_under_cause_and_fix() {
    for name in ["failed_again", "deploying", "testing"] {
        let (_, report) = samples::all().into_iter().find(|(n, _)| *n == name).unwrap();
        let text = comment(&report, "preview");
        let at = text.find("**Last good result**: commit [`9b2e4c1`]").unwrap();
        assert!(!text[..at].contains("<details"), "{text}");
        assert_eq!(text[..at].contains("**What to do:**"), name == "failed_again");
    }
}

#[test]
fn what_a_comment_keeps_is_read_from_it_after_the_runs_line_was_put_in() {
    let report = samples::all()
        .into_iter()
        .find(|(n, _)| *n == "reviewed")
        .unwrap()
        .1;
    let text = comment(&report, "preview").replacen('\n', "\n<!-- llm-deploy-run:42.1 -->\n", 1);
    let read = Memory::read(&text);
    assert_eq!(read.commits().len(), 4);
    assert_eq!(read.commits()[0], report.commit);
    assert_eq!(read, report.memory.with(&report));
}
