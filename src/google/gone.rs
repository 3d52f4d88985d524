//! What was deleted is gone only when it isn't found any more: the answer to a deletion, and its operation, prove nothing.

use std::{future::Future, time::Duration};

use tokio::time::Instant;

use super::{client::Client, error::Error};

/// Times that a deletion is sent whose operation is lost while the resource is still there.
const TRIES: u32 = 2;
/// How long a deletion that is over may take to show everywhere.
const SETTLING: Duration = Duration::from_secs(30);

/// What is deleted, for messages: `delete the Cloud Run service `x``.
pub(crate) struct Deletion<'a> {
    pub what: &'a str,
    pub until: Instant,
}

/// Sends the deletion with `delete`, which waits for its operation, and looks with `is_there` until nothing is found.
///
/// # Errors
/// The deletion's own error, unless the resource is gone all the same; and when it is still there although Google says
/// that the deletion is over.
pub(crate) async fn delete<D, L>(
    c: &Client,
    deletion: &Deletion<'_>,
    delete: impl Fn() -> D,
    is_there: impl Fn() -> L,
) -> Result<(), Error>
where
    D: Future<Output = Result<(), Error>>,
    L: Future<Output = Result<bool, Error>>,
{
    let began = Instant::now();
    for left in (0..TRIES).rev() {
        let outcome = match delete().await {
            Err(error) if error.is_not_found() => Ok(()),
            other => other,
        };
        match outcome {
            Ok(()) if has_gone(c, deletion.until, &is_there).await? => return Ok(()),
            Ok(()) if left == 0 || Instant::now() >= deletion.until => break,
            Ok(()) => {}
            // The error tells more than a look that fails, too.
            Err(error) => match is_there().await {
                Ok(false) => return Ok(()),
                _ => return Err(error),
            },
        }
    }
    Err(Error::Deadline {
        what: deletion.what.to_owned(),
        waited: began.elapsed(),
        last: "Google says that it is deleted, and still shows it".to_owned(),
        next: "Run the job again, and look whether it is gone".to_owned(),
    })
}

async fn has_gone<L>(c: &Client, until: Instant, is_there: &impl Fn() -> L) -> Result<bool, Error>
where
    L: Future<Output = Result<bool, Error>>,
{
    let (mut ramp, settled) = (c.pace().ramp(), c.deadline(SETTLING).min(until));
    loop {
        let found = is_there().await;
        let now = Instant::now();
        match found {
            Ok(false) => return Ok(true),
            Ok(true) if now >= settled => return Ok(false),
            Err(error) if now >= settled || error.is_user_fixable() => return Err(error),
            // An outage of a moment says nothing.
            Ok(true) | Err(_) => {}
        }
        tokio::time::sleep_until((now + ramp.next()).min(settled)).await;
    }
}
