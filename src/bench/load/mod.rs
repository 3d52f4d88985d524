//! One load: requests sent on the measuring thread, everything else from the thread that asks.

mod closed;
mod describe;
mod gauge;
mod hope;
mod open;
mod pacer;
mod phase;
mod schedule;
mod session;
pub mod thread;
pub mod workload;

use std::{cell::Cell, convert::Infallible, future::Future, rc::Rc, sync::Arc, time::Duration};

use futures::{StreamExt, stream};
use tokio::sync::{mpsc, oneshot};

use super::{BenchProgress, Observer, objective::Judge, record::Record, result::Level, tally::Tally};
use crate::{
    bench::truth::Watch,
    config::latency::{Arrivals, Load, Objective},
    endpoint::{Endpoint, lane::Lanes},
};
use gauge::Gauge;
use open::{Pool, Shortfall};
use pacer::Pacer;
pub use phase::Limit;
use schedule::Schedule;
use session::{Connection, Session};
use thread::Lag;
use workload::Workload;

/// Most requests in flight of an open loop, unless something else is asked for.
pub const MOST_IN_FLIGHT: u32 = 4096;
/// Longest wait for the connections that are opened before a level.
const OPEN: Duration = Duration::from_secs(10);
/// Connections that are opened at once: more would measure the queue of the server's listener.
const OPEN_AT_ONCE: usize = 32;
/// Failures after which no more are opened beforehand: each may take [`OPEN`], and the requests will tell.
const FAILURES: u32 = 3;
/// Most connections that an open loop opens beforehand.
const OPEN_BEFOREHAND: f64 = 256.0;
/// Time between two looks at the progress.
const LOOK: Duration = Duration::from_millis(100);

/// What is measured at one level.
#[derive(Clone)]
pub struct Plan {
    /// Index of the level.
    pub level: usize,
    pub load: Load,
    pub limit: Limit,
    pub warm_up: u32,
    pub ramp_up: Duration,
    pub objectives: Vec<Objective>,
    pub most_in_flight: u32,
}

/// What the measuring thread hands back.
struct Measured {
    tally: Tally,
    excluded: u64,
    shortfall: Shortfall,
    given_up: bool,
    lag: Option<String>,
}

/// Measures one load.
///
/// # Errors
/// When this machine has no thread for it.
pub async fn level(
    endpoint: &Endpoint,
    workload: &Arc<Workload>,
    plan: &Plan,
    observer: Option<&Observer>,
    on_progress: &(dyn Fn(BenchProgress) + Sync),
) -> Result<Level, String> {
    let gauge = Arc::new(Gauge::default());
    let (warm, warmed_up) = oneshot::channel();
    let (go, start) = oneshot::channel();
    let (records, mut recorded) = mpsc::unbounded_channel();
    let records = observer.map(|_| records);
    let work = {
        let (workload, plan, gauge) = (workload.clone(), plan.clone(), gauge.clone());
        thread::run(move || measure(workload, plan, gauge, records, warm, start))
    };
    let mut watch = None;
    let measured = {
        let beside = async {
            let begin = async {
                if warmed_up.await.is_ok() {
                    watch = Watch::begin(endpoint).await;
                    // Fails only when the measuring thread has ended.
                    let _ = go.send(());
                }
            };
            tokio::join!(
                begin,
                observe(&mut recorded, observer),
                show(plan, &gauge, on_progress)
            );
            std::future::pending::<Infallible>().await
        };
        let measured = async {
            tokio::select! {
                measured = work => measured,
                never = beside => match never {},
            }
        };
        with_fresh_credentials(&workload.lanes, measured).await??
    };
    while let Ok(record) = recorded.try_recv() {
        observer.inspect(|observer| observer(&record));
    }
    on_progress(progress(plan, &gauge));
    let mut level = describe::level(plan, gauge.peak(), measured, workload.seed);
    if let Some(watch) = watch {
        level.server = watch.end(&level).await;
    }
    Ok(level)
}

/// Does `work` while credentials are renewed.
pub async fn with_fresh_credentials<W: Future>(lanes: &Lanes, work: W) -> W::Output {
    let fresh = async {
        lanes.keep_fresh().await;
        std::future::pending::<Infallible>().await
    };
    tokio::select! {
        output = work => output,
        never = fresh => match never {},
    }
}

/// Tells each record to the observer; never ends.
async fn observe(records: &mut mpsc::UnboundedReceiver<Record>, observer: Option<&Observer>) {
    while let Some(record) = records.recv().await {
        observer.inspect(|observer| observer(&record));
    }
    std::future::pending::<()>().await;
}

/// Shows the progress; never ends.
async fn show(plan: &Plan, gauge: &Gauge, on_progress: &(dyn Fn(BenchProgress) + Sync)) {
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        look.tick().await;
        on_progress(progress(plan, gauge));
    }
}

fn progress(plan: &Plan, gauge: &Gauge) -> BenchProgress {
    BenchProgress {
        load: plan.load.into(),
        done: gauge.done(),
        total: match plan.limit {
            Limit::Requests(requests) => Some(requests),
            Limit::Time(_) => None,
        },
        in_flight: gauge.in_flight(),
        errors: gauge.errors(),
        ttft_ms: gauge.ttft_ms(),
    }
}

/// Everything that runs on the measuring thread: connections, warm-up, measurement.
async fn measure(
    workload: Arc<Workload>,
    plan: Plan,
    gauge: Arc<Gauge>,
    records: Option<mpsc::UnboundedSender<Record>>,
    warm: oneshot::Sender<()>,
    start: oneshot::Receiver<()>,
) -> Result<Measured, String> {
    let pacer = Pacer::start()?;
    let judge = Judge::new(&plan.objectives);
    let session = Session::new(workload, gauge, plan.level, judge, records, plan.warm_up);
    let session = Rc::new(session);
    let mut driver = Driver::new(&session, &pacer, &plan).await;
    driver.run(Duration::ZERO, 0).await;
    let _ = warm.send(());
    let _ = start.await;
    let phase = session.phase.borrow().measurement(plan.limit, plan.ramp_up);
    session.enter(phase);
    let lag = Lag::watch(&pacer);
    let shortfall = driver.run(plan.ramp_up, 1).await;
    let origin = session.phase.borrow().origin();
    Ok(Measured {
        tally: session.tally.replace(Tally::new(origin)),
        excluded: session.phase.borrow().excluded,
        shortfall,
        given_up: session.is_stopped(),
        lag: lag.note(),
    })
}

/// Sends a phase's requests in the shape of the load.
struct Driver<'a> {
    session: &'a Rc<Session>,
    pacer: &'a Pacer,
    seed: u64,
    shape: Shape,
}

enum Shape {
    Closed(Vec<Connection>),
    Open { load: (f64, Arrivals), pool: Rc<Pool> },
}

impl<'a> Driver<'a> {
    async fn new(session: &'a Rc<Session>, pacer: &'a Pacer, plan: &Plan) -> Self {
        let shape = match plan.load {
            Load::Closed { concurrency } => {
                let useful = match plan.limit {
                    Limit::Requests(requests) if plan.ramp_up.is_zero() => {
                        requests.try_into().unwrap_or(u32::MAX)
                    }
                    _ => u32::MAX,
                };
                Shape::Closed(connections(session, concurrency.min(useful).max(1)).await)
            }
            Load::Open { rate, arrivals } => {
                let some = rate.ceil().clamp(1.0, OPEN_BEFOREHAND) as u32;
                let idle = connections(session, some.min(plan.most_in_flight)).await;
                Shape::Open {
                    load: (rate, arrivals),
                    pool: Rc::new(Pool::new(idle, plan.most_in_flight)),
                }
            }
        };
        let seed = session.workload.seed.wrapping_add(plan.level as u64);
        Self {
            session,
            pacer,
            seed,
            shape,
        }
    }

    /// `part` tells the schedules of one level apart.
    async fn run(&mut self, ramp_up: Duration, part: u64) -> Shortfall {
        match &mut self.shape {
            Shape::Closed(connections) => {
                let all = std::mem::take(connections);
                *connections = closed::run(self.session, self.pacer, all, ramp_up).await;
                Shortfall::default()
            }
            Shape::Open {
                load: (rate, arrivals),
                pool,
            } => {
                let seed = self.seed.rotate_left(32) ^ part;
                let schedule = Schedule::new(*rate, *arrivals, ramp_up, seed);
                open::run(self.session, self.pacer, pool, schedule).await
            }
        }
    }
}

/// Opens connections, so that no request is charged for a TLS handshake.
async fn connections(session: &Session, count: u32) -> Vec<Connection> {
    let failures = Cell::new(0);
    let open = |_| async {
        let mut connection = session.connection();
        if failures.get() < FAILURES && connection.lane.open(OPEN).await.is_err() {
            failures.set(failures.get() + 1);
        }
        connection
    };
    stream::iter(0..count)
        .map(open)
        .buffer_unordered(OPEN_AT_ONCE)
        .collect()
        .await
}
