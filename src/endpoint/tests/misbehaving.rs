//! Refusals, broken streams and hostile servers.

use super::*;

#[tokio::test]
async fn refusals_quote_the_server_and_name_the_request() {
    let cases: [(Script, u16, &str); 7] = [
        (
            once(fixture!("err_chat_noauth_stream.response.http")),
            401,
            "Unauthorized",
        ),
        (
            once(fixture!("err_unknown_model_stream.response.http")),
            404,
            "Valid aliases: Qwen/Qwen3.5-4B",
        ),
        (
            once(fixture!("err_max_tokens_zero.response.http")),
            400,
            "max_tokens must be at least 1",
        ),
        (
            answer(
                "503 Service Unavailable",
                "text/html",
                "<html><title>503 Server Error</title><p>later</html>",
            ),
            503,
            "503 Server Error later",
        ),
        (
            answer(
                "429 Too Many Requests",
                "text/plain",
                "The request was aborted because there was no available instance.",
            ),
            429,
            "no available instance",
        ),
        (
            answer(
                "302 Found\r\nlocation: https://accounts.example/login?state=s3cret",
                "text/html",
                "",
            ),
            302,
            "https://accounts.example/login; redirects",
        ),
        (
            answer("500 Internal Server Error", "text/plain", ""),
            500,
            "(empty answer)",
        ),
    ];
    for (script, status, message) in cases {
        let script = std::sync::Mutex::new(Some(script));
        let server = Server::start(move |_| script.lock().unwrap().take().unwrap()).await;
        let error = server
            .endpoint(Some("t0ken"))
            .chat_stream(&request(), LONG)
            .await
            .err()
            .unwrap();
        assert_eq!(error.status(), Some(status), "{error}");
        let text = error.to_string();
        assert!(text.contains(message), "{text}");
        assert!(
            text.starts_with("POST /v1/chat/completions was answered with status"),
            "{text}"
        );
        assert!(!format!("{error:?}{text}").contains("t0ken") && !text.contains("s3cret"));
        assert_eq!(error.is_passing(), matches!(status, 429 | 500 | 503));
        assert_eq!(
            server.seen().len(),
            1,
            "a request is sent once, redirects are not followed"
        );
    }
}

#[tokio::test]
async fn streams_that_end_badly_are_errors() {
    let token = testing::token("hi");
    let error_object = r#"{"error":{"message":"EngineCore died","type":"InternalServerError","code":500}}"#;
    let cases: Vec<(Script, &str)> = vec![
        (sse(&[&token]), "ended without `data: [DONE]`"),
        (
            sse(&[&token, error_object, "[DONE]"]),
            "inside the stream: EngineCore died",
        ),
        (
            sse(&[&token, "oops"]),
            "not what an OpenAI-compatible server sends",
        ),
        (sse(&[&token, r#"{"hello":1}"#]), "neither choices nor usage"),
        (
            once(format!(
                "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: 999\r\n\r\ndata: {token}\n\n"
            )),
            "the answer broke off",
        ),
    ];
    for (script, message) in cases {
        let script = std::sync::Mutex::new(Some(script));
        let server = Server::start(move |_| script.lock().unwrap().take().unwrap()).await;
        let stream = server.endpoint(None).chat_stream(&request(), LONG).await.unwrap();
        let (read, error) = collect(stream).await;
        let text = error.unwrap().to_string();
        assert!(text.contains(message), "{text}");
        assert!(read.contains("\"hi\""), "what came before counts: {read}");
    }
    let server = Server::start(|_| json(r#"{"choices":[]}"#)).await;
    let error = server
        .endpoint(None)
        .chat_stream(&request(), LONG)
        .await
        .err()
        .unwrap()
        .to_string();
    assert!(
        error.contains("content type `application/json` instead of an event stream"),
        "{error}"
    );
}

#[tokio::test]
async fn hostile_servers_are_cut_off() {
    let head = |kind: &str| format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\n\r\n").into_bytes();
    let server = Server::start(move |request| match request {
        r if r.contains("silent") => Script::Silent,
        r if r.contains("close") => Script::Close,
        r if r.contains("drip") => Script::Endless(head("text/event-stream"), b": ping\n\n".repeat(8)),
        r if r.contains("\"stream\":true") => Script::Endless(head("text/event-stream"), vec![b'x'; 1 << 16]),
        r if r.starts_with("GET /health") => {
            Script::Endless(b"HTTP/1.1 500 Oops\r\n\r\n".to_vec(), vec![b'x'; 1 << 16])
        }
        _ => Script::Endless(head("application/json"), vec![b' '; 1 << 16]),
    })
    .await;
    let endpoint = server.endpoint(None);
    let ask = |prompt: &str| ChatRequest::user("m", prompt, 1);

    assert!(matches!(
        endpoint.models(LONG).await,
        Err(Error::TooLarge { limit: MAX_BODY, .. })
    ));
    assert_eq!(endpoint.health(LONG).await.unwrap_err().status(), Some(500));
    let stream = endpoint.chat_stream(&ask("x"), LONG).await.unwrap();
    assert!(matches!(
        collect(stream).await.1,
        Some(Error::TooLarge {
            limit: sse::MAX_LINE,
            ..
        })
    ));
    let stream = endpoint.chat_stream(&ask("drip"), SHORT).await.unwrap();
    let error = collect(stream).await.1.unwrap();
    assert!(
        error.is_timeout() && error.to_string().contains("no complete answer after 0.6 s"),
        "{error}"
    );
    let error = endpoint.chat(&ask("silent"), SHORT).await.unwrap_err();
    assert!(
        error.is_timeout() && error.to_string().contains("had no answer after 0.6 s"),
        "{error}"
    );
    let error = endpoint.chat(&ask("close"), LONG).await.unwrap_err();
    assert!(
        matches!(error, Error::Unreachable { .. }) && error.is_passing(),
        "{error}"
    );
}
