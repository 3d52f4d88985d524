//! Security Token Service: a GitHub OIDC token becomes a federated access token.

mod condition;

use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::{Call, PROJECT_NUMBER, Reply, Shared, tokens::Principal};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const SUBJECT_TYPES: [&str; 2] = [
    "urn:ietf:params:oauth:token-type:jwt",
    "urn:ietf:params:oauth:token-type:id_token",
];
/// Lifetime of a token that stands for no service account; google-github-actions/auth's README says ten
/// minutes.
const LIFETIME: TimeDelta = TimeDelta::minutes(10);

/// Bytes of `google.subject`.
const LONGEST_SUBJECT: usize = 127;

/// A form's fields under the names that the JSON body has.
pub fn form(body: &[u8]) -> Value {
    let fields = url::form_urlencoded::parse(body);
    let renamed = fields.map(|(name, value)| (camel(&name), Value::from(value.into_owned())));
    Value::Object(renamed.collect::<Map<_, _>>())
}

fn camel(name: &str) -> String {
    let mut upper = false;
    name.chars().fold(String::new(), |mut out, c| {
        match c {
            '_' => upper = true,
            c if upper => {
                out.push(c.to_ascii_uppercase());
                upper = false;
            }
            c => out.push(c),
        }
        out
    })
}

pub async fn handle(emulator: &Shared, call: &Call) -> Reply {
    match exchange(emulator, &call.json) {
        Ok((token, expires)) => Reply::ok(&json!({
            "access_token": token, "issued_token_type": ACCESS_TOKEN, "token_type": "Bearer",
            // Whole seconds of what is left.
            "expires_in": (expires - Utc::now()).num_seconds(),
        })),
        Err((error, description)) => Reply::json(
            StatusCode::BAD_REQUEST,
            &json!({"error": error, "error_description": description}),
        ),
    }
}

/// The access token and its end, or OAuth's error code with a description.
fn exchange(emulator: &Shared, request: &Value) -> Result<(String, DateTime<Utc>), (&'static str, String)> {
    let field = |name: &str| request[name].as_str().unwrap_or("");
    let invalid = |name: &str| ("invalid_request", format!("Invalid value for \"{name}\" field."));
    if field("grantType") != GRANT {
        return Err(("unsupported_grant_type", "Invalid grant_type.".to_owned()));
    }
    if !SUBJECT_TYPES.contains(&field("subjectTokenType")) {
        return Err(invalid("subject_token_type"));
    }
    if field("requestedTokenType") != ACCESS_TOKEN {
        return Err(invalid("requested_token_type"));
    }
    if field("scope").is_empty() {
        return Err(invalid("scope"));
    }
    let audience = field("audience");
    let (pool, provider) = provider(emulator, audience).ok_or_else(|| {
        let text = "The target service indicated by the \"audience\" parameters is invalid. This might either be because the pool or provider is disabled or deleted or because it doesn't exist.";
        ("invalid_target", text.to_owned())
    })?;
    let claims = emulator.tokens.oidc_claims(field("subjectToken"));
    let claims = claims.ok_or_else(|| {
        let text = "The given credential is rejected: the ID Token is not one that the issuer has signed, or it has expired.";
        ("invalid_grant", text.to_owned())
    })?;
    let found = claims.audience;
    if found != audience && found != format!("https:{audience}") {
        let text = format!(
            "The audience in ID Token [{found}] does not match the expected audience https:{audience}."
        );
        return Err(("invalid_grant", text));
    }
    if !condition::holds(provider["attributeCondition"].as_str().unwrap_or(""), &claims.job) {
        let text = "The given credential is rejected by the attribute condition.";
        return Err(("unauthorized_client", text.to_owned()));
    }
    let mapping = provider["attributeMapping"]["google.subject"]
        .as_str()
        .unwrap_or("");
    let subject = condition::value(mapping, &claims.job).unwrap_or_default();
    if subject.is_empty() {
        let text = "The mapped attribute google.subject is empty or can't be computed from the credential.";
        return Err(("invalid_request", text.to_owned()));
    }
    if subject.len() > LONGEST_SUBJECT {
        let text = format!(
            "The size of mapped attribute google.subject exceeds the {LONGEST_SUBJECT} bytes limit. Either modify your attribute mapping or the incoming assertion to produce a mapped attribute that is less than {LONGEST_SUBJECT} bytes."
        );
        return Err(("invalid_request", text));
    }
    let mapped = provider["attributeMapping"].as_object().into_iter().flatten();
    let attributes = mapped.filter_map(|(to, from)| {
        let name = to.strip_prefix("attribute.")?;
        Some((name.to_owned(), condition::value(from.as_str()?, &claims.job)?))
    });
    let principal = Principal::Federated {
        pool,
        subject,
        attributes: attributes.collect(),
    };
    Ok(emulator.tokens.issue_access(principal, LIFETIME))
}

/// The provider that an audience names, with its pool's id, when both are there and enabled.
fn provider(emulator: &Shared, audience: &str) -> Option<(String, Value)> {
    let start =
        format!("//iam.googleapis.com/projects/{PROJECT_NUMBER}/locations/global/workloadIdentityPools/");
    let (pool, provider) = audience.strip_prefix(&start)?.split_once("/providers/")?;
    Some((pool.to_owned(), emulator.iam.provider(pool, provider)?))
}
