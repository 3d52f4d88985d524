//! What noise can explain: confidence intervals of percentiles, and the comparison of two measurements.
//!
//! Both resample groups of consecutive requests, since gaps within a request depend on each other, and so do
//! requests that were in flight together. The method, its assumptions and its measured error rates are in
//! docs/statistics.md; `cargo bench --bench regression` measures them again.

mod bootstrap;
mod compare;
mod counts;
mod groups;
mod permutation;
mod table;
#[cfg(test)]
mod tests;

pub use compare::{MIN_EFFECT, MIN_GROUPS, compare, compare_levels};
pub use groups::Groups;

/// The nearest rank: how many of `count` values are at most the percentile, at least one. Percentiles are
/// whole per mille, so that 99.9 % of 1,000 is 999 whatever the rounding.
pub(super) fn rank(percentile: f64, count: u64) -> u64 {
    let permille = (percentile * 10.0).round().clamp(0.0, 1000.0) as u64;
    permille.saturating_mul(count).div_ceil(1000).max(1)
}
