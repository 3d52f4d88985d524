//! How reports look on a terminal.

use super::super::samples;
use super::*;

#[test]
fn every_state_reads_well_at_80_columns() {
    for (name, report) in samples::all() {
        insta::assert_snapshot!(format!("terminal_{name}"), render(&report, 80, false));
    }
}

#[test]
fn without_a_commit_no_page_speaks_of_one() {
    let mut report = samples::production();
    report.commit.clear();
    report.repository = "local".to_owned();
    let page = render(&report, 80, false);
    assert!(page.contains("\n  local\n"), "{page}");
    let page = super::super::markdown::summary(&report);
    assert!(!page.contains("commit"), "{page}");
    let page = super::super::html::render(&report).unwrap();
    assert!(page.contains("<p class=\"soft\">local</p>"), "{page}");
}

#[test]
fn a_narrow_terminal_is_kept_to() {
    let text = render(&samples::preview(), 50, false);
    insta::assert_snapshot!(text);
    let unbroken = |row: &&str| row.split(' ').all(|word| word.len() < 30);
    let pasted = text.find("Call it").unwrap();
    for row in text[..pasted].lines().filter(unbroken) {
        assert!(console::measure_text_width(row) <= 50, "{row}");
    }
}

#[test]
fn without_colours_there_is_no_control_character() {
    for (name, report) in samples::all() {
        for width in [10, 80, 300] {
            let text = render(&report, width, false);
            assert!(
                !text
                    .chars()
                    .any(|c| c.is_control() && c != '\n' || c == '\u{202e}'),
                "{name}"
            );
        }
    }
}

#[test]
fn colours_only_add_to_the_text() {
    for (name, report) in samples::all() {
        let colored = render(&report, 80, true);
        assert!(colored.contains("\u{1b}["), "{name}");
        assert_eq!(
            console::strip_ansi_codes(&colored),
            render(&report, 80, false),
            "{name}"
        );
    }
}
