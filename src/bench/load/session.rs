//! What the requests of one level share on the measuring thread.

use std::{
    cell::{Cell, RefCell},
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::{Notify, mpsc::UnboundedSender};

use super::{
    gauge::Gauge,
    hope::Hope,
    phase::{Phase, Ticket},
    workload::Workload,
};
use crate::{
    bench::{
        failure::Failure,
        objective::Judge,
        record::Record,
        recorder::{Recorder, Sample},
        tally::{Answer, Tally, ms},
    },
    endpoint::lane::Lane,
};

/// A lane and what it takes to time its answers; used by one request at a time.
pub struct Connection {
    pub lane: Lane,
    recorder: Recorder,
}

pub struct Session {
    pub workload: Arc<Workload>,
    pub gauge: Arc<Gauge>,
    pub phase: RefCell<Phase>,
    pub tally: RefCell<Tally>,
    /// Index of the level.
    level: usize,
    judge: Judge,
    records: Option<UnboundedSender<Record>>,
    begun: Instant,
    hope: RefCell<Hope>,
    stopped: Cell<bool>,
    stop: Notify,
}

impl Session {
    pub fn new(
        workload: Arc<Workload>,
        gauge: Arc<Gauge>,
        level: usize,
        judge: Judge,
        records: Option<UnboundedSender<Record>>,
        warm_up: u32,
    ) -> Self {
        let begun = Instant::now();
        Self {
            workload,
            gauge,
            phase: RefCell::new(Phase::warm_up(warm_up)),
            tally: RefCell::new(Tally::new(begun)),
            level,
            judge,
            records,
            begun,
            hope: RefCell::default(),
            stopped: Cell::new(false),
            stop: Notify::new(),
        }
    }

    /// The next part of the level; failures of the one before are forgotten.
    pub fn enter(&self, phase: Phase) {
        self.tally.replace(Tally::new(phase.origin()));
        self.phase.replace(phase);
        self.hope.take();
        self.stopped.set(false);
        self.gauge.forget_peak();
    }

    pub fn connection(&self) -> Connection {
        Connection {
            lane: self.workload.lanes.lane(),
            recorder: Recorder::default(),
        }
    }

    /// Leave for a request that is sent now.
    pub fn ticket(&self) -> Option<Ticket> {
        if self.is_stopped() {
            return None;
        }
        self.phase.borrow_mut().ticket(Instant::now(), None)
    }

    /// Leave for a request that is due at `due`.
    pub fn ticket_due(&self, due: Instant) -> Option<Ticket> {
        self.phase.borrow_mut().ticket(due, Some(due))
    }

    /// Whether the part of the level was given up.
    pub fn is_stopped(&self) -> bool {
        self.stopped.get()
    }

    /// Returns when the part of the level is given up. For one waiter.
    pub async fn stopped(&self) {
        while !self.is_stopped() {
            self.stop.notified().await;
        }
    }

    /// Sends the request and sums up what became of it.
    pub async fn perform(&self, connection: &mut Connection, ticket: Ticket) {
        let number = Workload::number(self.level, ticket.number);
        let prompt = self.workload.prompts.get(number);
        let (asked, counted_before) = (prompt.output_tokens, prompt.input_tokens);
        let outgoing = self.workload.outgoing(number, prompt);
        // What fails in the ramp-up fails in the measured time as well, where it is told.
        let order = (ticket.place.is_some() || self.phase.borrow().is_warm_up())
            .then(|| self.hope.borrow_mut().begin());
        self.gauge.begin();
        let Connection { lane, recorder } = connection;
        recorder.restart();
        let handed = Instant::now();
        let sent = lane
            .stream(&outgoing, self.workload.timeout, |arrived| {
                recorder.observe(arrived);
            })
            .await;
        let result = match &sent {
            Ok(sent) => recorder.finish(ticket.due, *sent).map_err(|e| Failure::from(&e)),
            Err(e) => Err(Failure::from(e)),
        };
        let sent = sent.unwrap_or(handed);
        let at = match &result {
            Ok(sample) => ticket.due.unwrap_or(sent) + sample.e2e,
            Err(_) => Instant::now(),
        };
        let ttft = result.as_ref().ok().map(|sample| ms(sample.ttft));
        self.gauge.end(ticket.place.is_some(), ttft);
        if order.is_some_and(|order| !self.hope.borrow_mut().end(order, result.is_ok())) {
            self.stopped.set(true);
            self.stop.notify_one();
        }
        let gaps = connection.recorder.gaps();
        let answer = result.map(|sample| Answer {
            sample,
            gaps,
            good: self.judge(&sample, gaps),
            counted_before,
            asked,
        });
        self.settle(ticket, sent, at, &answer);
    }

    /// A request that was due and never sent.
    pub fn miss(&self, ticket: Ticket) {
        let failure = Failure {
            kind: "not_sent",
            message: "the request was due and never sent: all connections were in use".to_owned(),
        };
        self.gauge.count(ticket.place.is_some(), true);
        let now = Instant::now();
        self.settle(ticket, now, now, &Err(failure));
    }

    fn judge(&self, sample: &Sample, gaps: &[Duration]) -> Option<bool> {
        let mut trial = self.judge.request();
        gaps.iter().for_each(|gap| trial.gap(ms(*gap)));
        trial.end(ms(sample.ttft), sample.tpot().map(ms), ms(sample.e2e))
    }

    fn settle(&self, ticket: Ticket, sent: Instant, at: Instant, result: &Result<Answer, Failure>) {
        if let Some(place) = ticket.place {
            let began = ticket.due.unwrap_or(sent);
            let mut tally = self.tally.borrow_mut();
            tally.add(place, began, at, result.as_ref());
        }
        if let Some(records) = &self.records {
            // Fails only when the measurement is abandoned.
            let _ = records.send(self.record(ticket, sent, result));
        }
    }

    fn record(&self, ticket: Ticket, sent: Instant, result: &Result<Answer, Failure>) -> Record {
        let offset = |at: Instant| at.saturating_duration_since(self.begun).as_secs_f64();
        let (answer, failure) = (result.as_ref().ok(), result.as_ref().err());
        Record {
            level: self.level,
            number: Workload::number(self.level, ticket.number),
            measured: ticket.place.is_some(),
            due_at: ticket.due.map(offset),
            sent_at: offset(sent),
            ttft_ms: answer.map(|a| ms(a.sample.ttft)),
            e2e_ms: answer.map(|a| ms(a.sample.e2e)),
            gaps_ms: answer.map_or_else(Vec::new, |a| a.gaps.iter().copied().map(ms).collect()),
            input_tokens: answer.and_then(Answer::input_tokens),
            output_tokens: answer.map_or(0, |a| a.sample.tokens()),
            chunks: answer.map_or(0, |a| a.sample.chunks),
            good: answer.and_then(|a| a.good),
            error_kind: failure.map(|f| f.kind.to_owned()),
            error: failure.map(|f| f.message.clone()),
        }
    }
}
