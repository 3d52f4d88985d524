//! Which file is the configuration, and where it is in its repository: the same in every checkout.

use std::path::{Path, PathBuf};

use super::event;
use crate::{
    cli::{Common, given},
    environment::Environment,
    file::open::{self, Reach},
};

/// The file that is read when none is named.
pub const DEFAULT: &str = "llm-deploy.yaml";

/// The file as it was named.
pub fn named(common: &Common) -> &str {
    given(common.config.as_deref()).unwrap_or(DEFAULT)
}

/// Largest configuration that is read, in bytes; a real one has a few kilobytes.
pub const LARGEST: u64 = 1 << 20;

/// A file's path from the repository's root, with `/`; `None` when it is not in the checkout.
pub fn in_repository(environment: &Environment, file: &str) -> Option<String> {
    let place = Place::of(environment, file)?;
    let path = place.path.strip_prefix(&place.root).ok()?;
    let parts: Option<Vec<&str>> = path.iter().map(|part| part.to_str()).collect();
    parts.map(|parts| parts.join("/")).filter(|path| !path.is_empty())
}

/// Where a file may be that a person or a workflow names: in Actions below the workspace.
pub fn reach(environment: &Environment) -> Reach {
    if !environment.in_actions() {
        return Reach::Anywhere;
    }
    let workspace = environment
        .get("GITHUB_WORKSPACE")
        .map_or_else(|| PathBuf::from("."), PathBuf::from);
    Reach::below(workspace, environment)
}

/// Where a file may be that the configuration names: in the same checkout as the configuration, on every machine.
pub fn reach_of_repository(environment: &Environment, config: &str) -> Reach {
    match Place::of(environment, config) {
        Some(place) => Reach::below(place.top.join(place.root), environment),
        None => reach(environment),
    }
}

/// A file in a workspace.
struct Place {
    /// The workspace's folder, without links.
    top: PathBuf,
    /// The checkout in it; empty when it is the workspace itself.
    root: PathBuf,
    /// The file. Both are as seen from the workspace.
    path: PathBuf,
}

impl Place {
    fn of(environment: &Environment, file: &str) -> Option<Self> {
        let here = std::env::current_dir().and_then(std::fs::canonicalize).ok()?;
        let top = environment.get("GITHUB_WORKSPACE").map(PathBuf::from);
        let top = top.or_else(event::top_folder).unwrap_or_else(|| here.clone());
        // As it is named and as it really is: either may stand in the input.
        let real = std::fs::canonicalize(&top).unwrap_or_else(|_| top.clone());
        // Where a link in the pull request's own tree leads is no business of the base branch's.
        let path = open::inside(&[&real, &top], &here, Path::new(file))?;
        // A checkout may be in a folder of the workspace (`path:` of actions/checkout). The outermost one counts: a
        // repository inside of it is a submodule, and a pull request may add one.
        let mut folders: Vec<&Path> = path.ancestors().skip(1).collect();
        folders.reverse();
        let root = folders
            .into_iter()
            .find(|folder| real.join(folder).join(".git").exists());
        Some(Self {
            root: root.unwrap_or(Path::new("")).to_owned(),
            top: real,
            path,
        })
    }
}

/// As [`in_repository`], for people: as it was named when it is not in there.
pub fn shown(environment: &Environment, file: &str) -> String {
    in_repository(environment, file).unwrap_or_else(|| file.to_owned())
}

/// The configuration, when another one than the default was named.
pub fn other(common: &Common, environment: &Environment) -> Option<String> {
    let file = shown(environment, given(common.config.as_deref())?);
    (file != DEFAULT).then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_workspace(folder: &Path) -> Environment {
        let workspace = folder.display().to_string();
        [("GITHUB_WORKSPACE", workspace)].into_iter().collect()
    }

    #[test]
    fn a_file_is_found_below_the_checkout_by_its_name() {
        for (here, file, expected) in [
            ("/w", "llm-deploy.yaml", Some("llm-deploy.yaml")),
            ("/w", "./infra/../infra//x.yaml", Some("infra/x.yaml")),
            ("/w/infra", "x.yaml", Some("infra/x.yaml")),
            ("/w/infra", "../a/./x.yaml", Some("a/x.yaml")),
            ("/tmp", "/w/x.yaml", Some("x.yaml")),
            ("/w", "../x.yaml", None),
            ("/w", "/etc/x.yaml", None),
            ("/w2", "x.yaml", None),
        ] {
            let found = open::inside(&[Path::new("/w")], Path::new(here), Path::new(file));
            assert_eq!(found.as_deref(), expected.map(Path::new), "{here} {file}");
        }
    }

    #[test]
    fn the_outermost_checkout_in_the_workspace_is_the_root() {
        let folder = tempfile::tempdir().unwrap();
        let environment = in_workspace(folder.path());
        let find = |file: &str| in_repository(&environment, &folder.path().join(file).display().to_string());
        std::fs::create_dir_all(folder.path().join("app/infra/.git")).unwrap();
        assert_eq!(find("app/infra/x.yaml").as_deref(), Some("x.yaml"));
        std::fs::create_dir_all(folder.path().join("app/.git")).unwrap();
        assert_eq!(find("app/infra/x.yaml").as_deref(), Some("infra/x.yaml"));
        std::fs::create_dir_all(folder.path().join(".git")).unwrap();
        assert_eq!(find("app/infra/x.yaml").as_deref(), Some("app/infra/x.yaml"));
        assert_eq!(find("../x.yaml"), None);
    }

    #[test]
    fn another_configuration_than_the_default_is_known_by_its_path() {
        let folder = tempfile::tempdir().unwrap();
        let environment = in_workspace(folder.path());
        let other = |file: Option<String>| {
            let common = Common {
                config: file,
                ..Common::default()
            };
            other(&common, &environment)
        };
        let within = |file: &str| other(Some(folder.path().join(file).display().to_string()));
        assert_eq!(other(None), None);
        assert_eq!(within("./llm-deploy.yaml"), None);
        assert_eq!(within("deploy//llm.yaml").as_deref(), Some("deploy/llm.yaml"));
        assert_eq!(
            within("deploy/llm-deploy.yaml").as_deref(),
            Some("deploy/llm-deploy.yaml")
        );
        let outside = "/elsewhere/llm-deploy.yaml";
        assert_eq!(other(Some(outside.to_owned())).as_deref(), Some(outside));
    }
}
