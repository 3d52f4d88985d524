//! What can be known of a file with mistakes: where it deploys to, and whether it names a model.

use super::tree::{self, Kind, Top};

/// The little that a preview's deletion and a project's set-up need. Read up to the first mistake that makes the rest of
/// the file unreadable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outline {
    pub project: Option<String>,
    pub region: Option<String>,
    /// Whether there is a `model` or `models`, whatever it says.
    pub names_models: bool,
}

impl Outline {
    pub fn of(text: &str) -> Self {
        let mut outline = Self::default();
        let Top::Map(entries) = tree::top(text.strip_prefix('\u{feff}').unwrap_or(text)) else {
            return outline;
        };
        for entry in entries {
            let value = match entry.value.kind {
                Kind::Scalar(scalar) => scalar.value().as_str().map(str::to_owned),
                _ => None,
            };
            match entry.key.as_str() {
                "project" => outline.project = outline.project.or(value),
                "region" => outline.region = outline.region.or(value),
                "model" | "models" => outline.names_models = true,
                _ => {}
            }
        }
        outline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_before_a_mistake_is_known() {
        let known = Outline {
            project: Some("acme".to_owned()),
            region: Some("europe-west4".to_owned()),
            names_models: true,
        };
        let start = "project: acme\nregion: 'europe-west4'\nmodel: { id: x }\n";
        for rest in [
            "",
            "x: [",
            "x: 'y",
            "- a\n",
            "\tx",
            "x: &a b\n",
            "---\nregion: y\n",
        ] {
            assert_eq!(Outline::of(&format!("{start}{rest}")), known, "{rest}");
        }
    }

    #[test]
    fn what_is_no_text_is_not_taken() {
        for text in [
            "",
            "[project]",
            "project",
            "project: [a]\nregion: 3\nmodels:",
            "x: { project: y }",
        ] {
            let Outline { project, region, .. } = Outline::of(text);
            assert_eq!((project, region), (None, None), "{text}");
        }
    }
}
