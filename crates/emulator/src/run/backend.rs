//! A revision's instance: started when it is needed, stopped when it is not.

use std::sync::{
    Arc, Mutex, Weak,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use serde_json::Value;
use tokio::{net::TcpListener, sync::watch, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    conditions::{self, Cause},
    launch::Launch,
    log::RevisionLog,
    probe::{self, Failure, Probe},
    process,
    record::Id,
    resources,
};
use crate::{
    Emulator, Shared,
    endpoint::{self, StandIn},
};

/// Why an instance is started, in the platform's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    Deployment,
    Request,
}

impl Why {
    fn text(self) -> &'static str {
        match self {
            Self::Deployment => {
                "Starting new instance. Reason: DEPLOYMENT_ROLLOUT - Instance started due to traffic shifting between \
                 revisions due to deployment, traffic split adjustment, or deployment health check."
            }
            Self::Request => {
                "Starting new instance. Reason: AUTOSCALING - Instance started due to configured scaling factors \
                 (e.g. CPU utilization, request throughput, etc.) or no existing capacity for current traffic."
            }
        }
    }
}

struct Instance {
    port: u16,
    stop: CancellationToken,
    exited: watch::Receiver<Option<String>>,
}

impl Instance {
    fn alive(&self) -> bool {
        self.exited.borrow().is_none()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

/// How many instances there are, by state.
pub struct Instances {
    pub active: u64,
    pub idle: u64,
}

/// Gives a reservation back, however the start ends.
struct Reserved<'a>(&'a AtomicBool);

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

/// Starts, finds and stops the instance of one revision.
pub struct Backend {
    emulator: Weak<Emulator>,
    pub id: Id,
    pub revision: String,
    template: Value,
    /// Cancelled with the service.
    stop: CancellationToken,
    starting: tokio::sync::Mutex<()>,
    running: Mutex<Option<Instance>>,
    in_flight: AtomicUsize,
    /// An instance is being started: it counts against the quota already.
    reserved: AtomicBool,
    used: Mutex<Instant>,
    pub log: RevisionLog,
}

/// Counts a request while it is being answered.
pub struct InFlight(Arc<Backend>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
        *super::lock(&self.0.used) = Instant::now();
    }
}

impl Backend {
    pub fn new(
        emulator: &Shared,
        id: &Id,
        revision: &str,
        template: &Value,
        stop: CancellationToken,
    ) -> Arc<Self> {
        Arc::new(Self {
            emulator: Arc::downgrade(emulator),
            id: id.clone(),
            revision: revision.to_owned(),
            template: template.clone(),
            stop,
            starting: tokio::sync::Mutex::new(()),
            running: Mutex::new(None),
            in_flight: AtomicUsize::new(0),
            reserved: AtomicBool::new(false),
            used: Mutex::new(Instant::now()),
            log: RevisionLog::new(emulator, id, revision),
        })
    }

    /// Longest time for one request.
    pub fn timeout(&self) -> std::time::Duration {
        let text = self.template["timeout"].as_str();
        text.and_then(super::quantity::duration)
            .unwrap_or(std::time::Duration::from_secs(300))
    }

    pub fn enter(self: &Arc<Self>) -> InFlight {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        InFlight(Arc::clone(self))
    }

    pub fn has_gpu(&self) -> bool {
        resources::accelerator(&self.template).is_some()
    }

    pub fn reserve(&self) {
        self.reserved.store(true, Ordering::Relaxed);
    }

    /// Whether an instance runs or is being started.
    pub fn holds_instance(&self) -> bool {
        self.reserved.load(Ordering::Relaxed) || self.port().is_some()
    }

    /// Whether it may be stopped without anybody noticing but by a cold start.
    pub fn is_idle(&self) -> bool {
        let min = self
            .template
            .pointer("/scaling/minInstanceCount")
            .and_then(Value::as_u64);
        min.unwrap_or(0) == 0 && self.in_flight.load(Ordering::Relaxed) == 0
    }

    /// Instances that answer requests, and those that are kept in case.
    pub fn instances(&self) -> Instances {
        let alive = u64::from(self.port().is_some());
        let active = alive.min(self.in_flight.load(Ordering::Relaxed) as u64);
        Instances {
            active,
            idle: alive - active,
        }
    }

    /// Since when no request has been answered.
    pub fn last_used(&self) -> Instant {
        *super::lock(&self.used)
    }

    /// Port of the running instance.
    pub fn port(&self) -> Option<u16> {
        let running = super::lock(&self.running);
        running.as_ref().filter(|i| i.alive()).map(|i| i.port)
    }

    /// Stops the instance, if there is one.
    pub fn scale_in(&self) {
        drop(super::lock(&self.running).take());
    }

    /// The port of the instance, which is started when there is none.
    ///
    /// # Errors
    /// When it can't be started or doesn't pass its startup probe.
    pub async fn ensure(&self, why: Why) -> Result<u16, Cause> {
        if let Some(port) = self.port() {
            return Ok(port);
        }
        let _one_at_a_time = self.starting.lock().await;
        if let Some(port) = self.port() {
            return Ok(port);
        }
        let emulator = self.emulator.upgrade().ok_or_else(stopped)?;
        if self.stop.is_cancelled() {
            return Err(stopped());
        }
        if self.has_gpu() && !emulator.run.make_room_for_gpu(self) {
            return Err(conditions::no_gpu_left());
        }
        let reserved = Reserved(&self.reserved);
        let launch = Launch::of(&emulator, &self.id, &self.revision, &self.template)?;
        let instance = self.start(&emulator, &launch, why).await?;
        let port = instance.port;
        *super::lock(&self.used) = Instant::now();
        *super::lock(&self.running) = Some(instance);
        drop(reserved);
        Ok(port)
    }

    async fn start(&self, emulator: &Shared, launch: &Launch, why: Why) -> Result<Instance, Cause> {
        let log = self.log.instance();
        log.system("INFO", why.text());
        if emulator.settings.serve.is_none() {
            tokio::time::sleep(emulator.settings.scaling.container).await;
        }
        let unhealthy = |_| conditions::unhealthy(launch.port);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(unhealthy)?;
        let port = listener.local_addr().map_err(unhealthy)?.port();
        let (sender, exited) = watch::channel(None);
        let stop = self.stop.child_token();
        let instance = Instance {
            port,
            stop: stop.clone(),
            exited: exited.clone(),
        };
        // A real process gets its window in real time; the stand-in is up at once, or never.
        let pace = if let Some(serve) = &emulator.settings.serve {
            drop(listener);
            let started = process::start(serve, launch, port, &log, stop, sender, &emulator.children);
            started.map_err(|error| {
                log.system("ERROR", &format!("Container can't be started: {error}."));
                conditions::unhealthy(launch.port)
            })?;
            1.0
        } else {
            let stand_in = StandIn {
                speed: emulator.settings.speed,
                start: endpoint::Start {
                    load: emulator.settings.scaling.load,
                    init: emulator.settings.scaling.init,
                },
                args: launch.args_at(port),
                env: launch.env_at(port),
            };
            let lines = log.clone();
            tokio::spawn(async move {
                let said = move |text: String| lines.line("stdout", &text);
                let how = match endpoint::serve(stand_in, listener, said, stop.clone()).await {
                    Err(refused) => format!("Container called exit({}).", refused.exit_code),
                    Ok(()) if stop.is_cancelled() => "Container terminated on signal 15.".to_owned(),
                    Ok(()) => "Container called exit(0).".to_owned(),
                };
                sender.send_replace(Some(how));
            });
            emulator.settings.pace
        };
        let healthy = launch.probe.wait(&emulator.run.http(), port, exited, pace).await;
        report(&log, launch, &healthy);
        healthy.map_err(|_| conditions::unhealthy(launch.port))?;
        Ok(instance)
    }

    /// The startup probe, for messages.
    pub fn probe(&self) -> Probe {
        let containers = self.template["containers"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let exposed = containers.iter().find(|c| c.pointer("/ports/0").is_some());
        let port = exposed
            .and_then(|c| c.pointer("/ports/0/containerPort"))
            .and_then(Value::as_u64);
        Probe::of(
            exposed.map_or(&Value::Null, |c| &c["startupProbe"]),
            port.unwrap_or(8080),
        )
    }
}

fn stopped() -> Cause {
    Cause {
        code: 1,
        condition: "Ready",
        reason: ("revisionReason", "RETIRED"),
        message: "The service was deleted.".to_owned(),
    }
}

fn report(log: &super::log::InstanceLog, launch: &Launch, outcome: &Result<u32, Failure>) {
    let Probe { path, port, .. } = &launch.probe;
    let kind = launch.probe.kind();
    let place = path
        .as_ref()
        .map_or_else(String::new, |p| format!(" path \"{p}\""));
    let place = format!("for container \"{}\" on port {port}{place}.", launch.container);
    match outcome {
        Ok(tries) => {
            let s = if *tries == 1 { "" } else { "s" };
            log.system(
                "INFO",
                &format!("STARTUP {kind} probe succeeded after {tries} attempt{s} {place}"),
            );
        }
        Err(Failure::Unanswered { periods, last }) => {
            let s = if *periods == 1 { "" } else { "s" };
            let text = format!(
                "STARTUP {kind} probe failed {periods} time{s} consecutively {place} The instance was not started. {last}"
            );
            log.system("ERROR", &text);
        }
        Err(Failure::Exited(text)) => log.system("ERROR", text),
    }
}

/// Waits until the container of a running instance ends by itself; used to log crashes.
pub async fn log_crash(backend: Weak<Backend>) {
    let Some((mut exited, stop)) = backend.upgrade().and_then(|b| {
        let running = super::lock(&b.running);
        running.as_ref().map(|i| (i.exited.clone(), i.stop.clone()))
    }) else {
        return;
    };
    let text = probe::ended(&mut exited).await;
    if let Some(backend) = backend.upgrade().filter(|_| !stop.is_cancelled()) {
        backend.log.system("WARNING", &text);
    }
}
