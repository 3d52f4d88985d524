//! What the stand-in says: stand-in text that is the same for the same prompt and seed, or what it was asked
//! to repeat.

/// Opens every answer that is nobody's words, so that no one takes it for a model's.
const OPENING: &str = "Stand-in text, no model behind it:";
const ONSETS: &[&str] = &[
    "b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z", "br", "st",
];
const NUCLEI: &[&str] = &["a", "e", "i", "o", "u", "ai"];

/// A small deterministic generator (SplitMix64): the answer depends on its seed alone.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// From the prompt, the request's seed and the choice's index.
    pub fn of(prompt: &str, seed: i64, index: usize) -> Self {
        // FNV-1a: stable across runs and machines.
        let hash = prompt.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        Self(hash ^ seed.cast_unsigned().rotate_left(17) ^ (index as u64).rotate_left(41))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next() % bound }
    }
}

/// One pseudo-word of four or five letters: one token.
fn word(dice: &mut Dice) -> String {
    let mut part = |list: &[&str]| {
        let index = dice.below(list.len() as u64) as usize;
        list.get(index).copied().unwrap_or_default().to_owned()
    };
    let word = part(ONSETS) + &part(NUCLEI) + &part(ONSETS) + &part(NUCLEI);
    word.chars().take(5).collect()
}

/// Tokens of an answer that goes on for `count` of them.
pub fn pseudo_words(dice: &mut Dice, count: usize) -> Vec<String> {
    let opening = super::tokenizer::split(OPENING).into_iter().map(str::to_owned);
    let mut tokens: Vec<String> = opening.take(count).collect();
    while tokens.len() < count {
        tokens.push(format!(" {}", word(dice)));
    }
    tokens
}

/// Tokens of thought.
pub fn thoughts(dice: &mut Dice, count: usize) -> Vec<String> {
    (0..count).map(|_| format!(" {}", word(dice))).collect()
}

/// What the last message asks to be repeated: `reply with exactly: X`, `say "X"`, `say X` (one word).
pub fn asked_to_repeat(message: &str) -> Option<String> {
    let lower = message.to_ascii_lowercase();
    for cue in [
        "with exactly",
        "say exactly",
        "with only",
        "with just",
        "repeat after me",
        "with the single word",
        "with the word",
    ] {
        if let Some(at) = lower.find(cue) {
            let rest = message.get(at + cue.len()..)?;
            return phrase(rest.trim_start_matches(':').trim_start());
        }
    }
    let at = lower.strip_prefix("say ").map(|_| 4)?;
    let rest = message.get(at..)?.trim();
    if rest.starts_with(['"', '\'', '“', '`']) {
        return phrase(rest);
    }
    let word = rest.trim_end_matches(['.', '!']);
    (!word.is_empty() && !word.contains(char::is_whitespace)).then(|| word.to_owned())
}

/// What stands in quotes, else the line up to its end or an instruction after a full stop.
fn phrase(rest: &str) -> Option<String> {
    for (open, close) in [('"', '"'), ('\'', '\''), ('“', '”'), ('`', '`')] {
        if let Some(inner) = rest.strip_prefix(open) {
            return inner.split_once(close).map(|(text, _)| text.to_owned());
        }
    }
    let line = rest.lines().next().unwrap_or_default();
    let line = line.split(". ").next().unwrap_or(line);
    let line = line
        .split(" and nothing else")
        .next()
        .unwrap_or(line)
        .trim()
        .trim_end_matches('.');
    (!line.is_empty() && line.len() <= 200).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_what_it_is_asked_to_and_nothing_else() {
        let asked = |text| asked_to_repeat(text);
        assert_eq!(asked("Reply with exactly: pong"), Some("pong".to_owned()));
        assert_eq!(
            asked("Please reply with exactly \"a b. c\" now"),
            Some("a b. c".to_owned())
        );
        assert_eq!(asked("Say hello."), Some("hello".to_owned()));
        assert_eq!(
            asked("Reply with the single word OK and nothing else."),
            Some("OK".to_owned())
        );
        assert_eq!(asked("Say hello in five words."), None);
        assert_eq!(asked("What is the capital of France?"), None);
        assert_eq!(asked("Reply with exactly:"), None);
    }

    #[test]
    fn text_depends_on_prompt_seed_and_index_and_says_what_it_is() {
        let text = |p: &str, s, i| pseudo_words(&mut Dice::of(p, s, i), 30).concat();
        assert_eq!(text("a", 0, 0), text("a", 0, 0));
        assert_ne!(text("a", 0, 0), text("a", 1, 0));
        assert_ne!(text("a", 0, 0), text("a", 0, 1));
        assert_ne!(text("a", 0, 0), text("b", 0, 0));
        assert!(text("a", 0, 0).starts_with(OPENING));
    }
}
