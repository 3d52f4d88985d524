//! A streaming endpoint whose timing is known: the truth that clients are measured against.
//!
//! `POST /v1/chat/completions` answers `max_tokens` tokens by a stated [`Timing`]. No timer is exact, so what counts is
//! what was really sent: a request arrives when the kernel receives its last byte, a token leaves right before its bytes
//! are written, and both are stamped then. `GET /stats` sums that up, `GET /timings` has it for each request by its
//! `X-Request-Id`, `POST /reset` starts anew.
//!
//! It shares the machine with the client that it measures, so it has to be cheap: one thread reads, one thread
//! sleeps until the next token of any stream is due and writes prepared bytes. Tokens of one stream that are due
//! together leave in one write with one stamp.

mod answer;
mod connection;
mod ledger;
mod pacer;
mod pieces;
mod request;
mod schedule;
#[cfg(test)]
mod tests;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    thread::JoinHandle,
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use ledger::Ledger;
use pacer::Pacer;

/// Name that the server serves its model under.
pub const MODEL: &str = "known-timing";

/// When tokens are due, and what is kept of when they left.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timing {
    /// From a request's arrival to its first token.
    pub ttft: Duration,
    /// From one token to the next.
    pub gap: Duration,
    /// A request starts, and each of its tokens leaves, up to this much later: two independent uniform delays.
    pub spread: Duration,
    /// Decides the delays, together with the request's `X-Request-Id`.
    pub seed: u64,
    /// Whether `/timings` has each request. Memory grows with the requests, up to a bound.
    pub record: bool,
}

/// What the reading and the writing thread share.
struct Shared {
    timing: Timing,
    ledger: Ledger,
    pacer: Pacer,
}

/// A running server; it ends when this is dropped.
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
    threads: Vec<JoinHandle<()>>,
}

impl Server {
    /// Listens on `port` of the loopback interface; 0 for any that is free.
    ///
    /// # Errors
    /// When the port is taken or a thread can't be started.
    pub fn start(timing: Timing, port: u16) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        listener.set_nonblocking(true)?;
        let shared = Arc::new(Shared {
            timing,
            ledger: Ledger::new(timing.record),
            pacer: Pacer::default(),
        });
        let mut server = Self {
            address: listener.local_addr()?,
            shared: shared.clone(),
            stop: CancellationToken::new(),
            threads: Vec::new(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_io()
            .build()?;
        let stop = server.stop.clone();
        server.spawn("timing-read", {
            let shared = shared.clone();
            move || {
                // Dropping the runtime ends every connection.
                if let Err(error) = runtime.block_on(connection::serve(listener, &shared, stop)) {
                    shared.ledger.failed(&error);
                }
            }
        })?;
        server.spawn("timing-pace", move || shared.pacer.run(&shared.ledger))?;
        Ok(server)
    }

    fn spawn(&mut self, name: &str, work: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(work)?;
        self.threads.push(thread);
        Ok(())
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.cancel();
        self.shared.pacer.close();
        for thread in self.threads.drain(..) {
            // A thread that panicked has nothing left to end.
            let _ = thread.join();
        }
    }
}
