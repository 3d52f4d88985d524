//! Figures as people read them: three digits, with the unit that suits.

use crate::bench::result::LoadShape;
use crate::config::latency::Arrivals;

/// `0.123 ms`, `8.34 ms`, `845 ms`, `3.07 s`.
pub fn milliseconds(ms: f64) -> String {
    let (value, unit) = scaled(ms, ms);
    format!("{value}{unit}")
}

/// A time that somebody chose, with no more digits than they gave: `60 ms`, `1.5 s`.
pub fn chosen_milliseconds(ms: f64) -> String {
    if ms < 1_000.0 {
        format!("{ms} ms")
    } else {
        format!("{} s", ms / 1_000.0)
    }
}

/// An interval in the unit of `value`: `8.10–8.50`.
pub fn interval(value: f64, [low, high]: [f64; 2]) -> String {
    format!("{}–{}", scaled(low, value).0, scaled(high, value).0)
}

/// Two values in the unit of the first: `180 → 210 ms`.
pub fn step(before: f64, after: f64) -> String {
    let (value, unit) = scaled(before, before);
    format!("{value} → {}{unit}", scaled(after, before).0)
}

/// `ms` with the digits and the unit that suit `like`.
fn scaled(ms: f64, like: f64) -> (String, &'static str) {
    match like.abs() {
        _ if !like.is_finite() || !ms.is_finite() => ("–".to_owned(), ""),
        like if like < 1.0 => (format!("{ms:.3}"), " ms"),
        like if like < 10.0 => (format!("{ms:.2}"), " ms"),
        like if like < 100.0 => (format!("{ms:.1}"), " ms"),
        like if like < 1_000.0 => (format!("{ms:.0}"), " ms"),
        like if like < 10_000.0 => (format!("{:.2}", ms / 1_000.0), " s"),
        _ => (format!("{:.1}", ms / 1_000.0), " s"),
    }
}

/// What happens so often a second, without its unit: `2.50`, `41.2`, `1234`.
pub fn rate(rate: f64) -> String {
    match rate {
        rate if !rate.is_finite() => "–".to_owned(),
        rate if rate < 10.0 => format!("{rate:.2}"),
        rate if rate < 1_000.0 => format!("{rate:.1}"),
        rate => format!("{rate:.0}"),
    }
}

/// A share as `97.2 %`.
pub fn percent(share: f64) -> String {
    let text = format!("{:.1}", share * 100.0);
    format!("{} %", text.trim_end_matches(".0"))
}

pub fn plural(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        n => format!("{n} {what}s"),
    }
}

/// `4 at a time`, `2.5 requests/s`
pub fn load_name(load: LoadShape) -> String {
    match load {
        LoadShape::Closed { concurrency } => format!("{concurrency} at a time"),
        LoadShape::Open { rate, arrivals } => {
            let even = match arrivals {
                Arrivals::Poisson => "",
                Arrivals::Constant => ", evenly spaced",
            };
            format!("{} requests/s{even}", chosen_rate(rate))
        }
    }
}

/// As short in a column: `4`, `2.5/s`.
pub fn load_short(load: LoadShape) -> String {
    match load {
        LoadShape::Closed { concurrency } => concurrency.to_string(),
        LoadShape::Open { rate, .. } => format!("{}/s", chosen_rate(rate)),
    }
}

/// A rate that somebody chose, or that a sweep computed: no zeros at the end.
fn chosen_rate(rate: f64) -> String {
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
            (-834.4, "-834 ms"),
            (8_344.0, "8.34 s"),
            (83_440.0, "83.4 s"),
            (f64::NAN, "–"),
        ] {
            assert_eq!(milliseconds(value), text);
        }
        assert_eq!(interval(990.0, [950.0, 1_040.0]), "950–1040");
        assert_eq!(interval(1_010.0, [950.0, 1_040.0]), "0.95–1.04");
        assert_eq!(rate(41.23), "41.2");
        assert_eq!(rate(1234.5), "1234");
        assert_eq!(percent(0.99), "99 %");
    }

    #[test]
    fn what_somebody_chose_stands_as_they_gave_it() {
        assert_eq!(chosen_milliseconds(60.0), "60 ms");
        assert_eq!(chosen_milliseconds(1_500.0), "1.5 s");
        let open = |rate, arrivals| load_name(LoadShape::Open { rate, arrivals });
        assert_eq!(open(2.0, Arrivals::Poisson), "2 requests/s");
        assert_eq!(
            open(9.437_512, Arrivals::Constant),
            "9.44 requests/s, evenly spaced"
        );
    }
}
