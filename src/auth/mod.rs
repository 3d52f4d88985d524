//! Credentials: access tokens for Google's APIs and ID tokens for private endpoints.

use async_trait::async_trait;
use secrecy::SecretString;

/// Gives the bearer token of a request to an endpoint, fresh enough to be sent now.
#[async_trait]
pub trait Bearer: Send + Sync {
    /// `None` for an endpoint that needs none. The error is a sentence for the user.
    async fn bearer(&self) -> Result<Option<SecretString>, String>;
}
