//! Which credentials were taken, and whether they really give tokens.

use super::{Check, Group, Seen};
use crate::google::{resource::Resource, roles};

/// What was seen of them.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Which ones: `workload identity federation as NAME@…`.
    pub description: String,
    /// Why not those that come before: `no workload-identity-provider is given`.
    pub reasons: Vec<String>,
    /// What they can't do, in a sentence.
    pub limits: Option<&'static str>,
    /// Whether an access token could be had.
    pub token: Seen<()>,
    /// Whether an ID token for a private endpoint could be had; `None` when every endpoint is public.
    pub id_token: Option<Seen<()>>,
    /// The account that private endpoints see, when it is known.
    pub invoker: Option<String>,
}

pub fn checks(project: &str, facts: &Facts) -> Vec<Check> {
    let group = Group::Credentials;
    let token = match &facts.token {
        Ok(()) => {
            let why = facts.reasons.iter().map(|reason| format!("; {reason}"));
            group.pass(
                "access token",
                format!("from {}{}", facts.description, why.collect::<String>()),
            )
        }
        Err(why) => {
            let detail = format!("none from {}: {}", facts.description, why.0);
            group.fail("access token", detail).advice(SIGN_IN)
        }
    };
    let mut checks = vec![token];
    checks.extend(facts.limits.map(|limits| group.warn("limits", limits)));
    let id_token = facts.id_token.as_ref().filter(|_| facts.token.is_ok());
    checks.extend(id_token.map(|seen| match seen {
        Ok(()) => group.pass("ID token", "can be made, for the tests of a private endpoint"),
        Err(why) => {
            let check = group.fail("ID token", why.0.clone());
            match &facts.invoker {
                Some(account) => check.command(roles::grant(
                    &Resource::service_account(account, project),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{Unseen, Verdict, testing};

    fn facts() -> Facts {
        Facts {
            description: "workload identity federation as d@acme-llm.iam.gserviceaccount.com".to_owned(),
            reasons: Vec::new(),
            limits: None,
            token: Ok(()),
            id_token: Some(Ok(())),
            invoker: Some("d@acme-llm.iam.gserviceaccount.com".to_owned()),
        }
    }

    #[test]
    fn the_credentials_that_were_taken_are_told_with_the_reason_and_their_limits() {
        let mut facts = facts();
        facts.reasons = vec!["no file".to_owned(), "no token".to_owned()];
        facts.limits = Some("They end soon");
        let checks = checks("acme-llm", &facts);
        assert_eq!(
            testing::verdicts(&checks),
            [Verdict::Pass, Verdict::Warn, Verdict::Pass]
        );
        assert!(
            checks[0]
                .detail
                .ends_with("gserviceaccount.com; no file; no token"),
            "{}",
            checks[0].detail
        );
    }

    #[test]
    fn an_id_token_that_is_refused_fails_with_the_role_that_is_missing() {
        let mut facts = facts();
        facts.id_token = Some(Err(Unseen("403".to_owned())));
        let checks = checks("acme-llm", &facts);
        assert_eq!(testing::verdicts(&checks), [Verdict::Pass, Verdict::Fail]);
        let fix = checks[1].fix.as_ref().unwrap().text();
        assert!(
            fix.contains("d@acme-llm.iam.gserviceaccount.com --project=acme-llm"),
            "{fix}"
        );
        assert!(
            fix.ends_with("--role=roles/iam.serviceAccountOpenIdTokenCreator"),
            "{fix}"
        );
    }

    #[test]
    fn without_an_access_token_nothing_is_said_of_others() {
        let mut facts = facts();
        facts.token = Err(Unseen("refused".to_owned()));
        assert_eq!(testing::verdicts(&checks("acme-llm", &facts)), [Verdict::Fail]);
    }
}
