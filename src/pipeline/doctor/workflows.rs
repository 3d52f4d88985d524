//! The workflow: what this job got from GitHub, and what the files ask for.

use std::path::Path;

use crate::{
    doctor::{Check, workflow},
    environment::Environment,
    file::open::{self, Reach},
};

const FOLDER: &str = ".github/workflows";
/// Larger ones GitHub does not run either.
const LARGEST: u64 = 1 << 20;
/// Files that are read.
const MOST: usize = 200;

/// The checks of the workflow files below `root`, and in Actions of this job.
pub fn checks(environment: &Environment, root: &Path) -> Vec<Check> {
    let job = environment.in_actions().then(|| {
        let token = ["LLM_DEPLOY_GITHUB_TOKEN", "GITHUB_TOKEN"];
        workflow::of_job(
            environment.get("ACTIONS_ID_TOKEN_REQUEST_URL").is_some(),
            token.iter().any(|name| environment.secret(name).is_some()),
        )
    });
    let mut checks = job.unwrap_or_default();
    checks.extend(workflow::checks(&files(root), is_llm_deploy(root)));
    checks
}

/// Whether the repository at hand is the action's own, whose workflows say `uses: ./`.
fn is_llm_deploy(root: &Path) -> bool {
    let text = read(root, "action.yml").unwrap_or_default();
    text.contains("LLM_DEPLOY_")
}

/// A file of the repository: one that is a link is none, for GitHub too.
fn read(root: &Path, name: &str) -> Option<String> {
    let reach = Reach::Below {
        folder: root.to_owned(),
        credentials: Vec::new(),
    };
    open::text(&root.join(name), &reach, LARGEST).ok()
}

fn files(root: &Path) -> Vec<workflow::File> {
    let Ok(folder) = std::fs::read_dir(root.join(FOLDER)) else {
        return Vec::new();
    };
    let mut files: Vec<workflow::File> = folder
        .flatten()
        .take(MOST)
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let is_yaml = name.ends_with(".yml") || name.ends_with(".yaml");
            let name = format!("{FOLDER}/{name}");
            let text = read(root, &name).filter(|_| is_yaml)?;
            Some(workflow::File { name, text })
        })
        .collect();
    files.sort_by(|a, b| a.name.cmp(&b.name));
    files
}
