//! Which credentials are taken, and why.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};

use super::{
    Choice, Credentials, Error, WorkloadIdentity,
    access::{AccessTokens, Cached, Given, Source},
    ambient::{Ambient, Kind},
    check_service_account,
    exchange::Exchange,
    external_account::ExternalAccount,
    federation::{self, Federation},
    file::{self, File},
    id_token::{Caller, Generated, MintId, Nobody},
    key::Key,
    metadata::Metadata,
    subject::FromUrl,
    user::AuthorizedUser,
};
use crate::environment::Environment;

/// What direct federation can't do; google-github-actions/auth's README says so of Google.
const DIRECT: &str = "Without a service account a token lives ten minutes at most, there are no ID tokens for a \
                      private endpoint, and not every Google API knows a federated identity: set `service-account`";
const GIVEN: &str = "The token in CLOUDSDK_AUTH_ACCESS_TOKEN can't be renewed: a run that outlives it fails";
const TOKEN: &str = "CLOUDSDK_AUTH_ACCESS_TOKEN";

pub(super) async fn discover(
    environment: &Environment,
    wif: Option<WorkloadIdentity>,
    service_account: Option<String>,
) -> Result<Credentials, Error> {
    if let Some(account) = &service_account {
        check_service_account(account)?;
    }
    let search = Search {
        environment,
        exchange: Exchange::new(environment)?,
        service_account,
    };
    if let Some(wif) = wif {
        return search.workload_identity(wif);
    }
    let mut reasons = vec!["no `workload-identity-provider` is given".to_owned()];
    let file = file::named(environment).await?;
    let file = match file {
        Some(File::ExternalAccount(path, account)) => {
            return search.external_account(&path, account, reasons);
        }
        None => {
            reasons.push("GOOGLE_APPLICATION_CREDENTIALS names no file".to_owned());
            None
        }
        Some(other) => {
            reasons.push(format!("{} is no external_account file", other.path()));
            Some(other)
        }
    };
    if let Some(token) = environment.secret(TOKEN) {
        return search.given(token, reasons);
    }
    reasons.push(format!("{TOKEN} is not set"));
    match file {
        Some(file) => search.file(file, reasons),
        None => search.ambient(reasons).await,
    }
}

struct Search<'a> {
    environment: &'a Environment,
    exchange: Exchange,
    service_account: Option<String>,
}

impl Search<'_> {
    fn workload_identity(self, wif: WorkloadIdentity) -> Result<Credentials, Error> {
        let provider = federation::provider_name(&wif.provider)?;
        let account = wif.service_account;
        if let Some(account) = &account {
            check_service_account(account)?;
        }
        let audience = format!("https://iam.googleapis.com/{provider}");
        let subject = FromUrl::github(self.environment, &audience, self.exchange.clone())?;
        let federation = Federation {
            audience: format!("//iam.googleapis.com/{provider}"),
            subject: Box::new(subject),
            token_url: None,
            impersonate: account.clone(),
            exchange: self.exchange.clone(),
        };
        let choice = Choice {
            description: match &account {
                Some(account) => format!("workload identity federation as {account}"),
                None => "workload identity federation without a service account".to_owned(),
            },
            reasons: Vec::new(),
            limits: account.is_none().then_some(DIRECT),
            account,
        };
        Ok(self.federated(federation, choice))
    }

    fn external_account(
        self,
        path: &str,
        file: ExternalAccount,
        reasons: Vec<String>,
    ) -> Result<Credentials, Error> {
        // The action's file need not name the account that the input does.
        let account = file.service_account()?.or_else(|| self.service_account.clone());
        let federation = file.federation(path, &self.exchange, account.clone())?;
        let whose = account
            .as_ref()
            .map_or_else(|| " without a service account".to_owned(), |a| format!(" as {a}"));
        let choice = Choice {
            description: format!("the external_account file {path}{whose}"),
            reasons,
            limits: account.is_none().then_some(DIRECT),
            account,
        };
        Ok(self.federated(federation, choice))
    }

    fn federated(self, federation: Federation, choice: Choice) -> Credentials {
        let federation = Arc::new(federation);
        let access = self.cached(Arc::clone(&federation));
        let caller = Caller::Federated(federation);
        let id_tokens = generated(caller, self.exchange, choice.account.clone());
        Credentials {
            access,
            id_tokens,
            choice,
        }
    }

    fn given(self, token: &SecretString, reasons: Vec<String>) -> Result<Credentials, Error> {
        if !token.expose_secret().chars().all(|c| c.is_ascii_graphic()) {
            return Err(Error::BadToken { variable: TOKEN });
        }
        let choice = Choice {
            description: format!("the access token in {TOKEN}"),
            reasons,
            limits: Some(GIVEN),
            account: None,
        };
        Ok(self.with_access(Given::new(token.clone()), choice))
    }

    fn file(self, file: File, reasons: Vec<String>) -> Result<Credentials, Error> {
        match file {
            File::ServiceAccount(path, key) => {
                let key = Arc::new(Key::new(&path, key, self.exchange.clone())?);
                let choice = Choice {
                    description: format!("the service account key {path} of {}", key.email()),
                    reasons,
                    limits: None,
                    account: Some(key.email().to_owned()),
                };
                let mut found = self.with_access(Arc::clone(&key), choice);
                // Another account's ID tokens are IAM's to make, as for everybody.
                if found
                    .id_tokens
                    .account()
                    .ok()
                    .flatten()
                    .is_none_or(|a| a == key.email())
                {
                    found.id_tokens = key;
                }
                Ok(found)
            }
            File::AuthorizedUser(path, user) => {
                let user = AuthorizedUser::new(user, self.environment, self.exchange.clone())?;
                let choice = Choice {
                    description: format!("the user's credentials in {path}"),
                    reasons,
                    ..Choice::default()
                };
                Ok(self.with_access(user, choice))
            }
            File::ExternalAccount(path, account) => self.external_account(&path, account, reasons),
            File::Unsupported(path, reason) => Err(Error::File { path, reason }),
        }
    }

    async fn ambient(self, mut reasons: Vec<String>) -> Result<Credentials, Error> {
        for kind in [Kind::User, Kind::Metadata, Kind::Gcloud] {
            let found = match Ambient::open(kind, self.exchange.masks().clone()).await {
                Ok(found) => found,
                Err(reason) => {
                    reasons.push(reason);
                    continue;
                }
            };
            let mut choice = Choice {
                description: kind.description().to_owned(),
                reasons,
                ..Choice::default()
            };
            if kind != Kind::Metadata {
                return Ok(self.with_access(found, choice));
            }
            let metadata = Metadata::find(self.exchange.clone()).await?;
            choice.account = metadata.email().map(str::to_owned);
            let other = self.service_account.is_some() && self.service_account != choice.account;
            let mut credentials = self.with_access(found, choice);
            if !other {
                credentials.id_tokens = Arc::new(metadata);
            }
            return Ok(credentials);
        }
        Err(Error::None(reasons))
    }

    fn with_access(self, source: impl Source + 'static, choice: Choice) -> Credentials {
        let access = self.cached(source);
        let caller = Caller::Access(Arc::clone(&access));
        Credentials {
            access,
            id_tokens: generated(caller, self.exchange, self.service_account),
            choice,
        }
    }

    fn cached(&self, source: impl Source + 'static) -> Arc<dyn AccessTokens> {
        let project = ["CLOUDSDK_CORE_PROJECT", "GOOGLE_CLOUD_PROJECT"]
            .into_iter()
            .find_map(|name| self.environment.get(name));
        Arc::new(Cached::new(source, project.map(str::to_owned)))
    }
}

fn generated(caller: Caller, exchange: Exchange, account: Option<String>) -> Arc<dyn MintId> {
    match account {
        Some(account) => Arc::new(Generated::new(caller, exchange, account)),
        None => Arc::new(Nobody),
    }
}
