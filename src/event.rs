//! GitHub event → [`Trigger`]: what this run is for. Pure.
//!
//! | event | trigger |
//! | --- | --- |
//! | `push` to the default branch | [`Trigger::Production`] |
//! | `push` to another branch, of a tag, or a deletion | [`Trigger::PlanOnly`] |
//! | `pull_request` opened, synchronize, reopened, ready_for_review, labeled, unlabeled | [`Trigger::Preview`] |
//! | `pull_request` closed | [`Trigger::Closed`] |
//! | `pull_request` with any other action, or from a fork | [`Trigger::PlanOnly`] |
//! | `schedule` | [`Trigger::Schedule`] |
//! | `workflow_dispatch` on the default branch, on another one | [`Trigger::Production`], [`Trigger::PlanOnly`] |
//!
//! `labeled` and `unlabeled` are there for previews that a label switches on (`preview.label`); without them under
//! `types` they never come. Whichever label it was, the run does the whole job by the labels that there are now: a run
//! that waits gives its place in the workflow's `concurrency` group to the next, and what it was for must not be lost.

mod run_id;
mod strangers;

use serde::Deserialize;

use crate::environment::Environment;

pub use run_id::{LONGEST_JOB, RunId};
pub use strangers::{Code, code, may_be_strange};

/// What a run was started for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// A push to the default branch: deploy production.
    Production,
    /// A pull request was opened or changed: deploy its preview.
    Preview(PullRequest),
    /// A pull request was closed: delete its preview.
    Closed(PullRequest),
    /// The pull request lacks the label that a preview needs, and has one from before: delete it. No event says so by
    /// itself; the base branch's file does.
    Unlabelled(PullRequest),
    /// A schedule fired: test production as it is.
    Schedule,
    /// Asked for by hand: test production as it is, and nothing else.
    Smoke,
    /// Asked for by hand: delete the previews that have expired or whose pull request is closed.
    Cleanup,
    /// Nothing may be changed; the reason is for the user (a fork's pull request, another branch).
    PlanOnly {
        reason: String,
        pull_request: Option<PullRequest>,
        /// Whether a comment that is there must not go on saying something else: the pull request has no preview.
        no_preview: bool,
    },
}

/// What the run needs to know of a pull request. The title is hostile text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequest {
    pub number: u64,
    pub title: String,
    /// Head commit, 40 hex digits.
    pub head_sha: String,
    pub head_ref: String,
    /// Whether the head is in another repository.
    pub fork: bool,
    /// Branch that it is to be merged into; empty when the event doesn't say.
    pub base_ref: String,
    /// Names of its labels when the event happened. Hostile text.
    pub labels: Vec<String>,
    /// Of a closed one: whether it was merged.
    pub merged: bool,
}

impl PullRequest {
    /// One of which nothing but the number is known: a person named it.
    pub fn of_number(number: u64, head_sha: &str) -> Self {
        Self {
            number,
            title: String::new(),
            head_sha: head_sha.to_owned(),
            head_ref: String::new(),
            fork: false,
            base_ref: String::new(),
            labels: Vec::new(),
            merged: false,
        }
    }
}

/// Where the run happens: what the report links to and what is labelled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// `owner/name`.
    pub repository: String,
    pub repository_id: Option<u64>,
    /// Commit that the run is about, hex. For a pull request its head, not the merge commit in `GITHUB_SHA`.
    pub sha: String,
    /// Branch or tag without `refs/…`. For a pull request its head branch. Hostile text.
    pub ref_name: String,
    pub default_branch: Option<String>,
    /// Page of this run.
    pub run_url: Option<String>,
    /// Which workflow run this is; `None` outside of GitHub Actions.
    pub run: Option<RunId>,
    /// Login of whoever started the run; may be empty.
    pub actor: String,
    /// `https://github.com`, or the enterprise server's, without a trailing slash.
    pub server_url: String,
    /// Name of the event, `push`.
    pub event: String,
    /// The workflow's file, `.github/workflows/llm.yml`.
    pub workflow: Option<String>,
}

/// Why no trigger could be made of the event.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(
        "GITHUB_EVENT_NAME is not set, so this is not a run of GitHub Actions and there is no event to follow. \
         On your own machine use the commands directly: `llm-deploy plan`, `build`, `deploy`, `smoke`, or `demo` \
         to see the whole job without an account"
    )]
    NotInActions,
    #[error(
        "{variable} is not set, although GITHUB_EVENT_NAME is. GitHub's runner sets both: pass the runner's environment on"
    )]
    MissingVariable { variable: &'static str },
    #[error("the event's payload (GITHUB_EVENT_PATH) can't be read as a `{event}` event: {reason}")]
    BadPayload { event: String, reason: String },
    #[error(
        "`pull_request_target` is refused: it runs with this repository's secrets and a token that can write, on a \
         pull request that anybody may open. With a checkout of the pull request's head, the configuration, the \
         data sets and every script of a stranger would be used with them: they could deploy on your account, and read \
         what the job can read. Use `pull_request`; forks then get a plan without credentials"
    )]
    PullRequestTarget,
    #[error(
        "This `{event}` event is about a pull request from a fork: its configuration, its data sets and its scripts are \
         a stranger's, and this command would use them with the job's credentials. Leave `command` out: `run` gives \
         forks a plan without credentials. Or skip the job for forks: \
         `if: github.event.pull_request.head.repo.full_name == github.repository`"
    )]
    Fork { event: String },
    #[error(
        "`{event}` events are not handled. Start the workflow on `push`, `pull_request`, `schedule` or \
         `workflow_dispatch`, or give the input `command`"
    )]
    Unsupported { event: String },
}

#[derive(Default, Deserialize)]
struct Payload {
    action: Option<String>,
    number: Option<u64>,
    #[serde(rename = "ref")]
    git_ref: Option<String>,
    after: Option<String>,
    #[serde(default)]
    deleted: bool,
    repository: Option<Repository>,
    pull_request: Option<PullRequestPayload>,
}

#[derive(Deserialize)]
struct Repository {
    id: Option<u64>,
    full_name: Option<String>,
    default_branch: Option<String>,
}

#[derive(Deserialize)]
struct PullRequestPayload {
    number: u64,
    #[serde(default)]
    title: String,
    #[serde(default)]
    state: String,
    head: Side,
    base: Side,
    #[serde(default)]
    labels: Vec<Label>,
    /// Null while GitHub is still finding out.
    merged: Option<bool>,
}

impl PullRequestPayload {
    /// `here`: the id of the repository that the event is of, for a payload that leaves out the base's.
    fn is_from_fork(&self, here: Option<u64>) -> bool {
        let id = |side: &Side| side.repo.as_ref().and_then(|repository| repository.id);
        !strangers::is_same(id(&self.head), id(&self.base).or(here))
    }
}

#[derive(Deserialize)]
struct Label {
    name: String,
}

#[derive(Deserialize)]
struct Side {
    #[serde(rename = "ref")]
    git_ref: String,
    sha: String,
    /// Null when the fork is gone.
    repo: Option<Repository>,
}

/// Reads the event that started this run from GitHub's variables and the payload (the text of the file at
/// `GITHUB_EVENT_PATH`).
///
/// # Errors
/// Outside of GitHub Actions, on events that can't be followed, and on payloads that don't fit their event.
pub fn read(env: &Environment, payload: Option<&str>) -> Result<(Trigger, Context), Error> {
    let event = env.get("GITHUB_EVENT_NAME").ok_or(Error::NotInActions)?;
    let bad = |reason: String| Error::BadPayload {
        event: printable(event),
        reason,
    };
    let payload = match (event, payload) {
        ("pull_request_target", _) => return Err(Error::PullRequestTarget),
        ("push" | "pull_request" | "schedule" | "workflow_dispatch", Some(text)) => {
            serde_json::from_str::<Payload>(text).map_err(|e| bad(e.to_string()))?
        }
        // Nothing of a schedule's payload is needed.
        ("schedule", None) => Payload::default(),
        ("push" | "pull_request" | "workflow_dispatch", None) => {
            return Err(Error::MissingVariable {
                variable: "GITHUB_EVENT_PATH",
            });
        }
        _ => {
            return Err(Error::Unsupported {
                event: printable(event),
            });
        }
    };
    let mut context = context(env, event, &payload)?;
    let trigger = match event {
        "push" => push(&payload, &mut context),
        "pull_request" => pull_request(&payload, &mut context).map_err(bad)?,
        "schedule" => Trigger::Schedule,
        _ => dispatch(&context),
    };
    if context.sha.is_empty() {
        return Err(Error::MissingVariable {
            variable: "GITHUB_SHA",
        });
    }
    if !is_commit(&context.sha) {
        return Err(bad(format!("`{}` is no commit", printable(&context.sha))));
    }
    Ok((trigger, context))
}

fn context(env: &Environment, event: &str, payload: &Payload) -> Result<Context, Error> {
    let repository = payload.repository.as_ref();
    let name = repository.and_then(|r| r.full_name.as_deref());
    let name = env
        .get("GITHUB_REPOSITORY")
        .or(name)
        .ok_or(Error::MissingVariable {
            variable: "GITHUB_REPOSITORY",
        })?;
    let server_url = env
        .get("GITHUB_SERVER_URL")
        .unwrap_or("https://github.com")
        .trim_end_matches('/')
        .to_owned();
    let run_url = env
        .get("GITHUB_RUN_ID")
        .map(|id| format!("{server_url}/{name}/actions/runs/{id}"));
    let git_ref = payload
        .git_ref
        .as_deref()
        .or(env.get("GITHUB_REF"))
        .unwrap_or_default();
    Ok(Context {
        repository: name.to_owned(),
        repository_id: repository
            .and_then(|r| r.id)
            .or(env.get("GITHUB_REPOSITORY_ID").and_then(|id| id.parse().ok())),
        sha: env
            .get("GITHUB_SHA")
            .or(payload.after.as_deref())
            .unwrap_or_default()
            .to_owned(),
        ref_name: short_ref(git_ref).to_owned(),
        default_branch: repository
            .and_then(|r| r.default_branch.clone())
            .filter(|b| !b.is_empty()),
        run_url,
        run: RunId::read(env),
        actor: env.get("GITHUB_ACTOR").unwrap_or_default().to_owned(),
        server_url,
        event: event.to_owned(),
        workflow: env
            .get("GITHUB_WORKFLOW_REF")
            .and_then(|reference| workflow_file(reference, name)),
    })
}

/// `octo/app/.github/workflows/llm.yml@refs/heads/main` → `.github/workflows/llm.yml`.
fn workflow_file(reference: &str, repository: &str) -> Option<String> {
    let path = reference.strip_prefix(repository)?.strip_prefix('/')?;
    path.split('@').next().map(str::to_owned)
}

fn short_ref(git_ref: &str) -> &str {
    ["refs/heads/", "refs/tags/"]
        .iter()
        .find_map(|p| git_ref.strip_prefix(p))
        .unwrap_or(git_ref)
}

fn plan_only(reason: impl Into<String>) -> Trigger {
    Trigger::PlanOnly {
        reason: reason.into(),
        pull_request: None,
        no_preview: false,
    }
}

fn push(payload: &Payload, context: &mut Context) -> Trigger {
    let git_ref = payload.git_ref.as_deref().unwrap_or_default();
    let name = printable(&context.ref_name);
    if payload.deleted {
        return plan_only(format!("`{name}` was deleted, so there is nothing to deploy"));
    }
    // A push is about what was pushed, whatever the environment says.
    if let Some(after) = &payload.after {
        context.sha.clone_from(after);
    }
    let Some(branch) = git_ref.strip_prefix("refs/heads/") else {
        return plan_only(format!(
            "`{name}` is a tag; production follows the default branch"
        ));
    };
    on_branch(branch, context)
}

fn on_branch(branch: &str, context: &Context) -> Trigger {
    match context.default_branch.as_deref() {
        Some(default) if default == branch => Trigger::Production,
        Some(default) => {
            let (branch, default) = (printable(branch), printable(default));
            plan_only(format!(
                "`{branch}` is not the default branch; production follows `{default}`"
            ))
        }
        None => plan_only("the event doesn't say which branch is the default one"),
    }
}

/// Started by hand: production when the default branch was chosen. `command` may ask for something else.
fn dispatch(context: &Context) -> Trigger {
    on_branch(&context.ref_name, context)
}

fn pull_request(payload: &Payload, context: &mut Context) -> Result<Trigger, String> {
    let raw = payload.pull_request.as_ref().ok_or("`pull_request` is missing")?;
    let action = payload.action.as_deref().ok_or("`action` is missing")?;
    let pull_request = PullRequest {
        number: payload.number.unwrap_or(raw.number),
        title: raw.title.clone(),
        head_sha: raw.head.sha.clone(),
        head_ref: raw.head.git_ref.clone(),
        fork: raw.is_from_fork(context.repository_id),
        base_ref: raw.base.git_ref.clone(),
        labels: raw.labels.iter().map(|label| label.name.clone()).collect(),
        merged: raw.merged.unwrap_or(false),
    };
    context.sha.clone_from(&pull_request.head_sha);
    context.ref_name.clone_from(&pull_request.head_ref);
    let reason = if pull_request.fork {
        "The pull request comes from a fork, and GitHub gives such runs no credentials; \
         it is deployed when it is merged"
            .to_owned()
    } else if action == "closed" {
        return Ok(Trigger::Closed(pull_request));
    } else if raw.state == "closed" {
        format!(
            "The pull request is closed already, so `{}` changes nothing",
            printable(action)
        )
    } else if [
        "opened",
        "synchronize",
        "reopened",
        "ready_for_review",
        "labeled",
        "unlabeled",
    ]
    .contains(&action)
    {
        return Ok(Trigger::Preview(pull_request));
    } else {
        format!(
            "`{}` of a pull request changes nothing that is deployed",
            printable(action)
        )
    };
    Ok(Trigger::PlanOnly {
        reason,
        pull_request: Some(pull_request),
        no_preview: false,
    })
}

/// SHA-1 or SHA-256, hex.
fn is_commit(sha: &str) -> bool {
    [40, 64].contains(&sha.len()) && sha.bytes().all(|b| b.is_ascii_hexdigit())
}

/// Outside text for messages: one line, no control characters, short.
fn printable(text: &str) -> String {
    text.chars()
        .take(100)
        .map(|c| if c.is_control() || c == '`' { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests;
