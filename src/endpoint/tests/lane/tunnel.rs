//! TLS, through a proxy.

use std::sync::Mutex;

use hyper_util::client::proxy::matcher::Matcher;
use llm_deploy_emulator::certificate::{Certificate, generate};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;
use crate::endpoint::lane::{Lanes, route::Route};

/// A proxy that answers CONNECT with `answer` and is the server itself. Returns its address and what it was asked.
async fn proxy(certificate: &Certificate, answer: &'static str) -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (seen, acceptor) = (
        asked.clone(),
        tokio_rustls::TlsAcceptor::from(certificate.server.clone()),
    );
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut bytes = [0; 1024];
            let n = socket.read(&mut bytes).await.unwrap();
            seen.lock()
                .unwrap()
                .push(String::from_utf8_lossy(&bytes[..n]).into_owned());
            socket.write_all(answer.as_bytes()).await.unwrap();
            let Ok(mut stream) = acceptor.accept(socket).await else {
                continue;
            };
            while let Ok(1..) = stream.read(&mut bytes).await {
                let Script::KeepAlive(answer) = stream_of(&["a"], "stop", 1) else {
                    unreachable!()
                };
                stream.write_all(&answer).await.unwrap();
            }
        }
    });
    (address, asked)
}

fn trusting(certificates: &[&Certificate]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        let der = CertificateDer::from_pem_slice(certificate.pem.as_bytes()).unwrap();
        roots.add(der).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider);
    let builder = builder.with_safe_default_protocol_versions().unwrap();
    builder.with_root_certificates(roots).with_no_client_auth()
}

async fn lane(proxy: &str, config: ClientConfig) -> Lane {
    let base = Url::parse("https://run.googleapis.com/").unwrap();
    let proxies = Matcher::builder().https(format!("http://me:pw@{proxy}")).build();
    let route = Route::through(&base, &proxies, || Ok(config)).unwrap();
    let endpoint = Endpoint::new(base, Arc::new(Fixed(None)), None).unwrap();
    Lanes::new(endpoint, route).await.unwrap().lane()
}

#[tokio::test]
async fn https_goes_through_the_proxy_on_one_connection() {
    let certificate = generate().unwrap();
    let (address, asked) = proxy(&certificate, "HTTP/1.1 200 OK\r\n\r\n").await;
    let mut lane = lane(&address, trusting(&[&certificate])).await;
    let before = Instant::now();
    for _ in 0..3 {
        let seen = ask(&mut lane, "hi", LONG).await;
        let sent = seen.end.unwrap();
        assert!(before < sent && sent <= seen.events[0].at);
    }
    let asked = asked.lock().unwrap();
    let [asked] = asked.as_slice() else {
        panic!("{asked:?}");
    };
    assert!(
        asked.starts_with("CONNECT run.googleapis.com:443 HTTP/1.1\r\n"),
        "{asked}"
    );
    assert!(asked.contains("proxy-authorization: Basic bWU6cHc="), "{asked}");
}

#[tokio::test]
async fn a_proxy_that_refuses_and_a_server_that_nobody_vouches_for_are_unreachable() {
    let (certificate, other) = (generate().unwrap(), generate().unwrap());
    let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
    for (answer, words) in [
        (
            refusal,
            "no connection: the proxy answered CONNECT with status 407",
        ),
        (
            "HTTP/1.1 200 OK\r\n\r\n",
            "no connection: invalid peer certificate",
        ),
    ] {
        let (address, asked) = proxy(&certificate, answer).await;
        let mut lane = lane(&address, trusting(&[&other])).await;
        let error = lane.open(LONG).await.unwrap_err();
        let text = error.to_string();
        assert!(
            matches!(error, Error::Unreachable { .. }) && text.contains(words),
            "{text}"
        );
        assert!(!text.contains("pw"), "{text}");
        assert_eq!(asked.lock().unwrap().len(), 1);
    }
}
