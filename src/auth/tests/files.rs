//! Credentials files other than that of the auth action.

use base64::engine::general_purpose::STANDARD;
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};

use super::*;

/// A key that was made for this test and opens nothing.
const RSA: &str = include_str!("rsa-2048.pkcs8.b64");

/// Google's token service at `/token`; access tokens are numbered.
async fn token_service() -> Server {
    let number = std::sync::atomic::AtomicUsize::new(0);
    Server::start(move |asked| {
        let body = String::from_utf8_lossy(&asked.body).into_owned();
        let n = number.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        match asked.line.as_str() {
            "POST /token" if claims(&body).get("target_audience").is_some() => {
                answer(200, json!({"id_token": jwt(3600)}))
            }
            "POST /token" => answer(
                200,
                json!({"access_token": format!("access-{n}"), "expires_in": 3600}),
            ),
            _ => answer(200, json!({"token": jwt(3600)})),
        }
    })
    .await
}

fn form(body: &str) -> std::collections::HashMap<String, String> {
    url::form_urlencoded::parse(body.as_bytes())
        .into_owned()
        .collect()
}

/// Claims of a form's assertion; nothing where there is none.
fn claims(body: &str) -> serde_json::Value {
    let form = form(body);
    let payload = form.get("assertion").and_then(|a| a.split('.').nth(1));
    payload.map_or(json!({}), |p| {
        let bytes = URL_SAFE_NO_PAD.decode(p.trim_end_matches('=')).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    })
}

fn key_file(server: &Server) -> serde_json::Value {
    json!({"type": "service_account", "client_email": ACCOUNT, "token_uri": format!("{}token", server.base),
        "private_key": format!("-----BEGIN PRIVATE KEY-----\n{RSA}-----END PRIVATE KEY-----\n")})
}

async fn with_file(
    server: &Server,
    file: &serde_json::Value,
    account: Option<&str>,
) -> Result<Credentials, Error> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("credentials.json");
    std::fs::write(&path, file.to_string()).unwrap();
    let mut environment = server.environment();
    environment.set("GOOGLE_APPLICATION_CREDENTIALS", path.display().to_string());
    environment.set("CLOUDSDK_AUTH_TOKEN_HOST", format!("{}token", server.base));
    Credentials::discover(&environment, None, account.map(str::to_owned)).await
}

#[tokio::test]
async fn a_service_account_s_key_gives_access_tokens_and_a_new_one_after_a_refusal() {
    let server = token_service().await;
    let credentials = with_file(&server, &key_file(&server), None).await.unwrap();
    assert_eq!(credentials.account(), Some(ACCOUNT));
    assert!(credentials.description().starts_with("the service account key "));
    assert!(
        server.lines().is_empty(),
        "nothing is sent before a token is wanted"
    );
    assert_eq!(token(&credentials).await, "access-0");
    assert_eq!(token(&credentials).await, "access-0");
    credentials.access().reject("access-0");
    assert_eq!(token(&credentials).await, "access-1");
}

#[tokio::test]
async fn a_key_makes_its_own_id_tokens_by_a_signed_assertion_for_the_audience() {
    let server = token_service().await;
    let credentials = with_file(&server, &key_file(&server), Some(ACCOUNT))
        .await
        .unwrap();
    assert_eq!(credentials.invoker(), Ok(Some(ACCOUNT)));
    let bearer = credentials.id_token("https://qwen.example");
    bearer.bearer().await.unwrap().unwrap();
    let body = String::from_utf8(server.asked()[0].body.to_vec()).unwrap();
    let claims = claims(&body);
    assert_eq!(claims["target_audience"], "https://qwen.example");
    assert_eq!(claims["aud"], format!("{}token", server.base));
    assert_eq!(
        (claims["iss"].as_str(), claims["sub"].as_str()),
        (Some(ACCOUNT), Some(ACCOUNT))
    );
    assert_eq!(
        claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(),
        3600
    );
    let form = form(&body);
    assert_eq!(form["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
    let (signed, signature) = form["assertion"].rsplit_once('.').unwrap();
    let der = STANDARD.decode(RSA.replace('\n', "")).unwrap();
    let pair = RsaKeyPair::from_pkcs8(&der).unwrap();
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref());
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    public.verify(signed.as_bytes(), &signature).unwrap();
}

#[tokio::test]
async fn another_account_s_id_tokens_are_made_by_iam_for_a_key_as_for_everybody() {
    let server = token_service().await;
    let other = "other@p.iam.gserviceaccount.com";
    let credentials = with_file(&server, &key_file(&server), Some(other)).await.unwrap();
    assert_eq!(credentials.account(), Some(ACCOUNT));
    assert_eq!(credentials.invoker(), Ok(Some(other)));
    credentials.id_token("https://x").bearer().await.unwrap();
    let asked = server.asked();
    assert_eq!(
        asked[1].line,
        format!("POST /v1/projects/-/serviceAccounts/{other}:generateIdToken")
    );
    assert_eq!(asked[1].header("authorization"), "Bearer access-0");
}

#[tokio::test]
async fn a_user_s_file_is_read_from_where_it_is_named() {
    let server = token_service().await;
    let file =
        json!({"type": "authorized_user", "client_id": "id", "client_secret": "s", "refresh_token": "r"});
    let credentials = with_file(&server, &file, Some(ACCOUNT)).await.unwrap();
    assert!(
        credentials
            .description()
            .starts_with("the user's credentials in ")
    );
    assert_eq!(token(&credentials).await, "access-0");
    credentials.access().reject("access-0");
    assert_eq!(token(&credentials).await, "access-1");
    let form = form(std::str::from_utf8(&server.asked()[1].body).unwrap());
    assert_eq!(
        (form["grant_type"].as_str(), form["refresh_token"].as_str()),
        ("refresh_token", "r")
    );
    credentials.id_token("https://x").bearer().await.unwrap();
    assert_eq!(server.asked()[2].header("authorization"), "Bearer access-1");
}

#[tokio::test]
async fn a_key_that_google_refuses_is_told_with_what_to_do() {
    let server = Server::start(|_| {
        answer(
            400,
            json!({"error": "invalid_grant", "error_description": "Invalid JWT Signature."}),
        )
    })
    .await;
    let credentials = with_file(&server, &key_file(&server), None).await.unwrap();
    let error = credentials.id_token("https://x").bearer().await.unwrap_err();
    assert!(error.contains("invalid_grant: Invalid JWT Signature."), "{error}");
    assert!(error.contains("Is the key deleted"), "{error}");
}
