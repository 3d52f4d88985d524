//! The secrets of a run: they are masked in the log the moment they are known, and no text leaves the run with one in it.

mod redact;
#[cfg(test)]
mod tests;
mod view;

use std::{
    borrow::Cow,
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use secrecy::{ExposeSecret, SecretString};
use serde::de::IgnoredAny;
use serde_json::Value;
use sha2::{Digest, Sha256};

pub use redact::HIDDEN;
use redact::Redactor;

/// Every secret that is known so far. Clones are the same list.
#[derive(Clone, Default)]
pub struct Masks(Arc<Inner>);

/// Gets a secret to hide in a log.
type Hide = Box<dyn Fn(&str) + Send + Sync>;

#[derive(Default)]
struct Inner {
    known: Mutex<Known>,
    hide: Option<Hide>,
}

#[derive(Default)]
struct Known {
    /// Digests of those that were masked.
    masked: HashSet<[u8; 32]>,
    redactor: Redactor,
}

/// Never shows a secret.
impl fmt::Debug for Masks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Masks")
    }
}

impl Masks {
    /// `hide` gets each secret once, before anything that holds it can be printed.
    pub fn new(hide: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner {
            hide: Some(Box::new(hide)),
            ..Inner::default()
        }))
    }

    /// Masks a secret, unless it is empty or was masked before.
    pub fn add(&self, secret: &SecretString) {
        let text = secret.expose_secret();
        if text.trim().is_empty() {
            return;
        }
        // Held while masking: what comes after it may be printed.
        let mut known = self.known();
        if known.masked.insert(Sha256::digest(text).into()) {
            known.redactor.add(text);
            if let Some(hide) = &self.0.hide {
                hide(text);
            }
        }
    }

    /// As [`Self::add`], for what may be a secret: it is taken out of texts, and not masked in the log.
    pub fn suspect(&self, text: &str) {
        self.known().redactor.add(text);
    }

    /// The text without secrets: [`HIDDEN`] stands for each, also for one in base64, in a URL's or JSON's escapes, or
    /// split over lines, and for what has the shape of a well-known token.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.known().redactor.redact(text)
    }

    /// As [`Self::redact`], for a JSON document or lines of JSON: keys and numbers stay as they are, and what is read
    /// back later stays readable.
    pub fn redact_document<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if let Ok(value) = serde_json::from_str::<Value>(text) {
            let mut redacted = value.clone();
            self.redact_json(&mut redacted);
            if redacted == value {
                return Cow::Borrowed(text);
            }
            let end = if text.ends_with('\n') { "\n" } else { "" };
            return Cow::Owned(match text.trim_end().contains('\n') {
                true => format!("{redacted:#}{end}"),
                false => format!("{redacted}{end}"),
            });
        }
        let is_json = |line: &str| line.is_empty() || serde_json::from_str::<IgnoredAny>(line).is_ok();
        if text.lines().all(is_json) {
            let lines = text.split_inclusive('\n').map(|line| self.redact_document(line));
            return Cow::Owned(lines.collect());
        }
        self.redact(text)
    }

    /// As [`Self::redact`], for every text in a JSON value.
    pub fn redact_json(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Cow::Owned(redacted) = self.redact(text) {
                    *text = redacted;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.redact_json(item)),
            Value::Object(entries) => entries.values_mut().for_each(|entry| self.redact_json(entry)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
