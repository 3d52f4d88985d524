use super::*;
use crate::bench::output::samples;

#[test]
fn each_kind_of_result_reads_well_at_80_columns() {
    for (name, result) in samples::all() {
        let text = render(&result, 80, false);
        for line in text.lines() {
            assert!(console::measure_text_width(line) <= 80, "{name}: {line}");
        }
        insta::assert_snapshot!(format!("bench_{name}"), text);
    }
}

#[test]
fn a_narrow_terminal_is_kept_to() {
    for (name, result) in samples::all() {
        let text = render(&result, 60, false);
        let widest = text.lines().map(console::measure_text_width).max();
        assert!(widest <= Some(60), "{name}:\n{text}");
    }
}

#[test]
fn colours_change_no_character_and_hostile_text_steers_nothing() {
    for (name, result) in samples::all() {
        let plain = render(&result, 80, false);
        assert_eq!(
            console::strip_ansi_codes(&render(&result, 80, true)),
            plain,
            "{name}"
        );
        let steers = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
        assert!(!plain.contains(steers), "{name}: {plain:?}");
        assert!(!plain.lines().any(|line| line.starts_with("::")), "{name}");
        assert!(plain.len() < 8_000, "{name}: {} bytes", plain.len());
    }
}
