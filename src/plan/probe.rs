//! The health checks of the container.

use std::time::Duration;

use crate::{
    config::Model,
    google::run::types::{HttpGet, Probe, Service},
};

/// Seconds between two tries. Many short tries, because an HTTP probe fails at once while nothing listens.
const PERIOD: u32 = 5;
/// The longest window that Cloud Run's documentation allows a GPU service (failureThreshold × periodSeconds).
const LONGEST: Duration = Duration::from_secs(1800);
/// Seconds that vLLM 0.29 took on an L4 with 8 CPUs to start Qwen3.5-4B, by a public log: 295 from launch to
/// `/health`, in these three parts. Imports (48), configuration, tokenizer and processor (46), and torch.compile (32)
/// are bound by the CPU.
const CPU_BOUND_SECONDS: f64 = 126.0;
/// Memory profiling (76), CUDA graphs (37), and the rest.
const ENGINE_SECONDS: f64 = 152.0;
/// Loading its weights: the least that a model is given.
const LOAD_SECONDS: f64 = 17.0;
/// CPUs that the CPU-bound part was measured with. Fewer take longer in proportion; more do not help.
const MEASURED_CPUS: u32 = 8;
/// Reading weights from a streamed image, bytes per second, on the slow side.
const LOAD_RATE: f64 = 200e6;
/// Room for slower machines and models.
const MARGIN: f64 = 1.4;

/// Returns how long the container may take to answer: the user's own value, else the measured start of vLLM with a
/// margin, for the weights and the CPUs that the service has.
pub fn startup_window(model: &Model, weights_bytes: u64) -> Duration {
    model
        .service
        .startup_timeout
        .unwrap_or_else(|| default_window(model.service.cpu, weights_bytes))
}

fn default_window(cpus: u32, weights_bytes: u64) -> Duration {
    let slower = f64::from(MEASURED_CPUS) / f64::from(cpus.clamp(1, MEASURED_CPUS));
    let load = (weights_bytes as f64 / LOAD_RATE).max(LOAD_SECONDS);
    let seconds = (ENGINE_SECONDS + CPU_BOUND_SECONDS * slower + load) * MARGIN;
    Duration::from_secs(seconds.ceil() as u64).min(LONGEST)
}

/// Returns how long a live service's container may take to start, by its startup probe; the default for weights of
/// unknown size when the service has no such probe.
pub fn live_window(model: &Model, live: &Service) -> Duration {
    let container = live.template.as_ref().and_then(|t| t.containers.first());
    container
        .and_then(|c| c.startup_probe.as_ref())
        .and_then(Probe::window)
        .unwrap_or_else(|| startup_window(model, 0))
}

/// The startup probe on vLLM's `/health` that covers the window.
pub fn startup(window: Duration, port: u16) -> Probe {
    let tries = window.as_secs().div_ceil(u64::from(PERIOD)).max(1);
    health(port, PERIOD, PERIOD - 1, u32::try_from(tries).unwrap_or(u32::MAX))
}

/// Restarts a container whose engine hangs: three failures in a row, half a minute apart.
pub fn liveness(port: u16) -> Probe {
    health(port, 30, 10, 3)
}

/// All four times are sent, also where they equal Cloud Run's default, so that they compare equal when read back.
fn health(port: u16, period: u32, timeout: u32, failures: u32) -> Probe {
    Probe {
        initial_delay_seconds: None,
        period_seconds: Some(period),
        timeout_seconds: Some(timeout),
        failure_threshold: Some(failures),
        http_get: Some(HttpGet {
            path: "/health".to_owned(),
            port: Some(port),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        google::run::types::{Container, RevisionTemplate},
        plan::testing::config,
    };

    /// The public log: 295 s with 8 CPUs, of it 126 s that take twice as long with half of them.
    const README_EXAMPLE: u64 = 9_300_000_000;

    #[test]
    fn the_window_leaves_forty_percent_above_the_measured_start() {
        for (cpus, least) in [(8, 413), (4, 590)] {
            for weights in [0, 1_200_000_000, README_EXAMPLE] {
                let window = default_window(cpus, weights).as_secs();
                assert!(
                    (least..least + 60).contains(&window),
                    "{cpus} CPUs, {weights} bytes: {window} s"
                );
            }
        }
    }

    #[test]
    fn the_window_grows_with_the_weights_and_with_fewer_cpus_up_to_cloud_runs_limit() {
        let seconds = |cpus, gb: u64| default_window(cpus, gb * 1_000_000_000).as_secs();
        assert!(seconds(8, 60) > seconds(8, 12) && seconds(8, 12) > seconds(8, 1));
        assert!(seconds(4, 9) > seconds(6, 9) && seconds(6, 9) > seconds(8, 9));
        assert_eq!(seconds(20, 9), seconds(8, 9), "more CPUs do not help");
        assert_eq!(seconds(8, 500), 1800);
    }

    #[test]
    fn the_users_own_window_wins() {
        let own = &config("service: { startup-timeout: 4m }").models[0];
        assert_eq!(startup_window(own, README_EXAMPLE).as_secs(), 240);
        let model = &config("service: { cpu: 4, memory: 16Gi }").models[0];
        assert_eq!(
            startup_window(model, 0).as_secs(),
            590,
            "a setting decides the CPUs"
        );
    }

    #[test]
    fn a_live_services_window_is_its_probes() {
        let model = &config("").models[0];
        let mut live = Service::default();
        assert_eq!(live_window(model, &live), startup_window(model, 0), "no probe");
        let probe = Probe {
            initial_delay_seconds: Some(60),
            ..startup(Duration::from_secs(700), 8080)
        };
        live.template = Some(RevisionTemplate {
            containers: vec![Container {
                startup_probe: Some(probe),
                ..Container::default()
            }],
            ..RevisionTemplate::default()
        });
        assert_eq!(live_window(model, &live).as_secs(), 760);
    }

    #[test]
    fn every_probe_is_within_cloud_runs_limits_and_covers_its_window() {
        for seconds in [1, 240, 413, 590, 1799, 1800] {
            let probe = startup(Duration::from_secs(seconds), 8080);
            let (period, timeout) = (probe.period_seconds.unwrap(), probe.timeout_seconds.unwrap());
            let tries = probe.failure_threshold.unwrap();
            assert!((1..=600).contains(&period) && (1..=period).contains(&timeout));
            assert!(
                tries >= 1 && u64::from(tries * period) >= seconds,
                "{tries} × {period}"
            );
            assert!(u64::from((tries - 1) * period) < seconds, "no try too many");
            assert!(
                u64::from(tries * period) <= 1800,
                "a GPU service's longest window"
            );
        }
        let alive = liveness(8080);
        assert!(alive.timeout_seconds <= alive.period_seconds);
    }
}
