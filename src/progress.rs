//! What a run tells while it is under way. Stages speak to this trait; who listens is the command's choice.

use crate::report::Place;

/// Receives the progress of one or several models at once; `model` is the service name.
pub trait Progress: Send + Sync {
    /// A stage of `model` begins or changes what it is doing: `build: waiting for Cloud Build`.
    fn stage(&self, model: &str, text: &str);
    /// The state of the running stage, replaced in place on a terminal: `12 of 40 requests`.
    fn status(&self, model: &str, text: &str);
    /// A line worth keeping: `image qwen@sha256:… was there`.
    fn note(&self, model: &str, text: &str);
    /// Something the user should know, though the run goes on.
    fn warn(&self, model: &str, text: &str);
    /// A stage that failed: the first line says what, those after it why and what to do. `place` is where the setting
    /// stands that causes it.
    fn fail(&self, model: &str, text: &str, place: Option<&Place>);
    /// One line of somebody else's log, hostile text.
    fn log(&self, model: &str, line: &str);
}

/// Keeps the warnings.
#[cfg(test)]
#[derive(Default)]
pub struct Heard(pub std::sync::Mutex<Vec<String>>);

#[cfg(test)]
impl Progress for Heard {
    fn stage(&self, _: &str, _: &str) {}
    fn status(&self, _: &str, _: &str) {}
    fn note(&self, _: &str, _: &str) {}
    fn warn(&self, _: &str, text: &str) {
        self.0.lock().unwrap().push(text.to_owned());
    }
    fn fail(&self, _: &str, _: &str, _: Option<&Place>) {}
    fn log(&self, _: &str, _: &str) {}
}

/// Says nothing.
pub struct Silent;

impl Progress for Silent {
    fn stage(&self, _: &str, _: &str) {}
    fn status(&self, _: &str, _: &str) {}
    fn note(&self, _: &str, _: &str) {}
    fn warn(&self, _: &str, _: &str) {}
    fn fail(&self, _: &str, _: &str, _: Option<&Place>) {}
    fn log(&self, _: &str, _: &str) {}
}
