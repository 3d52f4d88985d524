//! Access tokens and ID tokens that the emulator has issued.

/// Issued tokens.
#[derive(Default)]
pub struct Tokens {}

/// What an ID token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdClaims {
    pub audience: String,
    pub email: String,
}

impl Tokens {
    /// The claims of an ID token that was issued here and hasn't expired.
    pub fn id_token(&self, _token: &str) -> Option<IdClaims> {
        None
    }

    pub fn access_token_ok(&self, _token: &str) -> bool {
        false
    }
}
