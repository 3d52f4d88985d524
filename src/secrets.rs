//! The secrets of a run: a log is told to hide them the moment they are known, and no text leaves the run with one in it.

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
    /// Digests of those that were told.
    told: HashSet<[u8; 32]>,
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

    /// Tells of a secret, unless it is empty or was told before.
    pub fn add(&self, secret: &SecretString) {
        let text = secret.expose_secret();
        if text.trim().is_empty() {
            return;
        }
        // Held while telling: whoever finds the secret in the list may print.
        let mut known = self.known();
        if known.told.insert(Sha256::digest(text).into()) {
            known.redactor.add(text);
            if let Some(hide) = &self.0.hide {
                hide(text);
            }
        }
    }

    /// As [`Self::add`], for what may be a secret: it is taken out of texts, and the log is not told of it.
    pub fn suspect(&self, text: &str) {
        self.known().redactor.add(text);
    }

    /// The text without secrets: [`HIDDEN`] stands for each, also for one in base64, in a URL's or JSON's escapes, or
    /// split over lines, and for what has the shape of a well-known token.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.known().redactor.redact(text)
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
