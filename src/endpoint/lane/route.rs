//! How a connection is made: address, proxy, TLS.

use std::{error::Error as StdError, sync::Arc};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::{
    Request,
    client::conn::http1,
    header::{HOST, HeaderValue, PROXY_AUTHORIZATION},
};
use hyper_util::{
    client::proxy::matcher::{Intercept, Matcher},
    rt::TokioIo,
};
use rustls::{ClientConfig, pki_types::ServerName};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use url::Url;

use super::stamp::{Stamped, Stamps};
use crate::{
    arrival,
    endpoint::{CONNECT, Error, error},
};

/// An open connection, whatever it goes through.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

type Failure = Box<dyn StdError + Send + Sync>;

/// The way to the server.
pub struct Route {
    host: String,
    port: u16,
    tls: Option<Tls>,
    proxy: Option<Intercept>,
}

#[derive(Clone)]
struct Tls {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl Route {
    /// As the system and the environment (`HTTPS_PROXY`, `NO_PROXY`) have it. Plain http, which is for loopback,
    /// goes through no proxy.
    pub fn new(base: &Url) -> Result<Self, Error> {
        Self::through(base, &Matcher::from_system(), system_tls)
    }

    /// `tls` is called for https only.
    pub fn through(
        base: &Url,
        proxies: &Matcher,
        tls: impl FnOnce() -> Result<ClientConfig, rustls::Error>,
    ) -> Result<Self, Error> {
        let client = |e: &dyn StdError| Error::Client(error::chain(e));
        let host = base.host_str().unwrap_or("");
        let host = host.trim_matches(['[', ']']).to_owned();
        let mut route = Self {
            port: base.port_or_known_default().unwrap_or(443),
            host,
            tls: None,
            proxy: None,
        };
        if base.scheme() == "https" {
            let name = ServerName::try_from(route.host.clone()).map_err(|e| client(&e))?;
            let config = tls().map_err(|e| client(&e))?;
            route.tls = Some(Tls {
                connector: TlsConnector::from(Arc::new(config)),
                name,
            });
            let target = base.as_str().parse().map_err(|e| client(&e))?;
            route.proxy = proxies.intercept(&target);
        }
        Ok(route)
    }

    /// A connection that is ready for HTTP.
    pub async fn connect(&self, stamps: &Arc<Stamps>) -> Result<Box<dyn Stream>, String> {
        match timeout(CONNECT, self.try_connect(stamps)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(e)) => Err(format!("no connection: {}", error::chain(&*e))),
            Err(_) => Err(format!("no connection after {} s", CONNECT.as_secs())),
        }
    }

    async fn try_connect(&self, stamps: &Arc<Stamps>) -> Result<Box<dyn Stream>, Failure> {
        let stream: Box<dyn Stream> = match &self.proxy {
            Some(proxy) => self.tunnel(proxy, stamps).await?,
            None => Box::new(dial(&self.host, self.port, stamps).await?),
        };
        Ok(match &self.tls {
            Some(tls) => Box::new(tls.connector.connect(tls.name.clone(), stream).await?),
            None => stream,
        })
    }

    /// A connection through an HTTP proxy (RFC 9110, 9.3.6).
    async fn tunnel(&self, proxy: &Intercept, stamps: &Arc<Stamps>) -> Result<Box<dyn Stream>, Failure> {
        let scheme = proxy.uri().scheme_str().unwrap_or("http");
        let (host, port) = (proxy.uri().host().unwrap_or(""), proxy.uri().port_u16());
        let stream: Box<dyn Stream> = match (scheme, &self.tls) {
            ("http", _) => Box::new(dial(host, port.unwrap_or(80), stamps).await?),
            ("https", Some(tls)) => {
                let name = ServerName::try_from(host.to_owned())?;
                let socket = dial(host, port.unwrap_or(443), stamps).await?;
                Box::new(tls.connector.connect(name, socket).await?)
            }
            _ => return Err(format!("the proxy's scheme `{scheme}` is not http or https").into()),
        };
        let target = match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        };
        ask_for_tunnel(stream, &target, proxy.basic_auth()).await
    }
}

async fn ask_for_tunnel(
    stream: Box<dyn Stream>,
    target: &str,
    authorization: Option<&HeaderValue>,
) -> Result<Box<dyn Stream>, Failure> {
    let mut request = Request::connect(target).header(HOST, target);
    if let Some(value) = authorization {
        request = request.header(PROXY_AUTHORIZATION, value);
    }
    let request = request.body(Empty::<Bytes>::new())?;
    let (mut requests, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let mut connection = std::pin::pin!(connection.without_shutdown());
    let response = requests.send_request(request);
    let mut response = std::pin::pin!(response);
    let mut parts = None;
    let response = loop {
        tokio::select! {
            biased;
            response = &mut response => break response?,
            ended = &mut connection, if parts.is_none() => parts = Some(ended?),
        }
    };
    if !response.status().is_success() {
        return Err(format!("the proxy answered CONNECT with status {}", response.status()).into());
    }
    let parts = match parts {
        Some(parts) => parts,
        None => connection.await?,
    };
    Ok(parts.io.into_inner())
}

async fn dial(host: &str, port: u16, stamps: &Arc<Stamps>) -> Result<Stamped<TcpStream>, Failure> {
    let socket = TcpStream::connect((host, port)).await?;
    socket.set_nodelay(true)?;
    arrival::note(&socket);
    Ok(Stamped::new(socket, Arc::clone(stamps)))
}

/// Trusts what the system trusts.
fn system_tls() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?;
    let mut config = config.with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
