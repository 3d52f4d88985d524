//! Which credentials were taken, and whether they really give tokens.

use super::{Check, Group, Seen};

/// What was seen of them.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Which ones: `workload identity federation as NAME@…`.
    pub description: String,
    /// Whether an access token could be had.
    pub token: Seen<()>,
    /// Whether an ID token for a private endpoint could be had; `None` when every endpoint is public.
    pub id_token: Option<Seen<()>>,
    /// The account that ID tokens are for.
    pub service_account: Option<String>,
}

pub fn checks(project: &str, facts: &Facts) -> Vec<Check> {
    let group = Group::Credentials;
    let token = match &facts.token {
        Ok(()) => group.pass("access token", format!("from {}", facts.description)),
        Err(why) => {
            let detail = format!("none from {}: {}", facts.description, why.0);
            group.fail("access token", detail).advice(SIGN_IN)
        }
    };
    let mut checks = vec![token];
    let id_token = facts.id_token.as_ref().filter(|_| facts.token.is_ok());
    checks.extend(id_token.map(|seen| match seen {
        Ok(()) => group.pass("ID token", "can be made, for the tests of a private endpoint"),
        Err(why) => {
            let check = group.fail("ID token", why.0.clone());
            match &facts.service_account {
                Some(account) => check.command(super::permissions::grant(
                    &crate::google::permissions::Resource::ServiceAccount(account.clone()),
                    project,
                    &format!("serviceAccount:{account}"),
                    "roles/iam.serviceAccountOpenIdTokenCreator",
                )),
                None => check.advice(
                    "Name the account that calls the endpoint in `service-account`, or set `access: public`",
                ),
            }
        }
    }));
    checks
}

/// When none were found.
pub fn none(why: &str) -> Check {
    Group::Credentials.fail("access token", why)
}

const SIGN_IN: &str = "In Actions set `workload-identity-provider` and `service-account`, and give the job `id-token: write`; on your machine run `gcloud auth application-default login`";
