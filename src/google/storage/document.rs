//! A small object that is read and written whole. Nobody's write is lost when several write at once: each names the
//! generation that it replaces. <https://cloud.google.com/storage/docs/request-preconditions>

use bytes::Bytes;
use serde::Deserialize;

use super::{object_path, upload_request};
use crate::{
    environment::Api,
    google::{client::Client, error::Error, request::Request},
};

/// What an object holds, and which of its versions that is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    pub body: Bytes,
    pub generation: String,
    /// False when it holds more than was wanted, of which this is the beginning.
    pub is_whole: bool,
}

/// What came of a [`replace`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    Written,
    /// Somebody else wrote or deleted the object since it was read: nothing was written.
    Overtaken,
}

/// The object as it is now; `None` when there is none, or no such bucket.
///
/// No more than `most` bytes are read, and one to see whether there are more.
///
/// # Errors
/// As for every request.
pub async fn read(c: &Client, bucket: &str, object: &str, most: usize) -> Result<Option<Document>, Error> {
    let what = format!("read `{object}` from the bucket `{bucket}`");
    let mut request =
        Request::get(Api::Storage, object_path(bucket, object), what.clone()).query("alt", "media");
    // One more than is wanted shows that there is more.
    request.range = Some((0, most as u64));
    let response = c.send(request, &[404, 416]).await?;
    let mut body = match response.status {
        404 => return Ok(None),
        // An empty object has no range at all.
        416 => return empty(c, bucket, object).await,
        _ => response.body,
    };
    let is_whole = body.len() <= most;
    body.truncate(most);
    let generation = response.headers.get("x-goog-generation");
    match generation.and_then(|value| value.to_str().ok()) {
        Some(generation) => Ok(Some(Document {
            body,
            generation: generation.to_owned(),
            is_whole,
        })),
        None => Err(Error::Decode {
            what,
            host: Api::Storage.host().to_owned(),
            reason: "it names no generation".to_owned(),
        }),
    }
}

async fn empty(c: &Client, bucket: &str, object: &str) -> Result<Option<Document>, Error> {
    #[derive(Deserialize)]
    struct Object {
        generation: String,
    }
    let what = format!("look at `{object}` in the bucket `{bucket}`");
    let found: Option<Object> = c
        .find(Request::get(Api::Storage, object_path(bucket, object), what))
        .await?;
    Ok(found.map(|object| Document {
        body: Bytes::new(),
        generation: object.generation,
        is_whole: true,
    }))
}

/// Writes the object in place of generation `over`, or where there was none.
///
/// When it is unknown whether a write had its effect, the object is read back: what it holds tells.
pub async fn replace(
    c: &Client,
    bucket: &str,
    object: &str,
    content: (&str, Bytes),
    over: Option<&str>,
) -> Result<Replaced, Error> {
    let wanted = content.1.clone();
    let request = upload_request(bucket, object, content, over.unwrap_or("0"));
    let there = || async {
        let found = read(c, bucket, object, wanted.len()).await?;
        Ok(found
            .filter(|found| found.is_whole && found.body == wanted)
            .map(drop))
    };
    match c.write::<serde_json::Value, (), _>(&request, there).await {
        Ok(_) => Ok(Replaced::Written),
        Err(error) if error.is_conflict() => Ok(Replaced::Overtaken),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::google::testing::{Scripted, Server, answer, raw};

    const OBJECT: &str = "history/r/qwen.jsonl";

    fn holding(status: u16, body: &str) -> Scripted {
        raw(status, body).header("x-goog-generation", "7")
    }

    async fn found(script: Vec<Scripted>) -> Result<Option<Document>, Error> {
        let server = Server::script(script).await;
        read(&server.client(), "b", OBJECT, 4).await
    }

    async fn written(over: Option<&str>, script: Vec<Scripted>) -> (Result<Replaced, Error>, Vec<String>) {
        let server = Server::script(script).await;
        let content = ("text/plain", Bytes::from("new"));
        let done = replace(&server.client(), "b", OBJECT, content, over).await;
        (done, server.lines())
    }

    #[tokio::test]
    async fn an_object_is_read_with_its_generation_and_no_further_than_is_wanted() {
        let document = found(vec![holding(206, "abcd")]).await.unwrap().unwrap();
        assert_eq!(
            (&document.body[..], document.generation.as_str()),
            (&b"abcd"[..], "7")
        );
        assert_eq!(found(vec![raw(404, "")]).await.unwrap(), None);
        assert!(document.is_whole);
        let larger = found(vec![holding(206, "abcde")]).await.unwrap().unwrap();
        assert_eq!((&larger.body[..], larger.is_whole), (&b"abcd"[..], false));
        assert_eq!(larger.generation, "7", "it can be replaced");
        let error = found(vec![raw(200, "ab")]).await.unwrap_err();
        assert!(error.to_string().contains("no generation"), "{error}");
        let server = Server::script(vec![holding(200, "x")]).await;
        read(&server.client(), "b", OBJECT, 4).await.unwrap();
        assert_eq!(server.asked()[0].header("range"), "bytes=0-4");
    }

    #[tokio::test]
    async fn an_empty_object_is_an_object() {
        let document = found(vec![raw(416, ""), answer(200, json!({"generation": "9"}))]).await;
        let document = document.unwrap().unwrap();
        assert_eq!((document.body.len(), document.generation.as_str()), (0, "9"));
    }

    #[tokio::test]
    async fn a_write_names_what_it_replaces_and_gives_way_to_somebody_elses() {
        let (done, lines) = written(None, vec![answer(200, json!({}))]).await;
        assert_eq!(done.unwrap(), Replaced::Written);
        assert_eq!(
            lines,
            [
                "POST /upload/storage/v1/b/b/o?uploadType=media&name=history%2Fr%2Fqwen.jsonl&ifGenerationMatch=0"
            ]
        );
        let refused = json!({"error": {"code": 412, "errors": [{"reason": "conditionNotMet"}]}});
        let (done, lines) = written(Some("7"), vec![answer(412, refused)]).await;
        assert_eq!(done.unwrap(), Replaced::Overtaken);
        assert!(lines[0].ends_with("ifGenerationMatch=7"), "{lines:?}");
    }

    #[tokio::test]
    async fn a_write_of_unknown_outcome_is_read_back_before_it_is_sent_again() {
        // It had its effect.
        let (done, lines) = written(None, vec![raw(503, ""), holding(206, "new")]).await;
        assert_eq!((done.unwrap(), lines.len()), (Replaced::Written, 2));
        // It had none, and is sent again.
        let script = vec![raw(503, ""), raw(404, ""), answer(200, json!({}))];
        let (done, lines) = written(None, script).await;
        assert_eq!((done.unwrap(), lines.len()), (Replaced::Written, 3));
        // Somebody else's came in between.
        let script = vec![
            raw(503, ""),
            holding(206, "old"),
            raw(412, ""),
            holding(206, "old"),
        ];
        let (done, lines) = written(None, script).await;
        assert_eq!((done.unwrap(), lines.len()), (Replaced::Overtaken, 4));
        // Ours had its effect late, after it was looked for.
        let script = vec![raw(503, ""), raw(404, ""), raw(412, ""), holding(206, "new")];
        let (done, _) = written(None, script).await;
        assert_eq!(done.unwrap(), Replaced::Written);
    }

    #[tokio::test]
    async fn a_refusal_is_told_with_the_permission() {
        let refused = json!({"error": {"code": 403, "message": "d@p does not have storage.objects.create access to the Google Cloud Storage object. Permission 'storage.objects.create' denied on resource (or it may not exist)."}});
        let (done, _) = written(None, vec![answer(403, refused)]).await;
        assert_eq!(
            done.unwrap_err().missing_permission(),
            Some("storage.objects.create")
        );
    }
}
