//! Progress without secrets, in front of every display.

use crate::{progress::Progress, report::Place, secrets::Masks};

pub struct Redacted<P> {
    masks: Masks,
    shown: P,
}

impl<P> Redacted<P> {
    pub fn new(masks: Masks, shown: P) -> Self {
        Self { masks, shown }
    }
}

impl<P: Progress> Progress for Redacted<P> {
    fn stage(&self, model: &str, text: &str) {
        self.shown.stage(model, &self.masks.redact(text));
    }

    fn status(&self, model: &str, text: &str) {
        self.shown.status(model, &self.masks.redact(text));
    }

    fn note(&self, model: &str, text: &str) {
        self.shown.note(model, &self.masks.redact(text));
    }

    fn warn(&self, model: &str, text: &str) {
        self.shown.warn(model, &self.masks.redact(text));
    }

    fn fail(&self, model: &str, text: &str, place: Option<&Place>) {
        self.shown.fail(model, &self.masks.redact(text), place);
    }

    fn log(&self, model: &str, line: &str) {
        self.shown.log(model, &self.masks.redact(line));
    }
}
