//! A sentence in which words between backticks are code.

use crate::report::escape::line;

/// Its pieces in order, and whether each is code.
pub type Prose = Vec<(bool, String)>;

/// One line. A backtick without a partner is a backtick; so is one of a pair with nothing between.
pub fn prose(text: &str) -> Prose {
    let text = line(text);
    let mut pieces: Prose = Vec::new();
    let mut rest = text.as_str();
    while let Some((before, code, after)) = first_code(rest) {
        pieces.extend((!before.is_empty()).then(|| (false, before.to_owned())));
        pieces.push((true, code.to_owned()));
        rest = after;
    }
    pieces.extend((!rest.is_empty()).then(|| (false, rest.to_owned())));
    pieces
}

fn first_code(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once('`')?;
    let (code, after) = rest.split_once('`')?;
    (!code.trim().is_empty()).then_some((before, code, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_between_backticks_are_code_and_no_character_is_lost() {
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("set `a.b` or `c`", "set [a.b] or [c]"),
            ("`a``b`", "[a][b]"),
            ("an odd ` stays", "an odd ` stays"),
            ("`` ` x", "`` ` x"),
        ] {
            let told: String = prose(text)
                .into_iter()
                .map(|(code, piece)| if code { format!("[{piece}]") } else { piece })
                .collect();
            assert_eq!(told, expected);
        }
    }
}
