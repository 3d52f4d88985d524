//! The health checks of the container.

use std::time::Duration;

use crate::{
    config::Model,
    google::run::types::{HttpGet, Probe},
};

/// Seconds between two tries. Many short tries, because an HTTP probe fails at once while nothing listens.
const PERIOD: u32 = 5;
/// Shortest window: what every source says that Cloud Run accepts (failureThreshold × periodSeconds ≤ 240).
const SHORTEST: u64 = 240;
/// Longest window: the largest that has been seen on a documented live service.
const LONGEST: u64 = 1800;
/// Start of vLLM without the weights: imports, compilation, CUDA graphs.
const ENGINE_SECONDS: u64 = 180;
/// Reading weights from a streamed image, bytes per second, on the slow side.
const LOAD_RATE: u64 = 200_000_000;

/// How long the container may take to answer: the user's own value, else sized to the weights.
pub fn startup_window(model: &Model, weights_bytes: u64) -> Duration {
    model.service.startup_timeout.unwrap_or_else(|| {
        Duration::from_secs((ENGINE_SECONDS + weights_bytes / LOAD_RATE).clamp(SHORTEST, LONGEST))
    })
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

/// A sentence when the window is above what all of the documentation agrees on.
pub fn window_warning(window: Duration) -> Option<String> {
    (window.as_secs() > SHORTEST).then(|| {
        format!(
            "the startup window is {} s; some of Google's documentation names 240 s as the limit, though larger windows run in production",
            window.as_secs()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::config;

    #[test]
    fn the_window_grows_with_the_weights_between_its_limits() {
        let model = &config("").models[0];
        for (gb, seconds) in [(1, 240), (12, 240), (60, 480), (500, 1800)] {
            let window = startup_window(model, gb * 1_000_000_000);
            assert_eq!(window.as_secs(), seconds, "{gb} GB");
            assert_eq!(window_warning(window).is_some(), seconds > 240);
        }
        let own = &config("service: { startup-timeout: 10m }").models[0];
        assert_eq!(startup_window(own, 0).as_secs(), 600, "the user's own value wins");
    }

    #[test]
    fn every_probe_is_within_cloud_runs_limits_and_covers_its_window() {
        for seconds in [1, 240, 241, 1800] {
            let probe = startup(Duration::from_secs(seconds), 8080);
            let (period, timeout) = (probe.period_seconds.unwrap(), probe.timeout_seconds.unwrap());
            let tries = probe.failure_threshold.unwrap();
            assert!((1..=240).contains(&period) && (1..=period).contains(&timeout));
            assert!(
                tries >= 1 && u64::from(tries * period) >= seconds,
                "{tries} × {period}"
            );
            assert!(u64::from((tries - 1) * period) < seconds, "no try too many");
        }
        let alive = liveness(8080);
        assert!(alive.timeout_seconds <= alive.period_seconds);
    }
}
