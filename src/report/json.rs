//! `report.json`: the report's own fields. [`super::SCHEMA_VERSION`] says which shape.

use super::Report;

/// Pretty-printed, with a newline at the end. Numbers that JSON can't hold (NaN) become `null`. It may be printed
/// in a job, where the runner takes `##[` anywhere in a line for a command; it only ever stands in strings.
pub fn render(report: &Report) -> String {
    // Serialising plain structs with string keys into memory has no way to fail.
    serde_json::to_string_pretty(report).map_or_else(
        |e| format!("{{\"error\":\"{e}\"}}\n"),
        |text| text.replace("##[", r"#\u0023[") + "\n",
    )
}

#[cfg(test)]
mod tests {
    use super::super::samples;

    #[test]
    fn field_names_are_stable() {
        insta::assert_snapshot!(super::render(&samples::preview()));
    }

    #[test]
    fn hostile_text_stays_data() {
        let report = samples::hostile();
        let value: serde_json::Value = serde_json::from_str(&super::render(&report)).unwrap();
        assert_eq!(value["pull_request"]["title"], samples::HOSTILE);
        assert_eq!(value["schema_version"], 2);
    }

    #[test]
    fn no_line_is_a_command_of_the_runner() {
        let mut report = samples::preview();
        let text = "##[error]no ####[[group]\n::error::no";
        report.notices = vec![text.to_owned()];
        let json = super::render(&report);
        assert!(!json.contains("##["), "{json}");
        assert!(!json.lines().any(|l| l.trim_start().starts_with("::")), "{json}");
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["notices"][0], text);
    }
}
