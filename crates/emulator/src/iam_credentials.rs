//! IAM Credentials: access tokens and ID tokens of service accounts.

use chrono::{SecondsFormat, TimeDelta};
use serde_json::json;

use super::{Call, Reply, Shared, tokens::Principal};

pub async fn handle(emulator: &Shared, call: &Call) -> Reply {
    let Some(email) = emulator.iam.email(call.param("serviceAccountsId")) else {
        let asked = call.param("serviceAccountsId");
        return Reply::not_found(&format!("Not found; Gaia id not found for email {asked}"));
    };
    match call.id.as_str() {
        "iamcredentials.projects.serviceAccounts.generateAccessToken" => access_token(emulator, call, &email),
        "iamcredentials.projects.serviceAccounts.generateIdToken" => id_token(emulator, call, &email),
        _ => Reply::not_implemented(call),
    }
}

fn access_token(emulator: &Shared, call: &Call, email: &str) -> Reply {
    if call.json["scope"].as_array().is_none_or(Vec::is_empty) {
        return Reply::invalid("Scope required.");
    }
    let lifetime = call.json["lifetime"].as_str().unwrap_or("3600s");
    let seconds: f64 = lifetime.trim_end_matches('s').parse().unwrap_or(0.0);
    if seconds > 3600.0 {
        return Reply::invalid(
            "The access token lifetime cannot exceed 3600 seconds because the 'constraints/iam.allowServiceAccountCredentialLifetimeExtension' constraint is not set.",
        );
    }
    if seconds < 1.0 {
        return Reply::invalid("The access token lifetime must be positive.");
    }
    #[allow(clippy::cast_possible_truncation, reason = "between 1 and 3600")]
    let lifetime = TimeDelta::seconds(seconds as i64);
    let principal = Principal::ServiceAccount(email.to_owned());
    let (token, expires) = emulator.tokens.issue_access(principal, lifetime);
    // Whole seconds, as Google gives them; parts of a second where a lifetime is scaled down to a few.
    let whole = emulator.tokens.scaled(lifetime) == lifetime;
    let format = if whole {
        SecondsFormat::Secs
    } else {
        SecondsFormat::Millis
    };
    let expires = expires.to_rfc3339_opts(format, true);
    Reply::ok(&json!({"accessToken": token, "expireTime": expires}))
}

fn id_token(emulator: &Shared, call: &Call, email: &str) -> Reply {
    let audience = call.json["audience"].as_str().unwrap_or("");
    if audience.is_empty() {
        return Reply::invalid("Audience is required.");
    }
    // A path in it is not IAM's business: Cloud Run refuses the token.
    let include_email = call.json["includeEmail"].as_bool().unwrap_or(false);
    let token = emulator.tokens.issue_id(audience, email, include_email);
    Reply::ok(&json!({ "token": token }))
}
