use serde_json::{Value, json};

use super::*;
use crate::google::testing::{QUICK, Scripted, Server, answer, raw};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn model() -> Value {
    json!({
        "id": "Qwen/Qwen3-4B", "sha": COMMIT, "gated": false,
        "config": {"architectures": ["Qwen3ForCausalLM"]}, "cardData": {"license": "apache-2.0"},
        "siblings": [{"rfilename": "model.safetensors", "size": 8_000}, {"rfilename": "config.json", "size": 7}],
    })
}

async fn asked(server: &Server, token: Option<&str>) -> Result<ModelFiles, Error> {
    let environment = [("HF_ENDPOINT", server.base.clone())].into_iter().collect();
    let token = token.map(|t| SecretString::from(t.to_owned()));
    resolve_with(&environment, "Qwen/Qwen3-4B", "refs/pr/1", token.as_ref(), QUICK).await
}

async fn refused(answer: Scripted, token: Option<&str>) -> Error {
    asked(&Server::script(vec![answer]).await, token)
        .await
        .unwrap_err()
}

async fn untrusted(key: &str, value: Value) -> String {
    let mut model = model();
    model[key] = value;
    let error = refused(answer(200, model), None).await;
    assert!(matches!(error, Error::Untrusted { .. }), "{error}");
    error.to_string()
}

#[tokio::test]
async fn a_model_is_resolved_to_its_commit_and_files() {
    let server = Server::script(vec![raw(503, ""), answer(200, model())]).await;
    let found = asked(&server, Some("hf_secret")).await.unwrap();
    assert_eq!(
        server.lines()[1],
        "GET /api/models/Qwen/Qwen3-4B/revision/refs%2Fpr%2F1?blobs=true"
    );
    assert_eq!(server.asked()[1].header("authorization"), "Bearer hf_secret");
    assert_eq!(found.commit, COMMIT);
    assert_eq!(found.files[0].path, "config.json");
    assert_eq!(found.weights_bytes(), 8_000);
    assert_eq!(found.architectures, ["Qwen3ForCausalLM"]);
    assert_eq!(found.license.as_deref(), Some("apache-2.0"));
    assert!(!found.gated);
}

#[tokio::test]
async fn a_gated_model_is_known_by_its_mark() {
    let mut gated = model();
    gated["gated"] = json!("manual");
    assert!(
        asked(&Server::script(vec![answer(200, gated)]).await, None)
            .await
            .unwrap()
            .gated
    );
}

#[tokio::test]
async fn each_refusal_has_its_own_next_step() {
    let code = |status, code| raw(status, "").header("x-error-code", code);
    let gated = refused(code(403, "GatedRepo"), Some("t")).await.to_string();
    assert!(
        gated.contains("accept its terms at https://huggingface.co/Qwen/Qwen3-4B"),
        "{gated}"
    );
    let revision = refused(code(404, "RevisionNotFound"), None).await.to_string();
    assert!(revision.contains("no revision `refs/pr/1`"), "{revision}");
    let missing = refused(code(401, "RepoNotFound"), None).await.to_string();
    assert!(missing.contains("a private one needs HF_TOKEN"), "{missing}");
    let token = refused(raw(401, "Invalid credentials"), Some("hf_secret"))
        .await
        .to_string();
    assert!(
        token.contains("refuses the token") && !token.contains("hf_secret"),
        "{token}"
    );
}

#[tokio::test]
async fn file_names_that_leave_their_folder_are_refused() {
    for path in ["../x.safetensors", "/etc/passwd", "a/../../b", "a\\b", "a\nb", ""] {
        let text = untrusted("siblings", json!([{"rfilename": path, "size": 1}])).await;
        assert!(text.contains("leaves its folder"), "{text}");
    }
}

#[tokio::test]
async fn absurd_answers_are_refused() {
    assert!(untrusted("sha", json!("main")).await.contains("no commit hash"));
    assert!(untrusted("id", json!("../../x")).await.contains("no model id"));
    let huge = json!([{"rfilename": "a.bin", "size": u64::MAX}, {"rfilename": "b.bin", "size": 9}]);
    assert!(untrusted("siblings", huge).await.contains("absurd"));
    let twice = json!([{"rfilename": "a.bin", "size": 1}, {"rfilename": "a.bin", "size": 1}]);
    assert!(untrusted("siblings", twice).await.contains("twice"));
    assert!(
        untrusted("siblings", json!([{"rfilename": "a.bin"}]))
            .await
            .contains("no size")
    );
}

#[tokio::test]
async fn a_model_without_weights_is_an_error() {
    let mut bare = model();
    bare["siblings"] = json!([{"rfilename": "README.md", "size": 1}, {"rfilename": "m.gguf", "size": 9}]);
    let error = refused(answer(200, bare), None).await;
    assert!(matches!(error, Error::NoWeights { .. }), "{error}");
}

#[tokio::test]
async fn a_renamed_model_is_followed_on_the_same_host_only() {
    let moved = raw(307, "").header("location", "/api/models/Qwen/New/revision/main");
    let server = Server::script(vec![moved, answer(200, model())]).await;
    asked(&server, None).await.unwrap();
    assert_eq!(server.lines()[1], "GET /api/models/Qwen/New/revision/main");
    let elsewhere = refused(raw(302, "").header("location", "http://127.0.0.1:1/x"), Some("t")).await;
    assert!(elsewhere.to_string().contains("another host"), "{elsewhere}");
}

#[test]
fn ids_are_checked_before_anything_is_sent() {
    for id in ["", "a/b/c", "../x", "a/..", "a b", "a/b?x", ".a/b", "a/-b"] {
        assert!(check_id(id).is_err(), "{id}");
    }
    for id in ["gpt2", "Qwen/Qwen3.5-4B", "meta-llama/Llama-3.1-8B_x"] {
        check_id(id).unwrap();
    }
}
