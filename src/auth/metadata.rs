//! The metadata server of a machine in Google Cloud: who the machine is, and its ID tokens.

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::{
    Error, check_service_account,
    exchange::{Asked, Exchange},
    id_token::MintId,
};

/// Link-local plain HTTP by design: nothing secret is sent, and nobody else answers there.
const ACCOUNT: &str = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/";

const IDENTITY: Asked = Asked {
    who: "the metadata server",
    what: "give an ID token",
    next: "Give the machine a service account, or set `service-account`",
};
const EMAIL: Asked = Asked {
    who: "the metadata server",
    what: "tell the machine's service account",
    next: "Give the machine a service account",
};

pub(super) struct Metadata {
    account: Url,
    email: Option<String>,
    exchange: Exchange,
}

impl Metadata {
    /// Asks for the account's address; that it isn't told is no error.
    pub async fn find(exchange: Exchange) -> Result<Self, Error> {
        let account = Url::parse(ACCOUNT).map_err(|e| Error::Setup(e.to_string()))?;
        Ok(Self::at(account, exchange).await)
    }

    async fn at(account: Url, exchange: Exchange) -> Self {
        let mut found = Self {
            account,
            email: None,
            exchange,
        };
        found.email = found
            .ask(EMAIL, "email", &[])
            .await
            .ok()
            .map(|text| text.expose_secret().trim().to_owned())
            .filter(|email| check_service_account(email).is_ok());
        found
    }

    pub fn email(&self) -> Option<&str> {
        self.email.as_deref()
    }

    async fn ask(&self, asked: Asked, path: &str, query: &[(&str, &str)]) -> Result<SecretString, Error> {
        let mut url = self.account.join(path).map_err(|e| Error::Setup(e.to_string()))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let get = || {
            let get = self.exchange.client().get(url.clone());
            get.header("Metadata-Flavor", "Google")
        };
        self.exchange.text(asked, get).await
    }
}

#[async_trait]
impl MintId for Metadata {
    async fn mint(&self, audience: &str) -> Result<SecretString, String> {
        let query = [("audience", audience), ("format", "full")];
        let token = self.ask(IDENTITY, "identity", &query).await;
        let token = token.map_err(|e| e.to_string())?;
        let token = SecretString::from(token.expose_secret().trim());
        self.exchange.masks().add(&token);
        Ok(token)
    }

    fn account(&self) -> Result<Option<&str>, String> {
        Ok(self.email())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::google::testing::{Server, raw};

    #[tokio::test]
    async fn the_machine_s_own_account_makes_id_tokens() {
        let server = Server::start(|asked| {
            assert_eq!(asked.header("metadata-flavor"), "Google");
            raw(
                200,
                if asked.line.ends_with("/email") {
                    "ci@p.iam.gserviceaccount.com\n"
                } else {
                    "a.b.c\n"
                },
            )
        })
        .await;
        let exchange = Exchange::new(&server.environment()).unwrap();
        let base = Url::parse(&format!("{}default/", server.base)).unwrap();
        let metadata = Metadata::at(base, exchange).await;
        assert_eq!(metadata.account(), Ok(Some("ci@p.iam.gserviceaccount.com")));
        let token = metadata.mint("https://qwen.example").await.unwrap();
        assert_eq!(token.expose_secret(), "a.b.c");
        let asked = "GET /default/identity?audience=https%3A%2F%2Fqwen.example&format=full";
        assert_eq!(server.lines()[1], asked);
    }
}
