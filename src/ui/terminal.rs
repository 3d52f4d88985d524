//! Progress on a terminal: one spinner for each model, with finished lines above. Without a terminal, lines only.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use console::style;
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::{github::actions::disarm, progress::Progress, report::Place};

/// Writes to standard error, so that standard output holds the result alone.
pub struct Terminal {
    bars: MultiProgress,
    models: Mutex<BTreeMap<String, Line>>,
    attended: bool,
}

struct Line {
    bar: ProgressBar,
    stage: String,
}

impl Terminal {
    pub fn new() -> Self {
        Self {
            bars: MultiProgress::new(),
            models: Mutex::default(),
            attended: console::user_attended_stderr(),
        }
    }

    fn print(&self, line: &str) {
        if self.attended {
            // A terminal that went away is no reason to stop.
            let _ = self.bars.println(line);
        } else {
            use std::io::Write;
            let _ = writeln!(std::io::stderr().lock(), "{line}");
        }
    }

    fn with(&self, model: &str, change: impl FnOnce(&mut Line)) {
        if !self.attended {
            return;
        }
        let mut models = self.models.lock().unwrap_or_else(PoisonError::into_inner);
        change(models.entry(model.to_owned()).or_insert_with(|| {
            let bar = self.bars.add(ProgressBar::new_spinner().with_style(spinner()));
            bar.set_prefix(disarm(model));
            bar.enable_steady_tick(Duration::from_millis(120));
            Line {
                bar,
                stage: String::new(),
            }
        }));
    }
}

impl Default for Terminal {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Spinners left behind would look like work still going on.
        let _ = self.bars.clear();
    }
}

fn spinner() -> ProgressStyle {
    ProgressStyle::with_template("{spinner:.cyan} {prefix:.bold} {wide_msg} {elapsed:.dim}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}

impl Progress for Terminal {
    fn stage(&self, model: &str, text: &str) {
        let text = disarm(text);
        self.with(model, |line| {
            line.bar.set_message(format!("{text} …"));
            line.stage.clone_from(&text);
        });
    }

    fn status(&self, model: &str, text: &str) {
        let text = disarm(text);
        self.with(model, |line| {
            line.bar.set_message(format!("{}: {text}", line.stage));
        });
    }

    fn note(&self, model: &str, text: &str) {
        self.print(&format!(
            "{} {} {}",
            style("✔").green().for_stderr(),
            style(disarm(model)).bold().for_stderr(),
            disarm(text)
        ));
    }

    fn warn(&self, model: &str, text: &str) {
        self.print(&format!(
            "{} {} {}",
            style("!").yellow().for_stderr(),
            style(disarm(model)).bold().for_stderr(),
            disarm(text)
        ));
    }

    fn fail(&self, model: &str, text: &str, _: Option<&Place>) {
        // The report says the rest.
        let text = text.lines().next().unwrap_or_default();
        self.print(&format!(
            "{} {} {}",
            style("✘").red().for_stderr(),
            style(disarm(model)).bold().for_stderr(),
            disarm(text)
        ));
    }

    fn log(&self, model: &str, line: &str) {
        let text = format!("  {} │ {}", disarm(model), disarm(line));
        self.print(&style(text).dim().for_stderr().to_string());
    }
}
