//! Objectives: which requests are good, and whether a level meets what was asked of it.

use super::result::{Level, ObjectiveOutcome};
use crate::config::latency::Objective;

/// Judges requests one by one.
pub struct Judge;

/// The judgement of one request under way.
pub struct Trial;

impl Judge {
    pub fn new(objectives: &[Objective]) -> Self {
        let _ = objectives;
        Self
    }

    pub fn request(&self) -> Trial {
        Trial
    }
}

impl Trial {
    /// A gap between two chunks with text.
    pub fn gap(&mut self, ms: f64) {
        let _ = ms;
    }

    /// Whether the request met every time objective by itself; `None` when there is no time objective.
    pub fn end(self, ttft_ms: f64, tpot_ms: Option<f64>, e2e_ms: f64) -> Option<bool> {
        let _ = (ttft_ms, tpot_ms, e2e_ms);
        None
    }
}

/// What became of each objective at this level.
pub fn outcomes(objectives: &[Objective], level: &Level) -> Vec<ObjectiveOutcome> {
    let _ = (objectives, level);
    Vec::new()
}
