//! Values that an explanation is filled with.

use std::collections::BTreeMap;

/// Names as in the catalogue's braces → values: of the deployment (`project`, `region`, `service` …), and what a
/// message gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts(BTreeMap<String, String>);

impl Facts {
    pub fn set(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.0.insert(name.replace('_', "-"), value.to_owned());
        }
    }

    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.set(name, value);
        self
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// These, and of `others` what these don't say.
    #[must_use]
    pub fn or(mut self, others: &Self) -> Self {
        for (name, value) in &others.0 {
            self.0.entry(name.clone()).or_insert_with(|| value.clone());
        }
        self
    }

    /// `{name}` becomes its value; one that is not known becomes `NAME`, as manuals write what the reader puts in.
    pub fn fill(&self, template: &str) -> String {
        let mut out = String::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            out.push_str(before);
            rest = match after.split_once('}').filter(|(name, _)| is_name(name)) {
                Some((name, after)) => {
                    out.push_str(&self.value(name));
                    after
                }
                // A brace of its own, as in a line of YAML.
                None => {
                    out.push('{');
                    after
                }
            };
        }
        out.push_str(rest);
        out
    }

    fn value(&self, name: &str) -> String {
        match self.get(name) {
            // It is a template itself.
            Some(grant) if name == "grant" => self.fill(grant),
            Some(value) => value.to_owned(),
            None => name.replace('-', "_").to_uppercase(),
        }
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_lowercase() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_is_filled_in_and_the_rest_is_named() {
        let facts = Facts::default()
            .with("project", "p")
            .with("grant", "for {project} as {build-account}");
        assert_eq!(
            facts.fill("x {project} {grant} {region}."),
            "x p for p as BUILD_ACCOUNT REGION."
        );
        assert_eq!(facts.fill("no braces"), "no braces");
        assert_eq!(facts.fill("open {brace"), "open {brace");
        assert_eq!(
            facts.fill("{trust-remote-code: true} {project}"),
            "{trust-remote-code: true} p"
        );
    }

    #[test]
    fn own_values_go_before_others() {
        let others = Facts::default().with("a", "2").with("b", "3");
        let facts = Facts::default().with("a", "1").or(&others);
        assert_eq!((facts.get("a"), facts.get("b")), (Some("1"), Some("3")));
    }
}
