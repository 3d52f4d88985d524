//! Whether a scheduled test has somewhere to post its messages.

use super::{Check, Group};
use crate::{
    config::Config,
    environment::Environment,
    webhook::{VARIABLE, Webhook},
};

/// Nothing where the configuration asks for no webhook. The URL is read, never called: it writes to people.
pub fn checks(config: &Config, environment: &Environment) -> Vec<Check> {
    if !config.schedule.on_failure.webhook {
        return Vec::new();
    }
    let group = Group::Workflow;
    vec![match Webhook::from_environment(environment) {
        Ok(_) => group.pass(VARIABLE, "is there, for the messages of scheduled tests"),
        Err(error) => group.fail(VARIABLE, error.to_string()).advice(
            "Store the URL as a secret and pass it on: `webhook-url: ${{ secrets.LLM_DEPLOY_WEBHOOK_URL }}`",
        ),
    }]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{Verdict, testing};

    #[test]
    fn a_webhook_that_is_asked_for_needs_its_url() {
        let asked = testing::config("schedule: { on-failure: [issue, webhook] }");
        let with = |url: &str| [(VARIABLE, url)].into_iter().collect::<Environment>();
        for (url, verdict) in [
            ("https://hooks.slack.com/services/s3cret", Verdict::Pass),
            ("http://hooks.slack.com/services/s3cret", Verdict::Fail),
            ("", Verdict::Fail),
        ] {
            let checks = checks(&asked, &with(url));
            assert_eq!(testing::verdicts(&checks), [verdict], "{url}");
            assert!(!format!("{checks:?}").contains("s3cret"));
        }
        assert!(checks(&testing::config(""), &Environment::default()).is_empty());
    }
}
