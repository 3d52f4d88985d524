//! The process environment, read once and passed in: base URLs, credentials, GitHub's context.

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use url::Url;

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
#[error(
    "{variable} is not a usable base URL: {reason}. Give an https:// URL (http:// is accepted on loopback only), or unset it"
)]
pub struct BadBaseUrl {
    pub variable: String,
    pub reason: String,
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
    pub fn google(&self, api: Api) -> Result<Url, BadBaseUrl> {
        self.base_url(
            &api.override_variable(),
            &format!("https://{}.googleapis.com/", api.host()),
        )
    }

    /// A base URL from `variable`, else `default`; always ends in a slash.
    pub fn base_url(&self, variable: &str, default: &str) -> Result<Url, BadBaseUrl> {
        let text = self.get(variable).unwrap_or(default);
        let bad = |reason: String| BadBaseUrl {
            variable: variable.to_owned(),
            reason,
        };
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
    let mut words = name.split('_');
    let is_named_so = words.any(|word| {
        matches!(
            word,
            "TOKEN" | "SECRET" | "PASSWORD" | "PASSWD" | "PASSPHRASE" | "APIKEY" | "CREDENTIALS"
        )
    }) || ["API_KEY", "ACCESS_KEY", "PRIVATE_KEY"]
        .iter()
        .any(|end| name.ends_with(end));
    let is_place = value.starts_with(['/', '.', '~']) || value.contains("://");
    is_named_so && !name.starts_with("LLM_DEPLOY_") && !is_place && value.len() >= SHORTEST
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
    let loopback = match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    match url.scheme() {
        "https" => Ok(()),
        "http" if loopback => Ok(()),
        "http" => Err("plain http would send credentials in the clear".to_owned()),
        other => Err(format!("scheme `{other}` is not http or https")),
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
    fn an_empty_variable_counts_as_unset() {
        let url = with("CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN", "")
            .google(Api::Run)
            .unwrap();
        assert_eq!(url.as_str(), "https://run.googleapis.com/");
    }
}
