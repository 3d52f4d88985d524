//! What a refusal of the Security Token Service means for this job.

use secrecy::SecretString;
use serde::Deserialize;

use super::{Error, jwt};
use crate::http::flatten;

/// What GitHub's token says of the job; fields that another issuer's lack are empty.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Claims {
    sub: String,
    repository: String,
    #[serde(rename = "ref")]
    reference: String,
    /// GitHub's has one; another issuer's may be a list, which is of no use here.
    aud: serde_json::Value,
}

impl Claims {
    /// The provider's full name, which is the audience that Google asks for.
    fn provider(&self) -> Option<&str> {
        let (_, name) = self.aud.as_str()?.split_once("//iam.googleapis.com/")?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_/.:".contains(c);
        (!name.is_empty() && name.chars().all(plain)).then_some(name)
    }
}

/// Google's limit on `google.subject`.
const LONGEST_SUBJECT: usize = 127;

/// The refusal with what to do about it, read from what was refused. Nothing but names of the repository, the
/// branch and the like is taken from the token.
pub(super) fn explain(error: Error, subject_token: &SecretString) -> Error {
    match error {
        Error::Refused {
            who,
            what,
            status,
            message,
            next,
        } => {
            let claims: Claims = jwt::claims(subject_token).unwrap_or_default();
            Error::Refused {
                next: advice(&message, &claims).unwrap_or(next),
                who,
                what,
                status,
                message,
            }
        }
        other => other,
    }
}

/// By the words of STS, as users report them: google-github-actions/auth#423, terraform-example-foundation#1362.
fn advice(message: &str, claims: &Claims) -> Option<String> {
    let show = |text: &str| flatten(text, 200);
    if message.contains("google.subject") && message.contains(&LONGEST_SUBJECT.to_string()) {
        let subject = match claims.sub.len() {
            0 => "GitHub's subject".to_owned(),
            bytes => format!("GitHub's subject `{}` has {bytes} bytes", show(&claims.sub)),
        };
        return Some(format!(
            "{subject}; Google takes {LONGEST_SUBJECT}. Use a shorter name for the branch or the environment, or let \
             the provider map something shorter: `google.subject=assertion.repository_id`"
        ));
    }
    if message.contains("attribute condition") {
        return Some(format!(
            "The provider's attribute condition does not admit this job of repository `{}`, ref `{}`: see it with \
             `gcloud iam workload-identity-pools providers describe {}`. `llm-deploy bootstrap` makes a provider for \
             the repository that it is run in",
            show(&claims.repository),
            show(&claims.reference),
            claims.provider().unwrap_or("PROVIDER")
        ));
    }
    if message.starts_with("invalid_target") {
        let text = "Check `workload-identity-provider`: the project's number (not its id), the pool and the provider \
                    must be there and enabled";
        return Some(text.to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde_json::json;

    use super::*;

    fn explained(message: &str, claims: &serde_json::Value) -> String {
        let token = format!("h.{}.s", URL_SAFE_NO_PAD.encode(claims.to_string()));
        let error = Error::Refused {
            who: "STS",
            what: "exchange the identity token",
            status: 400,
            message: message.to_owned(),
            next: "Look around".to_owned(),
        };
        explain(error, &token.into()).to_string()
    }

    #[test]
    fn a_subject_that_is_too_long_is_explained_by_the_branch() {
        let sub = format!("repo:org/app:ref:refs/heads/{}", "x".repeat(120));
        let message =
            "invalid_request: The size of mapped attribute google.subject exceeds the 127 bytes limit.";
        let text = explained(message, &json!({"sub": sub}));
        assert!(
            text.contains("has 148 bytes; Google takes 127. Use a shorter name for the branch"),
            "{text}"
        );
        assert!(text.contains(&sub), "{text}");
        let other = explained(message, &json!({}));
        assert!(other.contains("GitHub's subject; Google takes 127"), "{other}");
    }

    #[test]
    fn a_condition_that_keeps_the_job_out_is_told_with_the_job() {
        let message = "unauthorized_client: The given credential is rejected by the attribute condition.";
        let text = explained(
            message,
            &json!({"repository": "org/fork", "ref": "refs/heads/a",
            "aud": "https://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/g"}),
        );
        assert!(
            text.contains("describe projects/1/locations/global/workloadIdentityPools/p/providers/g`"),
            "{text}"
        );
        assert!(
            text.contains("this job of repository `org/fork`, ref `refs/heads/a`"),
            "{text}"
        );
    }

    #[test]
    fn a_refusal_that_is_not_known_keeps_its_advice() {
        assert!(explained("something", &json!({"sub": "x"})).ends_with("Look around"));
        assert!(explained("invalid_target: no", &json!({})).contains("the project's number (not its id)"));
    }
}
