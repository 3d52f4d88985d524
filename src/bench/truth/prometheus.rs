//! Prometheus' text exposition format, as far as it is needed: the samples of the names that are asked for.
//!
//! The text is the server's and hostile. A line of a wanted name that breaks the format makes the whole text
//! worthless, because a series that is missing on one side would turn into a wrong difference.

/// Most samples of wanted names: 20 histograms of 25 lines each for 40 engines.
const MAX_SAMPLES: usize = 20_000;
/// Largest count that an `f64` holds exactly.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// One line: a name, its labels and a number.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample<'a> {
    pub name: &'a str,
    /// In the order of their names.
    pub labels: Vec<(&'a str, String)>,
    pub value: f64,
}

/// The samples whose name is wanted; `None` when one of them is malformed or there are too many.
pub fn samples<'a>(text: &'a str, wanted: impl Fn(&str) -> bool) -> Option<Vec<Sample<'a>>> {
    let mut found = Vec::new();
    for line in text.lines() {
        let line = line.trim_matches([' ', '\t', '\r']);
        let end = line.find(|c: char| !is_name(c)).unwrap_or(line.len());
        let (name, rest) = line.split_at(end);
        if name.is_empty() || !wanted(name) {
            continue;
        }
        if found.len() == MAX_SAMPLES {
            return None;
        }
        let (labels, rest) = labels(rest)?;
        found.push(Sample {
            name,
            labels,
            value: value(rest)?,
        });
    }
    Some(found)
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == ':'
}

/// `{a="b",c="d",}` at the start, if any, and what follows.
fn labels(text: &str) -> Option<(Vec<(&str, String)>, &str)> {
    let mut labels = Vec::new();
    let blank = text.trim_start_matches([' ', '\t']);
    let Some(mut rest) = blank.strip_prefix('{') else {
        return Some((labels, text));
    };
    loop {
        rest = rest.trim_start_matches([' ', '\t']);
        if let Some(after) = rest.strip_prefix('}') {
            labels.sort();
            return Some((labels, after));
        }
        let (name, after) = rest.split_once('=')?;
        let name = name.trim_matches([' ', '\t']);
        if name.is_empty() || !name.chars().all(is_name) {
            return None;
        }
        let (value, after) = quoted(after.trim_start_matches([' ', '\t']))?;
        labels.push((name, value));
        let after = after.trim_start_matches([' ', '\t']);
        rest = match after.strip_prefix(',') {
            Some(next) => next,
            None if after.starts_with('}') => after,
            None => return None,
        };
    }
}

/// A string in quotes at the start, without its escapes, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let text = text.strip_prefix('"')?;
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                escaped @ ('\\' | '"') => value.push(escaped),
                _ => return None,
            },
            _ => value.push(c),
        }
    }
    None
}

/// A value, with a timestamp or an exemplar behind it or not.
fn value(text: &str) -> Option<f64> {
    if !text.starts_with([' ', '\t']) {
        return None;
    }
    let mut words = text.split_ascii_whitespace();
    let value = number(words.next()?)?;
    match words.next() {
        None => Some(value),
        Some("#") => Some(value),
        Some(timestamp) => {
            timestamp.parse::<f64>().ok()?;
            words.next().is_none_or(|word| word == "#").then_some(value)
        }
    }
}

/// A number of the format: Go's spelling of infinity, too.
pub fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" | "Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        // Rust would also take words such as `infinity`.
        _ if text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) => {
            text.parse().ok().filter(|n: &f64| n.is_finite())
        }
        "NaN" => Some(f64::NAN),
        _ => None,
    }
}

/// A value as a count.
pub fn count(value: f64) -> Option<u64> {
    (value.fract() == 0.0 && (0.0..=EXACT).contains(&value)).then_some(value as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Option<Vec<Sample<'_>>> {
        samples(text, |name| name.starts_with("a:"))
    }

    #[test]
    fn a_line_is_a_name_labels_and_a_number() {
        let text = "# HELP a:x words {\n# TYPE a:x counter\n\na:x 1\n a:y{b=\"c\"}\t2.5 1700000000\r\na:z { z = \"q\\\"\\\\\\n,}\" , b=\"\",} +Inf # {t=\"1\"} 3\nother{ 1\n";
        let found = all(text).unwrap();
        let values: Vec<_> = found.iter().map(|s| (s.name, s.value)).collect();
        assert_eq!(values, [("a:x", 1.0), ("a:y", 2.5), ("a:z", f64::INFINITY)]);
        assert_eq!(
            found[2].labels,
            [("b", String::new()), ("z", "q\"\\\n,}".to_owned())],
            "escapes are undone, and labels come in the order of their names"
        );
    }

    #[test]
    fn one_malformed_wanted_line_spoils_the_text() {
        for line in [
            "a:x",
            "a:x one",
            "a:x infinity",
            "a:x 1e999",
            "a:x 1 2 3",
            "a:x 1 now",
            "a:x{ 1",
            "a:x{b} 1",
            "a:x{b=c} 1",
            "a:x{b=\"c} 1",
            "a:x{b=\"c\" d=\"e\"} 1",
            "a:x{b=\"\\q\"} 1",
            "a:x{=\"c\"} 1",
            "a:x{b=\"c\"}1",
            "a:x\u{e4} 1",
        ] {
            assert_eq!(all(&format!("a:w 1\n{line}\n")), None, "{line}");
        }
        assert_eq!(all("not metrics <html>").map(|s| s.len()), Some(0));
    }

    #[test]
    fn a_flood_of_samples_is_refused() {
        let text = "a:x 1\n".repeat(MAX_SAMPLES);
        assert_eq!(all(&text).map(|s| s.len()), Some(MAX_SAMPLES));
        assert_eq!(all(&format!("{text}a:x 1")), None);
    }

    #[test]
    fn a_count_is_whole_and_not_negative() {
        assert_eq!(count(25.0), Some(25));
        for value in [-1.0, 0.5, f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(count(value), None, "{value}");
        }
    }
}
