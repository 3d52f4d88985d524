//! Progress in a GitHub Actions log: plain lines, and one group around a build's log.

use std::{
    collections::BTreeSet,
    io::Write,
    sync::{Mutex, PoisonError},
};

use crate::{
    github::actions::{disarm, end_group, group, warning},
    progress::Progress,
};

/// Groups can't be nested or interleaved, so only a model that runs alone gets one.
#[derive(Default)]
pub struct Actions {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    models: BTreeSet<String>,
    group_open: bool,
    last_status: String,
}

impl Actions {
    fn with(&self, write: impl FnOnce(&mut State, &mut dyn Write) -> std::io::Result<()>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = std::io::stdout().lock();
        // A closed log is no reason to stop a deployment.
        let _ = write(&mut state, &mut out).and_then(|()| out.flush());
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

impl Progress for Actions {
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
            let words: String = line.chars().filter(|c| !c.is_ascii_digit()).collect();
            if state.group_open || words == state.last_status {
                return Ok(());
            }
            state.last_status = words;
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
