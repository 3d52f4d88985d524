//! `testIamPermissions`: what the caller may do with a resource. Everyone may ask, and nothing is changed.

use std::collections::BTreeSet;

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::{client::Client, error::Error, request::Request, resource::Resource};

/// Those of the permissions that the caller holds on the resource, its own policy and those above it together.
pub async fn held(c: &Client, resource: &Resource, asked: &[&str]) -> Result<BTreeSet<String>, Error> {
    #[derive(Deserialize)]
    struct Held {
        #[serde(default)]
        permissions: BTreeSet<String>,
    }
    let what = format!("ask for the permissions on {resource}");
    let (api, path) = resource.path();
    let request = if let Resource::Bucket(_) = resource {
        let request = Request::get(api, format!("{path}/iam/testPermissions"), what);
        asked.iter().fold(request, |r, p| r.query("permissions", *p))
    } else {
        Request::new(api, Method::POST, format!("{path}:testIamPermissions"), what)
            .json(&json!({ "permissions": asked }))?
            .repeatable()
    };
    c.json::<Held>(request).await.map(|held| held.permissions)
}
