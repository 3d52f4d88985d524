//! Progress as people see it: spinners on a terminal, plain lines elsewhere, groups in Actions.

mod actions;
mod terminal;

use std::sync::Arc;

use crate::{environment::Environment, progress::Progress};

/// The progress display that suits where we run.
pub fn progress(environment: &Environment) -> Arc<dyn Progress> {
    if environment.in_actions() {
        Arc::new(actions::Actions::default())
    } else {
        Arc::new(terminal::Terminal::new())
    }
}
