//! The startup probe, run for real against an instance.

use std::time::Duration;

use serde_json::Value;
use tokio::{net::TcpStream, sync::watch, time::Instant};

use super::probe_rules;

/// Shortest wait between tries, so that a pace of 0 doesn't spin.
const BREATH: Duration = Duration::from_millis(2);
/// Tries within a period: a process that comes up is seen soon, not at the end of its period.
const TRY_EVERY: Duration = Duration::from_millis(250);

/// A startup probe as specified.
#[derive(Clone, Debug)]
pub struct Probe {
    pub delay: Duration,
    pub period: Duration,
    pub timeout: Duration,
    pub threshold: u32,
    pub port: u64,
    container_port: u64,
    /// Path of an HTTP probe; a TCP probe has none.
    pub path: Option<String>,
    headers: Vec<(String, String)>,
}

/// A probe that gave up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No try succeeded in this many periods; what the last one met.
    Unanswered { periods: u32, last: String },
    /// The container ended by itself.
    Exited(String),
}

impl Probe {
    pub fn of(spec: &Value, container_port: u64) -> Self {
        let number = |key: &str, default: i64| spec[key].as_u64().unwrap_or(default.unsigned_abs());
        let port = ["/httpGet/port", "/tcpSocket/port", "/grpc/port"]
            .iter()
            .find_map(|p| spec.pointer(p).and_then(Value::as_u64));
        let headers = spec.pointer("/httpGet/httpHeaders").and_then(Value::as_array);
        Self {
            delay: Duration::from_secs(number("initialDelaySeconds", 0)),
            period: Duration::from_secs(number("periodSeconds", probe_rules::PERIOD)),
            timeout: Duration::from_secs(number("timeoutSeconds", probe_rules::TIMEOUT)),
            threshold: u32::try_from(number("failureThreshold", probe_rules::THRESHOLD)).unwrap_or(u32::MAX),
            port: port.unwrap_or(container_port),
            container_port,
            path: spec
                .get("httpGet")
                .map(|h| h["path"].as_str().unwrap_or("/").to_owned()),
            headers: headers
                .into_iter()
                .flatten()
                .filter_map(|h| Some((h["name"].as_str()?.to_owned(), h["value"].as_str()?.to_owned())))
                .collect(),
        }
    }

    /// The longest that a container may take, as specified.
    pub fn window(&self) -> Duration {
        self.delay + self.period * self.threshold
    }

    pub fn kind(&self) -> &'static str {
        if self.path.is_some() { "HTTP" } else { "TCP" }
    }

    /// Probes the instance at `own` until it answers. Returns the period in which it did, counted from 1.
    ///
    /// `pace` scales the waits of the in-process stand-in; a real process gets its whole window in real time, and
    /// within each period it is tried several times. The initial delay counts as part of the window.
    ///
    /// # Errors
    /// When the window is over, or the container has ended.
    pub async fn wait(
        &self,
        http: &reqwest::Client,
        own: u16,
        mut exited: watch::Receiver<Option<String>>,
        pace: f64,
    ) -> Result<u32, Failure> {
        let period = self.period.mul_f64(pace).max(BREATH);
        let first = period + self.delay.mul_f64(pace);
        let mut last = String::new();
        for number in 1..=self.threshold {
            let end = Instant::now() + if number == 1 { first } else { period };
            loop {
                tokio::select! {
                    tried = self.attempt(http, own) => match tried {
                        Ok(()) => return Ok(number),
                        Err(text) => last = text,
                    },
                    text = ended(&mut exited) => return Err(Failure::Exited(text)),
                }
                let left = end.saturating_duration_since(Instant::now());
                tokio::select! {
                    () = tokio::time::sleep(left.min(TRY_EVERY)) => {}
                    text = ended(&mut exited) => return Err(Failure::Exited(text)),
                }
                if left <= TRY_EVERY {
                    break;
                }
            }
        }
        Err(Failure::Unanswered {
            periods: self.threshold,
            last,
        })
    }

    async fn attempt(&self, http: &reqwest::Client, own: u16) -> Result<(), String> {
        let refused = || "Connection failed with status ERROR_CONNECTION_FAILED.".to_owned();
        if self.port != self.container_port {
            return Err(refused());
        }
        let Some(path) = &self.path else {
            let connect = TcpStream::connect(("127.0.0.1", own));
            let connected = tokio::time::timeout(self.timeout, connect).await;
            return connected.map_err(|_| refused())?.map(drop).map_err(|_| refused());
        };
        let path = path.strip_prefix('/').unwrap_or(path);
        let mut request = http
            .get(format!("http://127.0.0.1:{own}/{path}"))
            .timeout(self.timeout);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        match request.send().await {
            Ok(answer) if answer.status().is_success() || answer.status().is_redirection() => Ok(()),
            Ok(answer) => Err(format!("Probe failed with status {}.", answer.status().as_u16())),
            Err(error) if error.is_timeout() => {
                Err("Connection failed with status DEADLINE_EXCEEDED.".to_owned())
            }
            Err(_) => Err(refused()),
        }
    }
}

/// Waits for the text of how the container ended.
pub async fn ended(exited: &mut watch::Receiver<Option<String>>) -> String {
    match exited.wait_for(Option::is_some).await {
        Ok(text) => text.clone().unwrap_or_default(),
        // The sender is gone without a word: the instance was stopped.
        Err(_) => "Container terminated on signal 15.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn client() -> reqwest::Client {
        super::super::proxy::client()
    }

    #[tokio::test]
    async fn an_instance_that_never_listens_fails_after_the_threshold() {
        let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let probe = Probe::of(
            &json!({"httpGet": {"path": "/health"}, "failureThreshold": 4}),
            8080,
        );
        let (_alive, exited) = watch::channel(None);
        let failure = probe.wait(&client(), port, exited, 0.0).await.unwrap_err();
        assert_eq!(
            failure,
            Failure::Unanswered {
                periods: 4,
                last: "Connection failed with status ERROR_CONNECTION_FAILED.".to_owned()
            }
        );
    }

    #[tokio::test]
    async fn a_container_that_exits_fails_at_once() {
        let probe = Probe::of(&json!({"httpGet": {}, "failureThreshold": 100}), 8080);
        let (sender, exited) = watch::channel(None);
        sender.send_replace(Some("Container called exit(1).".to_owned()));
        let failure = probe.wait(&client(), 9, exited, 1.0).await.unwrap_err();
        assert_eq!(failure, Failure::Exited("Container called exit(1).".to_owned()));
    }

    #[tokio::test]
    async fn a_probe_at_another_port_than_the_containers_finds_nobody() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let (_alive, exited) = watch::channel(None);
        let right = Probe::of(&json!({"tcpSocket": {"port": 8080}}), 8080);
        assert_eq!(right.wait(&client(), own, exited.clone(), 0.0).await, Ok(1));
        let wrong = Probe::of(&json!({"tcpSocket": {"port": 8000}, "failureThreshold": 2}), 8080);
        assert!(wrong.wait(&client(), own, exited, 0.0).await.is_err());
    }

    #[test]
    fn the_window_is_the_specifications() {
        let probe = Probe::of(
            &json!({"initialDelaySeconds": 30, "periodSeconds": 10, "failureThreshold": 24}),
            1,
        );
        assert_eq!(probe.window(), Duration::from_secs(270));
    }
}
