//! The process environment, read once and passed in: base URLs, credentials, GitHub's context.

mod hosts;

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use url::Url;

pub use self::hosts::{GoogleHosts, TOKEN_HOST};
use crate::{limiter::Limiter, secrets::Masks, tempo::Tempo};

/// Variables that hold a secret. They are given out by [`Environment::secret`] only.
const SECRETS: [&str; 8] = [
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
    "CLOUDSDK_AUTH_ACCESS_TOKEN",
    "GH_TOKEN",
    "GITHUB_TOKEN",
    "HF_TOKEN",
    "LLM_DEPLOY_API_KEY",
    "LLM_DEPLOY_GITHUB_TOKEN",
    "LLM_DEPLOY_WEBHOOK_URL",
];

/// A shorter value is no secret worth the name.
const SHORTEST: usize = 12;

/// A snapshot of the environment variables. Tests build their own.
#[derive(Clone, Default)]
pub struct Environment {
    variables: BTreeMap<String, String>,
    secrets: BTreeMap<String, SecretString>,
    masks: Masks,
    /// How fast time passes for what waits.
    pub tempo: Tempo,
    /// Room at each host for all clients of the run.
    pub limiter: Limiter,
}

/// Google APIs that are called, each with its public base URL and its override variable's suffix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Api {
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

impl Api {
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

    /// Public host, without the domain: `https://<host>.googleapis.com/`.
    pub const fn host(self) -> &'static str {
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

    /// The variable that gcloud reads for the same purpose (its `api_endpoint_overrides` properties).
    pub fn override_variable(self) -> String {
        format!("CLOUDSDK_API_ENDPOINT_OVERRIDES_{}", self.host().to_uppercase())
    }
}

/// A base URL that can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{variable} is not a usable base URL: {reason}. {next}")]
pub struct BadBaseUrl {
    pub variable: String,
    pub reason: String,
    /// What the user does.
    next: String,
}

impl BadBaseUrl {
    pub fn new(variable: &str, reason: String) -> Self {
        Self {
            variable: variable.to_owned(),
            reason,
            next: "Give an https:// URL (http:// is accepted on loopback only), or unset it".to_owned(),
        }
    }
}

impl Environment {
    pub fn from_process() -> Self {
        std::env::vars_os()
            .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
            .collect()
    }

    /// The same environment; `masks` is told of its secrets now, and of those that are made of them later.
    #[must_use]
    pub fn hiding(mut self, masks: Masks) -> Self {
        self.masks = masks;
        for secret in self.secrets.values() {
            self.masks.add(secret);
        }
        for (name, value) in &self.variables {
            if may_be_secret(name, value) {
                self.masks.suspect(value);
            }
            for secret in inside(value) {
                self.masks.suspect(&secret);
            }
        }
        self
    }

    /// Who is told of secrets.
    pub fn masks(&self) -> &Masks {
        &self.masks
    }

    /// The value, unless it is unset or empty: Actions passes an absent input as an empty variable. Never that
    /// of a secret.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.variables
            .get(name)
            .map(String::as_str)
            .filter(|v| !v.is_empty())
    }

    /// The value of a variable that holds a secret, unless it is unset or empty.
    pub fn secret(&self, name: &str) -> Option<&SecretString> {
        self.secrets.get(name).filter(|v| !v.expose_secret().is_empty())
    }

    /// White space around a secret came with the pasting of it: no token has any.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let (name, value) = (name.into(), value.into());
        if SECRETS.contains(&name.as_str()) {
            let secret = SecretString::from(value.trim());
            self.masks.add(&secret);
            self.secrets.insert(name, secret);
        } else {
            self.variables.insert(name, value);
        }
    }

    pub fn in_actions(&self) -> bool {
        self.get("GITHUB_ACTIONS") == Some("true")
    }

    /// Base URL of a Google API, with a trailing slash.
    ///
    /// # Errors
    /// When its override is no base URL, or leads where a job's tokens must not go.
    pub fn google(&self, api: Api) -> Result<Url, BadBaseUrl> {
        let variable = api.override_variable();
        let url = self.base_url(&variable, &format!("https://{}.googleapis.com/", api.host()))?;
        self.google_hosts().require(&variable, &url)?;
        Ok(url)
    }

    /// A base URL from `variable`, else `default`; always ends in a slash.
    pub fn base_url(&self, variable: &str, default: &str) -> Result<Url, BadBaseUrl> {
        let text = self.get(variable).unwrap_or(default);
        let bad = |reason: String| BadBaseUrl::new(variable, reason);
        let mut url = Url::parse(text).map_err(|e| bad(e.to_string()))?;
        require_secure(&url).map_err(bad)?;
        if !url.path().ends_with('/') {
            url.set_path(&format!("{}/", url.path()));
        }
        Ok(url)
    }
}

/// Whether a step's variable looks like a secret by its name. Ours name secrets and hold none, but for [`SECRETS`].
fn may_be_secret(name: &str, value: &str) -> bool {
    let name = name.to_uppercase();
    let ends = [
        "TOKEN",
        "SECRET",
        "PASSWORD",
        "PASSWD",
        "PASSPHRASE",
        "APIKEY",
        "API_KEY",
        "ACCESS_KEY",
        "PRIVATE_KEY",
    ];
    let is_named_so = ends.iter().any(|end| name.ends_with(end));
    let is_place = value.starts_with(['/', '.', '~']) || value.contains("://");
    // What names a secret is made of words.
    let has = |is: fn(&u8) -> bool| value.as_bytes().iter().any(is);
    let is_word = !has(u8::is_ascii_digit) || !has(u8::is_ascii_alphabetic);
    is_named_so && !name.starts_with("LLM_DEPLOY_") && !is_place && !is_word && value.len() >= SHORTEST
}

/// Secrets inside of a variable's value: in a credentials file as JSON, and in a URL with a password.
fn inside(value: &str) -> Vec<String> {
    let mut secrets = Vec::new();
    if value.trim_start().starts_with('{')
        && let Ok(json) = serde_json::from_str::<Value>(value)
    {
        fields(&json, &mut secrets);
    }
    let password = Url::parse(value).ok();
    secrets.extend(password.and_then(|url| url.password().map(str::to_owned)));
    secrets.retain(|secret| secret.len() >= SHORTEST);
    secrets
}

/// The texts whose keys name a secret, at any depth.
fn fields(json: &Value, secrets: &mut Vec<String>) {
    match json {
        Value::Object(entries) => {
            for (key, value) in entries {
                match value {
                    Value::String(text) => {
                        let key = key.to_lowercase();
                        let named = ["private_key", "secret", "token", "password", "authorization"];
                        if named.iter().any(|name| key.contains(name)) && !text.contains("://") {
                            secrets.push(text.clone());
                        }
                    }
                    other => fields(other, secrets),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| fields(item, secrets)),
        _ => {}
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Environment {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(iter: T) -> Self {
        let mut environment = Self::default();
        for (name, value) in iter {
            environment.set(name, value);
        }
        environment
    }
}

/// Credentials go over https, or over loopback.
pub fn require_secure(url: &Url) -> Result<(), String> {
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_loopback(url) => Ok(()),
        "http" => Err("plain http would send credentials in the clear".to_owned()),
        other => Err(format!("scheme `{other}` is not http or https")),
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variable: &str, value: &str) -> Environment {
        [(variable, value)].into_iter().collect()
    }

    #[test]
    fn plain_http_is_accepted_on_loopback_only() {
        let variable = Api::Run.override_variable();
        for good in [
            "http://127.0.0.1:9/run",
            "http://localhost:9/",
            "http://[::1]:9/",
            "https://example.com/x/",
        ] {
            assert!(
                with(&variable, good)
                    .google(Api::Run)
                    .unwrap()
                    .path()
                    .ends_with('/'),
                "{good}"
            );
        }
        for bad in [
            "http://example.com/",
            "http://localhost.example.com/",
            "ftp://127.0.0.1/",
            "127.0.0.1:80",
        ] {
            let error = with(&variable, bad).google(Api::Run).unwrap_err().to_string();
            assert!(error.contains("CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN"), "{error}");
        }
    }

    #[test]
    fn a_secret_is_given_out_as_a_secret_only() {
        for name in SECRETS {
            let environment = with(name, " value\n");
            assert_eq!(environment.get(name), None);
            assert_eq!(environment.secret(name).unwrap().expose_secret(), "value");
            assert!(with(name, "\n").secret(name).is_none());
        }
    }

    #[test]
    fn what_looks_like_a_secret_is_taken_out_of_texts() {
        for (name, value, hidden) in [
            ("NPM_TOKEN", "npm_0123456789abcdef", true),
            ("db_password", "correct-horse-7", true),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG", true),
            ("NPM_TOKEN", "short1", false),
            ("HF_TOKEN_SECRET", "projects/p/secrets/hf", false),
            ("HF_TOKEN_SECRET", "hf-token-of-production", false),
            ("TOKENIZER", "0123456789abcdef", false),
            ("KEY_PASSWORD", "/run/secrets/password-1", false),
            ("LLM_DEPLOY_HF_TOKEN_SECRET", "hf-token-123456", false),
        ] {
            let masks = Masks::default();
            let environment = with(name, value).hiding(masks);
            let text = format!("it is {value}");
            let shown = environment.masks().redact(&text);
            assert_eq!(shown == text, !hidden, "{name}={value}: {shown}");
        }
    }

    #[test]
    fn a_secret_inside_of_a_value_is_taken_out_of_texts() {
        let key = r#"{"type": "service_account", "private_key": "a-private-key-0123456789", "token_uri": "https://oauth2.googleapis.com/token",
            "credential_source": {"headers": {"Authorization": "Bearer request-0123456789"}}}"#;
        let environment: Environment = [
            ("GOOGLE_CREDENTIALS", key),
            ("DB", "https://user:passw0rd-12345@db.example/x"),
        ]
        .into_iter()
        .collect();
        let environment = environment.hiding(Masks::default());
        let text = "a-private-key-0123456789 request-0123456789 passw0rd-12345 https://oauth2.googleapis.com/token service_account";
        let shown = environment.masks().redact(text).into_owned();
        for secret in ["a-private-key", "request-0123456789", "passw0rd"] {
            assert!(!shown.contains(secret), "{shown}");
        }
        assert!(
            shown.contains("https://oauth2.googleapis.com/token service_account"),
            "{shown}"
        );
    }

    #[test]
    fn an_empty_variable_counts_as_unset() {
        let url = with("CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN", "")
            .google(Api::Run)
            .unwrap();
        assert_eq!(url.as_str(), "https://run.googleapis.com/");
    }
}
