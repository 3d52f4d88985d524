//! A write that must not be done twice: after an unknown outcome it is looked for before it is sent again.

use std::time::Duration;

use serde::de::DeserializeOwned;

use super::{client::Client, error::Error, request::Request};

/// What came of a [`Client::write`].
pub(crate) enum Written<T, F> {
    Answered(T),
    /// No good answer came, but it was done.
    Found(F),
}

impl Client {
    /// Sends a write that must not be done twice, and reads the JSON answer. When it is unknown whether it was done,
    /// `there` says whether it was; only when it wasn't, it is sent again.
    pub(crate) async fn write<T, F, L>(
        &self,
        request: &Request<'_>,
        there: impl Fn() -> L,
    ) -> Result<Written<T, F>, Error>
    where
        T: DeserializeOwned,
        L: Future<Output = Result<Option<F>, Error>>,
    {
        let retry = self.retry();
        let (mut sent, mut waited) = (0, Duration::ZERO);
        loop {
            sent += 1;
            let error = match self.answer(request).await {
                Ok(answer) => return Ok(Written::Answered(answer)),
                Err(error) => error,
            };
            // A conflict may be with our own first try, but only when there was one.
            let conflict = error.is_conflict() && sent > 1;
            if !(error.is_ambiguous() || conflict) {
                return Err(error);
            }
            let pause = retry.pause(sent, waited, None, fastrand::f64());
            // What has just been done may take a moment to be seen.
            let moment = self.tempo().of(pause.unwrap_or_default()).max(self.pace().watch);
            tokio::time::sleep(moment).await;
            if let Some(found) = there().await? {
                return Ok(Written::Found(found));
            }
            match pause {
                Some(pause) if !conflict => waited += pause,
                _ => return Err(error),
            }
        }
    }
}
