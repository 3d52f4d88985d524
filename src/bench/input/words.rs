//! Short common English words: most tokenizers have one token for each.

/// The first [`CANDIDATES`] also make the unique beginnings of prompts.
pub const WORDS: &[&str] = &[
    "a", "time", "year", "way", "day", "man", "world", "life", "hand", "part", "place", "case", "week",
    "work", "point", "home", "water", "room", "area", "money", "story", "fact", "month", "lot", "right",
    "study", "book", "eye", "job", "word", "side", "kind", "head", "house", "page", "end", "code", "line",
    "list", "name", "number", "type", "value", "state", "table", "test", "file", "form", "game", "group",
    "new", "old", "good", "first", "last", "long", "great", "own", "other", "open", "set", "read", "run",
    "call", "and", "the", "of", "to", "in", "for", "on", "with", "at", "by", "from", "up", "about", "into",
    "over", "after", "is", "it", "he", "she", "they", "we", "you", "this", "that", "which", "who", "what",
    "when", "where", "how", "all", "each", "some", "many", "more", "most", "no", "not", "only", "so", "than",
    "then", "very", "just", "also", "now", "here", "there", "back", "down", "out", "off", "again", "always",
    "never", "often", "once", "be", "have", "do", "say", "get", "make", "go", "know", "take", "see", "come",
    "think", "look", "want", "give", "use", "find", "tell", "ask", "seem", "feel", "try", "leave", "put",
    "mean", "keep", "let", "begin", "help", "talk", "turn", "start", "show", "hear", "play", "move", "like",
    "live", "write", "stand", "lose", "pay", "meet", "learn", "change", "lead", "watch", "follow", "stop",
    "speak", "allow", "add", "spend", "grow", "walk", "win", "offer", "love", "wait", "buy", "send", "build",
    "stay", "fall", "cut", "reach", "pass", "sell", "pull", "small", "large", "next", "early", "young",
    "few", "bad", "same", "able", "high", "low", "big", "little", "full", "free", "strong", "sure", "clear",
    "white", "black", "red", "green", "blue", "short", "hard", "left", "late", "real", "best", "better",
    "true", "whole", "food", "sun", "tree", "river", "stone", "street", "school", "family", "child",
    "mother", "father", "friend", "city", "town", "country", "music", "paper", "door", "car", "boat",
    "horse", "dog", "cat", "bird", "fish", "sea", "hill", "field", "wind", "rain", "snow", "fire", "light",
    "night",
];

/// Words that are tried for the unique beginnings.
pub const CANDIDATES: usize = 64;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_word_is_there_twice() {
        assert_eq!(WORDS.iter().collect::<BTreeSet<_>>().len(), WORDS.len());
        assert!(WORDS.len() > CANDIDATES);
    }
}
