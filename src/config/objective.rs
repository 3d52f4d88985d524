//! Objectives as they are written: `ttft-p95: 800ms`, `goodput: 0.99`.

use std::fmt;

use super::{
    latency::{Objective, Timing},
    mistake::quoted,
    suggest::nearest,
};

/// Percentiles that a result has, as they are written.
const PERCENTILES: [(&str, f64); 6] = [
    ("p50", 50.0),
    ("p75", 75.0),
    ("p90", 90.0),
    ("p95", 95.0),
    ("p99", 99.0),
    ("p99.9", 99.9),
];
const TIMINGS: [Timing; 4] = [Timing::Ttft, Timing::Itl, Timing::Tpot, Timing::E2e];
const GOODPUT: &str = "goodput";
const ERROR_RATE: &str = "error-rate";
const OUTPUT_RATE: &str = "output-tokens-per-second";
/// Longest time that is told apart (see `bench`'s histograms): an hour, in milliseconds.
const LONGEST: f64 = 3_600_000.0;

impl Timing {
    /// As it is written in keys: `ttft`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ttft => "ttft",
            Self::Itl => "itl",
            Self::Tpot => "tpot",
            Self::E2e => "e2e",
        }
    }
}

impl Objective {
    /// Reads one entry of `latency.objectives`.
    ///
    /// # Errors
    /// What was expected instead, for the user.
    pub fn parse(key: &str, value: &str) -> Result<Self, String> {
        let value = value.trim();
        match key.trim() {
            GOODPUT => share(value).map(|share| Self::Goodput { share }),
            ERROR_RATE => share(value).map(|share| Self::ErrorRate { share }),
            OUTPUT_RATE => positive(value)
                .map(|least| Self::OutputTokensPerSecond { least })
                .ok_or_else(|| format!("expected tokens per second, above 0, got {}", quoted(value))),
            key => {
                let (timing, percentile) = time_key(key).ok_or_else(|| unknown(key))?;
                let milliseconds = milliseconds(value)?;
                Ok(Self::AtMost {
                    timing,
                    percentile,
                    milliseconds,
                })
            }
        }
    }

    /// Its key: `ttft-p95`.
    pub fn key(&self) -> String {
        match self {
            Self::AtMost {
                timing, percentile, ..
            } => format!("{}-p{percentile}", timing.name()),
            Self::Goodput { .. } => GOODPUT.to_owned(),
            Self::ErrorRate { .. } => ERROR_RATE.to_owned(),
            Self::OutputTokensPerSecond { .. } => OUTPUT_RATE.to_owned(),
        }
    }

    /// Every key that [`Objective::parse`] takes.
    pub fn keys() -> Vec<String> {
        let times = TIMINGS.iter().flat_map(|timing| {
            PERCENTILES
                .iter()
                .map(move |(name, _)| format!("{}-{name}", timing.name()))
        });
        times
            .chain([GOODPUT, ERROR_RATE, OUTPUT_RATE].map(str::to_owned))
            .collect()
    }
}

/// As it is written in the configuration: `ttft-p95: 800ms`.
impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.key())?;
        match self {
            Self::AtMost { milliseconds, .. } => write!(f, "{milliseconds}ms"),
            Self::Goodput { share } | Self::ErrorRate { share } => write!(f, "{share}"),
            Self::OutputTokensPerSecond { least } => write!(f, "{least}"),
        }
    }
}

fn time_key(key: &str) -> Option<(Timing, f64)> {
    let (time, percentile) = key.split_once('-')?;
    let timing = TIMINGS.into_iter().find(|timing| timing.name() == time)?;
    let (_, percentile) = PERCENTILES.into_iter().find(|(name, _)| *name == percentile)?;
    Some((timing, percentile))
}

fn unknown(key: &str) -> String {
    let keys = Objective::keys();
    let hint = nearest(key, keys.iter().map(String::as_str))
        .map(|near| format!("; did you mean `{near}`?"))
        .unwrap_or_default();
    format!(
        "there is no objective {}: expected `ttft`, `itl`, `tpot` or `e2e` with `-p50`, `-p75`, `-p90`, `-p95`, \
         `-p99` or `-p99.9`, or `{GOODPUT}`, `{ERROR_RATE}`, `{OUTPUT_RATE}`{hint}",
        quoted(key)
    )
}

/// A time such as `800ms`, `7.5ms` or `1.5s`, in milliseconds.
fn milliseconds(text: &str) -> Result<f64, String> {
    let read = match text.strip_suffix("ms") {
        Some(number) => positive(number),
        None => text
            .strip_suffix('s')
            .and_then(positive)
            .map(|seconds| seconds * 1000.0),
    };
    read.filter(|ms| *ms <= LONGEST).ok_or_else(|| {
        let hint = positive(text)
            .map(|_| format!("; add a unit: `{text}ms` is milliseconds"))
            .unwrap_or_default();
        format!(
            "expected a time above 0 and up to an hour, such as `800ms` or `1.5s`, got {}{hint}",
            quoted(text)
        )
    })
}

/// A share from 0 to 1, or in percent: `0.99`, `99%`.
fn share(text: &str) -> Result<f64, String> {
    let read = match text.strip_suffix('%') {
        Some(percent) => number(percent.trim_end()).map(|percent| percent / 100.0),
        None => number(text),
    };
    read.filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| {
        format!(
            "expected a share from 0 to 1 such as `0.99`, or from 0% to 100%, got {}",
            quoted(text)
        )
    })
}

fn positive(text: &str) -> Option<f64> {
    number(text).filter(|number| *number > 0.0)
}

/// A plain decimal number: not `inf`, `nan` or `1e3`, which no one means here.
fn number(text: &str) -> Option<f64> {
    let plain = !text.is_empty() && text.len() <= 20 && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    plain.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_written_the_same() {
        for (key, value, shown) in [
            ("ttft-p95", "800ms", "ttft-p95: 800ms"),
            ("itl-p99.9", "7.5ms", "itl-p99.9: 7.5ms"),
            ("e2e-p50", "1.5s", "e2e-p50: 1500ms"),
            ("tpot-p75", "20ms", "tpot-p75: 20ms"),
            ("goodput", "99%", "goodput: 0.99"),
            ("error-rate", "0", "error-rate: 0"),
            ("output-tokens-per-second", "500", "output-tokens-per-second: 500"),
        ] {
            let objective = Objective::parse(key, value).unwrap();
            assert_eq!(objective.to_string(), shown);
            let (key, value) = shown.split_once(": ").unwrap();
            assert_eq!(Objective::parse(key, value), Ok(objective));
        }
    }

    #[test]
    fn every_listed_key_is_taken() {
        for key in Objective::keys() {
            let value = if key.contains("-p") { "1ms" } else { "1" };
            let value = if key == "output-tokens-per-second" {
                "1"
            } else {
                value
            };
            assert_eq!(Objective::parse(&key, value).unwrap().key(), key);
        }
    }

    #[test]
    fn what_is_no_objective_is_refused_with_what_would_be() {
        for (key, value, expected) in [
            ("ttft-p96", "1ms", "there is no objective"),
            ("ttfp-p95", "1ms", "did you mean `ttft-p95`?"),
            ("", "1ms", "there is no objective"),
            ("ttft-p95", "800", "`800ms` is milliseconds"),
            ("ttft-p95", "0ms", "above 0"),
            ("ttft-p95", "-1ms", "above 0"),
            ("ttft-p95", "infms", "above 0"),
            ("ttft-p95", "2h", "such as `800ms`"),
            ("ttft-p95", "3601s", "up to an hour"),
            ("goodput", "99", "from 0 to 1"),
            ("goodput", "101%", "from 0 to 1"),
            ("error-rate", "nan", "from 0 to 1"),
            ("output-tokens-per-second", "0", "above 0"),
            ("output-tokens-per-second", "1e9", "above 0"),
        ] {
            let error = Objective::parse(key, value).unwrap_err();
            assert!(error.contains(expected), "{key}: {value}: {error}");
        }
    }
}
