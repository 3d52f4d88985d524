//! `GET /metrics`: what a server says of itself, in Prometheus' text form.

use std::time::Duration;

use reqwest::Method;

use super::{
    Endpoint, Error,
    call::{Call, read},
};

/// vLLM's are 65 kB with one engine; a page with many engines and models stays far below.
const MAX_METRICS: usize = 4 << 20;

impl Endpoint {
    /// The page as text, hostile as everything a server sends. Bytes that are no UTF-8 are replaced.
    pub async fn metrics(&self, timeout: Duration) -> Result<String, Error> {
        let call = Call::new(Method::GET, "metrics", timeout, self.tempo);
        let response = self.send(&call, None).await?.response;
        let body = read(&call, response, MAX_METRICS).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}
