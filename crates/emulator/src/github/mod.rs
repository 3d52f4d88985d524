//! GitHub's REST API, as far as a deployment job uses it: comments, issues, pull requests, deployments,
//! files on branches.
//!
//! Requests are checked against GitHub's own OpenAPI description, and more strictly than GitHub does: an unknown
//! field or query parameter is refused. Who calls is known by the token; what it may do by the permissions that
//! [`GitHub::permit`] sets, as `permissions:` does in a workflow.

mod answers;
mod checks;
mod comments;
mod contents;
mod contract;
mod deployments;
mod events;
mod graphql;
mod issues;
mod levers;
mod page;
mod refusal;
mod runs;
mod state;

use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::{Call, Reply, Shared};
use contract::Operation;
use refusal::Refusal;
use state::{Repo, State};

pub use events::event_payload;
pub use state::{Access, CheckRun, Comment, Deployment, IssueSeen, WorkflowRun};

/// A token of the job, as good as the one in GITHUB_TOKEN: its actor is `github-actions[bot]`.
pub const TOKEN: &str = "ghs_emulatorJob";
/// The repository that is always there.
pub const REPOSITORY: &str = "octo-org/llm-endpoint";
/// A private repository.
pub const PRIVATE_REPOSITORY: &str = "octo-org/private-endpoint";
/// The pull request that is open in every seeded repository.
pub const PULL_REQUEST: u64 = 12;
/// Branch of that pull request.
pub const HEAD_BRANCH: &str = "faster-model";

/// What the service holds.
pub struct GitHub {
    state: std::sync::Mutex<State>,
}

impl Default for GitHub {
    fn default() -> Self {
        let github = Self {
            state: std::sync::Mutex::default(),
        };
        github.seed(REPOSITORY);
        github.seed(PRIVATE_REPOSITORY);
        github
    }
}

type Answer = Result<(StatusCode, Value), Refusal>;

/// What a handler gets: the repository, the call, and where links point to.
struct Context<'a> {
    repo: &'a mut Repo,
    call: &'a Call,
    operation: &'a Operation,
    /// `http://…/github`, for `url` fields.
    api: String,
    /// Path parameters in the order of the path, after owner and repository.
    rest: Vec<String>,
}

impl GitHub {
    pub async fn handle(emulator: &Shared, call: &Call) -> Reply {
        let api = format!("{}/github", emulator.base_url);
        emulator
            .github
            .answer(&api, &[TOKEN, emulator.tokens.github()], call)
    }

    fn answer(&self, api: &str, tokens: &[&str], call: &Call) -> Reply {
        let mut link = None;
        let (status, body) = match self.route(api, tokens, call, &mut link) {
            Ok(answer) => answer,
            Err(refusal) => refusal.parts(),
        };
        let mut reply = Reply::json(status, &body);
        if status == StatusCode::NO_CONTENT {
            reply.headers.remove("content-type");
            reply.body = axum::body::Body::empty();
        }
        let id = uuid::Uuid::new_v4().to_string().to_uppercase();
        let fixed = [
            ("x-github-media-type", "github.v3; format=json"),
            ("x-github-api-version-selected", "2022-11-28"),
            ("x-ratelimit-limit", "1000"),
            ("x-ratelimit-remaining", "999"),
            ("x-github-request-id", &id),
        ];
        for (name, value) in fixed
            .into_iter()
            .chain(link.as_deref().map(|link| ("link", link)))
        {
            if let Ok(value) = HeaderValue::from_str(value) {
                reply.headers.insert(HeaderName::from_static(name), value);
            }
        }
        reply
    }

    fn route(&self, api: &str, tokens: &[&str], call: &Call, link: &mut Option<String>) -> Answer {
        let token = token(tokens, call)?;
        let path = call.path.split('?').next().unwrap_or_default().trim_matches('/');
        if path == "graphql" && call.method == Method::POST {
            return graphql::answer(call, token);
        }
        let (operation, parameters) = contract::find(&call.method, path)
            .ok_or_else(|| Refusal::not_found("https://docs.github.com/rest"))?;
        let decoded: Vec<String> = parameters
            .iter()
            .map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned())
            .collect();
        let [owner, name, rest @ ..] = decoded.as_slice() else {
            return Err(Refusal::not_found(&operation.docs));
        };
        let mut state = self.lock();
        let permitted = state.permission(operation);
        let repo = state
            .repo(&format!("{owner}/{name}"))
            .filter(|repo| token || !repo.private);
        let repo = repo.ok_or_else(|| Refusal::not_found(&operation.docs))?;
        let writes = call.method != Method::GET;
        if writes && !token {
            return Err(Refusal::new(
                StatusCode::UNAUTHORIZED,
                "Requires authentication",
                &operation.docs,
            ));
        }
        if token && !permitted {
            let message = "Resource not accessible by integration";
            return Err(Refusal::new(StatusCode::FORBIDDEN, message, &operation.docs));
        }
        contract::check(operation, call)?;
        let mut context = Context {
            repo,
            call,
            operation,
            api: api.to_owned(),
            rest: rest.to_vec(),
        };
        let (status, body) = context.dispatch()?;
        match body {
            // A directory comes whole.
            Value::Array(items) if !writes && operation.id != "repos/get-content" => {
                let paged = page::cut(&context, items)?;
                *link = paged.link;
                Ok((status, Value::Array(paged.items)))
            }
            other => Ok((status, other)),
        }
    }
}

impl Context<'_> {
    fn dispatch(&mut self) -> Answer {
        match self.operation.id.as_str() {
            "repos/get" => Ok((StatusCode::OK, answers::repository(&self.api, self.repo))),
            "actions/get-workflow-run" => runs::get(self),
            "repos/get-branch" => contents::get_branch(self),
            "repos/get-content" => contents::get(self),
            "issues/list-for-repo" => issues::list(self),
            "issues/create" => issues::create(self),
            "issues/get" => issues::get(self),
            "issues/update" => issues::update(self),
            "issues/list-labels-on-issue" => issues::labels(self),
            "issues/add-labels" => issues::add_labels(self),
            "pulls/list" => issues::list_pulls(self),
            "pulls/get" => issues::get_pull(self),
            "issues/list-comments" => comments::list(self),
            "issues/create-comment" => comments::create(self),
            "issues/get-comment" => comments::get(self),
            "issues/update-comment" => comments::update(self),
            "issues/delete-comment" => comments::delete(self),
            "checks/create" => checks::create(self),
            "checks/update" => checks::update(self),
            "checks/list-for-ref" => checks::list(self),
            "repos/list-deployments" => deployments::list(self),
            "repos/create-deployment" => deployments::create(self),
            "repos/get-deployment" => deployments::get(self),
            "repos/list-deployment-statuses" => deployments::list_statuses(self),
            "repos/create-deployment-status" => deployments::create_status(self),
            _ => Err(self.not_found()),
        }
    }

    /// The first path parameter as a number; no resource has the number 0.
    fn id(&self) -> u64 {
        self.rest.first().and_then(|id| id.parse().ok()).unwrap_or(0)
    }

    fn not_found(&self) -> Refusal {
        Refusal::not_found(&self.operation.docs)
    }

    /// The body's field unless absent or null.
    fn field(&self, name: &str) -> Option<&Value> {
        self.call.json.get(name).filter(|value| !value.is_null())
    }

    fn text(&self, name: &str) -> Option<String> {
        self.field(name).and_then(Value::as_str).map(str::to_owned)
    }

    fn flag(&self, name: &str, default: bool) -> bool {
        self.field(name).and_then(Value::as_bool).unwrap_or(default)
    }
}

/// Whether the call carries one of the tokens; a wrong one is refused.
fn token(tokens: &[&str], call: &Call) -> Result<bool, Refusal> {
    let Some(value) = call.headers.get("authorization") else {
        return Ok(false);
    };
    let sent = value.to_str().unwrap_or_default();
    match sent.split_once(' ') {
        Some((scheme, sent))
            if tokens.contains(&sent)
                && (scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token")) =>
        {
            Ok(true)
        }
        _ => Err(Refusal::new(
            StatusCode::UNAUTHORIZED,
            "Bad credentials",
            "https://docs.github.com/rest",
        )),
    }
}

#[cfg(test)]
mod tests;
