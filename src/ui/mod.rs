//! Progress as people see it: spinners on a terminal, plain lines elsewhere, groups in Actions.

mod actions;
mod terminal;

use std::sync::Arc;

use crate::{environment::Environment, progress::Progress};

/// The progress display that suits where we run. With `json` standard output belongs to the result alone.
pub fn progress(environment: &Environment, json: bool) -> Arc<dyn Progress> {
    if environment.in_actions() && json {
        Arc::new(actions::Actions::new(std::io::stderr()))
    } else if environment.in_actions() {
        Arc::new(actions::Actions::new(std::io::stdout()))
    } else {
        Arc::new(terminal::Terminal::new())
    }
}
