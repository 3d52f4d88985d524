use std::collections::BTreeMap;

use bytes::Bytes;

use super::*;

struct Got {
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Got {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

async fn ask(method: Method, path: &str, token: Option<&str>) -> Got {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let mut headers = HeaderMap::new();
    if let Some(token) = token {
        headers.insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    let call = Call {
        id: String::new(),
        method,
        path: path.to_owned(),
        params: BTreeMap::new(),
        query: query
            .split_once('=')
            .map(|(k, v)| (k.to_owned(), v.to_owned()))
            .into_iter()
            .collect(),
        headers,
        body: Bytes::new(),
        caller: None,
        json: Value::Null,
    };
    let reply =
        answer("http://127.0.0.1:1", Some("hf_emulator-made-up"), &call).unwrap_or_else(|refusal| refusal);
    let body = axum::body::to_bytes(reply.body, 1 << 20).await.unwrap().to_vec();
    Got {
        status: reply.status.as_u16(),
        headers: reply.headers,
        body,
    }
}

async fn get(path: &str, token: Option<&str>) -> Got {
    ask(Method::GET, path, token).await
}

#[tokio::test]
async fn a_public_model_lists_its_files_with_sizes_at_a_commit() {
    let got = get("/api/models/Qwen/Qwen3-8B/revision/main?blobs=true", None).await;
    assert_eq!(got.status, 200);
    let info = got.json();
    assert_eq!(info["sha"].as_str().unwrap().len(), 40);
    assert_eq!(info["gated"], false);
    assert_eq!(info["config"]["architectures"][0], "Qwen3ForCausalLM");
    let siblings = info["siblings"].as_array().unwrap();
    let shards = siblings
        .iter()
        .filter(|s| s["rfilename"].as_str().unwrap().ends_with(".safetensors"));
    let total: u64 = shards.map(|s| s["lfs"]["size"].as_u64().unwrap()).sum();
    assert!((16_000_000_000..17_000_000_000).contains(&total), "{total}");
    let plain = get("/api/models/Qwen/Qwen3-8B", None).await.json();
    assert!(plain["siblings"][0].get("size").is_none());
    let path = format!(
        "/api/models/Qwen/Qwen3-8B/revision/{}",
        info["sha"].as_str().unwrap()
    );
    assert_eq!(get(&path, None).await.status, 200);
}

#[tokio::test]
async fn listed_sizes_of_small_files_are_those_that_are_served() {
    let info = get("/api/models/Qwen/Qwen3-0.6B/revision/main?blobs=true", None)
        .await
        .json();
    for name in ["config.json", "tokenizer_config.json"] {
        let listed = info["siblings"]
            .as_array()
            .unwrap()
            .iter()
            .find(|s| s["rfilename"] == name)
            .unwrap();
        let served = get(&format!("/Qwen/Qwen3-0.6B/resolve/main/{name}"), None).await;
        assert_eq!(listed["size"].as_u64().unwrap(), served.body.len() as u64);
        assert!(served.json().is_object());
    }
}

#[tokio::test]
async fn weights_are_announced_and_not_served() {
    let head = ask(
        Method::HEAD,
        "/Qwen/Qwen3-0.6B/resolve/main/model.safetensors",
        None,
    )
    .await;
    assert_eq!(
        (head.status, head.header("x-linked-size")),
        (302, Some("1503300328"))
    );
    assert_eq!(head.header("x-repo-commit").unwrap().len(), 40);
    assert_eq!(
        get("/Qwen/Qwen3-0.6B/resolve/main/model.safetensors", None)
            .await
            .status,
        501
    );
}

#[tokio::test]
async fn refusals_are_the_hubs() {
    for (path, token, status, code, message) in [
        (
            "/api/models/no/such",
            None,
            401,
            None,
            "Invalid username or password.",
        ),
        (
            "/api/models/no/such",
            Some(TOKEN),
            404,
            Some("RepoNotFound"),
            "Repository not found",
        ),
        (
            "/api/models/octo-org/private-llm",
            None,
            401,
            None,
            "Invalid username or password.",
        ),
        (
            "/api/models/octo-org/private-llm",
            Some(UNGRANTED_TOKEN),
            404,
            Some("RepoNotFound"),
            "Repository not found",
        ),
        (
            "/api/models/Qwen/Qwen3-8B/revision/nope",
            None,
            404,
            Some("RevisionNotFound"),
            "Invalid rev id: nope",
        ),
        (
            "/Qwen/Qwen3-8B/resolve/main/nope.json",
            None,
            404,
            Some("EntryNotFound"),
            "Entry not found",
        ),
        (
            "/api/models/Qwen/Qwen3-8B",
            Some("hf_wrong"),
            401,
            None,
            "Invalid credentials in Authorization header",
        ),
        ("/api/whoami-v2", None, 401, None, "Invalid username or password."),
    ] {
        let got = get(path, token).await;
        assert_eq!((got.status, got.header("x-error-code")), (status, code), "{path}");
        assert_eq!(got.json()["error"], message);
        assert_eq!(got.header("x-error-message"), Some(message));
    }
}

#[tokio::test]
async fn a_gated_model_needs_a_token_and_a_grant() {
    let path = "/api/models/google/gemma-3-4b-it/revision/main";
    let anonymous = get(path, None).await;
    assert_eq!(
        (anonymous.status, anonymous.header("x-error-code")),
        (401, Some("GatedRepo"))
    );
    let stranger = get(path, Some(UNGRANTED_TOKEN)).await;
    assert_eq!(
        (stranger.status, stranger.header("x-error-code")),
        (403, Some("GatedRepo"))
    );
    assert!(
        stranger.json()["error"]
            .as_str()
            .unwrap()
            .contains("not in the authorized list")
    );
    let granted = get(path, Some(TOKEN)).await;
    assert_eq!(
        (granted.status, granted.json()["gated"].clone()),
        (200, json!("manual"))
    );
    assert_eq!(
        get("/api/models/octo-org/private-llm", Some(TOKEN)).await.status,
        200
    );
}

#[tokio::test]
async fn the_tree_lists_folders_or_all_files() {
    let token = Some(TOKEN);
    let top = get("/api/models/meta-llama/Llama-3.1-8B-Instruct/tree/main", token)
        .await
        .json();
    assert!(
        top.as_array()
            .unwrap()
            .iter()
            .any(|item| item["type"] == "directory" && item["path"] == "original")
    );
    let all = get(
        "/api/models/meta-llama/Llama-3.1-8B-Instruct/tree/main?recursive=true",
        token,
    )
    .await
    .json();
    assert!(
        all.as_array()
            .unwrap()
            .iter()
            .any(|item| item["path"] == "original/consolidated.00.pth")
    );
}
