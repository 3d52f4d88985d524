//! Measuring connections: one kept-alive HTTP/1.1 connection for each worker, and the time of each arrival.
//!
//! What the times are:
//!
//! - *sent*: just before the first bytes of the request are handed to the socket. The connection is open by then
//!   (DNS, TCP, proxy and TLS are not in it), the request is serialized, credentials are at hand. Opening a connection
//!   anew, or waiting some milliseconds for the end of the last answer's body, delays the sending: it shows in what
//!   counts from an intended start, not in what counts from *sent*. The one thing charged to a request besides its own way is a refused ID token: the second
//!   sending's time is what [`Lane::stream`] returns, the first one and the renewal are not in it.
//! - *arrived*: when the kernel received the bytes, or where it doesn't tell, when the thread was woken for them, before
//!   any of them was read or parsed (see [`stamp`]). Several events that were read at once have the same time.
//!
//! A lane's connection is polled in the task of its request; nothing is spawned, and a streamed token costs one
//! `read`. A request is sent once. It is sent again only when not one byte of it was taken by the socket of a
//! connection that turned out to be closed, and after a refusal of the ID token, which the front end gives before
//! anything is done.

mod connection;
pub(super) mod credentials;
pub(super) mod route;
mod stamp;

use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Request, Response, Uri,
    header::{ACCEPT, CONTENT_TYPE, HOST, HeaderMap, HeaderName, HeaderValue, USER_AGENT},
};
use reqwest::Method;
use tokio::time::timeout_at;

use super::{
    Arrived, ChatRequest, Endpoint, Error, body,
    call::{Call, MAX_ERROR_BODY, compressed, no_stream, other_type, refusal},
    stream::Events,
};
use crate::http;
use connection::{Connection, NoAnswer};
use credentials::{Current, Keeper};
use route::Route;

const PATH: &str = "v1/chat/completions";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Tasks that are polled before the network is looked at again. While many streams are read, new arrivals are
/// noticed, and stamped, once in so many polls of a few microseconds each; a look that finds nothing costs about one.
const POLLS_PER_LOOK: u32 = 16;

/// A runtime for a thread that measures: one thread that looks at the network often, for the sake of the stamps.
/// Lanes work on any runtime.
///
/// # Errors
/// When the system gives no file descriptors for it.
pub fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .event_interval(POLLS_PER_LOOK)
        .build()
}

/// Makes lanes to one endpoint.
#[derive(Clone)]
pub struct Lanes(Arc<Shared>);

struct Shared {
    endpoint: Endpoint,
    route: Route,
    keeper: Keeper,
    uri: Uri,
    /// Of every request.
    headers: HeaderMap,
}

/// One connection, opened when it is needed and kept.
pub struct Lane {
    shared: Arc<Shared>,
    connection: Option<Connection>,
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
    pub async fn lanes(&self) -> Result<Lanes, Error> {
        Lanes::new(self.clone(), Route::new(&self.base)?).await
    }
}

impl Lanes {
    pub(super) async fn new(endpoint: Endpoint, route: Route) -> Result<Self, Error> {
        let bad = |e: String| Error::BadUrl(e);
        let url = endpoint.base.join(PATH).map_err(|e| bad(e.to_string()))?;
        let host = &url[url::Position::BeforeHost..url::Position::AfterPort];
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::try_from(host).map_err(|e| bad(e.to_string()))?);
        headers.insert(USER_AGENT, HeaderValue::from_static(http::USER_AGENT));
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(Self(Arc::new(Shared {
            uri: url.path().parse().map_err(|e| bad(format!("{e}")))?,
            keeper: Keeper::new(endpoint.clone()).await?,
            endpoint,
            route,
            headers,
        })))
    }

    pub fn lane(&self) -> Lane {
        Lane {
            shared: Arc::clone(&self.0),
            connection: None,
        }
    }

    /// Renews credentials in time, and when a lane says that they were refused, for as long as it is polled. It runs
    /// where the credentials' own client lives, away from the measuring thread; it never ends. While nobody polls it,
    /// a request whose ID token was refused waits for a new one until its deadline.
    pub async fn keep_fresh(&self) {
        self.0.keeper.keep_fresh().await;
    }
}

impl Lane {
    /// Opens the connection unless it is open. It is to be used within a second: servers close idle ones.
    pub async fn open(&mut self, timeout: Duration) -> Result<(), Error> {
        let call = self.call(timeout);
        let opened = timeout_at(call.deadline, self.connect(&call)).await;
        let (mut connection, _) = opened.map_err(|_| call.timed_out("no connection"))??;
        connection.begin_idling();
        self.connection = Some(connection);
        Ok(())
    }

    /// Sends a request and reads its answer to the end; `observe` gets each event with the time at which its bytes
    /// arrived. Returns when the request was handed to the connection. When it is dropped before its end, the
    /// connection is closed.
    pub async fn stream(
        &mut self,
        outgoing: &Outgoing,
        timeout: Duration,
        observe: impl FnMut(&Arrived),
    ) -> Result<Instant, Error> {
        let sent = self.exchange(outgoing, timeout, observe).await;
        sent.map_err(|error| self.shared.keeper.current().credentials.hide(error))
    }

    async fn exchange(
        &mut self,
        outgoing: &Outgoing,
        timeout: Duration,
        mut observe: impl FnMut(&Arrived),
    ) -> Result<Instant, Error> {
        let call = self.call(timeout);
        let (mut connection, response) = self.ask(&call, outgoing).await?;
        if let Some(error) = compressed(&call, response.headers()) {
            return Err(error);
        }
        if let Some(other) = other_type(response.headers()) {
            return Err(no_stream(&call, other, &head(&call, &mut connection).await));
        }
        let sent = connection.sent().unwrap_or_else(Instant::now);
        let events = Events::new(call.name.clone());
        let reading = read(&mut connection, events, &mut observe);
        let read = timeout_at(call.deadline, reading).await;
        read.map_err(|_| call.timed_out("no complete answer"))??;
        connection.finish().await;
        self.connection = Some(connection);
        Ok(sent)
    }

    fn call(&self, timeout: Duration) -> Call {
        Call::new(Method::POST, PATH, timeout, self.shared.endpoint.tempo)
    }

    /// The head of a successful answer. As in [`Endpoint::send`], an ID token that the front end takes for worthless
    /// is replaced once.
    async fn ask(&mut self, call: &Call, outgoing: &Outgoing) -> Result<(Connection, Response<()>), Error> {
        let body = Bytes::from(body(&outgoing.request.streamed()));
        let id = HeaderValue::try_from(outgoing.id.as_str()).ok();
        let shared = Arc::clone(&self.shared);
        let mut renewed = false;
        loop {
            let current = shared.keeper.current();
            let make = || shared.request(&current, id.clone(), body.clone());
            let sent = timeout_at(call.deadline, self.send(call, make)).await;
            let (mut connection, response) = sent.map_err(|_| call.timed_out("no answer"))??;
            let (status, headers) = (response.status(), response.headers());
            if status.is_success() {
                return Ok((connection, response));
            }
            let is_about_token =
                current.credentials.id_token.is_some() && shared.endpoint.is_about_id_token(status, headers);
            if is_about_token && !renewed {
                let renewal = timeout_at(call.deadline, shared.keeper.renew(&current)).await;
                renewed = renewal.map_err(|_| call.timed_out("no credentials"))??;
                if renewed {
                    self.connection = Some(connection);
                    continue;
                }
            }
            let error = refusal(call, status, headers, head(call, &mut connection)).await;
            self.connection = Some(connection);
            return Err(error);
        }
    }

    /// Sends on the open connection, or on a new one if that is closed and took nothing of the request.
    async fn send(
        &mut self,
        call: &Call,
        make: impl Fn() -> Request<Full<Bytes>>,
    ) -> Result<(Connection, Response<()>), Error> {
        loop {
            let (mut connection, is_new) = self.connect(call).await?;
            match connection.ask(make()).await {
                Ok(response) => return Ok((connection, response)),
                Err(NoAnswer { unsent: true, .. }) if !is_new => {}
                Err(NoAnswer { reason, .. }) => return Err(unreachable(call, reason)),
            }
        }
    }

    /// The connection if it can be used, else a new one, and whether it is new.
    async fn connect(&mut self, call: &Call) -> Result<(Connection, bool), Error> {
        if let Some(mut connection) = self.connection.take()
            && connection.is_usable().await
        {
            return Ok((connection, false));
        }
        let opened = Connection::open(&self.shared.route).await;
        Ok((opened.map_err(|reason| unreachable(call, reason))?, true))
    }
}

impl Shared {
    fn request(&self, current: &Current, id: Option<HeaderValue>, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        let headers = request.headers_mut();
        headers.clone_from(&self.headers);
        headers.extend(current.credentials.headers.clone());
        if let Some(id) = id {
            headers.insert(REQUEST_ID, id);
        }
        request
    }
}

/// Reads a stream up to `[DONE]`.
async fn read(
    connection: &mut Connection,
    mut events: Events,
    observe: &mut impl FnMut(&Arrived),
) -> Result<(), Error> {
    while let Some(data) = connection.data().await {
        events.feed(&data.map_err(|reason| events.broken(reason))?)?;
        let at = connection.arrived();
        while let Some(event) = events.next_event() {
            observe(&Arrived { at, event: event? });
        }
        if events.is_done() {
            return Ok(());
        }
    }
    Err(events.cut_short())
}

/// The start of a body, as [`super::call::head`] reads it.
async fn head(call: &Call, connection: &mut Connection) -> Vec<u8> {
    let mut body = Vec::new();
    while body.len() < MAX_ERROR_BODY
        && let Ok(Some(Ok(bytes))) = timeout_at(call.deadline, connection.data()).await
    {
        body.extend_from_slice(&bytes);
    }
    body.truncate(MAX_ERROR_BODY);
    body
}

fn unreachable(call: &Call, reason: String) -> Error {
    Error::Unreachable {
        request: call.name.clone(),
        reason,
    }
}
