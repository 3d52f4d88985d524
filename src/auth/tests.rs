mod choice;
mod files;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::ExposeSecret;
use serde_json::json;

use super::*;
use crate::google::testing::{Asked, Scripted, Server, answer, raw};

const PROVIDER: &str = "projects/1/locations/global/workloadIdentityPools/github/providers/gh";
const ACCOUNT: &str = "deployer@p.iam.gserviceaccount.com";

fn jwt(seconds: i64) -> String {
    let claims = json!({"exp": chrono::Utc::now().timestamp() + seconds}).to_string();
    format!("h.{}.s", URL_SAFE_NO_PAD.encode(claims))
}

/// GitHub, STS and IAM Credentials on one port; GitHub's tokens are numbered.
fn identity_services(asked: &Asked, number: usize) -> Scripted {
    let line = asked.line.as_str();
    if line.starts_with("GET /oidc") {
        return answer(200, json!({"value": format!("github-{number}"), "count": 1}));
    }
    if line == "POST /v1/token" {
        return answer(
            200,
            json!({"access_token": "federated", "token_type": "Bearer", "expires_in": 3599}),
        );
    }
    if line.ends_with(":generateAccessToken") {
        return answer(
            200,
            json!({"accessToken": format!("sa-{number}"), "expireTime": "2100-01-01T00:00:00Z"}),
        );
    }
    answer(200, json!({"token": jwt(3600)}))
}

async fn services() -> (Server, Environment) {
    let number = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::start(move |asked| {
        identity_services(asked, number.fetch_add(1, std::sync::atomic::Ordering::SeqCst))
    })
    .await;
    let mut environment = server.environment();
    environment.set(
        "ACTIONS_ID_TOKEN_REQUEST_URL",
        format!("{}oidc?api=1", server.base),
    );
    environment.set("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "runner-token");
    (server, environment)
}

fn wif(account: Option<&str>) -> Option<WorkloadIdentity> {
    Some(WorkloadIdentity {
        provider: PROVIDER.to_owned(),
        service_account: account.map(str::to_owned),
    })
}

async fn token(credentials: &Credentials) -> String {
    credentials
        .access()
        .token(&[CLOUD_PLATFORM])
        .await
        .unwrap()
        .as_str()
        .to_owned()
}

#[tokio::test]
async fn github_s_token_becomes_the_service_accounts() {
    let (server, environment) = services().await;
    let credentials = Credentials::discover(&environment, wif(Some(ACCOUNT)), None)
        .await
        .unwrap();
    assert!(
        server.lines().is_empty(),
        "nothing is sent before a token is wanted"
    );
    assert_eq!(token(&credentials).await, "sa-2");
    assert_eq!(token(&credentials).await, "sa-2", "kept");
    let asked = server.asked();
    let audience = format!(
        "https%3A%2F%2Fiam.googleapis.com%2F{}",
        PROVIDER.replace('/', "%2F")
    );
    assert_eq!(asked[0].line, format!("GET /oidc?api=1&audience={audience}"));
    assert_eq!(asked[0].header("authorization"), "Bearer runner-token");
    let exchange = asked[1].json();
    assert_eq!(exchange["audience"], format!("//iam.googleapis.com/{PROVIDER}"));
    assert_eq!(exchange["subjectToken"], "github-0");
    assert_eq!(asked[2].header("authorization"), "Bearer federated");
    assert_eq!(
        asked[2].line,
        format!("POST /v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken")
    );
}

#[tokio::test]
async fn a_refused_token_is_made_anew_from_a_new_github_token() {
    let (server, environment) = services().await;
    let credentials = Credentials::discover(&environment, wif(Some(ACCOUNT)), None)
        .await
        .unwrap();
    let first = token(&credentials).await;
    credentials.access().reject(&first);
    assert_eq!(token(&credentials).await, "sa-5");
    assert_eq!(server.asked()[4].json()["subjectToken"], "github-3");
}

#[tokio::test]
async fn id_tokens_are_asked_for_with_the_federated_token_and_kept() {
    let (server, environment) = services().await;
    let credentials = Credentials::discover(&environment, wif(Some(ACCOUNT)), None)
        .await
        .unwrap();
    let bearer = credentials.id_token("https://qwen.example");
    let first = bearer.bearer().await.unwrap().unwrap();
    assert_eq!(
        bearer.bearer().await.unwrap().unwrap().expose_secret(),
        first.expose_secret()
    );
    let asked = server.asked();
    assert_eq!(asked.len(), 3);
    assert_eq!(
        asked[2].line,
        format!("POST /v1/projects/-/serviceAccounts/{ACCOUNT}:generateIdToken")
    );
    assert_eq!(asked[2].header("authorization"), "Bearer federated");
    assert_eq!(
        asked[2].json(),
        json!({"audience": "https://qwen.example", "includeEmail": true})
    );
}

#[tokio::test]
async fn an_id_token_that_has_expired_or_was_refused_is_replaced() {
    let count = std::sync::atomic::AtomicI64::new(0);
    let server = Server::start(move |_| {
        // The first has expired when it comes.
        let n = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        answer(200, json!({"token": jwt(n * 3600)}))
    })
    .await;
    let mut environment = server.environment();
    environment.set("CLOUDSDK_AUTH_ACCESS_TOKEN", "ready");
    let credentials = Credentials::discover(&environment, None, Some(ACCOUNT.to_owned()))
        .await
        .unwrap();
    let bearer = credentials.id_token("https://x");
    let ask = async || bearer.bearer().await.unwrap().unwrap();
    let first = ask().await;
    let second = ask().await;
    assert_ne!(first.expose_secret(), second.expose_secret());
    assert!(bearer.reject(&first).await, "a late complaint about the old one");
    assert_eq!(ask().await.expose_secret(), second.expose_secret());
    assert!(bearer.reject(&second).await);
    assert_ne!(ask().await.expose_secret(), second.expose_secret());
    assert_eq!(server.lines().len(), 3);
}

#[tokio::test]
async fn without_a_service_account_there_is_no_id_token_and_the_error_says_what_to_do() {
    let (_server, environment) = services().await;
    let credentials = Credentials::discover(&environment, wif(None), None)
        .await
        .unwrap();
    assert_eq!(token(&credentials).await, "federated");
    let error = credentials.id_token("https://x").bearer().await.unwrap_err();
    assert!(error.contains("set `service-account`"), "{error}");
}

#[tokio::test]
async fn a_job_without_the_permission_is_told_so() {
    let environment = Environment::default();
    let error = Credentials::discover(&environment, wif(Some(ACCOUNT)), None)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("`permissions: id-token: write`"),
        "{error}"
    );
}

#[tokio::test]
async fn a_ready_token_is_used_and_can_make_id_tokens() {
    let (server, mut environment) = services().await;
    environment.set("CLOUDSDK_AUTH_ACCESS_TOKEN", "ready");
    let account = Some(ACCOUNT.to_owned());
    let credentials = Credentials::discover(&environment, None, account).await.unwrap();
    assert_eq!(token(&credentials).await, "ready");
    credentials.id_token("https://x").bearer().await.unwrap();
    assert_eq!(server.asked()[0].header("authorization"), "Bearer ready");
    let shown = format!("{credentials:?} {}", credentials.description());
    assert!(!shown.contains("ready\""), "{shown}");
}

/// The auth action's file, in a folder that lives as long as the test.
fn external_account(server: &Server, folder: &tempfile::TempDir) -> String {
    let path = folder.path().join("gha-creds.json");
    let file = json!({
        "type": "external_account", "audience": format!("//iam.googleapis.com/{PROVIDER}"),
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "credential_source": {"url": format!("{}oidc?x=1", server.base),
            "headers": {"Authorization": "Bearer file-request-token"},
            "format": {"type": "json", "subject_token_field_name": "value"}},
        "service_account_impersonation_url":
            format!("https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken"),
    });
    std::fs::write(&path, file.to_string()).unwrap();
    path.display().to_string()
}

#[tokio::test]
async fn the_file_of_the_auth_action_is_read() {
    let (server, mut environment) = services().await;
    let folder = tempfile::tempdir().unwrap();
    let file = external_account(&server, &folder);
    environment.set("GOOGLE_APPLICATION_CREDENTIALS", file);
    let credentials = Credentials::discover(&environment, None, None).await.unwrap();
    assert_eq!(token(&credentials).await, "sa-2");
    assert_eq!(
        server.asked()[0].header("authorization"),
        "Bearer file-request-token"
    );
}

#[tokio::test]
async fn a_subject_token_in_a_file_is_read_anew_each_time() {
    let (server, mut environment) = services().await;
    let folder = tempfile::tempdir().unwrap();
    let (path, subject) = (folder.path().join("creds.json"), folder.path().join("token"));
    let file = json!({
        "type": "external_account", "audience": "//iam.googleapis.com/x",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": format!("{}v1/token", server.base),
        "credential_source": {"file": subject.display().to_string()},
    });
    std::fs::write(&path, file.to_string()).unwrap();
    environment.set("GOOGLE_APPLICATION_CREDENTIALS", path.display().to_string());
    let credentials = Credentials::discover(&environment, None, None).await.unwrap();
    for expected in ["one", "two"] {
        std::fs::write(&subject, format!("{expected}\n")).unwrap();
        let got = token(&credentials).await;
        credentials.access().reject(&got);
        assert_eq!(server.asked().last().unwrap().json()["subjectToken"], expected);
    }
}

#[tokio::test]
async fn what_sts_says_is_passed_on_without_any_token() {
    let server = Server::start(|asked| match asked.line.starts_with("GET") {
        true => answer(200, json!({"value": "very-secret"})),
        false => answer(
            400,
            json!({"error": "invalid_target", "error_description": "no such pool"}),
        ),
    })
    .await;
    let mut environment = server.environment();
    environment.set("ACTIONS_ID_TOKEN_REQUEST_URL", server.base.clone());
    environment.set("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "runner-token");
    let credentials = Credentials::discover(&environment, wif(Some(ACCOUNT)), None)
        .await
        .unwrap();
    let error = credentials.access().token(&[CLOUD_PLATFORM]).await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains("invalid_target: no such pool (HTTP 400)"), "{text}");
    assert!(
        !text.contains("very-secret") && !text.contains("runner-token"),
        "{text}"
    );
}

#[tokio::test]
async fn an_answer_that_is_not_understood_is_not_repeated() {
    let server = Server::start(|_| raw(200, "very-secret but no JSON")).await;
    let mut environment = server.environment();
    environment.set("ACTIONS_ID_TOKEN_REQUEST_URL", server.base.clone());
    environment.set("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "t");
    let credentials = Credentials::discover(&environment, wif(None), None)
        .await
        .unwrap();
    let error = credentials.access().token(&[]).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("very-secret"), "{error:?}");
}

#[test]
fn a_service_account_is_an_address() {
    for bad in ["", "deployer", "a@b", "a@b@c.d", "a@b.c/../x", "a b@c.d"] {
        assert!(check_service_account(bad).is_err(), "{bad}");
    }
    check_service_account(ACCOUNT).unwrap();
}
