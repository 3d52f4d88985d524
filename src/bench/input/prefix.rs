//! The unique beginning of a prompt: a few words that no other request has in this order.

use super::words::{CANDIDATES, WORDS};

/// Words of a beginning. Eight of 64 words make 2^48 beginnings: the odds that two runs of a million requests with
/// different seeds have one in common are below 1 in 250.
pub const LENGTH: u32 = 8;

/// The golden ratio less one: steps of this share of the space keep consecutive numbers far from each other, so
/// that beginnings differ in their first words already.
const STRIDE: f64 = 0.618_033_988_749;

/// A numbering of all sequences of `length` words, in an order that the seed decides.
pub struct Prefix {
    words: Vec<&'static str>,
    length: u32,
    /// `words.len()` to the power of `length`.
    space: u64,
    step: u64,
    start: u64,
}

impl Prefix {
    /// Of the common words.
    pub fn common(seed: u64) -> Self {
        Self::new(WORDS.iter().take(CANDIDATES).copied().collect(), LENGTH, seed)
    }

    /// Of these words, at most [`CANDIDATES`].
    pub fn new(words: Vec<&'static str>, length: u32, seed: u64) -> Self {
        let base = words.len().max(1) as u64;
        let space = base.saturating_pow(length.min(LENGTH));
        let mut random = fastrand::Rng::with_seed(seed);
        let mut step = (space as f64 * STRIDE) as u64 + random.u64(0..=space / 256);
        // Coprime to the space: every beginning comes once before any comes again.
        while gcd(step, base) != 1 {
            step += 1;
        }
        Self {
            words,
            length: length.min(LENGTH),
            space,
            step,
            start: random.u64(0..space),
        }
    }

    /// How many requests there are before a beginning comes again.
    pub fn distinct(&self) -> u64 {
        self.space
    }

    /// Appends the beginning of request `number`, words with a space between.
    pub fn write(&self, number: u64, out: &mut String) {
        let at = u128::from(self.step) * u128::from(number) + u128::from(self.start);
        let mut rest = (at % u128::from(self.space)) as u64;
        let base = self.words.len().max(1) as u64;
        let mut unit = self.space;
        for index in 0..self.length {
            unit /= base;
            if index > 0 {
                out.push(' ');
            }
            out.push_str(self.words.get((rest / unit) as usize).copied().unwrap_or("a"));
            rest %= unit;
        }
    }
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn beginning(prefix: &Prefix, number: u64) -> String {
        let mut out = String::new();
        prefix.write(number, &mut out);
        out
    }

    #[test]
    fn every_beginning_comes_once_before_any_comes_again() {
        for (words, length) in [(2, 5), (6, 3), (10, 3), (15, 2), (64, 2), (1, 4)] {
            let prefix = Prefix::new(WORDS[..words].to_vec(), length, 7);
            let all: HashSet<_> = (0..prefix.distinct()).map(|n| beginning(&prefix, n)).collect();
            assert_eq!(all.len() as u64, (words as u64).pow(length), "{words} words");
        }
    }

    #[test]
    fn beginnings_of_a_run_differ_early_and_those_of_two_runs_differ() {
        let (one, other) = (Prefix::common(1), Prefix::common(2));
        let first = |n| -> String {
            let words = beginning(&one, n);
            words.split(' ').take(3).collect()
        };
        assert_eq!((0..1000).map(first).collect::<HashSet<_>>().len(), 1000);
        let both = |n| [beginning(&one, n), beginning(&other, n)];
        assert_eq!((0..50_000).flat_map(both).collect::<HashSet<_>>().len(), 100_000);
    }

    #[test]
    fn the_largest_number_has_a_beginning_of_eight_words_too() {
        let text = beginning(&Prefix::common(u64::MAX), u64::MAX);
        assert_eq!(text.split(' ').count(), 8, "{text}");
        assert!(text.split(' ').all(|word| WORDS.contains(&word)));
    }
}
