//! Access tokens, ID tokens and GitHub's OIDC tokens that the emulator has issued.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::http::{HeaderMap, StatusCode};
use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{Call, Reply, Shared};

/// No lifetime is scaled below it: on a machine that stands still for a moment the token would end on its way.
const SHORTEST: TimeDelta = TimeDelta::seconds(2);

/// Issued tokens, with what they stand for.
pub struct Tokens {
    issued: Mutex<HashMap<String, Issued>>,
    ready: String,
    oidc_request: String,
    github: String,
    /// What GitHub's tokens say of the job.
    job: Mutex<BTreeMap<String, String>>,
    /// Factor on every lifetime.
    scale: Mutex<f64>,
    refused: AtomicUsize,
}

struct Issued {
    grant: Grant,
    expires: DateTime<Utc>,
    presented: usize,
}

enum Grant {
    Access(Principal),
    Id(IdClaims),
    Oidc(OidcClaims),
}

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An access token of a service account, or of the project's owner.
    Access,
    /// What the Security Token Service gives.
    Federated,
    Id,
    /// GitHub's.
    Oidc,
}

/// A token that was issued, whether it still lives or not.
#[derive(Clone, Debug)]
pub struct Minted {
    pub token: String,
    pub kind: Kind,
    /// How often it was shown while it lived.
    pub presented: usize,
}

/// What GitHub's token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcClaims {
    pub audience: String,
    /// `sub`, `repository` and the like.
    pub job: BTreeMap<String, String>,
}

/// What GitHub's tokens say unless a test says otherwise.
const JOB: [(&str, &str); 7] = [
    ("sub", "repo:org/app:pull_request"),
    ("repository", "org/app"),
    ("repository_id", "74"),
    ("repository_owner", "org"),
    ("repository_owner_id", "65"),
    ("ref", "refs/pull/12/merge"),
    ("event_name", "pull_request"),
];

/// Who a caller is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// The project's owner, who may do everything.
    Owner,
    /// A job of GitHub Actions, known through the workload identity pool of this name by what its provider maps.
    Federated {
        pool: String,
        subject: String,
        attributes: BTreeMap<String, String>,
    },
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
            Self::Federated {
                pool,
                subject,
                attributes,
            } => {
                let pool = format!("{}{pool}/", super::iam::pools_root());
                let within = |kind: &str| member.strip_prefix(kind)?.strip_prefix(&pool);
                let set = within("principalSet://");
                let named = |rest: &str| {
                    let (name, value) = rest.strip_prefix("attribute.")?.split_once('/')?;
                    Some(attributes.get(name).is_some_and(|found| found == value))
                };
                within("principal://").and_then(|rest| rest.strip_prefix("subject/")) == Some(subject)
                    || set == Some("*")
                    || set.and_then(named).unwrap_or(false)
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
            job: Mutex::new(
                JOB.map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .into(),
            ),
            scale: Mutex::new(1.0),
            refused: AtomicUsize::new(0),
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

    /// Multiplies the lifetime of every token issued from now on, of which two seconds stay.
    pub fn scale_lifetimes(&self, factor: f64) {
        *self.scale.lock().unwrap_or_else(PoisonError::into_inner) = factor;
    }

    /// What GitHub's tokens say of the job from now on.
    pub fn set_claim(&self, name: &str, value: &str) {
        let mut job = self.job.lock().unwrap_or_else(PoisonError::into_inner);
        job.insert(name.to_owned(), value.to_owned());
    }

    /// Ends every living token of a kind before its time; the ready one is the owner's and stays.
    pub fn revoke(&self, kind: Kind) {
        let now = Utc::now();
        for (token, issued) in self.lock().iter_mut() {
            if issued.grant.kind() == kind && *token != self.ready {
                issued.expires = issued.expires.min(now);
            }
        }
    }

    /// Every token that was issued, the ready one among them.
    pub fn minted(&self) -> Vec<Minted> {
        let issued = self.lock();
        let minted = issued.iter().map(|(token, issued)| Minted {
            token: token.clone(),
            kind: issued.grant.kind(),
            presented: issued.presented,
        });
        minted.collect()
    }

    /// Requests with a token that was not, or no longer, good.
    pub fn refused(&self) -> usize {
        self.refused.load(Ordering::SeqCst)
    }

    /// With the time that the token ends; `lifetime` is scaled.
    pub fn issue_access(&self, principal: Principal, lifetime: TimeDelta) -> (String, DateTime<Utc>) {
        let token = format!("ya29.emulator-{}", random());
        let expires = self.keep(token.clone(), Grant::Access(principal), lifetime);
        (token, expires)
    }

    /// An ID token of a service account, valid for an hour as Google's are.
    pub fn issue_id(&self, audience: &str, email: &str, include_email: bool) -> String {
        let lifetime = TimeDelta::hours(1);
        let now = Utc::now();
        let mut claims = json!({
            "aud": audience, "azp": email, "sub": random(), "iss": "https://accounts.google.com",
            "iat": now.timestamp(), "exp": (now + self.scaled(lifetime)).timestamp(),
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
        self.keep(token.clone(), grant, lifetime);
        token
    }

    /// What GitHub gives a job; short-lived as GitHub's are.
    pub fn issue_oidc(&self, audience: &str) -> String {
        let lifetime = TimeDelta::minutes(5);
        let job = self.job.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let now = Utc::now();
        let mut claims = json!({
            "iss": "https://token.actions.githubusercontent.com", "aud": audience, "jti": random(),
            "iat": now.timestamp(), "nbf": now.timestamp() - 600,
            "exp": (now + self.scaled(lifetime)).timestamp(),
        });
        for (name, value) in &job {
            claims[name] = value.as_str().into();
        }
        let token = jwt(&claims);
        let grant = Grant::Oidc(OidcClaims {
            audience: audience.to_owned(),
            job,
        });
        self.keep(token.clone(), grant, lifetime);
        token
    }

    /// The claims of an ID token that was issued here and hasn't expired.
    pub fn id_token(&self, token: &str) -> Option<IdClaims> {
        match &self.live(token)?.get(token)?.grant {
            Grant::Id(claims) => Some(claims.clone()),
            _ => None,
        }
    }

    /// The claims of a GitHub OIDC token that was issued here and hasn't expired.
    pub fn oidc_claims(&self, token: &str) -> Option<OidcClaims> {
        match &self.live(token)?.get(token)?.grant {
            Grant::Oidc(claims) => Some(claims.clone()),
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
        let mut table = self.lock();
        match table.get_mut(token).filter(|i| i.expires > Utc::now()) {
            Some(issued) => issued.presented += 1,
            None => {
                self.refused.fetch_add(1, Ordering::SeqCst);
                return None;
            }
        }
        Some(table)
    }

    fn keep(&self, token: String, grant: Grant, lifetime: TimeDelta) -> DateTime<Utc> {
        let expires = Utc::now() + self.scaled(lifetime);
        let issued = Issued {
            grant,
            expires,
            presented: 0,
        };
        self.lock().insert(token, issued);
        expires
    }

    pub fn scaled(&self, lifetime: TimeDelta) -> TimeDelta {
        let factor = *self.scale.lock().unwrap_or_else(PoisonError::into_inner);
        let real = lifetime.to_std().unwrap_or_default();
        let scaled = TimeDelta::from_std(real.mul_f64(factor.max(0.0))).unwrap_or(lifetime);
        scaled.max(SHORTEST).min(lifetime)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Issued>> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Grant {
    fn kind(&self) -> Kind {
        match self {
            Self::Access(Principal::Federated { .. }) => Kind::Federated,
            Self::Access(_) => Kind::Access,
            Self::Id(_) => Kind::Id,
            Self::Oidc(_) => Kind::Oidc,
        }
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
