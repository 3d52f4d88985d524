//! Takes secrets out of a text: those that are known, in whatever form, and what has the shape of one.

use std::{borrow::Cow, collections::HashSet, ops::Range, sync::LazyLock};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use memchr::memmem;
use regex::bytes::Regex;

use super::view::View;

/// What stands in a secret's place.
pub const HIDDEN: &str = "***";
/// A shorter secret is part of ordinary words, and hiding it would hide them.
const SHORTEST: usize = 8;
/// Bytes in a row that give a secret away: what is left of one that was split or cut off.
const PART: usize = 12;
/// A secret must be as long to be known by a part.
const LONG: usize = 20;

/// What GitHub, Hugging Face, Google and others give out, whether this run knows it or not: a build's log can print
/// what only the build knows. Prefixes and alphabets are as their makers document them.
static SHAPES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let shapes = [
        r"gh[pousr]_[A-Za-z0-9]{20,255}",
        r"github_pat_[A-Za-z0-9_]{20,255}",
        r"\bhf_[A-Za-z0-9]{20,255}",
        r"\bya29\.[A-Za-z0-9_-]{20,}",
        r"\bAIza[A-Za-z0-9_-]{35}",
        r"\bGOCSPX-[A-Za-z0-9_-]{20,}",
        r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
        r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
        r"\bsk-(?:proj-|ant-)?[A-Za-z0-9_]{20,}",
        r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}(?:\.[A-Za-z0-9_-]+)?",
        r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9_/-]+",
        r"discord(?:app)?\.com/api/webhooks/[A-Za-z0-9_/-]+",
        r"(?i:authorization)\W{1,4}(?i:basic|bearer|token)\s+(?P<credential>[A-Za-z0-9_.~+/=-]{8,})",
        r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:\s*[A-Za-z0-9+/=]{20,})*(?:\s*[A-Za-z0-9+/=]*\s*-----END [A-Z ]*PRIVATE KEY-----)?",
    ];
    Regex::new(&shapes.join("|")).ok()
});

/// The secrets that are looked for.
#[derive(Default)]
pub struct Redactor {
    /// Whole secrets, as [`View::joined`] shows them and as base64 does.
    whole: Vec<Vec<u8>>,
    parts: HashSet<[u8; PART]>,
}

impl Redactor {
    pub fn add(&mut self, secret: &str) {
        let secret = secret.trim();
        for form in forms(secret) {
            self.add_whole(form);
        }
        for form in forms(secret_part(secret)) {
            if form.len() >= LONG {
                let parts = form.windows(PART).filter(|part| looks_random(part));
                self.parts
                    .extend(parts.filter_map(|part| <[u8; PART]>::try_from(part).ok()));
                self.add_whole(form);
            }
        }
    }

    fn add_whole(&mut self, form: Vec<u8>) {
        if form.len() >= SHORTEST && !self.whole.contains(&form) {
            self.whole.push(form);
        }
    }

    /// The text with [`HIDDEN`] in the place of each secret.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let plain = View::plain(text);
        let mut places = Vec::new();
        if let Some(shapes) = SHAPES.as_ref() {
            let found = shapes.captures_iter(&plain.bytes);
            let secret = found.filter_map(|found| found.name("credential").or(found.get(0)));
            places.extend(secret.filter_map(|found| plain.place(&found.range())));
        }
        let joined = plain.joined();
        places.extend(self.known(&joined.bytes).iter().filter_map(|at| joined.place(at)));
        without(text, places)
    }

    fn known(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        for form in &self.whole {
            found.extend(memmem::find_iter(bytes, form).map(|at| at..at + form.len()));
        }
        if !self.parts.is_empty() {
            for (at, part) in bytes.windows(PART).enumerate() {
                if <&[u8; PART]>::try_from(part).is_ok_and(|part| self.parts.contains(part)) {
                    found.push(at..at + PART);
                }
            }
        }
        found
    }
}

/// A secret as [`View::joined`] shows it, and as base64 does.
fn forms(secret: &str) -> Vec<Vec<u8>> {
    let seen = View::plain(secret).joined().bytes;
    let encoded = (0..3).map(|shift| in_base64(secret.as_bytes(), shift));
    std::iter::once(seen).chain(encoded).collect()
}

/// The part without which the rest opens nothing: of a JSON web token the signature, of a URL what follows the host.
/// What stands before it stands in ordinary text, too, such as `https://` and, in base64, `":"https://`.
fn secret_part(secret: &str) -> &str {
    if let Some((_, rest)) = secret.split_once("://") {
        return rest.find('/').map_or("", |path| &rest[path..]);
    }
    match secret.rsplit_once('.') {
        Some((before, signature)) if before.starts_with("eyJ") => signature,
        _ => secret,
    }
}

/// What base64 makes of a secret that begins `shift` bytes into a group of three: the characters that depend on nothing
/// beside it, as [`View::joined`] shows them.
fn in_base64(secret: &[u8], shift: usize) -> Vec<u8> {
    let mut bytes = vec![0; shift];
    bytes.extend_from_slice(secret);
    let mut text = STANDARD_NO_PAD.encode(&bytes);
    text.truncate(bytes.len() * 8 / 6);
    // A first character that is partly of what stands before.
    let before = (shift * 8).div_ceil(6).min(text.len());
    text.split_off(before).into_bytes()
}

/// Names of models and services can be parts of a secret that a person made up; a part of a token looks like noise.
fn looks_random(part: &[u8]) -> bool {
    let has = |is: fn(&u8) -> bool| part.iter().any(is);
    let separators = part.iter().filter(|b| !b.is_ascii_alphanumeric()).count();
    has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic) && separators <= 1 && !part.contains(&b'.')
}

fn without(text: &str, mut places: Vec<Range<usize>>) -> Cow<'_, str> {
    if places.is_empty() {
        return Cow::Borrowed(text);
    }
    places.sort_by_key(|place| place.start);
    let mut out = String::with_capacity(text.len());
    let mut end = 0;
    for place in places {
        // What overlaps or touches is one secret.
        if place.start > end || end == 0 {
            out.push_str(&text[end..place.start.max(end)]);
            out.push_str(HIDDEN);
        }
        end = end.max(place.end);
    }
    out.push_str(&text[end..]);
    Cow::Owned(out)
}
