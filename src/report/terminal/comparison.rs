//! The comparison with a baseline on a terminal.

use super::{Page, row};
use crate::{
    bench::result::{Change, Comparison, Verdict},
    report::{
        escape::clip,
        words::{self, load_short, signed, step},
    },
};

impl Page {
    pub fn compared(&mut self, comparison: &Comparison) {
        self.title("Compared with the baseline");
        self.wrapped("  ", "", &clip(&comparison.baseline, 200));
        if !comparison.changes.is_empty() {
            let mut table = self.table(row(["Load", "", "before → now", "% (95 % sure)", "p", ""]));
            for change in &comparison.changes {
                let shown = words::compared(change);
                table.add_row(row([
                    load_short(change.load),
                    shown.figure,
                    step(change.before, change.after),
                    relative(change),
                    probability(change.p_value),
                    shown.verdict.to_owned(),
                ]));
            }
            self.print(&table);
        }
        for note in &comparison.notes {
            self.wrapped("  ", "- ", &clip(note, 300));
        }
        if comparison.changes.iter().any(|c| c.verdict == Verdict::Worse) {
            self.checked(false, "worse than the baseline by more than noise explains");
        } else if !comparison.changes.is_empty() {
            self.checked(true, "nothing is worse by more than noise explains");
        }
    }
}

/// `+16.6 (+11.9…+22.4)`
fn relative(change: &Change) -> String {
    let [low, high] = change.ratio_ci95.map(signed);
    format!("{} ({low}…{high})", signed(change.ratio))
}

fn probability(p: f64) -> String {
    if p < 0.001 {
        "<.001".to_owned()
    } else {
        format!("{p:.3}")
    }
}
