//! How far a measurement is, while it runs: one line that changes on a terminal, else a line now and then.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    bench::{BenchProgress, result::LoadShape},
    commands::tell,
    environment::Environment,
    progress::Progress,
    secrets::Masks,
};

/// Between two lines where nothing can be changed in place.
const NOW_AND_THEN: Duration = Duration::from_secs(15);

pub struct Live {
    progress: Arc<dyn Progress>,
    model: String,
    in_place: bool,
    masks: Masks,
    last: Mutex<Option<(LoadShape, Instant)>>,
}

impl Live {
    pub fn new(environment: &Environment, progress: &Arc<dyn Progress>, model: &str) -> Self {
        progress.stage(model, "measuring");
        Self {
            progress: Arc::clone(progress),
            model: model.to_owned(),
            in_place: console::user_attended_stderr() && !environment.in_actions(),
            masks: environment.masks().clone(),
            last: Mutex::default(),
        }
    }

    /// The display draws a few times a second, however often it is told.
    pub fn show(&self, at: &BenchProgress) {
        if self.in_place {
            self.progress.status(&self.model, &at.to_string());
        } else if self.is_due(at.load, Instant::now()) {
            tell(&self.masks, &at.to_string());
        }
    }

    /// At the beginning of each load, then once in a while.
    fn is_due(&self, load: LoadShape, now: Instant) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let due = match *last {
            Some((before, at)) => before != load || now.duration_since(at) >= NOW_AND_THEN,
            None => true,
        };
        if due {
            *last = Some((load, now));
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    #[test]
    fn without_a_terminal_there_is_a_line_for_each_load_and_one_now_and_then() {
        let progress: Arc<dyn Progress> = Arc::new(Silent);
        let live = Live::new(&Environment::default(), &progress, "m");
        let [one, two] = [1, 2].map(|concurrency| LoadShape::Closed { concurrency });
        let start = Instant::now();
        let told = [
            (one, 0),
            (one, 1),
            (one, 14),
            (one, 15),
            (one, 29),
            (two, 29),
            (two, 30),
        ]
        .map(|(load, second)| live.is_due(load, start + Duration::from_secs(second)));
        assert_eq!(told, [true, false, false, true, false, true, false]);
    }
}
