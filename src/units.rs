//! Quantities with units as people write them: `24Gi`, `90s`.

use std::{fmt, time::Duration};

/// An amount of memory, held in MiB. Written `512Mi` or `32Gi`, as Cloud Run writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Memory(pub u64);

impl Memory {
    pub const fn gib(gib: u64) -> Self {
        Self(gib * 1024)
    }

    /// Reads `512Mi`, `32Gi`; the error says what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(split);
        let factor = match unit {
            "Mi" => 1,
            "Gi" => 1024,
            _ => return Err(expected_memory(text)),
        };
        let number: u64 = number.parse().map_err(|_| expected_memory(text))?;
        number
            .checked_mul(factor)
            .filter(|m| *m > 0)
            .map(Self)
            .ok_or_else(|| expected_memory(text))
    }

    pub fn as_gib(self) -> f64 {
        self.0 as f64 / 1024.0
    }
}

fn expected_memory(text: &str) -> String {
    format!("expected an amount of memory such as `16Gi` or `512Mi`, got `{text}`")
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_multiple_of(1024) {
            write!(f, "{}Gi", self.0 / 1024)
        } else {
            write!(f, "{}Mi", self.0)
        }
    }
}

impl serde::Serialize for Memory {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Reads a duration: `500ms`, `90s`, `30m`, `72h`, `30d`.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let expected =
        || format!("expected a duration such as `500ms`, `90s`, `30m`, `72h` or `30d`, got `{text}`");
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let number: u64 = number.parse().map_err(|_| expected())?;
    let factor: u64 = match unit {
        "ms" => return Ok(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(expected()),
    };
    number
        .checked_mul(factor)
        .map(Duration::from_secs)
        .ok_or_else(expected)
}

/// A duration for people: `450 ms`, `12.3 s`, `4m 05s`, `2h 10m`.
pub fn human_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..60 => format!("{:.1} s", duration.as_secs_f64()),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

/// Bytes for people, in powers of ten as registries and Hugging Face count them: `8.1 GB`.
pub fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let (mut value, mut unit) = (bytes as f64, 0);
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{bytes} B")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_and_written_back() {
        for text in ["512Mi", "16Gi", "1536Mi"] {
            assert_eq!(Memory::parse(text).unwrap().to_string(), text);
        }
        for wrong in [
            "",
            "Gi",
            "16",
            "16GB",
            "16 Gi",
            "0Gi",
            "-1Gi",
            "99999999999999999999Gi",
        ] {
            assert!(Memory::parse(wrong).unwrap_err().contains("16Gi"), "{wrong}");
        }
    }

    #[test]
    fn durations_are_read() {
        assert_eq!(parse_duration("90s").unwrap(), Duration::from_secs(90));
        assert_eq!(parse_duration("500ms").unwrap(), Duration::from_millis(500));
        assert_eq!(parse_duration("30d").unwrap(), Duration::from_secs(30 * 86_400));
        for wrong in ["", "90", "s", "1.5s", "90 s", "1w", "999999999999999999d"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn quantities_read_well() {
        assert_eq!(human_duration(Duration::from_millis(450)), "450 ms");
        assert_eq!(human_duration(Duration::from_millis(12_340)), "12.3 s");
        assert_eq!(human_duration(Duration::from_secs(245)), "4m 05s");
        assert_eq!(human_duration(Duration::from_secs(7_800)), "2h 10m");
        assert_eq!(human_bytes(8_100_000_000), "8.1 GB");
        assert_eq!(human_bytes(12), "12 B");
    }
}
