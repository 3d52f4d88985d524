//! What every HTTP client of ours shares: TLS, timeouts, when to try again and how long to wait.
//!
//! Pure apart from [`client`]: the callers do the waiting and the sending.

use std::{sync::Once, time::Duration};

use chrono::{DateTime, Utc};
use reqwest::header::{HeaderMap, RETRY_AFTER};

/// Sent with every request.
pub const USER_AGENT: &str = concat!("llm-deploy/", env!("CARGO_PKG_VERSION"));

/// How long the TCP and TLS handshakes may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Longest text of an answer that isn't understood which an error repeats, in characters.
const SHOWN: usize = 300;

static RING: Once = Once::new();

/// A client with rustls (ring), our User-Agent and `timeout` for a whole request. Redirects are an answer
/// like any other: credentials don't follow them.
pub fn client(timeout: Duration) -> Result<reqwest::Client, reqwest::Error> {
    RING.call_once(|| {
        // Fails only when somebody else has installed one, which serves as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
    reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(timeout)
        .redirect(reqwest::redirect::Policy::none())
        .build()
}

/// When and how often to try again.
#[derive(Clone, Copy, Debug)]
pub struct Retry {
    /// Sendings in all, the first included.
    pub attempts: u32,
    /// Upper bound of the first pause; doubles with each attempt.
    pub base: Duration,
    /// Upper bound of any pause that the server did not ask for.
    pub cap: Duration,
    /// Sum of all pauses of one call. A `Retry-After` beyond what is left ends the call.
    pub budget: Duration,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            attempts: 6,
            base: Duration::from_millis(500),
            cap: Duration::from_secs(20),
            budget: Duration::from_secs(90),
        }
    }
}

impl Retry {
    /// The pause before attempt `sent + 1`, or `None` when there shall be none. `random` is in 0..1 (full
    /// jitter); `waited` is the sum of the pauses so far.
    pub fn pause(
        &self,
        sent: u32,
        waited: Duration,
        retry_after: Option<Duration>,
        random: f64,
    ) -> Option<Duration> {
        if sent >= self.attempts {
            return None;
        }
        let bound = self
            .base
            .saturating_mul(2_u32.saturating_pow(sent.saturating_sub(1)))
            .min(self.cap);
        let jittered = bound.mul_f64(random.clamp(0.0, 1.0));
        // Other clients got the same answer, and must not come back at the same moment.
        let pause = retry_after.map_or(jittered, |asked| asked.saturating_add(jittered));
        // A server may ask for any time.
        (waited.saturating_add(pause) <= self.budget).then_some(pause)
    }
}

/// Statuses that may be gone at the next try; Cloud Storage asks for it after 408, too.
/// <https://cloud.google.com/storage/docs/retry-strategy>
pub fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}

/// Reads `Retry-After`: seconds or an HTTP date.
pub fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let until = DateTime::parse_from_rfc2822(text).ok()?.with_timezone(&Utc);
    Some((until - now).to_std().unwrap_or(Duration::ZERO))
}

/// An answer's text made fit for an error: HTML tags, control characters and line breaks removed, cut short.
pub fn shorten(body: &str) -> String {
    flatten(body, SHOWN)
}

/// As [`shorten`], cut after `limit` characters.
pub fn flatten(body: &str, limit: usize) -> String {
    let mut out = String::new();
    let mut in_tag = false;
    let is_html = body.trim_start().starts_with('<');
    for c in body.chars() {
        match c {
            '<' if is_html => in_tag = true,
            '>' if is_html && in_tag => {
                in_tag = false;
                out.push(' ');
            }
            _ if in_tag => {}
            c if c.is_whitespace() || c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    let words = out.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(limit) {
        Some((cut, _)) => format!("{}…", &words[..cut]),
        None => words,
    }
}

/// What went wrong with a connection, all causes in one line, without the URL (it may hold a query).
pub fn explain(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retry() -> Retry {
        Retry {
            attempts: 4,
            base: Duration::from_secs(1),
            cap: Duration::from_secs(3),
            budget: Duration::from_secs(10),
        }
    }

    fn header(value: &str) -> HeaderMap {
        [(RETRY_AFTER, value.parse().unwrap())].into_iter().collect()
    }

    #[test]
    fn pauses_double_up_to_the_cap_and_are_jittered() {
        let none = Duration::ZERO;
        assert_eq!(retry().pause(1, none, None, 1.0), Some(Duration::from_secs(1)));
        assert_eq!(retry().pause(2, none, None, 1.0), Some(Duration::from_secs(2)));
        assert_eq!(retry().pause(3, none, None, 1.0), Some(Duration::from_secs(3)));
        assert_eq!(
            retry().pause(2, none, None, 0.25),
            Some(Duration::from_millis(500))
        );
        assert_eq!(retry().pause(2, none, None, 0.0), Some(Duration::ZERO));
    }

    #[test]
    fn attempts_and_budget_end_the_tries() {
        assert_eq!(retry().pause(4, Duration::ZERO, None, 0.5), None);
        assert_eq!(retry().pause(2, Duration::from_secs(9), None, 1.0), None);
    }

    #[test]
    fn retry_after_is_waited_for_and_never_exceeds_the_budget() {
        let asked = Some(Duration::from_secs(7));
        assert_eq!(retry().pause(1, Duration::ZERO, asked, 0.0), asked);
        // No two clients that got the same answer come back together.
        assert_eq!(
            retry().pause(1, Duration::ZERO, asked, 1.0),
            Some(Duration::from_secs(8))
        );
        assert_eq!(retry().pause(1, Duration::from_secs(4), asked, 1.0), None);
        let for_ever = Some(Duration::from_secs(u64::MAX));
        assert_eq!(retry().pause(2, Duration::from_secs(4), for_ever, 1.0), None);
    }

    #[test]
    fn retry_after_is_read_as_seconds_and_as_a_date() {
        let now = DateTime::parse_from_rfc3339("2026-01-01T00:00:00Z")
            .unwrap()
            .to_utc();
        assert_eq!(retry_after(&header("3"), now), Some(Duration::from_secs(3)));
        let date = header("Thu, 01 Jan 2026 00:00:30 GMT");
        assert_eq!(retry_after(&date, now), Some(Duration::from_secs(30)));
        let past = header("Wed, 31 Dec 2025 00:00:00 GMT");
        assert_eq!(retry_after(&past, now), Some(Duration::ZERO));
        assert_eq!(retry_after(&header("soon"), now), None);
    }

    #[test]
    fn foreign_pages_are_shortened_to_their_words() {
        let page = "<!DOCTYPE html>\n<html><title>Error 404 (Not Found)!!1</title>\n<p>That’s all</html>";
        assert_eq!(shorten(page), "Error 404 (Not Found)!!1 That’s all");
        assert_eq!(shorten("a < b\r\n::error::x"), "a < b ::error::x");
        assert_eq!(shorten(&"x".repeat(1000)).chars().count(), SHOWN + 1);
    }
}
