//! The tokens of one answer, decided before any is sent.

use super::{
    sampling::Sampling,
    text::{self, Dice},
    tokenizer,
};

/// Where a token's text goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Reasoning,
    Content,
    /// Counted, never shown: the end of thinking.
    Silent,
}

/// One token: its text may be empty.
#[derive(Clone, Debug)]
pub struct Token {
    pub text: String,
    pub id: u32,
    pub part: Part,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub tokens: Vec<Token>,
    /// `stop` or `length`.
    pub finish: &'static str,
    /// The stop string that ended it.
    pub stop_reason: Option<String>,
}

impl Answer {
    pub fn text_of(&self, part: Part) -> String {
        self.tokens
            .iter()
            .filter(|token| token.part == part)
            .map(|token| token.text.as_str())
            .collect()
    }

    pub fn reasoning_tokens(&self) -> usize {
        self.tokens
            .iter()
            .filter(|token| token.part == Part::Reasoning)
            .count()
    }

    pub fn ids(&self) -> Vec<u32> {
        self.tokens.iter().map(|token| token.id).collect()
    }
}

/// What an answer is made from.
pub struct Source<'a> {
    pub prompt: &'a str,
    /// The last thing that the user said.
    pub asked: &'a str,
    /// Thinks before it answers.
    pub thinks: bool,
}

/// Choice `index` of the request.
pub fn answer(source: &Source<'_>, sampling: &Sampling, index: usize) -> Answer {
    let mut dice = Dice::of(source.prompt, sampling.seed, index);
    let mut tokens = Vec::new();
    if source.thinks && !sampling.end_at_once {
        let thoughts = 12 + dice.below(12) as usize;
        tokens.extend(
            text::thoughts(&mut dice, thoughts)
                .into_iter()
                .map(|t| token(t, Part::Reasoning)),
        );
        tokens.push(Token {
            text: String::new(),
            id: tokenizer::THINK_END,
            part: Part::Silent,
        });
    }
    tokens.extend(
        content(source, sampling, &mut dice)
            .into_iter()
            .map(|t| token(t, Part::Content)),
    );
    let stop_reason = cut_at_stop(&mut tokens, sampling);
    finish(tokens, stop_reason, sampling, &mut dice)
}

fn content(source: &Source<'_>, sampling: &Sampling, dice: &mut Dice) -> Vec<String> {
    if sampling.end_at_once && !sampling.ignore_eos {
        return Vec::new();
    }
    let said = sampling
        .forced
        .clone()
        .or_else(|| text::asked_to_repeat(source.asked));
    match said {
        Some(text) => tokenizer::split(&text).into_iter().map(str::to_owned).collect(),
        None => {
            let count = 24 + dice.below(40) as usize;
            text::pseudo_words(dice, count)
        }
    }
}

/// The end token counts; `min_tokens` and `ignore_eos` put more words before it or leave it out.
fn finish(
    mut tokens: Vec<Token>,
    stop_reason: Option<String>,
    sampling: &Sampling,
    dice: &mut Dice,
) -> Answer {
    if stop_reason.is_some() && tokens.len() <= sampling.max_tokens {
        return Answer {
            tokens,
            finish: "stop",
            stop_reason,
        };
    }
    let wanted = if sampling.ignore_eos {
        sampling.max_tokens
    } else {
        sampling.min_tokens
    };
    if sampling.forced.is_none() && tokens.len() < wanted {
        let more = text::thoughts(dice, wanted - tokens.len());
        tokens.extend(more.into_iter().map(|text| token(text, Part::Content)));
    }
    let forced_end = sampling.forced.is_some() || !sampling.ignore_eos;
    if tokens.len() < sampling.max_tokens && forced_end {
        tokens.push(Token {
            text: String::new(),
            id: tokenizer::IM_END,
            part: Part::Content,
        });
        return Answer {
            tokens,
            finish: "stop",
            stop_reason: None,
        };
    }
    tokens.truncate(sampling.max_tokens);
    Answer {
        tokens,
        finish: "length",
        stop_reason: None,
    }
}

/// Ends the content before the first stop string; tokens inside it stay, counted and empty.
fn cut_at_stop(tokens: &mut Vec<Token>, sampling: &Sampling) -> Option<String> {
    let mut shown = String::new();
    for end in 0..tokens.len() {
        let current = tokens.get(end).filter(|token| token.part == Part::Content);
        let Some(current) = current else { continue };
        shown.push_str(&current.text);
        if end + 1 < sampling.min_tokens {
            continue;
        }
        let hit = sampling
            .stop
            .iter()
            .filter_map(|stop| shown.find(stop.as_str()).map(|at| (at, stop)))
            .min();
        if let Some((at, stop)) = hit {
            tokens.truncate(end + 1);
            let mut left = at;
            for token in tokens.iter_mut().filter(|token| token.part == Part::Content) {
                let keep = left.min(token.text.len());
                left -= keep;
                token.text.truncate(keep);
            }
            return Some(stop.clone());
        }
    }
    None
}

fn token(text: String, part: Part) -> Token {
    let id = tokenizer::encode(&text)
        .first()
        .copied()
        .unwrap_or(tokenizer::IM_END);
    Token { text, id, part }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(thinks: bool, asked: &str, sampling: &Sampling) -> Answer {
        answer(
            &Source {
                prompt: "p",
                asked,
                thinks,
            },
            sampling,
            0,
        )
    }

    fn sampling(max_tokens: usize) -> Sampling {
        Sampling {
            max_tokens,
            n: 1,
            ..Sampling::default()
        }
    }

    #[test]
    fn max_tokens_min_tokens_and_ignore_eos_decide_the_length() {
        let short = made(false, "", &sampling(5));
        assert_eq!((short.tokens.len(), short.finish), (5, "length"));
        let ends = made(false, "", &sampling(4000));
        assert_eq!(ends.finish, "stop");
        assert!(ends.tokens.len() < 100);
        let all = made(
            false,
            "",
            &Sampling {
                ignore_eos: true,
                ..sampling(300)
            },
        );
        assert_eq!((all.tokens.len(), all.finish), (300, "length"));
        let least = made(
            false,
            "",
            &Sampling {
                min_tokens: 200,
                ..sampling(300)
            },
        );
        assert_eq!((least.tokens.len(), least.finish), (201, "stop"));
    }

    #[test]
    fn a_stop_string_ends_the_text_before_it() {
        let sampling = Sampling {
            stop: vec!["gamma".to_owned()],
            ..sampling(64)
        };
        let cut = made(false, "Reply with exactly: alpha beta gamma delta", &sampling);
        assert_eq!(cut.text_of(Part::Content), "alpha beta ");
        assert_eq!((cut.finish, cut.stop_reason.as_deref()), ("stop", Some("gamma")));
    }

    #[test]
    fn thinking_comes_first_and_is_counted_apart() {
        let whole = made(true, "Say ok", &sampling(64));
        assert_eq!(whole.text_of(Part::Content), "ok");
        assert!(whole.reasoning_tokens() >= 6);
        assert_eq!(whole.tokens.len(), whole.reasoning_tokens() + 3);
        let cut = made(true, "Say ok", &sampling(4));
        assert_eq!(
            (cut.text_of(Part::Content).as_str(), cut.reasoning_tokens()),
            ("", 4)
        );
    }
}
