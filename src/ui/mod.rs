//! Progress as people see it: spinners on a terminal, plain lines elsewhere, groups in Actions.

mod actions;
mod redacted;
mod terminal;

use std::{io::Write, sync::Arc};

use crate::{environment::Environment, github, progress::Progress, secrets::Masks};

/// The progress display that suits where we run. With `json` standard output belongs to the result alone.
pub fn progress(environment: &Environment, json: bool) -> Arc<dyn Progress> {
    let masks = environment.masks().clone();
    if environment.in_actions() && json {
        Arc::new(redacted::Redacted::new(
            masks,
            actions::Actions::new(std::io::stderr()),
        ))
    } else if environment.in_actions() {
        Arc::new(redacted::Redacted::new(
            masks,
            actions::Actions::new(std::io::stdout()),
        ))
    } else {
        Arc::new(redacted::Redacted::new(masks, terminal::Terminal::new()))
    }
}

/// Hides secrets in a GitHub Actions log from the moment they are known. On the stream of the progress: the runner
/// reads commands on both, each in its own order.
pub fn masks(environment: &Environment, json: bool) -> Masks {
    if !environment.in_actions() {
        return Masks::default();
    }
    Masks::new(move |secret| {
        let command = github::actions::mask(secret);
        // A closed log has nothing to hide.
        let _ = if json {
            writeln!(std::io::stderr().lock(), "{command}")
        } else {
            writeln!(std::io::stdout().lock(), "{command}")
        };
    })
}
