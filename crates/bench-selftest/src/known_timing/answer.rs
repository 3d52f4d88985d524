//! One answer on its way: which tokens have left, which bytes could not be written yet.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::net::TcpStream;

use super::{
    Timing,
    ledger::{Ledger, Sent},
    pieces,
    request::Asked,
    schedule::Schedule,
};

/// Pause before a full socket is tried again.
const RETRY: Duration = Duration::from_millis(1);
/// Most tokens in one write.
const BURST: usize = 64;

/// A connection as an answer needs it.
#[derive(Clone)]
pub struct Line {
    pub socket: Arc<TcpStream>,
    /// An answer is on its way.
    pub busy: Arc<AtomicBool>,
}

pub struct Answer {
    line: Line,
    asked: Asked,
    arrived: Instant,
    schedule: Schedule,
    /// When the next token is due.
    due: Instant,
    /// Tokens that have left.
    done: u32,
    /// Of the tokens that are about to be written.
    dues: Vec<Instant>,
    /// Bytes that are to be written.
    unsent: Vec<u8>,
    sent: Option<Sent>,
}

impl Answer {
    /// The answer to a request that arrived at `arrived`; the stream's head is to be written at once.
    pub fn new(line: Line, asked: Asked, timing: Timing, arrived: Instant, id: String) -> Self {
        let mut schedule = Schedule::new(timing, arrived, &id);
        let mut due = schedule.next();
        let mut unsent = Vec::new();
        let mut done = 0;
        if asked.stream {
            unsent.extend_from_slice(pieces::STREAM_HEAD);
        } else {
            // In one piece, when the last token is due.
            done = asked.tokens - 1;
            for _ in 0..done {
                due = schedule.next();
            }
        }
        Self {
            line,
            asked,
            arrived,
            schedule,
            due,
            done,
            dues: Vec::new(),
            unsent,
            sent: Some(Sent::new(id)),
        }
    }

    /// Writes what is due. Returns when there is more to do, `None` when all is done.
    ///
    /// # Errors
    /// When the client has gone.
    pub fn advance(&mut self, ledger: &Ledger) -> io::Result<Option<Instant>> {
        let held_up = !self.unsent.is_empty() && self.done > 0;
        self.add_due(ledger);
        if !self.write()? {
            if !held_up {
                ledger.held_up();
            }
            return Ok(Some(Instant::now() + RETRY));
        }
        Ok((self.done < self.asked.tokens).then_some(self.due))
    }

    /// Puts the tokens that are due behind what is to be written, and stamps them.
    fn add_due(&mut self, ledger: &Ledger) {
        let now = Instant::now();
        while self.done < self.asked.tokens && self.due <= now && self.dues.len() < BURST {
            self.dues.push(self.due);
            self.add_token();
        }
        let at = Instant::now();
        for due in self.dues.drain(..) {
            if let Some(sent) = &mut self.sent {
                sent.token(self.arrived, due, at);
            }
        }
        if self.done == self.asked.tokens {
            // Both before the last bytes leave: whoever has them may ask again and look.
            if let Some(sent) = self.sent.take_if(|_| self.asked.stream) {
                ledger.add(sent);
            }
            self.line.busy.store(false, Ordering::Release);
        }
    }

    fn add_token(&mut self) {
        let (first, last) = (self.done == 0, self.done + 1 == self.asked.tokens);
        self.done += 1;
        let usage = || pieces::usage(self.asked.prompt, self.asked.tokens);
        if !self.asked.stream {
            self.unsent = pieces::whole(self.asked.tokens, &usage());
            return;
        }
        if first || last {
            self.unsent.extend(pieces::token(first, last));
        } else {
            self.unsent.extend_from_slice(&pieces::MIDDLE);
        }
        if last {
            self.unsent.extend(pieces::end(self.asked.usage.then(usage)));
        } else {
            self.due = self.schedule.next();
        }
    }

    /// Whether all bytes could be written.
    fn write(&mut self) -> io::Result<bool> {
        let mut written = 0;
        while written < self.unsent.len() {
            match self.line.socket.try_write(&self.unsent[written..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        self.unsent.drain(..written);
        Ok(self.unsent.is_empty())
    }
}
