//! Who is told of a secret the moment it is known, so that a log can hide it.

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// Passes each secret on once. Clones are the same list. By default nobody is told.
#[derive(Clone, Default)]
pub struct Masks(Option<Arc<Inner>>);

struct Inner {
    /// Digests: the list needs to know a secret again, not to hold it.
    told: Mutex<HashSet<[u8; 32]>>,
    hide: Box<dyn Fn(&str) + Send + Sync>,
}

/// Never shows what was told.
impl fmt::Debug for Masks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Masks")
    }
}

impl Masks {
    /// `hide` gets each secret once, before anything that holds it can be printed.
    pub fn new(hide: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(Inner {
            told: Mutex::default(),
            hide: Box::new(hide),
        })))
    }

    /// Tells of a secret, unless it is empty or was told before.
    pub fn add(&self, secret: &SecretString) {
        let text = secret.expose_secret();
        let Some(inner) = self.0.as_ref().filter(|_| !text.trim().is_empty()) else {
            return;
        };
        // Held while telling: whoever finds the secret in the list may print.
        let mut told = inner.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert(Sha256::digest(text).into()) {
            (inner.hide)(text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_secret_is_told_once() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&told);
        let masks = Masks::new(move |secret| list.lock().unwrap().push(secret.to_owned()));
        for secret in ["one", "two", "one", "", " \n"] {
            masks.clone().add(&SecretString::from(secret));
        }
        assert_eq!(*told.lock().unwrap(), ["one", "two"]);
    }
}
