//! Workload identity federation: a foreign identity token → STS → a service account's access token.

use async_trait::async_trait;
use url::Url;

use super::{
    Error,
    access::{Fetched, Source},
    exchange::Exchange,
    subject::Subject,
};

/// Each token is made from a new subject token: GitHub's live a few minutes, builds much longer.
pub(super) struct Federation {
    pub audience: String,
    pub subject: Box<dyn Subject>,
    /// From a credentials file; else STS's own address.
    pub token_url: Option<Url>,
    pub impersonate: Option<String>,
    pub exchange: Exchange,
}

impl Federation {
    /// The token that stands for the workload itself.
    pub async fn federated(&self) -> Result<Fetched, Error> {
        let subject = self.subject.token().await?;
        self.exchange
            .federated(
                &self.audience,
                &subject,
                self.subject.token_type(),
                self.token_url.as_ref(),
            )
            .await
    }
}

#[async_trait]
impl Source for Federation {
    async fn fetch(&self) -> Result<Fetched, Error> {
        once_more(|| async {
            let federated = self.federated().await?;
            match &self.impersonate {
                Some(account) => self.exchange.impersonated(account, &federated.token).await,
                None => Ok(federated),
            }
        })
        .await
    }
}

/// A chain of tokens is made anew, once, when one of them is refused that was good a moment ago.
pub(super) async fn once_more<T, F>(chain: impl Fn() -> F) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    match chain().await {
        Err(error) if error.is_unauthenticated() => chain().await,
        outcome => outcome,
    }
}

/// Accepts the full name, with or without `//iam.googleapis.com/` or `https://iam.googleapis.com/`.
pub(super) fn provider_name(text: &str) -> Result<&str, Error> {
    let bad = || Error::BadProvider(text.to_owned());
    let name = text
        .strip_prefix("https:")
        .unwrap_or(text)
        .trim_start_matches("//iam.googleapis.com/");
    let parts: Vec<&str> = name.split('/').collect();
    let [
        "projects",
        number,
        "locations",
        location,
        "workloadIdentityPools",
        pool,
        "providers",
        provider,
    ] = parts[..]
    else {
        return Err(bad());
    };
    let plain = |s: &str| {
        !s.is_empty()
            && s.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    let numeric = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    if numeric && [location, pool, provider].into_iter().all(plain) {
        Ok(name)
    } else {
        Err(bad())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_providers_name_is_read_with_and_without_its_host() {
        let name = "projects/1/locations/global/workloadIdentityPools/github/providers/gh";
        for text in [
            name.to_owned(),
            format!("//iam.googleapis.com/{name}"),
            format!("https://iam.googleapis.com/{name}"),
        ] {
            assert_eq!(provider_name(&text).unwrap(), name);
        }
    }

    #[test]
    fn something_else_is_no_provider() {
        for text in [
            "",
            "github",
            "projects/my-project/locations/global/workloadIdentityPools/p/providers/q",
            "projects/1/locations/global/workloadIdentityPools/p/providers/..?x",
            "https://evil.example/projects/1/locations/global/workloadIdentityPools/p/providers/q",
        ] {
            let error = provider_name(text).unwrap_err().to_string();
            assert!(error.contains("projects/NUMBER/"), "{error}");
        }
    }
}
