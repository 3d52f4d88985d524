//! How a time is distributed: the share of all values in equal steps, logarithmic when the values lie far apart.

use super::{Chart, name, plot};
use crate::bench::result::{Bin, Level};

/// Steps of the time axis.
const STEPS: usize = 48;
/// From this ratio of the highest to the lowest time on, the axis is logarithmic.
const WIDE: f64 = 12.0;

/// The time axis; positions are logarithms when it is logarithmic.
#[derive(Clone, Copy)]
struct Scale {
    low: f64,
    high: f64,
    logarithmic: bool,
}

pub fn chart(metric: &str, title: &str, levels: &[&Level]) -> Option<Chart> {
    let with: Vec<(&&Level, &[Bin])> = levels
        .iter()
        .filter_map(|level| Some((level, level.histograms.get(metric)?.as_slice())))
        .filter(|(_, bins)| usable(bins))
        .collect();
    let scale = Scale::of(with.iter().map(|(_, bins)| *bins))?;
    let lines: Vec<Vec<(f64, f64)>> = with.iter().map(|(_, bins)| scale.stairs(bins)).collect();
    let highest = lines.iter().flatten().map(|(_, y)| *y).fold(0.0, f64::max);
    let label = format!(
        "{title}, distribution: {}",
        with.iter()
            .map(|(level, bins)| format!("{} mostly {}", name(level), plot::short_time(mode(bins))))
            .collect::<Vec<_>>()
            .join("; ")
    );
    Some(Chart {
        title: format!("{title}: share of all values"),
        legend: with
            .iter()
            .zip(plot::COLOURS)
            .map(|((level, _), colour)| (name(level), colour))
            .collect(),
        svg: plot::plot(
            &label,
            scale.axis(),
            plot::upward(highest, |share| format!("{} %", plot::trimmed(share))),
            &lines,
            &plot::Style::Area,
        )?,
    })
}

fn usable(bins: &[Bin]) -> bool {
    bins.iter().map(|b| b.count).sum::<u64>() > 1
        && bins
            .iter()
            .all(|b| b.from.is_finite() && b.to.is_finite() && b.to > b.from && b.from >= 0.0)
}

/// Middle of the fullest bin.
fn mode(bins: &[Bin]) -> f64 {
    let fullest = bins
        .iter()
        .max_by(|a, b| (a.count as f64 / (a.to - a.from)).total_cmp(&(b.count as f64 / (b.to - b.from))));
    fullest.map_or(0.0, |b| f64::midpoint(b.from, b.to))
}

impl Scale {
    /// Spans what all have in common with a thousandth cut off at the top, where single values would squeeze the rest.
    fn of<'a>(all: impl Iterator<Item = &'a [Bin]>) -> Option<Self> {
        let (mut low, mut high) = (f64::INFINITY, 0f64);
        for bins in all {
            let filled: Vec<&Bin> = bins.iter().filter(|b| b.count > 0).collect();
            let total: u64 = filled.iter().map(|b| b.count).sum();
            low = low.min(filled.first()?.from);
            let mut seen = 0;
            let top = filled.iter().find(|b| {
                seen += b.count;
                seen as f64 >= total as f64 * 0.999
            });
            high = high.max(top.or(filled.last())?.to);
        }
        // Below a tenth of a millisecond nothing is told apart.
        let low = low.max(0.1);
        (high > low).then_some(Self {
            low,
            high,
            logarithmic: high / low > WIDE,
        })
    }

    fn position(self, ms: f64) -> f64 {
        if self.logarithmic {
            ms.max(self.low).ln()
        } else {
            ms
        }
    }

    fn span(self) -> (f64, f64) {
        let (from, to) = (self.position(self.low), self.position(self.high));
        let room = (to - from) * 0.04;
        (from - room, to + room)
    }

    fn axis(self) -> plot::Axis {
        let (from, to) = self.span();
        let marks = if self.logarithmic {
            let powers = (self.low.log10().floor() as i32)..=(self.high.log10().ceil() as i32);
            // Seven labels fit.
            let few = self.high / self.low < 300.0;
            powers
                .flat_map(|power| [1.0, 3.0].map(|n| n * 10f64.powi(power)))
                .filter(|ms| (self.low..=self.high).contains(ms))
                .filter(|ms| few || ms.log10().fract().abs() < 1e-9)
                .map(|ms| (ms.ln(), plot::short_time(ms)))
                .collect()
        } else {
            plot::marks(from, to, 4.0, plot::short_time)
        };
        plot::Axis { from, to, marks }
    }

    /// Percent of all values in each step, as the outline of a histogram.
    fn stairs(self, bins: &[Bin]) -> Vec<(f64, f64)> {
        let (from, to) = self.span();
        let width = (to - from) / STEPS as f64;
        let mut shares = [0.0; STEPS];
        let total: u64 = bins.iter().map(|b| b.count).sum();
        for bin in bins.iter().filter(|b| b.count > 0) {
            let (a, b) = (self.position(bin.from), self.position(bin.to));
            let percent = bin.count as f64 / total as f64 * 100.0;
            for (step, share) in shares.iter_mut().enumerate() {
                let start = from + width * step as f64;
                *share += percent * overlap((a, b), (start, start + width));
            }
        }
        let mut line = vec![(from, 0.0)];
        for (step, share) in shares.into_iter().enumerate() {
            let start = from + width * step as f64;
            line.extend([(start, share), (start + width, share)]);
        }
        line.push((to, 0.0));
        line
    }
}

/// Share of `of` that lies in `inside`.
fn overlap(of: (f64, f64), inside: (f64, f64)) -> f64 {
    if of.1 <= of.0 {
        return f64::from(u8::from(of.0 >= inside.0 && of.0 < inside.1));
    }
    ((of.1.min(inside.1) - of.0.max(inside.0)) / (of.1 - of.0)).max(0.0)
}
