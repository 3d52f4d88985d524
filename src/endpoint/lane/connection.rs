//! One HTTP/1.1 connection that lives in the task of its request.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::task::AtomicWaker;
use http_body_util::Full;
use hyper::{
    Request, Response,
    body::{Body as _, Incoming},
    client::conn::http1,
};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use super::{
    route::{Route, Stream},
    stamp::Stamps,
};
use crate::endpoint::error::chain;

/// A connection that was idle for longer isn't used: uvicorn closes it after five seconds, and a request that meets
/// the closing is lost.
const IDLE: Duration = Duration::from_secs(4);
/// How long the end of an answer's body may take to follow `[DONE]`, before the next request.
const DRAIN: Duration = Duration::from_millis(20);
/// Most bytes of one read, and of an answer's head. hyper's own limit, 400 KiB a connection, is much for a thousand.
const BUFFER: usize = 32 << 10;
/// Rounds of one poll before others have their turn.
const ROUNDS: usize = 32;

type Driver = http1::Connection<TokioIo<Box<dyn Stream>>, Full<Bytes>>;

/// An open connection. Dropping it closes it, and ends the answer that is under way.
pub struct Connection {
    requests: http1::SendRequest<Full<Bytes>>,
    driver: Driver,
    closed: bool,
    /// The body that is being read, or was not read to its end.
    body: Option<Incoming>,
    stamps: Arc<Stamps>,
    turns: Arc<Turns>,
    waker: Waker,
    used: Instant,
}

/// Why there is no answer.
pub struct NoAnswer {
    pub reason: String,
    /// No byte of the request was taken by the socket: it may be sent again.
    pub unsent: bool,
}

impl Connection {
    pub async fn open(route: &Route) -> Result<Self, String> {
        let stamps = Stamps::new();
        let stream = route.connect(&stamps).await?;
        let mut http = http1::Builder::new();
        let handshake = http.max_buf_size(BUFFER).handshake(TokioIo::new(stream));
        let (requests, driver) = handshake.await.map_err(|e| chain(&e))?;
        let turns = Arc::new(Turns::default());
        Ok(Self {
            requests,
            driver,
            closed: false,
            body: None,
            stamps,
            waker: Waker::from(Arc::clone(&turns)),
            turns,
            used: Instant::now(),
        })
    }

    /// Whether the next request can go this way. Reads what is left of the last answer, for a short time.
    pub async fn is_usable(&mut self) -> bool {
        if self.used.elapsed() > IDLE {
            return false;
        }
        let rest = async { while let Some(Ok(_)) = self.data().await {} };
        if timeout(DRAIN, rest).await.is_err() {
            return false;
        }
        // Polls the driver, which sees that the server has closed.
        let ready = self.drive(|this, cx| this.requests.poll_ready(cx));
        let ready = matches!(timeout(DRAIN, ready).await, Ok(Ok(())));
        ready && !self.closed
    }

    /// From now on counts the time after which it isn't used any more.
    pub fn begin_idling(&mut self) {
        self.used = Instant::now();
    }

    /// Sends a request and waits for the head of its answer.
    pub async fn ask(&mut self, request: Request<Full<Bytes>>) -> Result<Response<()>, NoAnswer> {
        self.stamps.expect_write();
        let mut response = std::pin::pin!(self.requests.send_request(request));
        match self.drive(|_, cx| response.as_mut().poll(cx)).await {
            Ok(response) => {
                let (head, body) = response.into_parts();
                self.body = Some(body);
                Ok(Response::from_parts(head, ()))
            }
            Err(error) => Err(NoAnswer {
                reason: chain(&error),
                unsent: self.sent().is_none(),
            }),
        }
    }

    /// When the last request's first bytes were handed to the socket.
    pub fn sent(&self) -> Option<Instant> {
        self.stamps.written()
    }

    /// When the bytes that came last had come.
    pub fn arrived(&self) -> Instant {
        self.stamps.read().unwrap_or_else(Instant::now)
    }

    /// The next bytes of the answer's body; `None` at its end.
    pub async fn data(&mut self) -> Option<Result<Bytes, String>> {
        self.body.as_ref()?;
        self.drive(Self::poll_data).await
    }

    /// Reads the end of the body if it is there already.
    pub async fn finish(&mut self) {
        let once = self.drive(|this, cx| Poll::Ready(this.poll_data(cx)));
        let _ = once.await;
        self.used = Instant::now();
    }

    fn poll_data(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, String>>> {
        while let Some(body) = &mut self.body {
            let frame = match Pin::new(body).poll_frame(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(Ok(frame))) => frame,
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(chain(&error)))),
                Poll::Ready(None) => {
                    self.body = None;
                    self.used = Instant::now();
                    break;
                }
            };
            if let Ok(data) = frame.into_data() {
                return Poll::Ready(Some(Ok(data)));
            }
        }
        Poll::Ready(None)
    }

    /// Polls the connection and then `step`, in turn, until `step` is ready or both wait for the network.
    ///
    /// They wake each other through channels of hyper's. Their waker is one that knows when they are being polled,
    /// and then just asks for another round: the task itself is woken by the network and the clock only.
    async fn drive<T>(&mut self, mut step: impl FnMut(&mut Self, &mut Context<'_>) -> Poll<T>) -> T {
        poll_fn(|cx| {
            self.turns.task.register(cx.waker());
            let waker = self.waker.clone();
            let inner = &mut Context::from_waker(&waker);
            for _ in 0..ROUNDS {
                self.turns.begin();
                if !self.closed {
                    // An error goes to the request as well.
                    self.closed = Pin::new(&mut self.driver).poll(inner).is_ready();
                }
                let stepped = step(self, inner);
                let again = self.turns.end();
                if stepped.is_ready() || !again {
                    return stepped;
                }
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await
    }
}

/// Whether a waking means another round or a waking of the task.
#[derive(Default)]
struct Turns {
    task: AtomicWaker,
    polling: AtomicBool,
    again: AtomicBool,
}

impl Turns {
    fn begin(&self) {
        self.again.store(false, SeqCst);
        self.polling.store(true, SeqCst);
    }

    /// Whether another round was asked for. A waker sets `again` before it looks at `polling`, and this is the other
    /// way round, so none is lost.
    fn end(&self) -> bool {
        self.polling.store(false, SeqCst);
        self.again.swap(false, SeqCst)
    }
}

impl Wake for Turns {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.again.store(true, SeqCst);
        if !self.polling.load(SeqCst) {
            self.task.wake();
        }
    }
}
