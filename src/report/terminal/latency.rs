//! The measurement on a terminal: objectives, figures by load, the comparison with a baseline.

use comfy_table::Cell;

use super::{Page, right};
use crate::bench::result::Level;
use crate::report::escape::clip;
use crate::report::{ModelReport, words};

impl Page {
    pub(super) fn latency(&mut self, model: &ModelReport) {
        if !model.latency.is_empty() {
            self.title("Latency");
            self.figures(&model.latency);
        }
        for result in &model.latency {
            self.load(result);
        }
        if let Some(cold) = words::cold_start(model) {
            self.wrapped("  ", "", &cold);
        }
        if !model.latency.is_empty() {
            self.wrapped("  ", "", &words::latency_note(&model.latency));
            for note in words::notes(&model.latency) {
                self.wrapped("  ", "", &note);
            }
        }
        self.objectives(&model.latency);
        if let Some(comparison) = &model.comparison {
            self.compared(comparison);
        }
    }

    fn figures(&mut self, levels: &[Level]) {
        let mut table = self.table(["Load", "", "p50", "p95", "p99"]);
        for result in levels {
            for (i, metric) in words::metrics(result).iter().enumerate() {
                let at = if i == 0 {
                    words::load_name(result.load)
                } else {
                    String::new()
                };
                let numbers = metric.values.iter().map(|n| right(n));
                table.add_row([Cell::new(at), Cell::new(metric.name)].into_iter().chain(numbers));
            }
        }
        self.print(&table);
    }

    fn load(&mut self, result: &Level) {
        let load = format!("{}: {}", words::load_name(result.load), words::load(result));
        self.wrapped("  ", "", &load);
        if let Some(goodput) = words::goodput(result) {
            self.wrapped("    ", "", &goodput);
        }
        if let Some(server) = &result.server {
            if let Some(text) = words::server(server) {
                self.wrapped("    ", "", &text);
            }
            for note in server.notes.iter().take(3) {
                self.wrapped("    ", "", &clip(note, 300));
            }
        }
        for sample in result.error_samples.iter().take(3) {
            self.wrapped("    ", "failed with: ", &clip(sample, 300));
        }
    }

    fn objectives(&mut self, levels: &[Level]) {
        if levels.iter().all(|level| level.objectives.is_empty()) {
            return;
        }
        self.title("Objectives");
        for level in levels {
            for outcome in &level.objectives {
                let at = words::load_name(level.load);
                let text = format!("{}, {at}", words::outcome(outcome));
                self.checked(outcome.met, &text);
            }
        }
    }
}
