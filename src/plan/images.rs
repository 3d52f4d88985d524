//! Which of a preview's images go with it. Pure.

use std::{collections::BTreeSet, fmt};

use crate::google::run::types::{Revision, short_name};

/// An image that a preview ran: `<path>@<digest>`, with the package it is in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Image {
    pub package: String,
    /// `sha256:…`
    pub digest: String,
}

impl Image {
    /// `None` when it is not in the repository whose images' paths begin with `repository`, or not named by digest.
    pub fn parse(reference: &str, repository: &str) -> Option<Self> {
        let (package, digest) = reference
            .strip_prefix(repository)?
            .strip_prefix('/')?
            .split_once('@')?;
        digest.starts_with("sha256:").then(|| Self {
            package: package.to_owned(),
            digest: digest.to_owned(),
        })
    }

    /// Twelve digits of the digest, as registries show it.
    pub fn short(&self) -> &str {
        let hex = self.digest.trim_start_matches("sha256:");
        hex.get(..12).unwrap_or(hex)
    }
}

/// Why an image stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// Production's next image: the pull request was merged with it.
    Merged,
    /// A revision of this service runs it, or did and can be rolled back to.
    Runs(String),
    /// Somebody gave it this tag.
    Pinned(String),
    /// This build is making it anew.
    Building(String),
    /// The account may not delete it.
    Forbidden,
    /// It could not be seen whether something needs it.
    Unseen,
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Merged => write!(f, "it was merged, so production uses it next"),
            Self::Runs(service) => write!(f, "{service} has a revision with it"),
            Self::Pinned(tag) => write!(f, "it has the tag {tag}"),
            Self::Building(id) => write!(f, "build {id} is making it anew"),
            Self::Forbidden => write!(f, "a permission is missing"),
            Self::Unseen => write!(f, "what needs it could not be seen"),
        }
    }
}

/// Every image reference of these revisions, once.
pub fn references(revisions: &[Revision]) -> BTreeSet<&str> {
    let containers = revisions.iter().flat_map(|revision| &revision.containers);
    containers.map(|container| container.image.as_str()).collect()
}

/// The service of a revision: `projects/p/locations/r/services/qwen/revisions/qwen-00001-abc` → `qwen`.
pub fn service_of(revision: &Revision) -> &str {
    let parent = revision.name.split_once("/revisions/").map(|(parent, _)| parent);
    parent.map(short_name).unwrap_or_default()
}

/// A service of which one of `revisions` has the image, wherever it was taken from.
pub fn user<'a>(digest: &str, revisions: &'a [Revision]) -> Option<&'a str> {
    let ending = format!("@{digest}");
    let has = |revision: &&Revision| revision.containers.iter().any(|c| c.image.ends_with(&ending));
    revisions.iter().find(has).map(service_of)
}

/// A tag that is none of our content keys (16 hexadecimal digits).
pub fn pin(tags: &[String]) -> Option<&str> {
    tags.iter().map(String::as_str).find(|tag| !is_key(tag))
}

fn is_key(tag: &str) -> bool {
    tag.len() == 16 && tag.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::google::run::types::Container;

    fn revision(service: &str, image: &str) -> Revision {
        Revision {
            name: format!("projects/p/locations/r/services/{service}/revisions/{service}-00001-abc"),
            containers: vec![Container {
                image: image.to_owned(),
                ..Container::default()
            }],
            ..Revision::default()
        }
    }

    #[test]
    fn only_an_image_of_our_repository_named_by_digest_can_go() {
        let ours = "r-docker.pkg.dev/p/llm-deploy";
        let image = Image::parse("r-docker.pkg.dev/p/llm-deploy/qwen@sha256:0123456789abcdef", ours).unwrap();
        assert_eq!((image.package.as_str(), image.short()), ("qwen", "0123456789ab"));
        for other in [
            "r-docker.pkg.dev/p/llm-deploy/qwen:latest",
            "r-docker.pkg.dev/p/llm-deploy-2/qwen@sha256:1",
            "r-docker.pkg.dev/q/llm-deploy/qwen@sha256:1",
            "docker.io/library/qwen@sha256:1",
        ] {
            assert_eq!(Image::parse(other, ours), None, "{other}");
        }
    }

    #[test]
    fn an_image_is_used_by_whoever_has_a_revision_with_its_digest() {
        let all = [
            revision("qwen", "a/qwen@sha256:1"),
            revision("other", "b/copy@sha256:2"),
        ];
        assert_eq!(user("sha256:2", &all), Some("other"));
        assert_eq!(user("sha256:3", &all), None);
        assert_eq!(references(&all).len(), 2);
    }

    #[test]
    fn a_tag_that_is_no_content_key_pins_an_image() {
        let tags = |tags: &[&str]| tags.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
        assert_eq!(pin(&tags(&["0123456789abcdef"])), None);
        assert_eq!(pin(&tags(&[])), None);
        for pinned in ["latest", "0123456789abcdeF", "0123456789abcde"] {
            assert_eq!(pin(&tags(&["0123456789abcdef", pinned])), Some(pinned));
        }
    }
}
