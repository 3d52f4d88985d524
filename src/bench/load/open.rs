//! The open loop: requests are sent when they are due, whatever became of those before.

use std::{
    cell::RefCell,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::timeout_at,
};

use super::{
    pacer::Pacer,
    schedule::Schedule,
    session::{Connection, Session},
};

/// So long before a request is due its connection is looked after: one that was idle for too long, or that the server
/// has closed, is opened anew then. At low rates each request would wait for that.
const LEAD: Duration = Duration::from_millis(500);

/// Connections of an open loop: an idle one is used again, else one more is opened, up to a cap.
pub struct Pool {
    idle: RefCell<Vec<Connection>>,
    room: Arc<Semaphore>,
}

impl Pool {
    pub fn new(idle: Vec<Connection>, cap: u32) -> Self {
        Self {
            idle: RefCell::new(idle),
            room: Arc::new(Semaphore::new(cap.max(1) as usize)),
        }
    }

    /// The connection that was used last, as the least likely to have been closed by the server.
    fn connection(&self, session: &Session) -> Connection {
        let idle = self.idle.borrow_mut().pop();
        idle.unwrap_or_else(|| session.connection())
    }

    /// Sees to it that the connection which is next is open.
    async fn freshen(&self) {
        let next = self.idle.borrow_mut().pop();
        if let Some(mut connection) = next {
            // A failure here shows in the request.
            let _ = connection.lane.open(LEAD).await;
            self.idle.borrow_mut().push(connection);
        }
    }
}

/// What an open loop could not do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shortfall {
    /// Requests that waited for a connection.
    pub waited: u64,
    /// Requests that never were sent.
    pub unsent: u64,
}

/// Sends the requests of the session's phase at the times of the schedule. A request that finds no connection within
/// its timeout fails unsent.
pub async fn run(session: &Rc<Session>, pacer: &Pacer, pool: &Rc<Pool>, schedule: Schedule) -> Shortfall {
    let start = session.phase.borrow().start;
    let mut shortfall = Shortfall::default();
    // Dropped with this future, which ends the requests.
    let mut requests = JoinSet::new();
    for offset in schedule {
        let due = start + offset;
        let Some(ticket) = session.ticket_due(due) else {
            break;
        };
        tokio::select! {
            () = wait(pacer, pool, due) => {}
            () = session.stopped() => break,
        }
        let room = tokio::select! {
            room = room(session, pool, due, &mut shortfall) => room,
            () = session.stopped() => break,
        };
        let Some(permit) = room else {
            shortfall.unsent += 1;
            session.miss(ticket);
            continue;
        };
        let (session, pool) = (session.clone(), pool.clone());
        requests.spawn_local(async move {
            let mut connection = pool.connection(&session);
            session.perform(&mut connection, ticket).await;
            pool.idle.borrow_mut().push(connection);
            drop(permit);
        });
        while requests.try_join_next().is_some() {}
    }
    while requests.join_next().await.is_some() {}
    shortfall
}

async fn wait(pacer: &Pacer, pool: &Pool, due: Instant) {
    if let Some(before) = due.checked_sub(LEAD).filter(|before| *before > Instant::now()) {
        pacer.until(before).await;
        pool.freshen().await;
    }
    pacer.until(due).await;
}

/// Waits until fewer than the most requests are in flight. `None` when that took the request's whole timeout.
async fn room(
    session: &Session,
    pool: &Pool,
    due: Instant,
    shortfall: &mut Shortfall,
) -> Option<OwnedSemaphorePermit> {
    if let Ok(permit) = pool.room.clone().try_acquire_owned() {
        return Some(permit);
    }
    shortfall.waited += 1;
    let until = due + session.workload.timeout;
    let permit = timeout_at(until.into(), pool.room.clone().acquire_owned()).await;
    permit.ok()?.ok()
}
