//! When bytes came and went, taken at the socket.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker, ready},
    time::{Duration, Instant},
};

use futures::task::AtomicWaker;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    task::coop::has_budget_remaining,
};

use crate::arrival;

/// Most bytes of one read; a token's chunk has some hundreds.
const MOST: usize = 8 << 10;

/// An instant that both ends of a connection see; unset at first.
struct Cell {
    origin: Instant,
    /// Nanoseconds since `origin`, plus one; 0 is unset.
    value: AtomicU64,
}

impl Cell {
    fn new(origin: Instant) -> Self {
        Self {
            origin,
            value: AtomicU64::new(0),
        }
    }

    fn set(&self, at: Instant) {
        let nanoseconds = at.saturating_duration_since(self.origin).as_nanos();
        let nanoseconds = u64::try_from(nanoseconds).unwrap_or(u64::MAX - 1);
        self.value.store(nanoseconds + 1, SeqCst);
    }

    fn get(&self) -> Option<Instant> {
        self.at(self.value.load(SeqCst))
    }

    fn take(&self) -> Option<Instant> {
        self.at(self.value.swap(0, SeqCst))
    }

    fn at(&self, value: u64) -> Option<Instant> {
        let nanoseconds = value.checked_sub(1)?;
        Some(self.origin + Duration::from_nanos(nanoseconds))
    }
}

/// The stamps of one connection.
pub struct Stamps {
    read: Cell,
    written: Cell,
}

impl Stamps {
    pub fn new() -> Arc<Self> {
        let origin = Instant::now();
        Arc::new(Self {
            read: Cell::new(origin),
            written: Cell::new(origin),
        })
    }

    /// When the bytes that were read last had come. `None` before the first read.
    pub fn read(&self) -> Option<Instant> {
        self.read.get()
    }

    /// Forgets the last write, so that [`Self::written`] tells of the next one.
    pub fn expect_write(&self) {
        self.written.take();
    }

    /// When the first bytes since [`Self::expect_write`] were handed to the socket. `None`: none were taken by it.
    pub fn written(&self) -> Option<Instant> {
        self.written.get()
    }
}

/// The reader's waker: takes the time at which the runtime learned that there is something to read.
struct Woken {
    at: Cell,
    task: AtomicWaker,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.at.set(Instant::now());
        self.task.wake();
    }
}

/// What is read, with the time at which it came if somebody noted it.
pub trait Source: Unpin {
    /// As [`AsyncRead::poll_read`], at most [`MOST`] bytes.
    fn poll_read_at(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<Option<Instant>>>;
}

impl Source for TcpStream {
    fn poll_read_at(
        &mut self,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<Option<Instant>>> {
        loop {
            ready!(self.poll_read_ready(cx))?;
            let room = buf.remaining().min(MOST);
            match arrival::read(self, buf.initialize_unfilled_to(room)) {
                Ok((count, at)) => {
                    buf.advance(count);
                    return Poll::Ready(Ok(at));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
    }
}

/// A socket that stamps its reads and writes.
///
/// A read's stamp is the time at which the kernel received the bytes, of several packets the last one's, where it tells
/// (Linux). Elsewhere it is not when the read was made, which on a busy thread is after the reads and the parsing of all
/// other streams that became readable with it, but when the runtime's driver, straight after `epoll_wait`, called the
/// reader's waker. This is sound where
///
/// 1. the socket was known to be empty before: the last read got less than it had room for (tokio, whose events are
///    edge-triggered, then takes the socket for empty as well), or none at all, and
/// 2. the waker was called since: by nobody but the driver, for an event that says "readable". So the first byte came
///    between the last read and that call.
///
/// Elsewhere (after a read that was full, or when tokio's budget for the task was used up, which also calls the waker)
/// the stamp is the time after the read itself. What comes between the wake and its read is read with the rest and
/// shares its stamp.
pub struct Stamped<S> {
    socket: S,
    stamps: Arc<Stamps>,
    woken: Arc<Woken>,
    waker: Waker,
    known_empty: bool,
}

impl<S> Stamped<S> {
    pub fn new(socket: S, stamps: Arc<Stamps>) -> Self {
        let woken = Arc::new(Woken {
            at: Cell::new(Instant::now()),
            task: AtomicWaker::new(),
        });
        Self {
            socket,
            stamps,
            waker: Waker::from(Arc::clone(&woken)),
            woken,
            known_empty: false,
        }
    }
}

impl<S: Source> AsyncRead for Stamped<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        this.woken.task.register(cx.waker());
        let woken = this.woken.at.take().filter(|_| this.known_empty);
        let (before, room) = (buf.filled().len(), buf.remaining().min(MOST));
        let has_budget = has_budget_remaining();
        let polled = this
            .socket
            .poll_read_at(&mut Context::from_waker(&this.waker), buf);
        let Poll::Ready(result) = polled else {
            this.known_empty = has_budget;
            return Poll::Pending;
        };
        let noted = result?;
        let read = buf.filled().len() - before;
        if read > 0 {
            let at = noted.or(woken).unwrap_or_else(Instant::now);
            this.stamps.read.set(at);
        }
        this.known_empty = read < room;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> Stamped<S> {
    /// The time before the write, as the bytes are on their way when it returns.
    fn stamp(&self, at: Instant, written: usize) {
        if written > 0 && self.stamps.written().is_none() {
            self.stamps.written.set(at);
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stamped<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let at = Instant::now();
        let written = ready!(Pin::new(&mut self.socket).poll_write(cx, buf))?;
        self.stamp(at, written);
        Poll::Ready(Ok(written))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let at = Instant::now();
        let written = ready!(Pin::new(&mut self.socket).poll_write_vectored(cx, bufs))?;
        self.stamp(at, written);
        Poll::Ready(Ok(written))
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives what it has, and keeps the waker when it has nothing.
    #[derive(Default)]
    struct Script {
        bytes: Vec<u8>,
        waker: Option<Waker>,
        noted: Option<Instant>,
    }

    impl Source for Script {
        fn poll_read_at(
            &mut self,
            cx: &mut Context<'_>,
            buf: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<Option<Instant>>> {
            if self.bytes.is_empty() {
                self.waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
            let n = self.bytes.len().min(buf.remaining());
            buf.put_slice(&self.bytes[..n]);
            self.bytes.drain(..n);
            Poll::Ready(Ok(self.noted))
        }
    }

    struct Bench {
        io: Stamped<Script>,
        stamps: Arc<Stamps>,
    }

    impl Bench {
        fn new() -> Self {
            let stamps = Stamps::new();
            let io = Stamped::new(Script::default(), stamps.clone());
            Self { io, stamps }
        }

        fn read(&mut self) -> Poll<usize> {
            let mut bytes = [0; 4];
            let mut buf = ReadBuf::new(&mut bytes);
            let polled = Pin::new(&mut self.io).poll_read(&mut Context::from_waker(Waker::noop()), &mut buf);
            polled.map(|_| buf.filled().len())
        }

        /// Bytes come, and the driver tells; returns when.
        fn receive(&mut self, bytes: &[u8]) -> Instant {
            self.io.socket.bytes.extend_from_slice(bytes);
            if let Some(waker) = self.io.socket.waker.take() {
                waker.wake();
            }
            Instant::now()
        }
    }

    #[test]
    fn a_read_has_the_time_of_the_wake_that_told_of_it() {
        let mut bench = Bench::new();
        assert_eq!(bench.read(), Poll::Pending);
        assert_eq!(bench.stamps.read(), None);
        let waiting = Instant::now();
        let told = bench.receive(b"abc");
        assert_eq!(bench.read(), Poll::Ready(3));
        let stamp = bench.stamps.read().unwrap();
        assert!(waiting <= stamp && stamp <= told);
    }

    #[test]
    fn where_the_wake_says_nothing_the_time_is_that_of_the_read() {
        let mut bench = Bench::new();
        bench.receive(b"a");
        let reading = Instant::now();
        assert_eq!(bench.read(), Poll::Ready(1), "never known to be empty");
        assert!(reading <= bench.stamps.read().unwrap());

        assert_eq!(bench.read(), Poll::Pending);
        let told = bench.receive(b"abcdef");
        assert_eq!(bench.read(), Poll::Ready(4));
        assert!(bench.stamps.read().unwrap() <= told);
        let reading = Instant::now();
        assert_eq!(bench.read(), Poll::Ready(2), "the rest, without another wake");
        assert!(reading <= bench.stamps.read().unwrap());
    }

    #[test]
    fn the_time_that_the_kernel_noted_goes_before_all() {
        let mut bench = Bench::new();
        let noted = Instant::now();
        bench.io.socket.noted = Some(noted);
        assert_eq!(bench.read(), Poll::Pending);
        bench.receive(b"a");
        assert_eq!(bench.read(), Poll::Ready(1));
        assert_eq!(bench.stamps.read(), Some(noted));
    }

    #[test]
    fn a_wake_that_told_of_nothing_is_forgotten() {
        let mut bench = Bench::new();
        assert_eq!(bench.read(), Poll::Pending);
        bench.receive(b"");
        assert_eq!(bench.read(), Poll::Pending);
        let waiting = Instant::now();
        bench.receive(b"a");
        assert_eq!(bench.read(), Poll::Ready(1));
        assert!(waiting <= bench.stamps.read().unwrap());
    }
}
