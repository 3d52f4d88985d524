use serde_json::json;

use crate::testing::{Answer, Bench};

const BUCKETS: &str = "/storage/storage/v1/b?project=demo-project";

async fn with_bucket() -> Bench {
    let bench = Bench::start().await;
    let sent = json!({"name": "logs-bucket", "location": "europe-west4"});
    assert_eq!(bench.post(BUCKETS, &sent).await.status, 200);
    bench
}

async fn upload(bench: &Bench, query: &str, content_type: &str, body: &str) -> Answer {
    let path = format!("/storage/upload/storage/v1/b/logs-bucket/o?{query}");
    let headers = [("content-type", content_type)];
    bench.raw("POST", &path, &headers, Some(body.into())).await
}

fn reason(answer: &Answer) -> &str {
    answer.json["error"]["errors"][0]["reason"].as_str().unwrap_or("")
}

#[tokio::test]
async fn a_bucket_is_created_once_and_read_back() {
    let bench = with_bucket().await;
    let read = bench.get("/storage/storage/v1/b/logs-bucket").await.json;
    assert_eq!(read["location"], "EUROPE-WEST4");
    assert_eq!(read["projectNumber"], crate::PROJECT_NUMBER);
    let again = bench.post(BUCKETS, &json!({"name": "logs-bucket"})).await;
    assert_eq!((again.status, reason(&again)), (409, "conflict"));
    for bad in ["ab", "Upper", "-x-", "goog-logs", "a..b", "my-google-x"] {
        let answer = bench.post(BUCKETS, &json!({ "name": bad })).await;
        assert_eq!((answer.status, reason(&answer)), (400, "invalid"), "{bad}");
    }
    let missing = bench.get("/storage/storage/v1/b/nothing").await;
    assert_eq!((missing.status, reason(&missing)), (404, "notFound"));
}

#[tokio::test]
async fn somebody_elses_bucket_is_neither_shown_nor_given_away() {
    let bench = Bench::start().await;
    bench.running.emulator.storage.add_foreign_bucket("taken");
    let read = bench.get("/storage/storage/v1/b/taken").await;
    assert_eq!((read.status, reason(&read)), (403, "forbidden"));
    assert_eq!(bench.post(BUCKETS, &json!({"name": "taken"})).await.status, 409);
    assert!(!bench.running.emulator.storage.bucket_exists("taken"));
}

#[tokio::test]
async fn an_upload_that_must_be_new_does_not_replace() {
    let bench = with_bucket().await;
    let query = "uploadType=media&name=source%2Fa.tgz&ifGenerationMatch=0";
    let first = upload(&bench, query, "application/gzip", "abc").await;
    assert_eq!(first.status, 200, "{}", first.text);
    assert_eq!(first.json["size"], "3");
    let second = upload(&bench, query, "application/gzip", "xyz").await;
    assert_eq!((second.status, reason(&second)), (412, "conditionNotMet"));
    let held = bench.running.emulator.storage.get("logs-bucket", "source/a.tgz");
    assert_eq!(held.as_deref(), Some(&b"abc"[..]));
}

#[tokio::test]
async fn a_multipart_upload_brings_its_metadata() {
    let bench = with_bucket().await;
    let body = "--B\r\nContent-Type: application/json\r\n\r\n{\"name\":\"n\",\"metadata\":{\"k\":\"v\"}}\r\n--B\r\nContent-Type: text/plain\r\n\r\none\r\ntwo\r\n--B--\r\n";
    let sent = upload(
        &bench,
        "uploadType=multipart",
        "multipart/related; boundary=\"B\"",
        body,
    )
    .await;
    assert_eq!(sent.status, 200, "{}", sent.text);
    assert_eq!(
        (
            &sent.json["name"],
            &sent.json["contentType"],
            &sent.json["metadata"]
        ),
        (&json!("n"), &json!("text/plain"), &json!({"k": "v"}))
    );
    let read = bench.get("/storage/storage/v1/b/logs-bucket/o/n?alt=media").await;
    assert_eq!(read.text, "one\r\ntwo");
}

#[tokio::test]
async fn a_growing_log_is_read_by_range() {
    let bench = with_bucket().await;
    let by_json = "/storage/storage/v1/b/logs-bucket/o/logs%2Flog-1.txt?alt=media";
    let plain = "/storage/logs-bucket/logs/log-1.txt";
    for path in [by_json, plain] {
        assert_eq!(bench.get(path).await.status, 404, "{path}");
    }
    let storage = &bench.running.emulator.storage;
    assert!(storage.append("logs-bucket", "logs/log-1.txt", b"first\n"));
    assert!(!storage.append("nothing", "logs/log-1.txt", b"first\n"));
    for path in [by_json, plain] {
        for (range, status, text, content_range) in [
            ("bytes=0-", 206, "first\n", "bytes 0-5/6"),
            ("bytes=2-3", 206, "rs", "bytes 2-3/6"),
            ("bytes=-2", 206, "t\n", "bytes 4-5/6"),
            ("bytes=4-99", 206, "t\n", "bytes 4-5/6"),
            ("lines=1", 200, "first\n", ""),
        ] {
            let answer = bench.raw("GET", path, &[("range", range)], None).await;
            assert_eq!(
                (answer.status, answer.text.as_str()),
                (status, text),
                "{path} {range}"
            );
            let header = answer.headers.get("content-range");
            assert_eq!(header.map_or("", |h| h.to_str().unwrap()), content_range);
        }
        let end = bench.raw("GET", path, &[("range", "bytes=6-")], None).await;
        assert_eq!(
            (end.status, end.headers["content-range"].to_str().unwrap()),
            (416, "bytes */6")
        );
    }
}

#[tokio::test]
async fn a_list_has_folders_and_pages() {
    let bench = with_bucket().await;
    for name in ["a/1", "a/2", "b/1", "c"] {
        upload(
            &bench,
            &format!("uploadType=media&name={name}"),
            "text/plain",
            "x",
        )
        .await;
    }
    let root = "/storage/storage/v1/b/logs-bucket/o";
    let folders = bench.get(&format!("{root}?delimiter=/")).await.json;
    assert_eq!(folders["prefixes"], json!(["a/", "b/"]));
    assert_eq!(folders["items"][0]["name"], "c");
    let mut names = Vec::new();
    let mut token = String::new();
    loop {
        let page = bench
            .get(&format!("{root}?maxResults=1&prefix=a/&pageToken={token}"))
            .await
            .json;
        names.push(page["items"][0]["name"].as_str().unwrap().to_owned());
        match page["nextPageToken"].as_str() {
            Some(next) => token = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(names, ["a/1", "a/2"]);
}

#[tokio::test]
async fn a_policy_with_an_old_etag_is_refused() {
    let bench = with_bucket().await;
    let path = "/storage/storage/v1/b/logs-bucket/iam";
    let mut policy = bench.get(path).await.json;
    policy["bindings"] = json!([{"role": "roles/storage.objectViewer", "members": ["allUsers"]}]);
    let set = bench.send("PUT", path, Some(&policy)).await;
    assert_eq!(set.status, 200, "{}", set.text);
    assert_eq!(
        bench.get(path).await.json["bindings"][0]["members"][0],
        "allUsers"
    );
    assert_eq!(bench.send("PUT", path, Some(&policy)).await.status, 412);
}

#[tokio::test]
async fn anonymous_callers_and_unknown_tokens_are_401() {
    let mut bench = with_bucket().await;
    bench.token = None;
    let write = bench.post(BUCKETS, &json!({"name": "another"})).await;
    assert_eq!((write.status, reason(&write)), (401, "required"));
    let read = bench.get("/storage/storage/v1/b/logs-bucket").await;
    assert_eq!((read.status, reason(&read)), (401, "required"));
    bench.token = Some("stale".into());
    let read = bench.get("/storage/storage/v1/b/logs-bucket").await;
    assert_eq!((read.status, reason(&read)), (401, "authError"));
    assert_eq!(bench.get("/storage/logs-bucket/x").await.status, 401);
}
