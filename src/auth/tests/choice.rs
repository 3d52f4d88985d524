//! Which credentials are taken when several are there, why, and who is told of their secrets.

use std::sync::Mutex;

use secrecy::SecretString;

use super::*;
use crate::secrets::Masks;

#[tokio::test]
async fn the_inputs_come_first_then_the_auth_action_s_file_then_a_ready_token() {
    let (server, mut environment) = services().await;
    let folder = tempfile::tempdir().unwrap();
    environment.set("CLOUDSDK_AUTH_ACCESS_TOKEN", "ready");
    let none = Credentials::discover(&environment, None, None).await.unwrap();
    assert_eq!(
        none.description(),
        "the access token in CLOUDSDK_AUTH_ACCESS_TOKEN"
    );
    assert_eq!(
        none.reasons(),
        [
            "no `workload-identity-provider` is given",
            "GOOGLE_APPLICATION_CREDENTIALS names no file"
        ]
    );
    assert!(none.limits().unwrap().contains("can't be renewed") && none.account().is_none());

    let path = external_account(&server, &folder);
    environment.set("GOOGLE_APPLICATION_CREDENTIALS", path.clone());
    let file = Credentials::discover(&environment, None, None).await.unwrap();
    assert_eq!(
        file.description(),
        format!("the external_account file {path} as {ACCOUNT}")
    );
    assert_eq!(file.reasons(), ["no `workload-identity-provider` is given"]);
    assert_eq!(
        (file.account(), file.invoker()),
        (Some(ACCOUNT), Ok(Some(ACCOUNT)))
    );
    assert_eq!(file.limits(), None);

    let inputs = Credentials::discover(&environment, wif(Some(ACCOUNT)), None)
        .await
        .unwrap();
    assert_eq!(
        inputs.description(),
        format!("workload identity federation as {ACCOUNT}")
    );
    assert!(inputs.reasons().is_empty());
    assert_eq!((inputs.account(), inputs.limits()), (Some(ACCOUNT), None));
}

#[tokio::test]
async fn the_account_of_the_input_is_taken_where_the_auth_action_s_file_names_none() {
    let (server, mut environment) = services().await;
    let folder = tempfile::tempdir().unwrap();
    let path = external_account(&server, &folder);
    let mut file: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    file.as_object_mut()
        .unwrap()
        .remove("service_account_impersonation_url");
    std::fs::write(&path, file.to_string()).unwrap();
    environment.set("GOOGLE_APPLICATION_CREDENTIALS", path);
    let direct = Credentials::discover(&environment, None, None).await.unwrap();
    assert!(direct.limits().is_some() && direct.invoker().is_err());
    assert_eq!(token(&direct).await, "federated");
    let account = Some(ACCOUNT.to_owned());
    let credentials = Credentials::discover(&environment, None, account).await.unwrap();
    assert_eq!(credentials.account(), Some(ACCOUNT));
    assert!(token(&credentials).await.starts_with("sa-"));
}

#[tokio::test]
async fn direct_federation_tells_its_limits() {
    let (_server, environment) = services().await;
    let direct = Credentials::discover(&environment, wif(None), None)
        .await
        .unwrap();
    assert_eq!(
        direct.description(),
        "workload identity federation without a service account"
    );
    assert_eq!(direct.account(), None);
    let limits = direct.limits().unwrap();
    assert!(
        limits.contains("ten minutes") && limits.contains("no ID tokens"),
        "{limits}"
    );
    assert!(direct.invoker().unwrap_err().contains("set `service-account`"));
}

#[tokio::test]
async fn a_ready_token_that_is_refused_is_told_as_that() {
    let (_server, mut environment) = services().await;
    environment.set("CLOUDSDK_AUTH_ACCESS_TOKEN", " ready\n");
    let credentials = Credentials::discover(&environment, None, None).await.unwrap();
    assert_eq!(token(&credentials).await, "ready");
    credentials.access().reject("ready");
    let error = credentials
        .access()
        .token(&[CLOUD_PLATFORM])
        .await
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("was refused. It can't be renewed from here"),
        "{error}"
    );
    environment.set("CLOUDSDK_AUTH_ACCESS_TOKEN", "two\nlines");
    let error = Credentials::discover(&environment, None, None).await.unwrap_err();
    assert!(matches!(error, Error::BadToken { .. }), "{error}");
}

#[tokio::test]
async fn a_request_token_with_a_line_break_is_not_taken_for_a_missing_one() {
    let (_server, mut environment) = services().await;
    environment.set("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "two\nlines");
    let error = Credentials::discover(&environment, wif(None), None)
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("ACTIONS_ID_TOKEN_REQUEST_TOKEN holds a line break"),
        "{error}"
    );
}

#[tokio::test]
async fn every_secret_is_told_once_in_the_order_that_it_becomes_known() {
    let (server, mut environment) = services().await;
    let folder = tempfile::tempdir().unwrap();
    environment.set(
        "GOOGLE_APPLICATION_CREDENTIALS",
        external_account(&server, &folder),
    );
    let told = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&told);
    let environment = environment.hiding(Masks::new(move |secret| {
        list.lock().unwrap().push(secret.to_owned());
    }));
    assert_eq!(
        *told.lock().unwrap(),
        ["runner-token"],
        "the environment's, at once"
    );
    let credentials = Credentials::discover(&environment, None, None).await.unwrap();
    token(&credentials).await;
    token(&credentials).await;
    let bearer = credentials.id_token("https://x");
    let id: SecretString = bearer.bearer().await.unwrap().unwrap();
    let id = id.expose_secret();
    let expected = [
        "runner-token",
        "file-request-token",
        "github-0",
        "federated",
        "sa-2",
        "github-3",
        id,
    ];
    assert_eq!(*told.lock().unwrap(), expected);
}
