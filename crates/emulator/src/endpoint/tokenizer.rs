//! A reversible tokenizer with a plausible count: about one token per short word, four letters or a digit.
//!
//! Byte tokens have the ids that GPT-2's vocabulary gives them; longer pieces get ids as they are first seen.

use std::sync::{LazyLock, Mutex, PoisonError};

use indexmap::IndexSet;

pub const IM_START: u32 = 4088;
pub const IM_END: u32 = 4089;
const THINK: u32 = 4094;
pub const THINK_END: u32 = 4095;
const SPECIALS: &[(u32, &str)] = &[
    (IM_START, "<|im_start|>"),
    (IM_END, "<|im_end|>"),
    (THINK, "<think>"),
    (THINK_END, "</think>"),
];

const FIRST_PIECE: u32 = 5000;
/// Pieces that are remembered; text beyond it is spelt in bytes.
const MOST_PIECES: usize = 150_000;
/// Letters in one piece.
const PIECE_CHARS: usize = 5;

static PIECES: LazyLock<Mutex<IndexSet<String>>> = LazyLock::new(Mutex::default);

/// The ids of a text.
pub fn encode(text: &str) -> Vec<u32> {
    let mut pieces = PIECES.lock().unwrap_or_else(PoisonError::into_inner);
    let mut ids = Vec::with_capacity(text.len() / 4 + 1);
    for piece in split(text) {
        if let Some((id, _)) = SPECIALS.iter().find(|(_, name)| *name == piece) {
            ids.push(*id);
        } else if let [byte] = piece.as_bytes() {
            ids.push(byte_id(*byte));
        } else if let Some(index) = pieces.get_index_of(piece) {
            ids.push(FIRST_PIECE + index as u32);
        } else if pieces.len() < MOST_PIECES {
            ids.push(FIRST_PIECE + pieces.insert_full(piece.to_owned()).0 as u32);
        } else {
            ids.extend(piece.bytes().map(byte_id));
        }
    }
    ids
}

/// The text of ids; one that nothing stands for becomes U+FFFD.
pub fn decode(ids: &[u32]) -> String {
    let bytes: Vec<u8> = ids.iter().flat_map(|id| piece_of(*id)).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn piece_of(id: u32) -> Vec<u8> {
    if let Some((_, name)) = SPECIALS.iter().find(|(special, _)| *special == id) {
        return name.as_bytes().to_vec();
    }
    if let Some(byte) = (0..=255_u8).find(|byte| byte_id(*byte) == id) {
        return vec![byte];
    }
    let pieces = PIECES.lock().unwrap_or_else(PoisonError::into_inner);
    id.checked_sub(FIRST_PIECE)
        .and_then(|index| pieces.get_index(index as usize))
        .map_or_else(
            || "\u{fffd}".as_bytes().to_vec(),
            |piece| piece.as_bytes().to_vec(),
        )
}

/// Pieces as the answer's tokens: the text cut where the tokenizer cuts it.
pub fn split(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let special = SPECIALS
            .iter()
            .find(|(_, name)| rest.starts_with(name))
            .map(|(_, name)| name.len());
        let length = special.unwrap_or_else(|| piece_length(rest, first));
        let (piece, tail) = rest.split_at(length);
        pieces.push(piece);
        rest = tail;
    }
    pieces
}

/// Bytes of the piece at the start of `rest`: a run of letters with the space before it, else one character.
fn piece_length(rest: &str, first: char) -> usize {
    let space = usize::from(first == ' ');
    let letters: usize = rest
        .get(space..)
        .unwrap_or_default()
        .chars()
        .take_while(|c| c.is_alphabetic())
        .take(PIECE_CHARS)
        .map(char::len_utf8)
        .sum();
    if letters == 0 {
        first.len_utf8()
    } else {
        space + letters
    }
}

/// GPT-2's order of bytes: the printable ones first.
fn byte_id(byte: u8) -> u32 {
    let printable = |b: u8| matches!(b, 33..=126 | 161..=172 | 174..=255);
    if printable(byte) {
        (0..byte).filter(|b| printable(*b)).count() as u32
    } else {
        188 + (0..byte).filter(|b| !printable(*b)).count() as u32
    }
}

/// Qwen's chat template as far as it shapes the count: roles, texts, the opening of the answer.
pub fn chat_prompt(messages: &[(String, String)], thinking: bool) -> String {
    let mut prompt = String::new();
    for (role, text) in messages {
        prompt.push_str(&format!("<|im_start|>{role}\n{text}<|im_end|>\n"));
    }
    prompt.push_str("<|im_start|>assistant\n");
    if !thinking {
        prompt.push_str("<think>\n\n</think>\n\n");
    }
    prompt
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back() {
        for text in [
            "",
            "Hello world",
            "日本語 — émoji 🎉 fin\r\n\t ",
            "<|im_start|>user\nx<|im_end|>",
        ] {
            assert_eq!(decode(&encode(text)), text);
        }
    }

    #[test]
    fn byte_tokens_have_gpt2_ids() {
        assert_eq!(decode(&[40, 41, 42]), "IJK");
        assert_eq!(encode("\n"), [198]);
    }

    #[test]
    fn counts_are_near_four_letters_a_token() {
        let text = "The quick brown fox jumps over the lazy dog. ".repeat(100);
        let tokens = encode(&text).len();
        assert!(
            (text.len() / 6..text.len() / 3).contains(&tokens),
            "{tokens} for {}",
            text.len()
        );
    }
}
