//! The fields that a decision reads, and what a false one may come to.
//!
//! Whatever one field says: the run ends in time and with a reason, touches nothing of others, is not green with less done,
//! and the next run sets right what was done wrong.

use llm_deploy_emulator::faults::{Alteration, Lie};
use serde_json::Value;

use crate::{
    cases::{End, Request},
    scenario::Scenario,
};

/// Answers with the fields that are read of them: a method's id, or a service with part of a path.
const READ: &[(&str, &[&str])] = &[
    (
        "services.get",
        &[
            "name",
            "uid",
            "etag",
            "generation",
            "observedGeneration",
            "reconciling",
            "labels",
            "labels/managed-by",
            "labels/llm-deploy-repository",
            "labels/llm-deploy-repository-id",
            "labels/llm-deploy-kind",
            "labels/llm-deploy-pull-request",
            "labels/llm-deploy-run",
            "labels/llm-deploy-expires",
            "labels/llm-deploy-commit",
            "template",
            "template/containers",
            "template/containers/*/image",
            "template/containers/*/args",
            "template/labels",
            "scaling",
            "traffic",
            "traffic/*/percent",
            "traffic/*/revision",
            "trafficStatuses",
            "trafficStatuses/*/percent",
            "trafficStatuses/*/revision",
            "terminalCondition",
            "terminalCondition/state",
            "conditions",
            "conditions/*/state",
            "latestReadyRevision",
            "latestCreatedRevision",
            "uri",
            "urls",
        ],
    ),
    (
        "services.list",
        &[
            "services",
            "services/*/name",
            "services/*/labels",
            "services/*/labels/managed-by",
            "services/*/labels/llm-deploy-repository",
            "services/*/labels/llm-deploy-repository-id",
            "services/*/labels/llm-deploy-kind",
            "services/*/labels/llm-deploy-pull-request",
            "services/*/labels/llm-deploy-expires",
            "services/*/labels/llm-deploy-config",
        ],
    ),
    (
        "revisions.get",
        &[
            "name",
            "conditions",
            "conditions/*/state",
            "conditions/*/type",
            "conditions/*/message",
        ],
    ),
    (
        "revisions.list",
        &[
            "revisions",
            "revisions/*/name",
            "revisions/*/containers",
            "revisions/*/containers/*/image",
        ],
    ),
    ("services.create", &["name", "done", "metadata"]),
    ("services.patch", &["name", "done", "metadata"]),
    ("services.delete", &["name", "done", "metadata"]),
    ("operations.wait", &["name", "done", "response", "metadata"]),
    ("operations.get", &["name", "done", "response"]),
    (
        "builds.create",
        &[
            "name",
            "metadata",
            "metadata/build",
            "metadata/build/id",
            "metadata/build/status",
        ],
    ),
    (
        "builds.get",
        &[
            "id",
            "status",
            "results",
            "results/images",
            "results/images/*/digest",
            "results/images/*/name",
            "logsBucket",
        ],
    ),
    (
        "builds.list",
        &[
            "builds",
            "builds/*/id",
            "builds/*/status",
            "builds/*/tags",
            "builds/*/createTime",
        ],
    ),
    (
        "repositories.get",
        &["name", "format", "labels", "cleanupPolicies"],
    ),
    ("repositories.create", &["name", "done"]),
    ("tags.get", &["name", "version"]),
    ("versions.get", &["name", "relatedTags", "relatedTags/*/name"]),
    ("versions.delete", &["name", "done"]),
    (
        "buckets.list",
        &["items", "items/*/name", "items/*/projectNumber"],
    ),
    ("buckets.insert", &["name", "projectNumber"]),
    ("objects.insert", &["name", "generation"]),
    ("objects.get", &["generation"]),
    (
        "quotaInfos.get",
        &[
            "dimensionsInfos",
            "dimensionsInfos/*/details/value",
            "dimensionsInfos/*/dimensions",
        ],
    ),
    (
        "services.batchGet",
        &["services", "services/*/name", "services/*/state"],
    ),
    ("testIamPermissions", &["permissions"]),
    ("sts.token", &["access_token", "expires_in"]),
    ("generateAccessToken", &["accessToken", "expireTime"]),
    ("generateIdToken", &["token"]),
    ("oidc /", &["value"]),
    (
        "github /pulls/",
        &[
            "state",
            "merged",
            "head",
            "head/sha",
            "head/repo",
            "head/repo/id",
            "base",
            "base/ref",
            "base/repo",
            "base/repo/id",
            "base/repo/default_branch",
            "labels",
            "labels/*/name",
        ],
    ),
    ("github /branches/", &["name", "commit", "commit/sha"]),
    (
        "github /contents/",
        &["type", "encoding", "size", "content", "sha"],
    ),
    ("github /comments", &["*/id", "*/user", "*/body"]),
    ("github /comments/", &["id", "user", "body"]),
    (
        "github /deployments",
        &[
            "*/id",
            "*/sha",
            "*/creator",
            "*/payload",
            "*/environment",
            "*/created_at",
            "id",
            "creator",
            "payload",
            "environment",
            "created_at",
        ],
    ),
    ("github /statuses", &["creator", "state", "*/state", "*/creator"]),
    ("github /graphql", &["data", "data/viewer", "data/viewer/login"]),
    (
        "github /issues",
        &["*/number", "*/title", "*/state", "*/user", "*/body", "*/labels"],
    ),
    ("github /check-runs", &["id"]),
    (
        "hf /api/models/",
        &[
            "sha",
            "siblings",
            "siblings/*/rfilename",
            "siblings/*/size",
            "siblings/*/lfs",
            "gated",
        ],
    ),
    (
        "endpoint /v1/models",
        &["data", "data/*/id", "data/*/max_model_len"],
    ),
    (
        "endpoint /v1/chat/completions",
        &[
            "model",
            "choices",
            "choices/*/message",
            "choices/*/message/content",
            "choices/*/finish_reason",
            "usage",
        ],
    ),
];

/// Every lie about a field of the request's answers that changes one of them.
pub fn lies(scenario: Scenario, request: &Request, answers: &[&Value]) -> Vec<(Alteration, End)> {
    if request.nth > 1 || request.live {
        return Vec::new();
    }
    let fields = READ.iter().filter(|(answer, _)| is_of(request, answer));
    let all = fields.flat_map(|(_, fields)| fields.iter());
    let lies = all.flat_map(|field| {
        Lie::ALL.map(|lie| Alteration {
            at: (*field).to_owned(),
            to: lie,
        })
    });
    let changes = |lie: &Alteration| answers.iter().any(|answer| lie.apply(&mut (*answer).clone()) > 0);
    lies.filter(changes)
        .map(|lie| (lie.clone(), end(scenario, request, &lie.at)))
        .collect()
}

fn is_of(request: &Request, answer: &str) -> bool {
    match answer.split_once(' ') {
        Some((service, path)) => {
            let ends_so = request.path.ends_with(path);
            let is_in = !["/deployments", "/comments", "/statuses", "/issues"].contains(&path);
            request.id.is_empty()
                && request.service == service
                && (ends_so || is_in && request.path.contains(path))
        }
        None => request.id.ends_with(&format!(".{answer}")) || request.id == answer,
    }
}

fn end(scenario: Scenario, request: &Request, field: &str) -> End {
    let is_services = request.is("services.get") || request.is("services.list");
    match request.service.as_str() {
        // What the Hub says is what is deployed.
        "hf" => End::Other,
        // By its labels a service is known as ours: one that has others is not taken, and not deleted.
        _ if is_services && field.contains("labels") => End::Other,
        // Whose pull request can't be seen may be open: its preview's own time counts then.
        "github"
            if request.path == "/pulls/" && matches!(scenario, Scenario::Schedule | Scenario::Cleanup) =>
        {
            End::Less
        }
        // Of what GitHub records no other place is known.
        "github" if request.path.ends_with("/deployments") && scenario == Scenario::Closed => End::Other,
        _ => End::Either,
    }
}
