//! Writing once and reading to the end, on top of single requests.

use std::{future::Future, ops::ControlFlow};

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Error, GitHub, Method, Purpose, Repeat};

/// Times that something is posted whose fate is unclear.
const POSTS: u32 = 3;
/// Pages read at most: what has more of them has other problems.
const PAGES: u32 = 100;

impl GitHub {
    /// Posts what must be there once. After an answer that leaves open whether it was carried out, `find` looks for it,
    /// and only what is not there is posted again.
    pub(in crate::github) async fn post_once<M, T, F>(
        &self,
        request: &Value,
        route: &str,
        purpose: Purpose<'_>,
        find: impl Fn() -> F,
    ) -> Result<T, Error>
    where
        M: DeserializeOwned + Into<T>,
        F: Future<Output = Result<Option<T>, Error>>,
    {
        let mut posts = 0;
        loop {
            posts += 1;
            let outcome = self
                .send::<M>(Method::Post(request), route, purpose, Repeat::Never)
                .await;
            let error = match outcome {
                Ok(made) => return Ok(made.into()),
                Err(error) if !error.is_ambiguous() => return Err(error),
                Err(error) => error,
            };
            self.tempo.sleep(self.pause * posts).await;
            match find().await? {
                Some(found) => return Ok(found),
                None if posts == POSTS => return Err(error),
                None => {}
            }
        }
    }

    /// Reads a list page by page, until `each` has seen enough.
    pub(in crate::github) async fn pages<T: DeserializeOwned>(
        &self,
        first: String,
        purpose: Purpose<'_>,
        mut each: impl FnMut(Vec<T>) -> ControlFlow<()>,
    ) -> Result<(), Error> {
        let mut next = Some(first);
        for _ in 0..PAGES {
            let Some(route) = next else { break };
            let (page, following) = self.page::<T>(&route, purpose).await?;
            if each(page).is_break() {
                break;
            }
            next = following;
        }
        Ok(())
    }
}
