//! Pages and limits as GitHub has them.

use super::*;
use crate::tempo::Tempo;

/// A minute passes in 1.2 s.
fn hasty(server: &Server) -> GitHub {
    let mut github = server.github();
    github.tempo = Tempo::new(0.02);
    github
}

#[tokio::test]
async fn every_page_of_a_long_thread_is_read() {
    const ALL: usize = 250;
    let base: Arc<Mutex<String>> = Arc::default();
    let own = Arc::clone(&base);
    let server = Server::start(move |seen, _| {
        let query: Vec<(String, String)> = url::form_urlencoded::parse(
            seen.path
                .split_once('?')
                .map_or("", |(_, query)| query)
                .as_bytes(),
        )
        .into_owned()
        .collect();
        let number = |name: &str, default: usize| {
            query
                .iter()
                .find(|(n, _)| n == name)
                .map_or(default, |(_, v)| v.parse().unwrap())
        };
        let (size, page) = (number("per_page", 30), number("page", 1));
        let ids = (page - 1) * size..(page * size).min(ALL);
        let body = |id| {
            if id == ALL - 1 {
                format!("{MARKER}\nold")
            } else {
                format!("comment {id}")
            }
        };
        let items: Vec<Value> = ids.map(|id| comment(id as u64, &body(id))).collect();
        let next = format!(
            "<{base}/api/v3/repositories/1/issues/7/comments?per_page={size}&page={}>; rel=\"next\"",
            page + 1,
            base = own.lock().unwrap()
        );
        if page * size < ALL {
            with_header(200, "link", &next, &Value::Array(items))
        } else {
            reply(200, &Value::Array(items))
        }
    })
    .await;
    server.base.clone_into(&mut base.lock().unwrap());
    let found = server.github().find_comment(7, MARKER).await.unwrap().unwrap();
    assert_eq!(found.id, 249);
    let paths: Vec<String> = server.seen().into_iter().map(|s| s.path).collect();
    assert_eq!(paths.len(), 3, "{paths:?}");
    assert!(paths[0].contains("per_page=100"), "{paths:?}");
}

#[tokio::test]
async fn a_secondary_limit_is_waited_for_as_long_as_it_says() {
    let secondary =
        "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
    // With Retry-After, without any header, and as 429.
    for (status, header) in [(403, Some("2")), (403, None), (429, None), (429, Some("1"))] {
        let server = Server::start(move |_, before| match (before, header) {
            (0, Some(seconds)) => {
                with_header(status, "retry-after", seconds, &json!({ "message": secondary }))
            }
            (0, None) => reply(status, &json!({ "message": secondary })),
            _ => reply(200, &json!([])),
        })
        .await;
        let started = std::time::Instant::now();
        assert_eq!(hasty(&server).find_comment(7, MARKER).await.unwrap(), None);
        let seconds = header.map_or(60, |seconds| seconds.parse().unwrap());
        let least = Duration::from_secs(seconds).mul_f64(0.02);
        assert!(
            started.elapsed() >= least,
            "{status} {header:?}: {:?}",
            started.elapsed()
        );
        assert_eq!(server.count(&Method::GET), 2, "{status} {header:?}");
    }
}

#[tokio::test]
async fn a_write_that_a_limit_turned_away_is_sent_again() {
    let server = Server::start(|seen, before| match seen.method {
        Method::GET => reply(200, &json!([])),
        _ if before == 0 => with_header(
            403,
            "retry-after",
            "1",
            &json!({ "message": "secondary rate limit" }),
        ),
        _ => reply(201, &written(seen, 3)),
    })
    .await;
    let made = hasty(&server).create_comment(7, MARKER).await.unwrap();
    assert_eq!((made.id, server.count(&Method::POST)), (3, 2));
}

#[tokio::test]
async fn a_used_up_limit_is_waited_for_only_when_it_is_soon_over() {
    let used_up = |after: i64| {
        let reset = (chrono::Utc::now().timestamp() + after).to_string();
        (
            StatusCode::FORBIDDEN,
            [
                ("x-ratelimit-remaining", "0".to_owned()),
                ("x-ratelimit-reset", reset),
            ],
            json!({ "message": "API rate limit exceeded for installation ID 1." }).to_string(),
        )
            .into_response()
    };
    let server = Server::start(move |_, before| match before {
        0 => used_up(5),
        _ => reply(200, &json!([])),
    })
    .await;
    assert_eq!(hasty(&server).find_comment(7, MARKER).await.unwrap(), None);
    let server = Server::start(move |_, _| used_up(3000)).await;
    let error = hasty(&server).find_comment(7, MARKER).await.unwrap_err();
    assert!(
        matches!(error, Error::RateLimited { wait, .. } if wait > Duration::from_secs(2900)),
        "{error}"
    );
    assert_eq!(server.count(&Method::GET), 1, "an hour is not waited for");
}

#[tokio::test]
async fn a_refusal_that_is_no_limit_is_not_repeated() {
    let message = "Resource not accessible by integration";
    let server = Server::start(move |_, _| {
        with_header(
            403,
            "x-ratelimit-remaining",
            "4000",
            &json!({ "message": message }),
        )
    })
    .await;
    let error = hasty(&server).find_comment(7, MARKER).await.unwrap_err();
    assert_eq!((error.http_status(), server.count(&Method::GET)), (Some(403), 1));
}

#[tokio::test]
async fn an_answer_of_any_size_costs_no_more_memory_than_the_limit() {
    let long = json!([comment(1, &"x".repeat(5000))]);
    let server = Server::start(move |_, _| reply(200, &long)).await;
    let mut github = server.github();
    assert!(github.find_comment(7, MARKER).await.is_ok());
    github.most = 4096;
    let error = github.find_comment(7, MARKER).await.unwrap_err().to_string();
    assert!(error.contains("larger than 4.1 kB"), "{error}");
    // Neither is a second try.
    assert_eq!(server.count(&Method::GET), 2);
}
