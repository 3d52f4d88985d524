//! What chat and text completions have in common: a paced job, its frames, its usage.

use std::{collections::VecDeque, io};

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, Response, StatusCode, header::CONTENT_TYPE},
};
use serde_json::{Value, json};

use super::{
    errors::Problem,
    generate::Answer,
    metrics::Flight,
    pace::{self, Schedule},
    server::Shared,
};

/// A request that has passed all checks.
pub struct Job {
    pub id: String,
    pub created: i64,
    pub model: String,
    pub answers: Vec<Answer>,
    pub prompt_ids: Vec<u32>,
    pub flight: Flight,
}

impl Job {
    pub fn completion_tokens(&self) -> usize {
        self.answers.iter().map(|answer| answer.tokens.len()).sum()
    }

    pub fn reasoning_tokens(&self) -> usize {
        self.answers.iter().map(Answer::reasoning_tokens).sum()
    }

    /// Steps of the longest answer; all choices advance together.
    pub fn steps(&self) -> usize {
        self.answers
            .iter()
            .map(|answer| answer.tokens.len())
            .max()
            .unwrap_or(0)
    }

    fn finish(&self) -> &'static str {
        self.answers.last().map_or("stop", |answer| answer.finish)
    }

    /// Tokens made in one step.
    fn width(&self, step: usize) -> usize {
        self.answers
            .iter()
            .filter(|answer| step < answer.tokens.len())
            .count()
    }

    pub fn usage(&self, details: &Value) -> Value {
        let (prompt, completion) = (self.prompt_ids.len(), self.completion_tokens());
        json!({
            "prompt_tokens": prompt, "total_tokens": prompt + completion, "completion_tokens": completion,
            "prompt_tokens_details": null, "completion_tokens_details": details,
        })
    }

    /// Waits as long as making all tokens takes.
    pub async fn complete(&mut self, server: &Shared) {
        let start = self.flight.admit(&server.places).await;
        let schedule = Schedule {
            start,
            speed: server.speed,
        };
        for step in 0..self.steps() {
            pace::until(schedule.due(step)).await;
            let width = self.width(step);
            self.flight.step(width);
        }
        self.flight.finish(self.finish());
    }

    /// Sends `frames`, each step's at its time.
    pub fn stream(self, server: &Shared, frames: Vec<Frame>) -> Response<Body> {
        let sending = Sending {
            job: self,
            server: Shared::clone(server),
            frames: frames.into(),
            at: None,
        };
        let body = Body::from_stream(futures::stream::unfold(sending, Sending::next));
        let mut response = Response::new(body);
        response.headers_mut().insert(
            CONTENT_TYPE,
            HeaderValue::from_static("text/event-stream; charset=utf-8"),
        );
        response
    }
}

/// One event, with the step after which it is sent.
pub struct Frame {
    pub step: usize,
    /// Nothing is sent for a token that shows nothing.
    pub data: Option<String>,
}

/// `usage` of the last event, which has fewer keys than that of a whole answer.
pub fn stream_usage(prompt: usize, completion: usize) -> Value {
    json!({"prompt_tokens": prompt, "total_tokens": prompt + completion, "completion_tokens": completion})
}

struct Sending {
    job: Job,
    server: Shared,
    frames: VecDeque<Frame>,
    /// The schedule, and the steps already made.
    at: Option<(Schedule, usize)>,
}

impl Sending {
    async fn next(mut self) -> Option<(io::Result<Bytes>, Self)> {
        loop {
            let frame = self.frames.pop_front()?;
            let stop = self.server.stop.clone();
            let reached = tokio::select! {
                () = stop.cancelled() => false,
                () = self.reach(frame.step) => true,
            };
            if !reached {
                let cut = io::Error::new(io::ErrorKind::ConnectionAborted, "the server was stopped");
                self.frames.clear();
                return Some((Err(cut), self));
            }
            if self.frames.is_empty() {
                self.job.flight.finish(self.job.finish());
            }
            if let Some(data) = frame.data {
                return Some((Ok(Bytes::from(format!("data: {data}\n\n"))), self));
            }
        }
    }

    async fn reach(&mut self, step: usize) {
        let (schedule, mut made) = match self.at {
            Some(at) => at,
            None => {
                let start = self.job.flight.admit(&self.server.places).await;
                (
                    Schedule {
                        start,
                        speed: self.server.speed,
                    },
                    0,
                )
            }
        };
        while made <= step && made < self.job.steps() {
            pace::until(schedule.due(made)).await;
            let width = self.job.width(made);
            self.job.flight.step(width);
            made += 1;
            self.at = Some((schedule, made));
        }
    }
}

pub fn json_response(status: StatusCode, value: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(value.to_string()));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

pub fn refusal(problem: &Problem) -> Response<Body> {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_REQUEST);
    json_response(status, &problem.body())
}
