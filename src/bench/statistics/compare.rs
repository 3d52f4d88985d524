//! Two measurements, figure by figure: what noise does not explain, and what it does.

use fastrand::Rng;

use super::{
    bootstrap::{RESAMPLES, draw, middle},
    counts::{Counts, edges},
    groups::{MOST, merge_neighbours},
    permutation::{holm, p_value},
    table::Table,
};
use crate::{
    bench::result::{BenchResult, Change, Comparison, Level, Samples, Verdict},
    config::latency::Timing,
};

/// Least change that matters, as a share of the smaller figure. One machine's runs differ by some percent.
pub const MIN_EFFECT: f64 = 0.05;
/// Fewest groups on either side for "no real change": with less the test finds next to nothing.
pub const MIN_GROUPS: usize = 10;
/// Least change in milliseconds: below it lies what clocks and sockets add.
const RESOLUTION: f64 = 0.2;
/// What a percentile of 0 counts as in a ratio, in milliseconds: times are kept to the microsecond, and gaps of tokens
/// that arrive together are 0.
const LEAST: f64 = 0.001;
/// An interval that reaches further than this change tells nothing.
const TELLING: f64 = 0.25;
/// Chance of a wrong `Worse` or `Better` anywhere in a comparison.
const ALPHA: f64 = 0.05;
/// Error rates so far apart that the requests that are left are not alike.
const ERROR_RATES_APART: f64 = 0.05;

/// What is compared, at each load. TPOT is among them since gaps depend on how many tokens the server puts into a
/// chunk. Higher percentiles are not: some hundred requests say nothing about them.
const TIMINGS: [Timing; 4] = [Timing::Ttft, Timing::Itl, Timing::Tpot, Timing::E2e];
const PERCENTILES: [f64; 2] = [50.0, 95.0];

/// Compares each load that both results have. The same two results always give the same comparison.
pub fn compare(name: &str, before: &BenchResult, after: &BenchResult) -> Comparison {
    let mut notes = Vec::new();
    if before.model != after.model {
        notes.push(format!(
            "the runs are not alike: the baseline measured model {}, this run {}",
            before.model, after.model
        ));
    }
    let mut changes = Vec::new();
    for level in &after.levels {
        match before.levels.iter().find(|other| other.load == level.load) {
            Some(other) => {
                notes.extend(unlike(other, level));
                changes.extend(figures(other, level, &mut notes));
            }
            None => notes.push(format!("{}: not in the baseline", level.load)),
        }
    }
    for level in &before.levels {
        if after.levels.iter().all(|other| other.load != level.load) {
            notes.push(format!("{}: only in the baseline", level.load));
        }
    }
    Comparison {
        baseline: name.to_owned(),
        changes: judged(changes),
        notes,
    }
}

/// Compares two levels whatever their loads; p-values are corrected for the figures of these two. The notes say
/// what could not be compared.
pub fn compare_levels(before: &Level, after: &Level) -> (Vec<Change>, Vec<String>) {
    let mut notes = unlike(before, after);
    let changes = judged(figures(before, after, &mut notes));
    (changes, notes)
}

/// A change with its own p-value, and no verdict yet.
struct Figure {
    change: Change,
    groups: usize,
}

fn figures(before: &Level, after: &Level, notes: &mut Vec<String>) -> Vec<Figure> {
    let load = after.load;
    let (Some(old), Some(new)) = (&before.samples, &after.samples) else {
        let side = if before.samples.is_none() {
            "the baseline"
        } else {
            "this run"
        };
        notes.push(format!("{load}: {side} has no samples to compare"));
        return Vec::new();
    };
    let mut figures = Vec::new();
    for timing in TIMINGS {
        let values = [before, after].map(|level| level.timing(timing).copied());
        let ([Some(was), Some(is)], Some([first, second])) = (values, alike(old, new, timing)) else {
            continue;
        };
        let both = Table::new(first.iter().chain(&second));
        let [first, second] = [first, second].map(|groups| Table::new(groups.iter()));
        for percentile in PERCENTILES {
            let (Some(was), Some(is)) = (was.percentile(percentile), is.percentile(percentile)) else {
                continue;
            };
            // One number from another's bits: the test is drawn anew for each figure, and the same each time.
            let mut rng = Rng::with_seed(0x5eed ^ (timing as u64) << 32 ^ percentile.to_bits());
            let statistic = |labels: &[u32]| distance(&both, labels, percentile);
            let p_value = p_value(first.groups(), second.groups(), &mut rng, statistic);
            let ratio = is.max(LEAST) / was.max(LEAST);
            let Some(spread) = spread([&first, &second], percentile, &mut rng) else {
                continue;
            };
            let change = Change {
                load: after.load,
                timing,
                percentile,
                before: was,
                after: is,
                ratio,
                ratio_ci95: [ratio * spread[0].min(1.0), ratio * spread[1].max(1.0)],
                p_value,
                verdict: Verdict::Inconclusive,
            };
            let groups = first.groups().min(second.groups());
            figures.push(Figure { change, groups });
        }
    }
    if figures.is_empty() {
        notes.push(format!("{load}: there is no figure that both runs have"));
    }
    figures
}

/// Groups of the same number of requests, without which they would not be exchangeable; as many requests as leave
/// enough groups, since what requests in flight together have in common is noise only between groups. `None` without
/// values, and for samples that no run can have made.
fn alike(before: &Samples, after: &Samples, timing: Timing) -> Option<[Vec<Counts>; 2]> {
    let both = [before, after].map(|samples| {
        (
            samples.groups.get(&timing),
            samples.requests_per_group.clamp(1, 1 << 40),
        )
    });
    let [(Some(first), first_size), (Some(second), second_size)] = both else {
        return None;
    };
    if first.len().max(second.len()) > MOST {
        return None;
    }
    let mut size = first_size.max(second_size);
    let groups = |groups: &[_], own: u64, size: u64| groups.len().div_ceil(times(size, own));
    while groups(first, first_size, size * 2).min(groups(second, second_size, size * 2)) >= MIN_GROUPS {
        size *= 2;
    }
    let merged = [(first, first_size), (second, second_size)].map(|(groups, own)| {
        let counts: Vec<Counts> = groups.iter().map(|pairs| Counts::from_pairs(pairs)).collect();
        merge_neighbours(&counts, times(size, own))
    });
    let filled = |groups: &Vec<Counts>| groups.iter().any(|counts| !counts.is_empty());
    merged.iter().all(filled).then_some(merged)
}

/// How many groups of `own` requests make one of `size`.
fn times(size: u64, own: u64) -> usize {
    usize::try_from(size / own).unwrap_or(MOST)
}

/// How far apart the percentiles of the groups with label 1 and with label 0 are: the logarithm of their ratio.
fn distance(table: &Table, labels: &[u32], percentile: f64) -> f64 {
    let others: Vec<u32> = labels.iter().map(|label| 1 - label.min(&1)).collect();
    match (
        log_of(table, labels, percentile),
        log_of(table, &others, percentile),
    ) {
        (Some(first), Some(second)) => (first - second).abs(),
        _ => 0.0,
    }
}

fn log_of(table: &Table, weights: &[u32], percentile: f64) -> Option<f64> {
    let (low, high) = edges(table.percentile(weights, percentile)?);
    Some(((low + high) / 2.0).ln())
}

/// By which factors the ratio may be off, with 95 % confidence: a bootstrap of both sides.
fn spread([before, after]: [&Table; 2], percentile: f64, rng: &mut Rng) -> Option<[f64; 2]> {
    let mut weights = [vec![1; before.groups()], vec![1; after.groups()]];
    let log_ratio = |[first, second]: &[Vec<u32>; 2]| {
        Some(log_of(after, second, percentile)? - log_of(before, first, percentile)?)
    };
    let observed = log_ratio(&weights)?;
    let mut ratios = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        weights.iter_mut().for_each(|weights| draw(weights, rng));
        ratios.push(log_ratio(&weights)? - observed);
    }
    ratios.sort_by(f64::total_cmp);
    middle(&ratios, before.groups().min(after.groups())).map(|ends| ends.map(f64::exp))
}

fn judged(figures: Vec<Figure>) -> Vec<Change> {
    let p_values: Vec<f64> = figures.iter().map(|figure| figure.change.p_value).collect();
    let judge = |(figure, p_value)| {
        let Figure { change, groups } = figure;
        let change = Change { p_value, ..change };
        let verdict = verdict(&change, groups);
        Change { verdict, ..change }
    };
    figures.into_iter().zip(holm(&p_values)).map(judge).collect()
}

fn verdict(change: &Change, groups: usize) -> Verdict {
    let matters = |ratio: f64, least: f64| {
        let enough = ratio >= 1.0 + least || ratio <= 1.0 / (1.0 + least);
        enough && ((ratio - 1.0) * change.before.max(LEAST)).abs() >= RESOLUTION
    };
    let significant = change.p_value < ALPHA;
    if significant && matters(change.ratio, MIN_EFFECT) {
        return if change.ratio > 1.0 {
            Verdict::Worse
        } else {
            Verdict::Better
        };
    }
    let open = change.ratio_ci95.iter().any(|&end| matters(end, TELLING));
    if !significant && (open || groups < MIN_GROUPS) {
        return Verdict::Inconclusive;
    }
    Verdict::NoRealChange
}

/// Why the two levels may differ by more than the server.
fn unlike(before: &Level, after: &Level) -> Vec<String> {
    let load = after.load;
    let mut notes = Vec::new();
    let (old, new) = (&before.input, &after.input);
    let differing: Vec<&str> = [
        (old.kind != new.kind, "kind of prompts"),
        (old.input_tokens != new.input_tokens, "input tokens"),
        (old.output_tokens != new.output_tokens, "output tokens"),
        (
            old.fixed_length != new.fixed_length,
            "whether output lengths are fixed",
        ),
        (old.prefix_cache != new.prefix_cache, "prefix cache"),
    ]
    .into_iter()
    .filter_map(|(differs, what)| differs.then_some(what))
    .collect();
    if !differing.is_empty() {
        notes.push(format!(
            "{load}: the runs are not alike, they differ in: {}",
            differing.join(", ")
        ));
    }
    let [was, is] = [before, after].map(|level| level.errors as f64 / level.requests.max(1) as f64);
    if (was - is).abs() >= ERROR_RATES_APART {
        notes.push(format!(
            "{load}: {:.0} % of the requests failed in the baseline and {:.0} % in this run; failed ones are in no figure",
            was * 100.0,
            is * 100.0
        ));
    }
    notes
}
