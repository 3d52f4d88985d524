//! Which comment is whose: a pull request has one for each target that its workflows deploy to. Pure.

use sha2::{Digest, Sha256};

use crate::{github::Comment, report::markdown};

/// The first part of every key. Alone it stands for a target of which nothing is known; such a comment belongs to
/// whoever comes first.
const ROOT: &str = "preview";
/// What begins the hidden line with the key.
const MARK: &str = "<!-- llm-deploy:";
/// Longest part of a key.
const LONGEST: usize = 80;

/// Project, region, configuration file and name: what tells two deployments of one pull request apart, and stays the
/// same when the model changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// Project and region; `None` for what the configuration was too broken to tell.
    place: [Option<String>; 2],
    /// File and name, as far as they are not the default.
    rest: Vec<String>,
}

impl Target {
    /// `file` is the configuration's path in the checkout, `None` for the default one; `name` that of the input.
    pub fn new(project: Option<&str>, region: Option<&str>, file: Option<&str>, name: Option<&str>) -> Self {
        let part = |what: &str, value: Option<&str>| Some(format!("{what}/{}", clean(value?)));
        Self {
            // No project and no region has a slash in it, but a mistake may.
            place: [project, region].map(|part| part.map(|part| clean(&part.replace('/', ".")))),
            rest: [part("file", file), part("name", name)]
                .into_iter()
                .flatten()
                .collect(),
        }
    }

    /// What stands in the comment's hidden line.
    pub fn key(&self) -> String {
        let [Some(project), Some(region)] = &self.place else {
            return ROOT.to_owned();
        };
        let place = [ROOT.to_owned(), project.clone(), region.clone()];
        let parts: Vec<String> = place.into_iter().chain(self.rest.iter().cloned()).collect();
        parts.join("/")
    }

    /// How well a comment fits: 0 when it is this target's, 1 when it is nobody's, `None` when it is another's or no
    /// comment of ours.
    pub fn fit(&self, comment: &Comment) -> Option<u8> {
        let key = key_of(comment)?;
        if key == ROOT {
            return Some(if self.key() == ROOT { 0 } else { 1 });
        }
        self.is(key).then_some(0)
    }

    /// Whether a comment that this run has written is still this target's: a spoilt line makes it nobody else's.
    pub fn keeps(&self, comment: &Comment) -> bool {
        key_of(comment).is_none_or(|key| key == ROOT || self.is(key))
    }

    /// From now on the target of this comment, as far as it was not known.
    pub fn learn(&mut self, comment: &Comment) {
        if let Some(key) = key_of(comment).filter(|key| self.is(key)) {
            let mut parts = key.split('/').skip(1).map(str::to_owned);
            self.place = [parts.next(), parts.next()];
        }
    }

    fn is(&self, key: &str) -> bool {
        let mut parts = key.splitn(4, '/');
        let root = parts.next() == Some(ROOT);
        let place = self.place.iter().all(|known| match (known, parts.next()) {
            (_, None) => false,
            (None, Some(_)) => true,
            (Some(known), Some(part)) => known == part,
        });
        root && place && parts.next().unwrap_or_default() == self.rest.join("/")
    }
}

/// The key in the comment's hidden line, which is its first one.
fn key_of(comment: &Comment) -> Option<&str> {
    let first = comment.body.trim_start().lines().next()?;
    first.trim().strip_prefix(MARK)?.strip_suffix(" -->")
}

/// The line after the hidden one.
pub fn next_line(comment: &Comment) -> Option<&str> {
    key_of(comment)?;
    comment.body.trim_start().lines().nth(1)
}

/// As the hidden line can hold it; what had to be changed for that ends in a hash, so that no two become the same.
fn clean(text: &str) -> String {
    let marker = markdown::marker(text);
    let kept = marker.strip_prefix(MARK).and_then(|m| m.strip_suffix(" -->"));
    let kept = kept.unwrap_or_default();
    if kept == text && !kept.is_empty() && kept.len() <= LONGEST {
        return kept.to_owned();
    }
    let digest = Sha256::digest(text.as_bytes());
    let hash: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let start: String = kept.chars().take(LONGEST).collect();
    format!("{}.{hash}", start.trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(file: Option<&str>, name: Option<&str>) -> Target {
        Target::new(Some("my-project"), Some("europe-west4"), file, name)
    }

    fn comment(body: &str) -> Comment {
        Comment {
            id: 1,
            url: String::new(),
            body: body.to_owned(),
        }
    }

    fn of(target: &Target) -> Comment {
        comment(&format!("{}\n### Preview", markdown::marker(&target.key())))
    }

    #[test]
    fn the_hidden_line_names_project_and_region_and_what_is_not_the_default() {
        assert_eq!(
            markdown::marker(&target(None, None).key()),
            "<!-- llm-deploy:preview/my-project/europe-west4 -->"
        );
        assert_eq!(
            target(Some("deploy/llm.yaml"), Some("qwen")).key(),
            "preview/my-project/europe-west4/file/deploy/llm.yaml/name/qwen"
        );
    }

    #[test]
    fn no_target_takes_anothers_comment() {
        let all = [
            target(None, None),
            target(Some("a.yaml"), None),
            target(Some("b.yaml"), None),
            target(Some("a b.yaml"), None),
            target(Some("a--b.yaml"), None),
            target(Some("a-b.yaml"), None),
            target(Some("a.yaml"), Some("qwen")),
            target(None, Some("qwen")),
            Target::new(Some("my-project"), Some("us-central1"), None, None),
            Target::new(Some("other"), Some("europe-west4"), None, None),
        ];
        for (i, one) in all.iter().enumerate() {
            for (j, other) in all.iter().enumerate() {
                assert_eq!(one.fit(&of(other)) == Some(0), i == j, "{one:?} {other:?}");
                assert_eq!(one.keeps(&of(other)), i == j);
            }
        }
    }

    #[test]
    fn a_target_that_is_half_known_finds_its_comment_and_no_other_files() {
        let unknown = |file, name| Target::new(None, None, file, name);
        assert_eq!(unknown(None, None).fit(&of(&target(None, None))), Some(0));
        assert_eq!(unknown(None, None).fit(&of(&target(Some("a.yaml"), None))), None);
        assert_eq!(unknown(Some("a.yaml"), None).fit(&of(&target(None, None))), None);
        let there = of(&target(Some("a.yaml"), Some("q")));
        let mut half = Target::new(Some("my-project"), None, Some("a.yaml"), Some("q"));
        assert_eq!(half.fit(&there), Some(0));
        half.learn(&there);
        assert_eq!(half, target(Some("a.yaml"), Some("q")), "it stays that target's");
        assert_eq!(unknown(None, None).key(), "preview");
    }

    #[test]
    fn a_comment_of_an_unknown_target_is_anybodys_who_has_none() {
        let nobodys = comment("<!-- llm-deploy:preview -->\n### Preview failed");
        assert_eq!(target(None, None).fit(&nobodys), Some(1));
        assert_eq!(Target::default().fit(&nobodys), Some(0));
    }

    #[test]
    fn ours_begins_with_the_hidden_line() {
        let marker = markdown::marker(&target(None, None).key());
        for body in [
            format!("See:\n```\n{marker}\n```"),
            format!("> {marker}\n> Preview"),
            format!("Please look!\n\n{marker}\nhidden\n### Preview"),
            format!("text {marker}"),
            String::new(),
            "hello".to_owned(),
        ] {
            assert_eq!(target(None, None).fit(&comment(&body)), None, "{body}");
            assert_eq!(next_line(&comment(&body)), None, "{body}");
        }
        let ours = comment(&format!("\r\n{marker}\r\nhidden\r\n### Preview"));
        assert_eq!(target(None, None).fit(&ours), Some(0));
        assert_eq!(next_line(&ours), Some("hidden"));
        assert!(target(None, None).keeps(&comment("all of it replaced")));
    }

    #[test]
    fn a_key_is_short_and_ends_no_html_comment() {
        for text in [
            "x".repeat(5000),
            "-->".repeat(40),
            "日本語".to_owned(),
            String::new(),
        ] {
            let key = target(Some(&text), Some(&text)).key();
            assert!(
                key.len() < 300 && !key.contains("--") && !key.contains('>'),
                "{key}"
            );
            assert_eq!(markdown::marker(&key), format!("<!-- llm-deploy:{key} -->"));
        }
    }
}
