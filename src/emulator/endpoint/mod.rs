//! The built-in OpenAI-compatible server: to come.

use std::collections::BTreeMap;

use tokio_util::sync::CancellationToken;

use crate::emulator::Speed;

/// What a revision's container would have been given.
#[derive(Clone, Debug, Default)]
pub struct StandIn {
    pub speed: Speed,
    pub args: Vec<String>,
    pub env: BTreeMap<String, String>,
}

/// Answers requests until `stop` is cancelled.
pub async fn serve(
    _stand_in: StandIn,
    _listener: tokio::net::TcpListener,
    _log: impl Fn(String) + Send + Sync + 'static,
    stop: CancellationToken,
) {
    stop.cancelled().await;
}
