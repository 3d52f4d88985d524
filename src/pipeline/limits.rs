//! What the branches that a pull request goes into say of its preview: limits, and the label that switches it on.
//!
//! A pull request may change its own file, so that the limits are read from the base branch, as it is now and not as
//! it was when the event happened: a limit that was tightened yesterday counts. A base branch may be anybody's own
//! (pull requests on top of pull requests), so that the default branch's limits hold besides.
//!
//! What can't be read allows nothing.

use super::failed::{Blame, Failed};
use crate::{
    config::{self, BaseFile, BaseSettings, Config, Source},
    event::{Context, PullRequest},
    github::{self, GitHub},
    plan::limits::{self, Violation},
    progress::Progress,
    report::Place,
};

/// Most settings that a refusal tells one by one. The lines for the base branch have all of them.
const SENTENCES: usize = 20;

/// What a branch's file allows.
struct Branch {
    name: String,
    /// The file that says so, from the repository's root.
    file: String,
    base: BaseFile,
}

/// What the branches say.
pub struct Rules {
    /// The configuration's path from the repository's root.
    file: String,
    branches: Vec<Branch>,
    /// The pull request's labels now, or why they aren't known.
    labels: Result<Vec<String>, String>,
}

/// A label without which there is no preview.
#[derive(Debug, PartialEq, Eq)]
pub struct MissingLabel {
    pub label: String,
    /// Branch whose file asks for it.
    pub branch: String,
}

impl Rules {
    /// Reads the configuration on the base branch and on the default branch. Where a branch has no such file, its
    /// `usual` one speaks for it: a configuration that was moved or is new must not leave the label and limits behind.
    ///
    /// # Errors
    /// When GitHub doesn't show a branch or its file, or a file has mistakes: nothing may be deployed then.
    pub async fn read(
        github: &GitHub,
        progress: &dyn Progress,
        pull_request: &PullRequest,
        context: &Context,
        file: &str,
        usual: &str,
    ) -> Result<Self, Failed> {
        let (base, default, labels) = match github.pull_request_state(pull_request.number).await {
            Ok(state) => (state.base_ref, state.default_branch, Ok(state.labels)),
            // The event's base may be an old one; the default branch is asked besides.
            Err(error) => {
                let warning =
                    format!("the pull request's labels and base branch are taken from the event: {error}");
                progress.warn("github", &warning);
                let base = pull_request.base_ref.clone();
                (base, String::new(), Err(error.to_string()))
            }
        };
        let default = if default.is_empty() {
            context.default_branch.clone().unwrap_or_default()
        } else {
            default
        };
        let mut branches = Vec::new();
        for name in [base, default] {
            if name.is_empty() {
                let why = "neither GitHub nor the event says which branch the pull request is to be merged into, or which is the default one";
                return Err(unread(Blame::Service, why.to_owned()).fix("Run it again"));
            }
            if branches.iter().all(|branch: &Branch| branch.name != name) {
                branches.push(branch(github, name, [file, usual]).await?);
            }
        }
        Ok(Self {
            file: file.to_owned(),
            branches,
            labels,
        })
    }

    /// The label that a branch asks for and the pull request lacks.
    ///
    /// # Errors
    /// When a branch asks for one, and the pull request's labels aren't known.
    pub fn missing_label(&self) -> Result<Option<MissingLabel>, Failed> {
        for branch in &self.branches {
            let Some(label) = &branch.base.allowance.label else {
                continue;
            };
            let labels = self.labels.as_ref().map_err(|why| {
                let cause = format!("`{}` asks for the label `{label}`, and {why}", branch.name);
                unread(Blame::Input, cause)
            })?;
            // GitHub ignores a label's case.
            if !labels
                .iter()
                .any(|has| has.to_lowercase() == label.to_lowercase())
            {
                return Ok(Some(MissingLabel {
                    label: label.clone(),
                    branch: branch.name.clone(),
                }));
            }
        }
        Ok(None)
    }

    /// The files that decide, each once.
    fn deciding(&self) -> String {
        let mut files: Vec<&str> = self.branches.iter().map(|branch| branch.file.as_str()).collect();
        files.dedup();
        files.join(", ")
    }

    /// Why nothing is deployed: for each model what it asks for beyond the limits, `None` for one that would be
    /// within them. Empty when all are.
    pub fn refusals(&self, config: &Config) -> Vec<Option<Failed>> {
        let mut violations: Vec<Violation> = Vec::new();
        for branch in &self.branches {
            let settings = match branch.settings(config) {
                Ok(settings) => settings,
                Err(failed) => return vec![Some(failed); config.models.len()],
            };
            violations.extend(limits::check(&branch.name, &branch.base.allowance, config));
            violations.extend(limits::check_authority(&branch.compared(&settings), config));
        }
        if violations.is_empty() {
            return Vec::new();
        }
        let of = |model| {
            violations
                .iter()
                .filter(move |one| one.concerns(model))
                .collect::<Vec<_>>()
        };
        (0..config.models.len())
            .map(|model| self.refusal(&of(model), &violations, config))
            .collect()
    }

    /// Of one model; the advice is for all of them together.
    fn refusal(&self, violations: &[&Violation], all: &[Violation], config: &Config) -> Option<Failed> {
        let first = violations.first()?;
        let mut limits: Vec<String> = Vec::new();
        for one in violations {
            let limit = format!("`{}` on `{}`", one.limit, one.branch);
            if !limits.contains(&limit) {
                limits.push(limit);
            }
        }
        let file = &self.file;
        let sentences = violations.iter().take(SENTENCES);
        let sentences: Vec<String> = sentences.map(|one| one.sentence(config, file)).collect();
        let more = match violations.len().saturating_sub(SENTENCES) {
            0 => String::new(),
            more => format!("; and {more} more"),
        };
        let limits = limits.join(" and ");
        let title = format!("the preview asks for more than the base branch allows: {limits}");
        let mut failed = Failed::new(Blame::Input, title, sentences.join("; ") + &more)
            .fix(self.widening(all).unwrap_or_else(|| {
                format!(
                    "Ask for less here, or change {limits} first, in its own pull request ({}). Nothing was built or deployed",
                    self.deciding()
                )
            }));
        for one in violations {
            failed = failed.setting(one.written());
        }
        failed.failure.place = first.line(config).map(|line| Place {
            file: file.clone(),
            line,
        });
        Some(failed)
    }

    /// The lines for each branch that would allow it all.
    fn widening(&self, violations: &[Violation]) -> Option<String> {
        let violations: Vec<&Violation> = violations.iter().collect();
        let mut advice = Vec::new();
        for branch in &self.branches {
            if violations.iter().all(|one| one.branch != branch.name) {
                continue;
            }
            let lines = limits::widening(&branch.name, &branch.base, &violations)?;
            advice.push(format!("{lines} in `{}` on `{}`", branch.file, branch.name));
        }
        Some(format!(
            "Ask for less here, or first, in its own pull request, {}. Nothing was built or deployed",
            advice.join(" and ")
        ))
    }

    /// Takes the Hugging Face token from models whose base image is not the branches' own, and returns what there is to
    /// say of it: the download runs inside of that image, which could keep the token.
    pub fn withhold_tokens(&self, config: &mut Config) -> Vec<String> {
        let mut notices = Vec::new();
        for branch in &self.branches {
            let Ok(settings) = branch.settings(config) else {
                continue;
            };
            for (model, own) in config.models.iter_mut().zip(&settings.models) {
                if limits::is_same_image(&model.image.base, &own.image.base) {
                    continue;
                }
                if model.image.hf_token_secret.take().is_some() {
                    notices.push(format!(
                        "{} is downloaded without the Hugging Face token: `image.base` is not that of `{}`, and the download runs inside of it.",
                        model.id, branch.name
                    ));
                }
            }
        }
        notices
    }

    /// What a reader of the report is told of the limited settings that differ from the branches'.
    pub fn differences(&self, config: &Config) -> Vec<String> {
        let mut told = Vec::new();
        for branch in &self.branches {
            let Ok(settings) = branch.settings(config) else {
                continue;
            };
            let differences = limits::differences(&branch.compared(&settings), config);
            if !differences.is_empty() {
                told.push(format!(
                    "Limited settings that are not as on `{}`: {}.",
                    branch.name,
                    differences.join(", ")
                ));
            }
        }
        told
    }
}

impl Branch {
    fn settings(&self, config: &Config) -> Result<BaseSettings, Failed> {
        let name = format!("{}:{}", self.name, self.file);
        let settings = self.base.settings(&name, config);
        settings.map_err(|mistakes| has_mistakes(&self.name, &self.file, &mistakes))
    }

    fn compared<'a>(&'a self, settings: &'a BaseSettings) -> limits::BaseBranch<'a> {
        limits::BaseBranch {
            name: &self.name,
            settings,
        }
    }
}

async fn branch(github: &GitHub, name: String, [own, usual]: [&str; 2]) -> Result<Branch, Failed> {
    let read = async |file: &str| {
        let text = github.file_on_branch(&name, file).await;
        text.map_err(|error| unread(blame(&error), error.to_string()))
    };
    let (mut file, mut text) = (own, read(own).await?);
    if text.is_none() && usual != own {
        text = read(usual).await?;
        file = if text.is_some() { usual } else { own };
    }
    let base = match &text {
        Some(text) => base_file(&name, file, text)?,
        None => BaseFile::default(),
    };
    let file = file.to_owned();
    Ok(Branch { name, file, base })
}

fn base_file(branch: &str, file: &str, text: &str) -> Result<BaseFile, Failed> {
    // As git writes it.
    let name = format!("{branch}:{file}");
    let read = config::base_file(Source { name: &name, text });
    read.map_err(|mistakes| has_mistakes(branch, file, &mistakes))
}

fn has_mistakes(branch: &str, file: &str, mistakes: &config::Mistakes) -> Failed {
    let title = format!("`{file}` on `{branch}` has mistakes, so that its limits are not known");
    Failed::new(Blame::Input, title, mistakes.to_string()).fix(format!(
        "Correct it on `{branch}` first. Nothing was built or deployed"
    ))
}

/// A refusal and a wrong setting are the user's to correct; what failed on the way is not.
fn blame(error: &github::Error) -> Blame {
    match error {
        github::Error::Refused { status, .. } if *status >= 500 => Blame::Service,
        github::Error::Refused { .. } | github::Error::Setup(_) | github::Error::BaseUrl(_) => Blame::Input,
        _ => Blame::Service,
    }
}

/// The limits could not be read.
pub fn unread(blame: Blame, cause: String) -> Failed {
    let title = "the base branch's limits for previews could not be read, so nothing was deployed";
    Failed::new(blame, title, cause)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(label: Option<&str>, labels: Result<Vec<String>, String>) -> Rules {
        let mut base = BaseFile::default();
        base.allowance.label = label.map(str::to_owned);
        let name = "main".to_owned();
        Rules {
            file: "llm-deploy.yaml".to_owned(),
            branches: vec![Branch {
                name,
                file: "llm-deploy.yaml".to_owned(),
                base,
            }],
            labels,
        }
    }

    #[test]
    fn a_label_is_asked_for_only_where_the_file_names_one() {
        let missing = |label, labels: &[&str]| {
            let labels = labels.iter().map(|&l| l.to_owned()).collect();
            rules(label, Ok(labels)).missing_label().unwrap().map(|m| m.label)
        };
        assert_eq!(missing(None, &[]), None);
        assert_eq!(missing(Some("gpu"), &["bug", "GPU"]), None);
        assert_eq!(missing(Some("gpu"), &["bug"]).as_deref(), Some("gpu"));
    }

    #[test]
    fn labels_that_are_not_known_are_never_taken_for_given() {
        let unknown = || Err("GitHub refused".to_owned());
        assert_eq!(rules(None, unknown()).missing_label().unwrap(), None);
        let failed = rules(Some("gpu"), unknown()).missing_label().unwrap_err();
        assert!(failed.failure.cause.contains("`gpu`") && failed.failure.cause.contains("GitHub refused"));
    }

    #[test]
    fn a_refusal_names_each_limit_once_and_its_settings() {
        let asked =
            crate::plan::testing::config("service: { gpu: nvidia-rtx-pro-6000 }\npreview: { expires: 30d }");
        let refusals = rules(None, Ok(Vec::new())).refusals(&asked);
        let [Some(failed)] = &refusals[..] else {
            panic!("{refusals:?}")
        };
        assert_eq!(failed.blame, Blame::Input);
        assert_eq!(failed.failure.settings, ["service.gpu", "preview.expires"]);
        let place = failed.failure.place.as_ref().map(|place| place.line);
        assert_eq!(place, Some(4));
        insta::assert_debug_snapshot!(failed.failure);
        let fine = crate::plan::testing::config("");
        assert!(rules(None, Ok(Vec::new())).refusals(&fine).is_empty());
    }
}
