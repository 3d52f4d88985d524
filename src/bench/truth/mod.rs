//! The server's own figures of the time of one level, from vLLM's `/metrics`.

mod difference;
mod histogram;
mod prometheus;
mod scrape;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Mutex,
    time::{MissedTickBehavior, interval},
};
use tokio_util::task::AbortOnDropHandle;

use self::scrape::Scrape;
use super::result::{Level, ServerSide};
use crate::endpoint::{Endpoint, Error};

/// Longest wait for a reading before or after a level.
const READING: Duration = Duration::from_secs(10);
/// How often the KV cache is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// vLLM counts a request a moment after its last token has left: so often, and this far apart, is it asked again.
const AGAIN: u32 = 5;
const MOMENT: Duration = Duration::from_millis(200);

/// Watches the server over one level, off the measuring thread.
pub struct Watch {
    endpoint: Endpoint,
    before: Scrape,
    seen: Arc<Mutex<Seen>>,
    /// Ends with the watch.
    looking: AbortOnDropHandle<()>,
}

/// What was seen during the level.
#[derive(Default)]
struct Seen {
    /// Highest share of the KV cache in use.
    kv_cache: Option<f64>,
    /// Another process than the first one answered.
    others: bool,
}

impl Seen {
    fn look(&mut self, scrape: &Scrape, first: &Scrape) {
        self.kv_cache = [self.kv_cache, scrape.kv_cache]
            .into_iter()
            .flatten()
            .reduce(f64::max);
        self.others |= !first.is_same_process(scrape);
    }
}

impl Watch {
    /// Reads `/metrics`, and again every second until the end; `None` when the server has none.
    pub async fn begin(endpoint: &Endpoint) -> Option<Self> {
        let text = endpoint.metrics(READING).await.ok()?;
        let before = Scrape::read(&text)?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let looking = tokio::spawn(look(endpoint.clone(), before.clone(), seen.clone()));
        Some(Self {
            endpoint: endpoint.clone(),
            before,
            seen,
            looking: AbortOnDropHandle::new(looking),
        })
    }

    /// Reads them again; what they say of the time between. Never waits longer than a minute.
    pub async fn end(self, level: &Level) -> Option<ServerSide> {
        drop(self.looking);
        let good = level.requests - level.errors.min(level.requests);
        let mut asked = 0;
        let mut side = loop {
            asked += 1;
            let after = match read(&self.endpoint).await {
                Ok(Some(after)) => after,
                Ok(None) => return Some(nothing("what `/metrics` answered at the end is not its format")),
                Err(error) => return Some(nothing(&error.to_string())),
            };
            let side = difference::server_side(&self.before, &after, level);
            self.seen.lock().await.look(&after, &self.before);
            let counted = side.e2e_ms.map_or(0, |e2e| e2e.count) >= good;
            if counted || asked == AGAIN {
                break side;
            }
            self.endpoint.tempo().sleep(MOMENT).await;
        };
        let seen = self.seen.lock().await;
        side.kv_cache_use = seen.kv_cache;
        if seen.others && side.e2e_ms.is_some() {
            let note = "several instances answer at this URL, and these are the figures of one";
            side.notes.push(note.to_owned());
        }
        Some(side)
    }
}

async fn read(endpoint: &Endpoint) -> Result<Option<Scrape>, Error> {
    Ok(Scrape::read(&endpoint.metrics(READING).await?))
}

/// Keeps an eye on the KV cache. A reading that fails is no reason to stop: the server may be busy.
async fn look(endpoint: Endpoint, first: Scrape, seen: Arc<Mutex<Seen>>) {
    let mut ticks = interval(endpoint.tempo().of(LOOK));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Ok(Some(scrape)) = read(&endpoint).await {
            seen.lock().await.look(&scrape, &first);
        }
    }
}

fn nothing(why: &str) -> ServerSide {
    ServerSide {
        notes: vec![format!("no figures of the server: {why}")],
        ..ServerSide::default()
    }
}
