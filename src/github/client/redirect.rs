//! Redirects, which octocrab is built without: its own make a read of a write.

use serde_json::Value;

use super::{Again, Failed, GitHub, Method, Purpose, root_cause};
use crate::github::error::Error;

/// Redirects that are followed in a row: a repository was renamed, and again.
const HOPS: u32 = 3;

pub(super) type Response =
    hyper::Response<http_body_util::combinators::BoxBody<bytes::Bytes, octocrab::Error>>;

impl GitHub {
    /// The answer, after redirects: the API answers for a renamed repository with where it is now, and wants the very
    /// request there. One to another server is not followed: our token would go there.
    pub(super) async fn follow(
        &self,
        method: &Method<'_>,
        route: &str,
        purpose: Purpose<'_>,
        unreachable: &(dyn Fn(String) -> Failed + Sync),
    ) -> Result<Response, Failed> {
        let mut route = route.to_owned();
        for _ in 0..=HOPS {
            let response = match method {
                Method::Get => self.octocrab._get(&route).await,
                Method::Post(body) => self.octocrab._post(&route, Some(body)).await,
                Method::Patch(body) => self.octocrab._patch(&route, Some(body)).await,
                Method::Delete => self.octocrab._delete(&route, None::<&Value>).await,
            }
            .map_err(|e| unreachable(root_cause(&e)))?;
            if !matches!(response.status().as_u16(), 301 | 302 | 307 | 308) {
                return Ok(response);
            }
            let location = response.headers().get("location").and_then(|v| v.to_str().ok());
            let there = location.and_then(|location| self.base.join(location).ok());
            route = match there {
                Some(url) if url.origin() == self.base.origin() => url.to_string(),
                _ => {
                    return Err(elsewhere(
                        purpose,
                        "it redirects to another server, which gets no token of ours",
                    ));
                }
            };
        }
        Err(elsewhere(purpose, "it redirects again and again"))
    }
}

fn elsewhere(purpose: Purpose<'_>, reason: &str) -> Failed {
    Failed {
        again: Again::Never,
        error: Error::Unreadable {
            action: purpose.action.to_owned(),
            reason: reason.to_owned(),
        },
    }
}
