//! A check run on the commit: the result among the commit's checks, with annotations in the pull request's files.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::client::{GitHub, Method, Purpose, Repeat, body};
use super::error::Error;
use crate::report::escape;

/// How a check run ended, as GitHub names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    Success,
    Failure,
    Neutral,
    Cancelled,
    Skipped,
}

/// A check run that has ended.
#[derive(Clone, Debug)]
pub struct Check {
    /// By which people, and a rule of the branch, know it.
    pub name: String,
    /// Commit, 40 hex digits.
    pub head_sha: String,
    /// The workflow run's page.
    pub details_url: Option<String>,
    /// Which run made it. No two check runs of one name have the same: one whose writing ended unclear is found by it.
    pub external_id: String,
    pub conclusion: Conclusion,
    /// Plain text of one line.
    pub title: String,
    /// Markdown, at most 65,535 characters as the API's description says: [`CHECK_LIMIT`](crate::report::markdown::CHECK_LIMIT).
    pub summary: String,
    pub annotations: Vec<Annotation>,
}

/// What is wrong with a line of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotation {
    /// From the repository's root.
    pub path: String,
    /// From 1.
    pub line: usize,
    pub title: String,
    /// Plain text.
    pub message: String,
}

/// The API's description: 50 annotations in a request, more by further ones.
const ANNOTATIONS: usize = 50;
/// The API's description: a title has at most 255 characters.
const TITLE: usize = 255;
/// Well below the 64 KB of the API's description.
const MESSAGE: usize = 4000;

#[derive(Serialize)]
struct New<'a> {
    name: &'a str,
    head_sha: &'a str,
    status: &'static str,
    conclusion: Conclusion,
    #[serde(skip_serializing_if = "Option::is_none")]
    details_url: Option<&'a str>,
    external_id: &'a str,
    output: Value,
}

#[derive(Deserialize)]
struct Made {
    id: u64,
    #[serde(default)]
    external_id: Option<String>,
}

#[derive(Deserialize)]
struct List {
    check_runs: Vec<Made>,
}

impl GitHub {
    /// Makes the check run. Only a token with `checks: write` may, and only GitHub's own or an app's.
    ///
    /// # Errors
    /// When GitHub refuses (with the permission that is missing) or can't be reached.
    pub async fn check_run(&self, check: &Check) -> Result<(), Error> {
        let purpose = Purpose {
            action: "make a check run",
            permission: "checks: write",
        };
        let mut parts = check.annotations.chunks(ANNOTATIONS);
        let made = self
            .create_check(check, parts.next().unwrap_or_default(), purpose)
            .await?;
        for part in parts {
            let request = json!({ "output": output(check, part) });
            let route = self.route(&format!("check-runs/{made}"));
            // Sent twice, the annotations would be there twice.
            self.send::<Value>(Method::Patch(&request), &route, purpose, Repeat::Never)
                .await?;
        }
        Ok(())
    }

    /// A write whose outcome is unknown is not repeated before we have looked whether it was carried out.
    async fn create_check(
        &self,
        check: &Check,
        annotations: &[Annotation],
        purpose: Purpose<'_>,
    ) -> Result<u64, Error> {
        let request = New {
            name: &check.name,
            head_sha: &check.head_sha,
            status: "completed",
            conclusion: check.conclusion,
            details_url: check
                .details_url
                .as_deref()
                .filter(|url| escape::safe_url(url).is_some()),
            external_id: &check.external_id,
            output: output(check, annotations),
        };
        let request = body(&request, purpose)?;
        let route = self.route("check-runs");
        let made = self.post_once::<Made, _, _>(&request, &route, purpose, || self.own_check(check, purpose));
        made.await.map(|made: Made| made.id)
    }

    /// This very check run, when it is there.
    async fn own_check(&self, check: &Check, purpose: Purpose<'_>) -> Result<Option<Made>, Error> {
        let name = super::client::encoded(&check.name);
        let route = format!(
            "commits/{}/check-runs?check_name={name}&filter=all&per_page=100",
            check.head_sha
        );
        let list: List = self.get(&self.route(&route), purpose).await?;
        Ok(list
            .check_runs
            .into_iter()
            .find(|made| made.external_id.as_ref() == Some(&check.external_id)))
    }
}

fn output(check: &Check, annotations: &[Annotation]) -> Value {
    let annotations: Vec<Value> = annotations
        .iter()
        .map(|one| {
            json!({
                "path": one.path, "start_line": one.line, "end_line": one.line, "annotation_level": "failure",
                "title": escape::clip(&escape::line(&one.title), TITLE),
                "message": escape::clip(&escape::visible(&one.message), MESSAGE),
            })
        })
        .collect();
    json!({
        "title": escape::clip(&escape::line(&check.title), TITLE), "summary": check.summary,
        "annotations": annotations,
    })
}
