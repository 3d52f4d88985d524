//! Services that are asked elsewhere than at their public addresses, and where Google's tokens may go.

use std::collections::BTreeMap;

use url::{Host, Url};

use super::{Api, BadBaseUrl, Environment, is_loopback, require_secure};

/// Names the hosts, separated by commas, that a job may send Google's tokens to.
pub const OTHER_HOSTS: &str = "LLM_DEPLOY_GOOGLE_HOSTS";
/// gcloud's property `auth/token_host`.
pub const TOKEN_HOST: &str = "CLOUDSDK_AUTH_TOKEN_HOST";

/// Hosts that Google's tokens may be sent to: Google's, this machine, and in a job those that [`OTHER_HOSTS`] names. Outside
/// of GitHub Actions any: there the environment is the user's own.
#[derive(Clone, Debug)]
pub struct GoogleHosts {
    limited: bool,
    more: Vec<String>,
}

impl GoogleHosts {
    pub(super) fn of(environment: &Environment) -> Self {
        let names = environment.get(OTHER_HOSTS).unwrap_or_default().split(',');
        Self {
            limited: environment.in_actions(),
            more: names.map(|name| name.trim().to_ascii_lowercase()).collect(),
        }
    }

    /// The URL in `variable`, where a token of Google's may go.
    ///
    /// # Errors
    /// When it is no URL, sends secrets in the clear, or leads to a host that is not Google's.
    pub fn url(&self, variable: &str, text: &str) -> Result<Url, BadBaseUrl> {
        let url = Url::parse(text).map_err(|e| BadBaseUrl::new(variable, e.to_string()))?;
        require_secure(&url).map_err(|reason| BadBaseUrl::new(variable, reason))?;
        self.require(variable, &url)?;
        Ok(url)
    }

    pub(super) fn require(&self, variable: &str, url: &Url) -> Result<(), BadBaseUrl> {
        let host = url.host_str().unwrap_or_default().trim_end_matches('.');
        if !self.limited || is_loopback(url) || is_google(url) || self.more.iter().any(|name| name == host) {
            return Ok(());
        }
        Err(BadBaseUrl {
            variable: variable.to_owned(),
            reason: format!(
                "the job's Google tokens would go to {host}, which is neither Google's (googleapis.com) nor this machine"
            ),
            next: format!(
                "If that is intended, set {OTHER_HOSTS}={host} in the job's environment; otherwise unset it"
            ),
        })
    }
}

fn is_google(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name == "googleapis.com" || name.ends_with(".googleapis.com")
        }
        _ => false,
    }
}

impl Environment {
    pub fn google_hosts(&self) -> GoogleHosts {
        GoogleHosts::of(self)
    }

    /// A sentence for each server that is asked instead of a service's public one; for the log.
    pub fn asked_elsewhere(&self) -> Vec<String> {
        let mut variables: Vec<String> = Api::ALL.iter().map(|api| api.override_variable()).collect();
        variables.extend([TOKEN_HOST, "GITHUB_API_URL", "HF_ENDPOINT"].map(str::to_owned));
        let mut servers: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for variable in variables {
            let url = self.get(&variable).and_then(|text| Url::parse(text).ok());
            // Of the address only what says which server it is: the rest may hold a password.
            if let Some(url) = url.filter(|url| !self.is_usual(&variable, url)) {
                let server = url.origin().ascii_serialization();
                servers.entry(server).or_default().push(variable);
            }
        }
        servers
            .into_iter()
            .map(|(server, variables)| match variables.as_slice() {
                [one] => format!("{one} sends requests to {server}"),
                [first, others @ ..] => {
                    format!("{first} and {} more send requests to {server}", others.len())
                }
                [] => String::new(),
            })
            .collect()
    }

    /// Whether the variable names a server that the service has of itself.
    fn is_usual(&self, variable: &str, url: &Url) -> bool {
        let host = url.host_str().unwrap_or_default();
        match variable {
            "HF_ENDPOINT" => host == "huggingface.co",
            "GITHUB_API_URL" => {
                let server = self
                    .get("GITHUB_SERVER_URL")
                    .and_then(|text| Url::parse(text).ok());
                let own = server.as_ref().and_then(Url::host_str).unwrap_or("github.com");
                host == own || host.strip_prefix("api.") == Some(own)
            }
            _ => url.scheme() == "https" && is_google(url),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        variables.iter().copied().collect()
    }

    const RUN: &str = "CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN";

    #[test]
    fn in_a_job_googles_tokens_go_to_google_and_to_this_machine_only() {
        for (url, named, good) in [
            ("https://europe-west4-run.googleapis.com/", "", true),
            ("https://run.googleapis.com./", "", true),
            ("https://RUN.googleapis.com", "", true),
            ("http://127.0.0.1:8080/run/", "", true),
            ("https://localhost/", "", true),
            ("https://proxy.example/run/", "", false),
            ("https://googleapis.com.evil.example/", "", false),
            ("https://evilgoogleapis.com/", "", false),
            ("https://evil.example/googleapis.com/", "", false),
            ("https://googleapis.com@evil.example/", "", false),
            ("https://10.0.0.1/", "", false),
            ("https://proxy.example/run/", "other.example, Proxy.Example", true),
            ("https://evil.example/", "proxy.example", false),
            ("https://sub.proxy.example/", "proxy.example", false),
        ] {
            let job = environment(&[(RUN, url), (OTHER_HOSTS, named), ("GITHUB_ACTIONS", "true")]);
            assert_eq!(job.google(Api::Run).is_ok(), good, "{url} {named}");
            assert_eq!(
                job.google_hosts().url(TOKEN_HOST, url).is_ok(),
                good,
                "{url} {named}"
            );
            assert!(environment(&[(RUN, url)]).google(Api::Run).is_ok(), "{url}");
        }
        let job = environment(&[(RUN, "https://proxy.example/"), ("GITHUB_ACTIONS", "true")]);
        let error = job.google(Api::Run).unwrap_err().to_string();
        assert!(
            error.contains(RUN) && error.contains("LLM_DEPLOY_GOOGLE_HOSTS=proxy.example"),
            "{error}"
        );
    }

    #[test]
    fn each_server_that_is_asked_instead_is_logged_once() {
        let usual = environment(&[
            (RUN, "https://europe-west4-run.googleapis.com/"),
            ("GITHUB_API_URL", "https://ghe.example/api/v3"),
            ("GITHUB_SERVER_URL", "https://ghe.example"),
            ("HF_ENDPOINT", "https://huggingface.co"),
        ]);
        assert_eq!(usual.asked_elsewhere(), Vec::<String>::new());
        let other = environment(&[
            (RUN, "http://127.0.0.1:1/run/"),
            (
                "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE",
                "http://127.0.0.1:1/storage/",
            ),
            ("GITHUB_API_URL", "https://api.ghe.example"),
            ("HF_ENDPOINT", "https://user:password@mirror.example/x?key=secret"),
        ]);
        assert_eq!(
            other.asked_elsewhere(),
            [
                "CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN and 1 more send requests to http://127.0.0.1:1",
                "GITHUB_API_URL sends requests to https://api.ghe.example",
                "HF_ENDPOINT sends requests to https://mirror.example",
            ]
        );
    }
}
