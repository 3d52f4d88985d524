//! The closed loop: workers that each send a request when the one before is answered.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{sync::mpsc, task::JoinSet};

use super::{
    BenchProgress,
    recorder::{Recorder, Sample},
    result::LoadShape,
    tally::{Outcome, Tally},
};
use crate::endpoint::{ChatRequest, Endpoint, Error};

/// Fewest failures, with no answer at all, after which a level is given up.
const GIVE_UP: u32 = 3;

/// What each request looks like.
pub struct Workload {
    pub endpoint: Endpoint,
    pub model: String,
    pub prompt: String,
    pub max_tokens: u32,
    /// Deadline of each request.
    pub timeout: Duration,
    /// Distinguishes this run's prompts from those of any other.
    pub nonce: u32,
    /// Whether vLLM's `ignore_eos` and `min_tokens` are sent.
    pub fixed_length: bool,
}

impl Workload {
    /// Request number `number`. Its prompt begins unlike any other's, so that no part of it is in the server's
    /// prefix cache.
    pub fn request(&self, number: u32, max_tokens: u32) -> ChatRequest {
        let prompt = format!("[{:08x}-{number:06}] {}", self.nonce, self.prompt);
        let mut request = ChatRequest::user(&self.model, &prompt, max_tokens).with_temperature(0.0);
        if self.fixed_length {
            request.ignore_eos = Some(true);
            request.min_tokens = Some(max_tokens);
        }
        request
    }

    /// Sends one request and reads its answer to the end.
    pub async fn ask(&self, request: &ChatRequest) -> Result<Sample, Failed> {
        let mut stream = self
            .endpoint
            .chat_stream(request, self.timeout)
            .await
            .map_err(Failed::Request)?;
        let mut recorder = Recorder::new(stream.sent());
        while let Some(arrived) = stream.next().await {
            recorder.observe(&arrived.map_err(Failed::Request)?);
        }
        recorder.finish().map_err(Failed::Answer)
    }
}

/// Why a request gave no sample.
#[derive(Debug, thiserror::Error)]
pub enum Failed {
    #[error(transparent)]
    Request(Error),
    #[error("POST /v1/chat/completions: {0}")]
    Answer(String),
}

/// Sends `total` requests, `concurrency` at a time; `first` is the number of the first one. Gives up when the
/// first several all fail.
pub async fn level(
    workload: &Arc<Workload>,
    concurrency: u32,
    total: u32,
    first: u32,
    on_progress: &(dyn Fn(BenchProgress) + Sync),
) -> Tally {
    let workers = concurrency.clamp(1, total.max(1));
    let (next, stop) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let (results, mut finished) = mpsc::channel(workers as usize);
    // Dropped with this future, which ends the workers.
    let mut tasks = JoinSet::new();
    for _ in 0..workers {
        let (workload, next, stop, results) = (workload.clone(), next.clone(), stop.clone(), results.clone());
        tasks.spawn(async move {
            while !stop.load(Ordering::Relaxed) {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= total {
                    break;
                }
                let request = workload.request(first + number, workload.max_tokens);
                let began = Instant::now();
                let result = workload.ask(&request).await.map_err(|e| e.to_string());
                let ended = Instant::now();
                if results.send(Outcome { began, ended, result }).await.is_err() {
                    break;
                }
            }
        });
    }
    drop(results);
    let mut tally = Tally::new();
    while let Some(outcome) = finished.recv().await {
        tally.add(outcome);
        let (done, errors) = (tally.requests(), tally.errors());
        if errors == done && errors >= u64::from(GIVE_UP.max(workers)) {
            stop.store(true, Ordering::Relaxed);
        }
        on_progress(BenchProgress {
            load: LoadShape::Closed { concurrency },
            done,
            total: Some(u64::from(total)),
            errors,
            in_flight: 0,
            ttft_ms: None,
        });
    }
    tally
}
