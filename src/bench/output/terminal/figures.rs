//! Figures as people read them: three digits, with the unit that suits.

use super::super::super::result::LoadShape;

/// `0.123 ms`, `8.34 ms`, `845 ms`, `3.07 s`.
pub fn ms(ms: f64) -> String {
    let (value, unit) = scaled(ms, ms);
    format!("{value} {unit}")
}

/// An interval in the unit of `value`: `8.1–8.5`.
pub fn interval(value: f64, [low, high]: [f64; 2]) -> String {
    format!("{}–{}", scaled(low, value).0, scaled(high, value).0)
}

/// Two values in the unit of the first: `180 → 210 ms`.
pub fn step(before: f64, after: f64) -> String {
    let (value, unit) = scaled(before, before);
    format!("{value} → {} {unit}", scaled(after, before).0)
}

/// `ms` with the digits and the unit that suit `like`.
fn scaled(ms: f64, like: f64) -> (String, &'static str) {
    match like {
        like if !like.is_finite() || !ms.is_finite() => ("–".to_owned(), ""),
        like if like < 1.0 => (format!("{ms:.3}"), "ms"),
        like if like < 10.0 => (format!("{ms:.2}"), "ms"),
        like if like < 100.0 => (format!("{ms:.1}"), "ms"),
        like if like < 1_000.0 => (format!("{ms:.0}"), "ms"),
        like if like < 10_000.0 => (format!("{:.2}", ms / 1_000.0), "s"),
        _ => (format!("{:.1}", ms / 1_000.0), "s"),
    }
}

/// A rate, without its unit.
pub fn per_second(rate: f64) -> String {
    match rate {
        rate if !rate.is_finite() => "–".to_owned(),
        rate if rate < 10.0 => format!("{rate:.2}"),
        rate if rate < 1_000.0 => format!("{rate:.1}"),
        rate => format!("{rate:.0}"),
    }
}

pub fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A length of time: `3.2 s`, `4m 05s`.
pub fn seconds(seconds: f64) -> String {
    crate::units::human_duration(std::time::Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

pub fn count(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}

/// `4 at a time`, `2.5 requests/s`.
pub fn load_name(load: LoadShape) -> String {
    match load {
        LoadShape::Closed { concurrency } => format!("{concurrency} at a time"),
        LoadShape::Open { rate, .. } => format!("{} requests/s", rate_name(rate)),
    }
}

/// As short in a column: `4`, `2.5/s`.
pub fn load_short(load: LoadShape) -> String {
    match load {
        LoadShape::Closed { concurrency } => concurrency.to_string(),
        LoadShape::Open { rate, .. } => format!("{}/s", rate_name(rate)),
    }
}

/// A rate that somebody chose, or that a sweep computed: four digits at most, no zeros at the end.
fn rate_name(rate: f64) -> String {
    let digits = if rate < 1.0 { 1_000.0 } else { 100.0 };
    ((rate * digits).round() / digits).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_three_digits_and_intervals_their_values_unit() {
        for (value, text) in [
            (0.0123, "0.012 ms"),
            (8.344, "8.34 ms"),
            (83.44, "83.4 ms"),
            (834.4, "834 ms"),
            (8_344.0, "8.34 s"),
            (83_440.0, "83.4 s"),
            (f64::NAN, "– "),
        ] {
            assert_eq!(ms(value), text);
        }
        assert_eq!(interval(990.0, [950.0, 1_040.0]), "950–1040");
        assert_eq!(interval(1_010.0, [950.0, 1_040.0]), "0.95–1.04");
        let arrivals = crate::config::latency::Arrivals::Poisson;
        let open = |rate| load_name(LoadShape::Open { rate, arrivals });
        assert_eq!(open(2.0), "2 requests/s");
        assert_eq!(open(9.437_512), "9.44 requests/s");
    }
}
