//! Credentials of lanes.

use super::*;
use crate::endpoint::lane::{Lanes, credentials::Keeper};

fn endpoint(server: &Server, key: Option<&'static str>) -> Endpoint {
    let key = key.map(SecretString::from);
    Endpoint::new(server.url.clone(), Arc::new(Renewing::default()), key).unwrap()
}

/// One request while the credentials are kept fresh.
async fn kept(lanes: &Lanes) -> Result<Instant, Error> {
    let mut lane = lanes.lane();
    tokio::select! {
        seen = ask(&mut lane, "hi", LONG) => seen.end,
        () = lanes.keep_fresh() => unreachable!("it never ends"),
    }
}

#[tokio::test]
async fn a_refused_id_token_is_replaced_once_for_all_lanes() {
    let server = Server::start(|request| match request.contains("Bearer id-1") {
        true => stream_of(&["a"], "stop", 1),
        false => refused_token("Bearer error=\"invalid_token\""),
    })
    .await;
    for key in [None, Some("vllm-key")] {
        server.requests.lock().unwrap().clear();
        let lanes = endpoint(&server, key).lanes().await.unwrap();
        kept(&lanes).await.unwrap();
        kept(&lanes).await.unwrap();
        assert_eq!(server.seen().len(), 3, "only the first request was refused");
    }

    let never = Server::start(|_| refused_token("Bearer")).await;
    let lanes = endpoint(&never, None).lanes().await.unwrap();
    let error = kept(&lanes).await.unwrap_err();
    assert!(matches!(error, Error::Refused { status: 401, .. }), "{error}");
    assert_eq!(never.seen().len(), 2, "one renewal, no more");
}

#[tokio::test]
async fn lanes_that_are_refused_together_get_one_new_token() {
    let server = Server::start(|request| match request.contains("Bearer id-1") {
        true => stream_of(&["a"], "stop", 1),
        false => refused_token("Bearer"),
    })
    .await;
    let lanes = endpoint(&server, None).lanes().await.unwrap();
    let requests = futures::future::join_all((0..8).map(|_| async {
        let mut lane = lanes.lane();
        ask(&mut lane, "hi", LONG).await.end
    }));
    // `Renewing` fails when a token is rejected twice.
    tokio::select! {
        ends = requests => assert!(ends.iter().all(Result::is_ok)),
        () = lanes.keep_fresh() => unreachable!("it never ends"),
    }
}

#[tokio::test]
async fn without_who_renews_a_refused_token_ends_with_the_deadline() {
    let server = Server::start(|_| refused_token("Bearer")).await;
    let mut lane = endpoint(&server, None).lanes().await.unwrap().lane();
    let error = ask(&mut lane, "hi", SHORT).await.end.unwrap_err();
    assert!(error.to_string().contains("had no credentials after"), "{error}");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_key_that_vllm_refuses_costs_no_id_token() {
    let server = Server::start(|_| answer("401 Unauthorized", "application/json", "{}")).await;
    let both = endpoint(&server, Some("vllm-key"));
    for endpoint in [both.anonymous(), both] {
        let error = kept(&endpoint.lanes().await.unwrap()).await.unwrap_err();
        assert_eq!(error.status(), Some(401));
    }
    let seen = server.seen();
    assert_eq!(seen.len(), 2);
    assert!(!seen[0].contains("authorization"));
    assert!(seen[1].contains("\r\nauthorization: Bearer vllm-key\r\n"));
    assert!(seen[1].contains("\r\nx-serverless-authorization: Bearer id-0\r\n"));
}

/// Gives a token that is another one after each half a minute, as one that keeps tokens does near their end.
struct Ageing(tokio::time::Instant);

#[async_trait::async_trait]
impl Bearer for Ageing {
    async fn bearer(&self) -> Result<Option<SecretString>, String> {
        let age = self.0.elapsed().as_secs() / 45;
        Ok(Some(format!("id-{age}").into()))
    }
}

#[tokio::test(start_paused = true)]
async fn a_token_that_gets_old_is_replaced_before_it_is_refused() {
    let bearer = Arc::new(Ageing(tokio::time::Instant::now()));
    let endpoint = Endpoint::new("http://127.0.0.1".parse().unwrap(), bearer, None).unwrap();
    let keeper = Keeper::new(endpoint).await.unwrap();
    let token = || {
        let current = keeper.current();
        let token = current.credentials.id_token.as_ref().unwrap();
        token.expose_secret().to_owned()
    };
    assert_eq!(token(), "id-0");
    let wait = tokio::time::timeout(Duration::from_secs(61), keeper.keep_fresh());
    assert!(wait.await.is_err());
    assert_eq!(token(), "id-1");
}

#[tokio::test]
async fn without_credentials_there_are_no_lanes() {
    struct Nothing;
    #[async_trait::async_trait]
    impl Bearer for Nothing {
        async fn bearer(&self) -> Result<Option<SecretString>, String> {
            Err("nobody is signed in".to_owned())
        }
    }
    let endpoint = Endpoint::new("http://127.0.0.1".parse().unwrap(), Arc::new(Nothing), None).unwrap();
    let error = endpoint.lanes().await.err().unwrap().to_string();
    assert!(
        error.contains("was not sent: no credentials for the endpoint: nobody is signed in"),
        "{error}"
    );
}
