//! A comparison with a baseline in words.

use super::{load_name, milliseconds, timing};
use crate::bench::result::{Change, Comparison, Verdict};

/// One figure against the baseline's.
pub struct Compared {
    /// `TTFT p95`
    pub figure: String,
    /// `4 at a time`
    pub load: String,
    pub before: String,
    pub after: String,
    /// `+9.2 %`
    pub change: String,
    /// `+2.1 to +15.0 %`
    pub interval: String,
    pub emoji: &'static str,
    pub verdict: &'static str,
}

const fn named(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Better => ("🟢", "better"),
        Verdict::Worse => ("🔴", "worse"),
        Verdict::NoRealChange => ("⚪", "no real change"),
        Verdict::Inconclusive => ("❔", "inconclusive"),
    }
}

/// How many figures got which verdict, the worst first: `🔴 1 worse · ⚪ 3 no real change`.
pub fn tally(comparison: &Comparison) -> String {
    let count = |wanted| comparison.changes.iter().filter(|c| c.verdict == wanted).count();
    let parts: Vec<String> = [
        Verdict::Worse,
        Verdict::Better,
        Verdict::NoRealChange,
        Verdict::Inconclusive,
    ]
    .into_iter()
    .filter(|verdict| count(*verdict) > 0)
    .map(|verdict| {
        let (emoji, name) = named(verdict);
        format!("{emoji} {} {name}", count(verdict))
    })
    .collect();
    if parts.is_empty() {
        return "nothing to compare".to_owned();
    }
    parts.join(" · ")
}

pub fn compared(change: &Change) -> Compared {
    let (emoji, verdict) = named(change.verdict);
    let [low, high] = change.ratio_ci95;
    Compared {
        figure: format!("{} p{}", timing(change.timing), change.percentile),
        load: load_name(change.load),
        before: milliseconds(change.before),
        after: milliseconds(change.after),
        change: format!("{} %", signed(change.ratio)),
        interval: format!("{} to {} %", signed(low), signed(high)),
        emoji,
        verdict,
    }
}

/// In per cent: `+9.2` of a ratio of 1.092.
pub fn signed(ratio: f64) -> String {
    if ratio.is_finite() {
        format!("{:+.1}", (ratio - 1.0) * 100.0)
    } else {
        "–".to_owned()
    }
}

/// A sentence for each figure that got worse.
pub fn worse(comparison: &Comparison) -> Vec<String> {
    let worse = comparison.changes.iter().filter(|c| c.verdict == Verdict::Worse);
    worse
        .map(|change| {
            let shown = compared(change);
            format!(
                "{} at {} is worse than the baseline's: {} instead of {}, {} ({})",
                shown.figure, shown.load, shown.after, shown.before, shown.change, shown.interval
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn only_what_is_worse_beyond_noise_is_warned_of() {
        let comparison = samples::comparison();
        assert_eq!(
            worse(&comparison),
            [
                "TTFT p95 at 1 at a time is worse than the baseline's: 122 ms instead of 110 ms, +10.6 % (+4.1 to +17.3 %)"
            ]
        );
    }
}
