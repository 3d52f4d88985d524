//! Made-up text of exactly so many input tokens, chat template included.
//!
//! A prompt is a unique beginning and one of a few bodies. Words are separated by spaces, where no usual tokenizer
//! joins tokens; so the count is that of the template, the beginning and the body added up, and stays the same when
//! all beginnings are equally long. That is checked, not assumed.

use std::time::{Duration, Instant};

use futures::future::try_join_all;

use super::{
    count::Counter,
    prefix::{self, Prefix},
    words::{CANDIDATES, WORDS},
};
use crate::endpoint::Message;

/// Most and fewest bodies, and about how many tokens all of them may have.
const MOST_BODIES: u64 = 64;
const FEWEST_BODIES: u64 = 4;
const POOL_TOKENS: u64 = 1 << 18;
/// No more bodies are begun after this time, once there is one.
const LONGEST: Duration = Duration::from_secs(60);
/// Counts that are asked for at once.
const AT_ONCE: usize = 8;
/// Corrections of a body's length.
const ROUNDS: usize = 8;
/// Fewest words worth making beginnings of.
const ENOUGH: usize = 16;
/// Prompts whose count is checked at the end.
const CHECKED: u64 = 16;
/// Longest prompt that can be asked for, in tokens; the longest known contexts have some 10 million.
pub const MOST_TOKENS: u32 = 1 << 24;

/// What was made.
pub struct Synthetic {
    pub bodies: Vec<String>,
    pub prefix: Option<Prefix>,
    /// Largest difference from the wanted count that was seen.
    pub spread: u64,
    /// The server's `usage` less what was counted without it; `None` when it sent none.
    pub offset: Option<i64>,
}

/// Joins beginning and body.
pub fn join(prefix: &str, body: &str) -> String {
    let gap = if prefix.is_empty() || body.is_empty() {
        ""
    } else {
        " "
    };
    format!("{prefix}{gap}{body}")
}

/// Makes bodies with which each prompt has `wanted` tokens.
///
/// # Errors
/// For the user: `wanted` is less than the template needs, or the server stops counting.
pub async fn make(counter: &mut Counter, wanted: u32, bust: bool, seed: u64) -> Result<Synthetic, String> {
    let mut random = fastrand::Rng::with_seed(seed);
    // Shorter than the prompts, so that it fits the context whatever the tokenizer makes of its words.
    let sample = pick(&mut random, WORDS, (wanted as usize / 2).max(1)).join(" ");
    let offset = counter.calibrate(&[Message::user(sample)]).await?;
    let words = measure(counter).await?;
    let maker = Maker {
        wanted: u64::from(wanted),
        prefix: bust.then(|| words.prefix(wanted, seed)).transpose()?,
        filler: words.shortest,
        counter,
        seed,
    };
    maker.check_least(words.template).await?;
    let bodies = maker.bodies().await?;
    let spread = maker.spread(&bodies).await?;
    Ok(Synthetic {
        bodies,
        spread,
        offset,
        prefix: maker.prefix,
    })
}

/// Candidates by their length.
struct Words {
    /// Those with the fewest tokens: one, unless the tokenizer is an odd one.
    shortest: Vec<&'static str>,
    /// Enough words of the same length for beginnings, and that length.
    alike: Vec<&'static str>,
    each: u64,
    /// Tokens of a prompt without any words.
    template: u64,
}

/// Counts each candidate at the beginning of a message and after a space, which tokenizers treat differently.
async fn measure(counter: &Counter) -> Result<Words, String> {
    const TIMES: u64 = 4;
    let one = counter.conversation(&[Message::user("a")]).await?;
    let two = counter.conversation(&[Message::user("a a")]).await?;
    let template = one.saturating_sub(two.saturating_sub(one).max(1));
    let mut counted = Vec::new();
    for some in WORDS[..CANDIDATES].chunks(AT_ONCE) {
        let counts = some.iter().map(async |word| {
            let text = [*word; TIMES as usize].join(" ");
            let count = counter.conversation(&[Message::user(text)]).await?;
            Ok::<_, String>((count, *word))
        });
        counted.extend(try_join_all(counts).await?);
    }
    counted.sort();
    let alike = |count: u64| -> Vec<&'static str> {
        let same = counted.iter().filter(|(other, _)| *other == count);
        same.map(|(_, word)| *word).collect()
    };
    let least = counted.first().map_or(template, |(count, _)| *count);
    let groups = || counted.iter().map(|(count, _)| *count);
    let chosen = groups().find(|count| alike(*count).len() >= ENOUGH);
    let chosen = chosen.or_else(|| groups().max_by_key(|count| alike(*count).len()));
    let chosen = chosen.unwrap_or(least);
    Ok(Words {
        shortest: alike(least),
        alike: alike(chosen),
        each: chosen.saturating_sub(template).div_ceil(TIMES).max(1),
        template,
    })
}

impl Words {
    /// Beginnings that leave the prompt within `wanted` tokens: shorter ones where the prompt is short.
    fn prefix(&self, wanted: u32, seed: u64) -> Result<Prefix, String> {
        let room = u64::from(wanted).saturating_sub(self.template) / self.each;
        let length = u32::try_from(room).unwrap_or(u32::MAX).min(prefix::LENGTH);
        if length == 0 {
            return Err(too_short(wanted, self.template + self.each));
        }
        Ok(Prefix::new(self.alike.clone(), length, seed))
    }
}

fn too_short(wanted: u32, least: u64) -> String {
    format!(
        "prompts of {wanted} input tokens can't be made: with the model's chat template the shortest one has \
         {least} tokens; ask for at least as many"
    )
}

struct Maker<'a> {
    counter: &'a Counter,
    wanted: u64,
    prefix: Option<Prefix>,
    /// Words to fill up with, one token each.
    filler: Vec<&'static str>,
    seed: u64,
}

impl Maker<'_> {
    async fn check_least(&self, template: u64) -> Result<(), String> {
        let least = match self.beginning(0) {
            lead if lead.is_empty() => template + 1,
            lead => self.count(&lead).await?,
        };
        if self.wanted < least {
            return Err(too_short(u32::try_from(self.wanted).unwrap_or(u32::MAX), least));
        }
        Ok(())
    }

    /// As many different bodies as are useful and can be made in time.
    async fn bodies(&self) -> Result<Vec<String>, String> {
        let many = (POOL_TOKENS / self.wanted.max(1)).clamp(FEWEST_BODIES, MOST_BODIES);
        let began = Instant::now();
        let mut bodies = Vec::new();
        let indices: Vec<u64> = (0..many).collect();
        for some in indices.chunks(AT_ONCE) {
            if !bodies.is_empty() && began.elapsed() > LONGEST {
                break;
            }
            bodies.extend(try_join_all(some.iter().map(|index| self.body(*index))).await?);
        }
        Ok(bodies)
    }

    /// Guesses, asks, and corrects: what is too much is cut, what is missing is filled up with words of one token.
    async fn body(&self, index: u64) -> Result<String, String> {
        let mut random =
            fastrand::Rng::with_seed(self.seed ^ (index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let lead = self.beginning(index);
        let room = self.wanted.saturating_sub(self.count_of_lead(&lead).await?);
        let mut words: Vec<&str> = pick(&mut random, WORDS, room as usize);
        let mut best = (u64::MAX, String::new());
        for _ in 0..ROUNDS {
            let body = words.join(" ");
            let count = self.count(&join(&lead, &body)).await?;
            let off = count.abs_diff(self.wanted);
            if off < best.0 {
                best = (off, body);
            }
            if off == 0 {
                break;
            }
            if count > self.wanted {
                words.truncate(words.len().saturating_sub(off as usize));
            } else if words.len() as u64 + off <= self.wanted {
                words.extend(pick(&mut random, &self.filler, off as usize));
            } else {
                // No tokenizer has fewer tokens than words: whoever counts here doesn't count this.
                break;
            }
        }
        Ok(best.1)
    }

    /// The largest difference from the wanted count among some prompts, early and late ones.
    async fn spread(&self, bodies: &[String]) -> Result<u64, String> {
        let mut random = fastrand::Rng::with_seed(self.seed);
        let numbers: Vec<u64> = (0..CHECKED).map(|_| random.u64(0..1 << 32)).collect();
        let mut spread = 0;
        for some in numbers.chunks(AT_ONCE) {
            let counts = some.iter().map(async |number| {
                let body = bodies.get(*number as usize % bodies.len().max(1));
                let text = join(&self.beginning(*number), body.map_or("", String::as_str));
                self.count(&text).await
            });
            let counts = try_join_all(counts).await?;
            spread = counts
                .iter()
                .map(|count| count.abs_diff(self.wanted))
                .fold(spread, u64::max);
        }
        Ok(spread)
    }

    fn beginning(&self, number: u64) -> String {
        let mut text = String::new();
        if let Some(prefix) = &self.prefix {
            prefix.write(number, &mut text);
        }
        text
    }

    /// Tokens that are there before the body.
    async fn count_of_lead(&self, lead: &str) -> Result<u64, String> {
        if lead.is_empty() {
            // An empty message is refused by some templates.
            return Ok(self.count("a").await?.saturating_sub(1));
        }
        self.count(lead).await
    }

    async fn count(&self, text: &str) -> Result<u64, String> {
        self.counter.conversation(&[Message::user(text)]).await
    }
}

fn pick(random: &mut fastrand::Rng, words: &[&'static str], count: usize) -> Vec<&'static str> {
    (0..count).filter_map(|_| random.choice(words).copied()).collect()
}
