//! Progress in a GitHub Actions log: plain lines, and one group around a build's log.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    sync::{Mutex, PoisonError},
};

use crate::{
    github::actions::{disarm, end_group, error, group, warning},
    progress::Progress,
    report::Place,
};

/// Groups can't be nested or interleaved, so only a model that runs alone gets one.
pub struct Actions<W> {
    inner: Mutex<(State, W)>,
}

#[derive(Default)]
struct State {
    models: BTreeSet<String>,
    group_open: bool,
    /// By model: several of them take turns.
    last_status: BTreeMap<String, String>,
}

impl<W: Write> Actions<W> {
    pub fn new(out: W) -> Self {
        Self {
            inner: Mutex::new((State::default(), out)),
        }
    }

    fn with(&self, write: impl FnOnce(&mut State, &mut dyn Write) -> std::io::Result<()>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let (state, out) = &mut *inner;
        // A closed log is no reason to stop a deployment.
        let _ = write(state, out).and_then(|()| out.flush());
    }

    fn line(&self, model: &str, text: &str) {
        self.with(|state, out| {
            state.close_group(out)?;
            writeln!(out, "{}", disarm(&format!("{model} · {text}")))
        });
    }
}

impl State {
    fn close_group(&mut self, out: &mut dyn Write) -> std::io::Result<()> {
        if std::mem::take(&mut self.group_open) {
            writeln!(out, "{}", end_group())?;
        }
        Ok(())
    }
}

impl<W: Write + Send> Progress for Actions<W> {
    fn stage(&self, model: &str, text: &str) {
        self.with(|state, _| {
            state.models.insert(model.to_owned());
            Ok(())
        });
        self.line(model, &format!("{text} …"));
    }

    fn status(&self, model: &str, text: &str) {
        let line = format!("{model} · {text}");
        self.with(|state, out| {
            // A counter that moves would fill the log, so only texts that differ in words are printed; and
            // inside a build's log the log itself is the progress.
            let words: String = text.chars().filter(|c| !c.is_ascii_digit()).collect();
            if state.group_open || state.last_status.get(model) == Some(&words) {
                return Ok(());
            }
            state.last_status.insert(model.to_owned(), words);
            writeln!(out, "{}", disarm(&line))
        });
    }

    fn note(&self, model: &str, text: &str) {
        self.line(model, text);
    }

    fn warn(&self, model: &str, text: &str) {
        self.with(|state, out| {
            state.close_group(out)?;
            writeln!(out, "{}", warning(model, text))
        });
    }

    fn fail(&self, model: &str, text: &str, place: Option<&Place>) {
        let place = place.map(|place| (place.file.as_str(), place.line));
        self.with(|state, out| {
            state.close_group(out)?;
            writeln!(out, "{}", error(model, text, place))
        });
    }

    fn log(&self, model: &str, line: &str) {
        self.with(|state, out| {
            if state.models.len() > 1 {
                return writeln!(out, "{}", disarm(&format!("{model} │ {line}")));
            }
            if !state.group_open {
                writeln!(out, "{}", group(&format!("Build log of {model}")))?;
                state.group_open = true;
            }
            writeln!(out, "{}", disarm(line))
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(tell: impl FnOnce(&Actions<&mut Vec<u8>>)) -> String {
        let mut out = Vec::new();
        tell(&Actions::new(&mut out));
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_counter_is_one_line_also_when_models_take_turns() {
        let text = log(|actions| {
            for done in 0..20 {
                for model in ["a", "b"] {
                    actions.status(model, &format!("{done} of 20 requests"));
                }
            }
            actions.status("a", "waiting");
        });
        assert_eq!(text, "a · 0 of 20 requests\nb · 0 of 20 requests\na · waiting\n");
    }

    #[test]
    fn one_models_build_log_is_folded_and_what_follows_is_not() {
        let text = log(|actions| {
            actions.stage("a", "build");
            actions.log("a", "Step 1");
            actions.log("a", "::error::not ours");
            actions.status("a", "Cloud Build: Working");
            actions.fail("a", "build: ended as Failure", None);
        });
        assert_eq!(
            text,
            "a · build …\n::group::Build log of a\nStep 1\n| ::error::not ours\n::endgroup::\n::error title=a::build: ended as Failure\n"
        );
    }

    #[test]
    fn a_failure_is_annotated_on_the_line_of_the_setting() {
        let place = Place {
            file: "infra/llm,a.yaml".to_owned(),
            line: 12,
        };
        let text = log(|actions| actions.fail("qwen", "deploy: no GPU quota\nAsk for it", Some(&place)));
        assert_eq!(
            text,
            "::error file=infra/llm%2Ca.yaml,line=12,title=qwen::deploy: no GPU quota%0AAsk for it\n"
        );
    }

    #[test]
    fn the_logs_of_several_models_are_told_apart() {
        let text = log(|actions| {
            actions.stage("a", "build");
            actions.stage("b", "build");
            actions.log("a", "Step 1");
            actions.log("b", "Step 1");
        });
        assert!(text.ends_with("a │ Step 1\nb │ Step 1\n"), "{text}");
    }
}
