//! `report.json`: the report's own fields. [`super::SCHEMA_VERSION`] says which shape.

use super::Report;

/// Pretty-printed, with a newline at the end. Numbers that JSON can't hold (NaN) become `null`.
pub fn render(report: &Report) -> String {
    // Serialising plain structs with string keys into memory has no way to fail.
    serde_json::to_string_pretty(report)
        .map_or_else(|e| format!("{{\"error\":\"{e}\"}}\n"), |text| text + "\n")
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
        assert_eq!(value["schema_version"], 1);
    }
}
