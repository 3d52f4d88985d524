//! Figures over the time of a level: equal slices, never more than [`MOST`].

use std::time::Duration;

use hdrhistogram::Histogram;

use super::result::Slice;

/// Most slices; when one more would be needed, each two become one.
pub const MOST: usize = 120;
/// Width of a slice at first.
const WIDTH: Duration = Duration::from_millis(100);
const MICROSECONDS: f64 = 1000.0;

pub struct Slices {
    width: Duration,
    slices: Vec<Part>,
}

/// Two digits: a slice's percentiles are within 1 %, and 120 slices take less than 3 MiB.
struct Part {
    requests: u64,
    errors: u64,
    ttft: Histogram<u32>,
    itl: Histogram<u32>,
}

impl Slices {
    pub fn new() -> Self {
        Self {
            width: WIDTH,
            slices: Vec::new(),
        }
    }

    /// An answer that ended `at` after the start.
    pub fn answer(&mut self, at: Duration, ttft_ms: f64, gaps: &[Duration]) {
        let part = self.part(at);
        part.requests += 1;
        record(&mut part.ttft, ttft_ms);
        for gap in gaps {
            record(&mut part.itl, gap.as_secs_f64() * 1000.0);
        }
    }

    /// A failure that ended `at` after the start.
    pub fn error(&mut self, at: Duration) {
        let part = self.part(at);
        part.requests += 1;
        part.errors += 1;
    }

    pub fn into_slices(self) -> Vec<Slice> {
        let width = self.width.as_secs_f64();
        let slices = self.slices.iter().enumerate();
        slices
            .map(|(index, part)| Slice {
                at: index as f64 * width,
                requests: part.requests,
                errors: part.errors,
                ttft_p50: at(&part.ttft, 0.50),
                ttft_p95: at(&part.ttft, 0.95),
                itl_p50: at(&part.itl, 0.50),
                itl_p95: at(&part.itl, 0.95),
            })
            .collect()
    }

    fn part(&mut self, at: Duration) -> &mut Part {
        while at.as_nanos() / self.width.as_nanos() >= MOST as u128 {
            self.merge();
        }
        let index = (at.as_nanos() / self.width.as_nanos()) as usize;
        if index >= self.slices.len() {
            self.slices.resize_with(index + 1, Part::new);
        }
        &mut self.slices[index]
    }

    fn merge(&mut self) {
        self.width *= 2;
        let mut parts = std::mem::take(&mut self.slices).into_iter();
        while let Some(mut part) = parts.next() {
            if let Some(next) = parts.next() {
                part.add(&next);
            }
            self.slices.push(part);
        }
    }
}

impl Part {
    #[allow(clippy::expect_used, reason = "the precision is a constant")]
    fn new() -> Self {
        let histogram = || Histogram::new(2).expect("two digits are few enough");
        Self {
            requests: 0,
            errors: 0,
            ttft: histogram(),
            itl: histogram(),
        }
    }

    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.errors += other.errors;
        // Fails only for a histogram that may not grow.
        let _ = self.ttft.add(&other.ttft);
        let _ = self.itl.add(&other.itl);
    }
}

fn record(histogram: &mut Histogram<u32>, ms: f64) {
    let value = (ms.clamp(0.0, super::metric::MAX) * MICROSECONDS).round() as u64;
    let _ = histogram.record(value);
}

fn at(histogram: &Histogram<u32>, quantile: f64) -> Option<f64> {
    let value = histogram.value_at_quantile(quantile).min(histogram.max());
    (!histogram.is_empty()).then(|| value as f64 / MICROSECONDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn requests_belong_to_the_slice_in_which_they_ended() {
        let mut slices = Slices::new();
        slices.answer(MS * 50, 30.0, &[MS * 5, MS * 5]);
        slices.error(MS * 99);
        slices.answer(MS * 350, 40.0, &[]);
        let slices = slices.into_slices();
        assert_eq!(slices.len(), 4);
        assert_eq!((slices[0].requests, slices[0].errors), (2, 1));
        assert!(
            (slices[0].ttft_p50.unwrap() - 30.0).abs() < 0.3,
            "{:?}",
            slices[0]
        );
        assert!((slices[0].itl_p95.unwrap() - 5.0).abs() < 0.05, "{:?}", slices[0]);
        assert_eq!((slices[1].requests, slices[1].ttft_p50), (0, None));
        assert!((slices[3].at - 0.3).abs() < 1e-9);
        assert_eq!((slices[3].requests, slices[3].itl_p50), (1, None));
    }

    #[test]
    fn a_day_fits_into_as_many_slices_as_an_hour() {
        let mut slices = Slices::new();
        for second in 0..86_400 {
            slices.answer(Duration::from_secs(second), 10.0, &[MS]);
        }
        let slices = slices.into_slices();
        assert!((MOST / 2..=MOST).contains(&slices.len()), "{}", slices.len());
        assert_eq!(slices.iter().map(|s| s.requests).sum::<u64>(), 86_400);
        let widths: Vec<f64> = slices.windows(2).map(|w| w[1].at - w[0].at).collect();
        assert!(
            widths.iter().all(|w| (w - widths[0]).abs() < 1e-6),
            "equal slices"
        );
    }
}
