use super::*;
use crate::report::samples;

fn earlier() -> Memory {
    samples::memory()
}

fn body(line: &str) -> String {
    format!("<!-- llm-deploy:preview -->\n<!-- llm-deploy-run:42.1 -->\n### Ready\n\ntext\n\n{line}\n")
}

/// A hidden line around any text.
fn packed(text: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
    use std::io::Write as _;
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text.as_bytes()).unwrap();
    let bytes = encoder.finish().unwrap();
    format!("<!-- llm-deploy-memory:1:{} -->", STANDARD_NO_PAD.encode(bytes))
}

#[test]
fn what_is_written_is_read_again_wherever_it_stands() {
    let memory = earlier();
    let line = memory.hidden_line();
    assert!(line.len() < 1_500, "{}", line.len());
    for body in [
        body(&line),
        body(&line).replace('\n', "\r\n"),
        format!("{line}\ntext"),
        format!("text\n  {line}  \n\nsomebody's words"),
        body(&line).trim_end().to_owned(),
    ] {
        assert_eq!(Memory::read(&body), memory, "{body}");
    }
}

#[test]
fn nothing_in_the_line_ends_the_html_comment_or_is_markdown() {
    let mut memory = earlier();
    for record in &mut memory.records {
        record.cause = Some(samples::HOSTILE.to_owned());
    }
    let line = memory.hidden_line();
    let inner = line
        .strip_prefix("<!-- llm-deploy-memory:1:")
        .and_then(|l| l.strip_suffix(" -->"))
        .unwrap();
    assert!(
        inner
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/')),
        "{inner}"
    );
}

#[test]
fn an_empty_memory_has_a_line_so_that_no_earlier_text_counts() {
    let forged = packed(&format!(
        "g{}\n",
        serde_json::to_string(&earlier().last_good[0]).unwrap()
    ));
    assert_eq!(Memory::read(&forged).last_good.len(), 1);
    let output_of_a_model = format!("```text\n{forged}\n```\n\n{}\n", Memory::default().hidden_line());
    assert_eq!(Memory::read(&output_of_a_model), Memory::default());
}

#[test]
fn a_spoilt_line_gives_what_can_be_used_and_never_an_error() {
    let line = earlier().hidden_line();
    for cut in 0..line.len() {
        let read = Memory::read(&line[..cut]);
        assert!(read.records.len() <= earlier().records.len());
        let changed = format!("{}!{}", &line[..cut], &line[cut..]);
        Memory::read(&changed);
        let swapped = format!("{}Q{}", &line[..cut], &line[cut + 1..]);
        Memory::read(&swapped);
    }
    let most = Memory::read(&line[..line.len() * 9 / 10]);
    assert_eq!(most.last_good, earlier().last_good);
    assert!(!most.records.is_empty());
    for spoilt in [
        "",
        "<!-- llm-deploy-memory:1:",
        "<!-- llm-deploy-memory:1: -->",
        "<!-- llm-deploy-memory:2:AAAA -->",
        "<!-- llm-deploy-memory:1:%%% -->",
        "<!-- llm-deploy-memory:1:AAAA",
        "<!-- llm-deploy-memory:1:\u{202e}é -->",
    ] {
        assert_eq!(Memory::read(&body(spoilt)), Memory::default(), "{spoilt}");
    }
}

#[test]
fn a_small_line_that_unpacks_to_very_much_is_read_in_part() {
    let bomb = packed(&format!("r{{\"x\":\"{}\"}}\n", "a".repeat(50_000_000)));
    assert!(bomb.len() < 100_000);
    assert_eq!(Memory::read(&bomb), Memory::default());
}

#[test]
fn values_that_nobody_measured_and_states_that_are_no_result_are_dropped() {
    let mut record = serde_json::to_value(&earlier().records[0]).unwrap();
    record["ttft_ms"] = serde_json::json!({ "p50": 1e300, "p95": -1.0, "p99": 3.0 });
    record["tokens_per_second"] = 1e300.into();
    record["cause"] = "x\n\u{202e}".repeat(10_000).into();
    record["at"] = "+200000-01-01T00:00:00Z".into();
    let mut running = record.clone();
    running["status"] = "running".into();
    let read = Memory::read(&packed(&format!("r{record}\nr{running}\nrnot json\nx{record}\n")));
    let [only] = read.records.as_slice() else {
        panic!("{read:?}")
    };
    assert_eq!((only.ttft_ms, only.tokens_per_second), (None, None));
    let cause = only.cause.as_deref().unwrap();
    assert!(cause.chars().count() == TEXT && cause.starts_with("x x x"));
    assert_eq!(only.at.format("%Y").to_string(), "9999");
}

#[test]
fn the_line_is_bounded_and_the_oldest_go_first() {
    let mut memory = Memory::default();
    let mut random = fastrand::Rng::with_seed(7);
    for commit in 0..40 {
        for model in 0..20 {
            let mut record = earlier().last_good[0].clone();
            let mut noise = || {
                std::iter::repeat_with(|| random.alphanumeric())
                    .take(400)
                    .collect::<String>()
            };
            record.model = noise();
            record.cause = Some(noise());
            record.run_url = Some(noise());
            record.service = format!("service-{model}");
            record.commit = format!("{commit:040}");
            memory.last_good.push(record.clone());
            memory.records.push(record);
        }
    }
    let line = memory.hidden_line();
    assert!(line.len() <= Memory::LONGEST, "{}", line.len());
    let read = Memory::read(&line);
    assert!(read.last_good.len() > 5, "{}", read.last_good.len());
    for record in &mut memory.records {
        (record.model, record.cause, record.run_url) = ("m".to_owned(), None, None);
    }
    memory.last_good.truncate(1);
    let read = Memory::read(&memory.hidden_line());
    assert_eq!(read.commits().len(), COMMITS);
    assert_eq!(read.records[0].commit, memory.records[0].commit);
    assert_eq!(read.records.len(), 200);
}

#[test]
fn a_run_that_ended_is_put_in_front_and_one_that_goes_on_is_not() {
    let before = earlier();
    let mut report = samples::preview();
    for status in [
        Status::Queued,
        Status::Running,
        Status::Superseded,
        Status::Skipped,
    ] {
        report.status = status;
        assert_eq!(before.with(&report), before, "{status:?}");
    }
    report.status = Status::Succeeded;
    let after = before.with(&report);
    assert_eq!(after.commits()[0], report.commit);
    assert_eq!(after.commits().len(), before.commits().len() + 1);
    assert_eq!(
        after.last_good_of("qwen3-5-4b-pr-7").unwrap().commit,
        report.commit
    );
    assert_eq!(
        before.last_good_of("qwen3-5-4b-pr-7").unwrap().commit,
        "9b2e4c1d7f6a5b4c3d2e1f0a9b8c7d6e5f4a3b2c"
    );
}

#[test]
fn a_commit_that_ran_again_has_its_new_result_only() {
    let mut report = samples::failed_build();
    let failed = earlier().with(&report);
    assert_eq!(failed.records[0].stage.as_deref(), Some("build"));
    report = samples::preview();
    let again = failed.with(&report);
    assert_eq!(again.records.len(), failed.records.len());
    assert!(again.records[0].is_good());
}

#[test]
fn a_failed_run_leaves_the_last_good_result_and_a_run_that_could_not_start_is_remembered() {
    let after = earlier().with(&samples::broken());
    assert_eq!(after.last_good, earlier().last_good);
    assert_eq!(after.records[0].cause.as_deref(), Some("the run could not start"));
}

#[test]
fn the_last_good_result_outlives_ten_failed_commits() {
    let mut memory = earlier();
    let mut report = samples::failed_build();
    for commit in 0..15 {
        report.commit = format!("{commit:040}");
        memory = Memory::read(&memory.with(&report).hidden_line());
    }
    assert_eq!(memory.commits().len(), COMMITS);
    assert!(memory.records.iter().all(|r| !r.is_good()));
    assert_eq!(memory.last_good, earlier().last_good);
}

#[test]
fn a_deleted_previews_addresses_are_forgotten() {
    assert!(earlier().last_good[0].url.is_some());
    let after = earlier().with(&samples::deleted());
    assert_eq!(after.records.len(), earlier().records.len());
    assert!(
        after
            .records
            .iter()
            .chain(&after.last_good)
            .all(|r| r.url.is_none())
    );
}
