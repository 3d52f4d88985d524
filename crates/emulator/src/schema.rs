//! Google's published schemas (contract/*.json): which method a request means, and whether it may be sent.

mod fields;
mod messages;
mod query;

use std::{
    collections::{BTreeMap, HashMap},
    sync::OnceLock,
};

use axum::http::{Method as HttpMethod, StatusCode};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Reply;

/// A Google API, reached under its own path prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    Run,
    CloudBuild,
    ArtifactRegistry,
    Storage,
    SecretManager,
    ServiceUsage,
    Iam,
    IamCredentials,
    Sts,
    Logging,
    Monitoring,
    ResourceManager,
    CloudQuotas,
}

impl Service {
    pub const ALL: [Self; 13] = [
        Self::Run,
        Self::CloudBuild,
        Self::ArtifactRegistry,
        Self::Storage,
        Self::SecretManager,
        Self::ServiceUsage,
        Self::Iam,
        Self::IamCredentials,
        Self::Sts,
        Self::Logging,
        Self::Monitoring,
        Self::ResourceManager,
        Self::CloudQuotas,
    ];

    /// First segment of the path; the public host is `<prefix>.googleapis.com`.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::CloudBuild => "cloudbuild",
            Self::ArtifactRegistry => "artifactregistry",
            Self::Storage => "storage",
            Self::SecretManager => "secretmanager",
            Self::ServiceUsage => "serviceusage",
            Self::Iam => "iam",
            Self::IamCredentials => "iamcredentials",
            Self::Sts => "sts",
            Self::Logging => "logging",
            Self::Monitoring => "monitoring",
            Self::ResourceManager => "cloudresourcemanager",
            Self::CloudQuotas => "cloudquotas",
        }
    }

    pub fn from_prefix(prefix: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.prefix() == prefix)
    }

    const fn sources(self) -> &'static [&'static str] {
        match self {
            Self::Run => &[include_str!("contract/run.v2.json")],
            Self::CloudBuild => &[include_str!("contract/cloudbuild.v1.json")],
            Self::ArtifactRegistry => &[
                include_str!("contract/artifactregistry.v1.json"),
                include_str!("contract/artifactregistry.v1beta2.json"),
            ],
            Self::Storage => &[include_str!("contract/storage.v1.json")],
            Self::SecretManager => &[include_str!("contract/secretmanager.v1.json")],
            Self::ServiceUsage => &[include_str!("contract/serviceusage.v1.json")],
            Self::Iam => &[include_str!("contract/iam.v1.json")],
            Self::IamCredentials => &[include_str!("contract/iamcredentials.v1.json")],
            Self::Sts => &[include_str!("contract/sts.v1.json")],
            Self::Logging => &[include_str!("contract/logging.v2.json")],
            Self::Monitoring => &[include_str!("contract/monitoring.v3.json")],
            Self::ResourceManager => &[
                include_str!("contract/cloudresourcemanager.v3.json"),
                include_str!("contract/cloudresourcemanager.v1.json"),
            ],
            Self::CloudQuotas => &[include_str!("contract/cloudquotas.v1.json")],
        }
    }

    /// The condensed documents, read at first use.
    fn documents(self) -> &'static [Document] {
        static READ: [OnceLock<Vec<Document>>; 13] = [const { OnceLock::new() }; 13];
        READ[self as usize].get_or_init(|| {
            self.sources()
                .iter()
                .filter_map(|text| serde_json::from_str(text).ok())
                .collect()
        })
    }
}

/// One condensed discovery document.
#[derive(Debug, Deserialize)]
pub struct Document {
    /// Query parameters that every method takes.
    standard: Vec<String>,
    methods: Vec<Method>,
    messages: HashMap<String, Field>,
}

/// One method of an API.
#[derive(Debug, Deserialize)]
pub struct Method {
    pub id: String,
    http: String,
    path: String,
    #[serde(default)]
    query: BTreeMap<String, Field>,
    request: Option<String>,
    #[cfg_attr(not(test), allow(dead_code, reason = "answers are checked in tests"))]
    response: Option<String>,
    #[serde(default)]
    upload: Vec<String>,
}

/// A field, a parameter or a message.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Field {
    r#type: Option<String>,
    format: Option<String>,
    r#enum: Vec<String>,
    #[serde(rename = "$ref")]
    reference: Option<String>,
    read_only: bool,
    required: bool,
    repeated: bool,
    items: Option<Box<Field>>,
    additional_properties: Option<Box<Field>>,
    properties: BTreeMap<String, Field>,
}

/// The method that a request means.
#[derive(Debug)]
pub struct Matched {
    pub method: &'static Method,
    document: &'static Document,
    pub params: BTreeMap<String, String>,
    /// Whether the body is an object's content, not a message.
    pub upload: bool,
}

/// One mistake in a request: where, and Google's words for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub field: String,
    pub description: String,
}

/// The method whose path fits; the path is below the service's prefix, percent-encoding kept.
#[cfg(test)]
pub fn methods(service: Service) -> std::collections::BTreeSet<&'static str> {
    let documents = service.documents().iter();
    documents
        .flat_map(|d| &d.methods)
        .map(|m| m.id.as_str())
        .collect()
}

pub fn find(service: Service, http: &HttpMethod, path: &str) -> Option<Matched> {
    let candidates = service.documents().iter().flat_map(|document| {
        document
            .methods
            .iter()
            .filter(|m| m.http == http.as_str())
            .filter_map(move |method| matched(document, method, path))
    });
    // `services/x:setIamPolicy` fits the pattern with the verb; the longer pattern is the more exact one.
    candidates.max_by_key(|m| m.method.path.len())
}

fn matched(document: &'static Document, method: &'static Method, path: &str) -> Option<Matched> {
    let plain = path_parameters(&method.path, path).map(|p| (p, false));
    let (params, upload) = plain.or_else(|| {
        let mut uploads = method.upload.iter();
        uploads.find_map(|u| path_parameters(u, path)).map(|p| (p, true))
    })?;
    Some(Matched {
        method,
        document,
        params,
        upload,
    })
}

fn path_parameters(pattern: &str, path: &str) -> Option<BTreeMap<String, String>> {
    let mut params = BTreeMap::new();
    let mut actual = path.split('/');
    for expected in pattern.split('/') {
        let segment = actual.next()?;
        let Some(rest) = expected.strip_prefix('{') else {
            if expected == segment {
                continue;
            }
            return None;
        };
        let (name, verb) = rest.split_once('}')?;
        let value = segment.strip_suffix(verb)?;
        let decoded = percent_decode_str(value).decode_utf8().ok()?.into_owned();
        if value.is_empty() || (value.contains(':') && !may_hold_colon(name)) {
            return None;
        }
        params.insert(name.to_owned(), decoded);
    }
    actual.next().is_none().then_some(params)
}

/// A colon otherwise starts a verb: `services/x:getIamPolicy`.
fn may_hold_colon(name: &str) -> bool {
    matches!(
        name,
        "object" | "versionsId" | "dockerImagesId" | "packagesId" | "operationsId"
    )
}

impl Matched {
    /// Every mistake in the query and the body; the body's output-only fields are dropped where a client sends
    /// back what it has read (PATCH, PUT), and are a mistake elsewhere.
    pub fn check(&self, query: &[(String, String)], body: &mut Option<Value>) -> Vec<Violation> {
        let mut found = query::check(self.document, self.method, query);
        if !self.upload {
            found.extend(self.check_body(body));
        }
        found
    }

    fn check_body(&self, body: &mut Option<Value>) -> Vec<Violation> {
        let Some(body) = body else { return Vec::new() };
        let Some(request) = &self.method.request else {
            return match body.as_object() {
                Some(empty) if empty.is_empty() => Vec::new(),
                _ => vec![messages::unexpected_body()],
            };
        };
        let output_only = match self.method.http.as_str() {
            "PATCH" | "PUT" => fields::OutputOnly::Dropped,
            _ => fields::OutputOnly::Refused,
        };
        let mut checker = fields::Checker::new(&self.document.messages, output_only);
        checker.message(request, body, &messages::root_name(request));
        checker.found
    }

    /// What a response holds that its message doesn't have.
    #[cfg(test)]
    pub fn check_response(&self, body: &Value) -> Vec<Violation> {
        let mut checker = fields::Checker::new(&self.document.messages, fields::OutputOnly::Kept);
        if let Some(response) = &self.method.response {
            checker.message(response, &mut body.clone(), "response");
        }
        checker.found
    }
}

pub fn wrong_content_type(actual: &str) -> Violation {
    messages::content_type(actual)
}

pub fn no_json() -> Violation {
    messages::not_json()
}

/// 400 with Google's words for every mistake.
pub fn refusal(violations: &[Violation]) -> Reply {
    let lines: Vec<&str> = violations.iter().map(|v| v.description.as_str()).collect();
    let fields: Vec<Value> = violations
        .iter()
        .map(|v| match v.field.as_str() {
            "" => json!({"description": v.description}),
            field => json!({"field": field, "description": v.description}),
        })
        .collect();
    Reply::google_error(
        StatusCode::BAD_REQUEST,
        "INVALID_ARGUMENT",
        &lines.join("\n"),
        vec![json!({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": fields})],
    )
}

#[cfg(test)]
mod tests;
