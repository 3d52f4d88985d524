//! The known-timing server as a process of its own, so that what the client uses is measured apart.

use std::{path::Path, process::Stdio, time::Duration};

use llm_deploy::http;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::process::{Child, Command};
use url::Url;

use crate::{arguments::TimingArguments, join::Sent};

/// Until the server listens.
const START: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(10);
/// For an answer of the server about itself: the timings of a million tokens are 10 MB.
const ANSWER: Duration = Duration::from_secs(60);

/// Ends with this value.
pub struct KnownTiming {
    pub url: Url,
    client: reqwest::Client,
    _process: Child,
}

impl KnownTiming {
    /// Starts this very program with `serve`.
    pub async fn start(timing: &TimingArguments) -> Result<Self, String> {
        let failed = |e: String| format!("could not start the known-timing server: {e}");
        let program = std::env::current_exe().map_err(|e| failed(e.to_string()))?;
        let port_file = std::env::temp_dir().join(format!("bench-selftest-{}", uuid::Uuid::new_v4()));
        let mut process = Command::new(program)
            .args(["serve", "--record", "--port-file"])
            .arg(&port_file)
            .arg(format!("--ttft-ms={}", timing.ttft_ms))
            .arg(format!("--gap-ms={}", timing.gap_ms))
            .arg(format!("--spread-ms={}", timing.spread_ms))
            .arg(format!("--seed={}", timing.seed))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| failed(e.to_string()))?;
        let port = tokio::time::timeout(START, port(&mut process, &port_file)).await;
        // Gone already when it never came to be.
        let _ = std::fs::remove_file(&port_file);
        let port = port
            .map_err(|_| failed(format!("it did not listen within {START:?}")))?
            .map_err(failed)?;
        let url = format!("http://127.0.0.1:{port}/");
        Ok(Self {
            url: Url::parse(&url).map_err(|e| failed(e.to_string()))?,
            client: http::client(ANSWER).map_err(|e| failed(e.to_string()))?,
            _process: process,
        })
    }

    pub async fn reset(&self) -> Result<(), String> {
        let answer = self.client.post(self.page("reset")).send().await;
        answer
            .and_then(reqwest::Response::error_for_status)
            .map_err(|e| silent(&e))?;
        Ok(())
    }

    /// What it did since the last reset.
    pub async fn stats(&self) -> Result<Value, String> {
        self.get("stats").await
    }

    /// What it sent since the last reset.
    pub async fn timings(&self) -> Result<Vec<Sent>, String> {
        self.get("timings").await
    }

    async fn get<T: DeserializeOwned>(&self, page: &str) -> Result<T, String> {
        let answer = self
            .client
            .get(self.page(page))
            .send()
            .await
            .map_err(|e| silent(&e))?;
        answer
            .error_for_status()
            .map_err(|e| silent(&e))?
            .json()
            .await
            .map_err(|e| silent(&e))
    }

    fn page(&self, page: &str) -> String {
        format!("{}{page}", self.url)
    }
}

fn silent(error: &reqwest::Error) -> String {
    format!("could not read what the known-timing server did: {error}")
}

/// Waits for the file with the port.
async fn port(process: &mut Child, file: &Path) -> Result<u16, String> {
    loop {
        if let Ok(text) = std::fs::read_to_string(file) {
            return text
                .trim()
                .parse()
                .map_err(|_| format!("it gave `{text}` as its port"));
        }
        if let Some(status) = process.try_wait().map_err(|e| e.to_string())? {
            return Err(format!("it ended at once ({status})"));
        }
        tokio::time::sleep(LOOK).await;
    }
}
