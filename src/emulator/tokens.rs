//! Access tokens, ID tokens and GitHub's OIDC tokens that the emulator has issued.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use axum::http::{HeaderMap, StatusCode};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{Call, Reply, Shared};

/// Issued tokens, with what they stand for.
pub struct Tokens {
    issued: Mutex<HashMap<String, Issued>>,
    ready: String,
    oidc_request: String,
    github: String,
}

struct Issued {
    grant: Grant,
    expires: DateTime<Utc>,
}

enum Grant {
    Access(Principal),
    Id(IdClaims),
    Oidc { audience: String },
}

/// Who a caller is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// The project's owner, who may do everything.
    Owner,
    /// A job of GitHub Actions, known through the workload identity pool of this name.
    Federated { pool: String },
    /// A service account, by e-mail.
    ServiceAccount(String),
}

impl Principal {
    /// Whether a policy's member means this caller.
    pub fn is(&self, member: &str) -> bool {
        if matches!(member, "allUsers" | "allAuthenticatedUsers") {
            return true;
        }
        match self {
            Self::Owner => member == "user:owner@example.com",
            Self::ServiceAccount(email) => member.strip_prefix("serviceAccount:") == Some(email),
            Self::Federated { pool } => {
                let start = format!("://{}{pool}/", super::iam::pools_root());
                member.starts_with("principal") && member.contains(&start)
            }
        }
    }

    /// How Google's messages call the caller.
    pub fn name(&self) -> &str {
        match self {
            Self::Owner => "owner@example.com",
            Self::ServiceAccount(email) => email,
            Self::Federated { .. } => "Caller",
        }
    }
}

/// What an ID token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdClaims {
    pub audience: String,
    pub email: String,
}

impl Default for Tokens {
    fn default() -> Self {
        let ready = format!("ya29.emulator-{}", random());
        let tokens = Self {
            issued: Mutex::default(),
            ready: ready.clone(),
            oidc_request: random(),
            github: format!("ghs_{}", random()),
        };
        tokens.keep(ready, Grant::Access(Principal::Owner), TimeDelta::days(365));
        tokens
    }
}

impl Tokens {
    /// A ready access token of the project's owner, for CLOUDSDK_AUTH_ACCESS_TOKEN.
    pub fn ready(&self) -> &str {
        &self.ready
    }

    /// The token that ACTIONS_ID_TOKEN_REQUEST_TOKEN holds.
    pub fn oidc_request(&self) -> &str {
        &self.oidc_request
    }

    /// The token that GITHUB_TOKEN holds.
    pub fn github(&self) -> &str {
        &self.github
    }

    pub fn issue_access(&self, principal: Principal, lifetime: TimeDelta) -> String {
        let token = format!("ya29.emulator-{}", random());
        self.keep(token.clone(), Grant::Access(principal), lifetime);
        token
    }

    /// An ID token of a service account, valid for an hour as Google's are.
    pub fn issue_id(&self, audience: &str, email: &str, include_email: bool) -> String {
        let now = Utc::now().timestamp();
        let mut claims = json!({
            "aud": audience, "azp": email, "sub": random(), "iss": "https://accounts.google.com",
            "iat": now, "exp": now + 3600,
        });
        if include_email {
            claims["email"] = email.into();
            claims["email_verified"] = true.into();
        }
        let token = jwt(&claims);
        let grant = Grant::Id(IdClaims {
            audience: audience.to_owned(),
            email: email.to_owned(),
        });
        self.keep(token.clone(), grant, TimeDelta::hours(1));
        token
    }

    /// What GitHub gives a job; short-lived as GitHub's are.
    pub fn issue_oidc(&self, audience: &str) -> String {
        let now = Utc::now().timestamp();
        let token = jwt(&json!({
            "iss": "https://token.actions.githubusercontent.com", "aud": audience, "jti": random(),
            "sub": "repo:org/app:pull_request", "repository": "org/app", "repository_owner": "org",
            "iat": now, "nbf": now - 600, "exp": now + 300,
        }));
        let grant = Grant::Oidc {
            audience: audience.to_owned(),
        };
        self.keep(token.clone(), grant, TimeDelta::minutes(5));
        token
    }

    /// The claims of an ID token that was issued here and hasn't expired.
    pub fn id_token(&self, token: &str) -> Option<IdClaims> {
        match &self.live(token)?.get(token)?.grant {
            Grant::Id(claims) => Some(claims.clone()),
            _ => None,
        }
    }

    /// The audience of a GitHub OIDC token that was issued here and hasn't expired.
    pub fn oidc_audience(&self, token: &str) -> Option<String> {
        match &self.live(token)?.get(token)?.grant {
            Grant::Oidc { audience } => Some(audience.clone()),
            _ => None,
        }
    }

    pub fn access_token_ok(&self, token: &str) -> bool {
        self.principal(token).is_some()
    }

    /// Who an access token belongs to, unless it is unknown or has expired.
    pub fn principal(&self, token: &str) -> Option<Principal> {
        match &self.live(token)?.get(token)?.grant {
            Grant::Access(principal) => Some(principal.clone()),
            _ => None,
        }
    }

    /// Ends a token before its time.
    pub fn expire(&self, token: &str) {
        if let Some(issued) = self.lock().get_mut(token) {
            issued.expires = Utc::now();
        }
    }

    /// The table, when it holds this token and the token's time isn't over.
    fn live(&self, token: &str) -> Option<MutexGuard<'_, HashMap<String, Issued>>> {
        let table = self.lock();
        let alive = table.get(token).is_some_and(|i| i.expires > Utc::now());
        alive.then_some(table)
    }

    fn keep(&self, token: String, grant: Grant, lifetime: TimeDelta) {
        let expires = Utc::now() + lifetime;
        self.lock().insert(token, Issued { grant, expires });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Issued>> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn random() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// Shaped like a signed token, so that clients can read its claims; the signature is random.
fn jwt(claims: &Value) -> String {
    let header = json!({"alg": "RS256", "kid": "emulator", "typ": "JWT"});
    let encode = |v: &Value| BASE64_URL_SAFE_NO_PAD.encode(v.to_string());
    let signature = BASE64_URL_SAFE_NO_PAD.encode(random());
    format!("{}.{}.{signature}", encode(&header), encode(claims))
}

/// The token of an `Authorization: Bearer …` header.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get("authorization")?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// GitHub's endpoint behind ACTIONS_ID_TOKEN_REQUEST_URL.
pub async fn oidc(emulator: &Shared, call: &Call) -> Reply {
    if bearer(&call.headers) != Some(emulator.tokens.oidc_request()) {
        return Reply::json(
            StatusCode::UNAUTHORIZED,
            &json!({"message": "The request token is not valid"}),
        );
    }
    if call.query("api-version").is_none() {
        return Reply::json(
            StatusCode::BAD_REQUEST,
            &json!({"message": "No api-version was specified"}),
        );
    }
    let audience = call.query("audience").unwrap_or("https://github.com/org");
    let token = emulator.tokens.issue_oidc(audience);
    Reply::ok(&json!({"value": token, "count": token.len()}))
}
