//! What a token says of itself. Signatures are the receiver's business.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, de::DeserializeOwned};

/// The claims, unless the token is no JWT that has them.
pub(super) fn claims<T: DeserializeOwned>(token: &SecretString) -> Option<T> {
    let payload = token.expose_secret().split('.').nth(1)?;
    let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// The `exp` claim.
pub(super) fn expiry(token: &SecretString) -> Option<DateTime<Utc>> {
    #[derive(Deserialize)]
    struct Claims {
        exp: i64,
    }
    DateTime::from_timestamp(claims::<Claims>(token)?.exp, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expiry_is_read_from_the_token() {
        let claims = URL_SAFE_NO_PAD.encode(r#"{"aud":"x","exp":1700000000}"#);
        let at = expiry(&format!("h.{claims}.s").into()).unwrap();
        assert_eq!(at.timestamp(), 1_700_000_000);
        for no_jwt in ["opaque", "a.!!.b", ""] {
            assert_eq!(expiry(&no_jwt.into()), None);
        }
    }
}
