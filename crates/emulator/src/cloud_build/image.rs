//! Images that a build makes, and where they are pushed to.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::{context::Files, docker::DockerBuild, dockerfile::Followed};

/// Size of the base image, as far as disk and registry are concerned: vLLM's image is about this large.
pub const BASE_BYTES: u64 = 12_000_000_000;

/// An image in the worker's Docker daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// `sha256:…`, the same for the same inputs.
    pub digest: String,
    pub bytes: u64,
}

/// The parts of `R-docker.pkg.dev/PROJECT/REPOSITORY/PACKAGE:TAG`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub location: String,
    pub project: String,
    pub repository: String,
    pub package: String,
    pub tag: String,
}

/// Derives the image's digest from everything that goes into it; secrets don't.
pub fn make(
    files: &Files,
    build: &DockerBuild,
    args: &BTreeMap<String, String>,
    followed: &Followed,
    weights: u64,
) -> Image {
    let mut hash = Sha256::new();
    let mut add = |part: &[u8]| {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    };
    for (path, content) in files {
        add(path.as_bytes());
        add(content);
    }
    for (name, value) in args.iter().filter(|(n, _)| !followed.unused.contains(n)) {
        add(name.as_bytes());
        add(value.as_bytes());
    }
    add(build.target.as_deref().unwrap_or_default().as_bytes());
    let digest = hash.finalize();
    let hex: String = digest.iter().map(|b| format!("{b:02x}")).collect();
    let base = if followed.bases.is_empty() { 0 } else { BASE_BYTES };
    Image {
        digest: format!("sha256:{hex}"),
        bytes: base + weights,
    }
}

/// Reads an image name of Artifact Registry.
pub fn target(name: &str) -> Option<Target> {
    let (host, path) = name.split_once('/')?;
    let location = host.strip_suffix("-docker.pkg.dev")?;
    let mut parts = path.splitn(3, '/');
    let (project, repository, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let (package, tag) = match rest.rsplit_once(':') {
        Some((package, tag)) if !tag.contains('/') => (package, tag),
        _ => (rest, "latest"),
    };
    (!package.is_empty() && !package.contains('@')).then(|| Target {
        location: location.to_owned(),
        project: project.to_owned(),
        repository: repository.to_owned(),
        package: package.to_owned(),
        tag: tag.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_follows_from_the_inputs() {
        let files: Files = [("Dockerfile".to_owned(), b"FROM x".to_vec())].into();
        let digest = |files: &Files, args: &[(&str, &str)], tag: &str| {
            let args = args
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect();
            let build = DockerBuild {
                tags: vec![tag.to_owned()],
                ..DockerBuild::default()
            };
            make(files, &build, &args, &Followed::default(), 7).digest
        };
        let one = digest(&files, &[("A", "1")], "t");
        assert_eq!(one, digest(&files, &[("A", "1")], "another"));
        assert_ne!(one, digest(&files, &[("A", "2")], "t"));
        let other: Files = [("Dockerfile".to_owned(), b"FROM y".to_vec())].into();
        assert_ne!(one, digest(&other, &[("A", "1")], "t"));
        assert_eq!(one.len(), "sha256:".len() + 64);
    }

    #[test]
    fn image_names_are_taken_apart() {
        let found = target("europe-west4-docker.pkg.dev/p/repo/a/b:k1").unwrap();
        assert_eq!(
            (found.location.as_str(), found.repository.as_str()),
            ("europe-west4", "repo")
        );
        assert_eq!((found.package.as_str(), found.tag.as_str()), ("a/b", "k1"));
        assert_eq!(target("europe-docker.pkg.dev/p/r/i").unwrap().tag, "latest");
        assert_eq!(target("docker.io/library/x"), None);
        assert_eq!(target("europe-docker.pkg.dev/p/r"), None);
    }
}
