//! The fields that a decision reads, and what a false one may come to.

use llm_deploy_emulator::faults::Alteration;

use crate::cases::{End, Request};

/// Every lie about a field of the request's answer.
pub fn lies(_request: &Request) -> Vec<(Alteration, End)> {
    Vec::new()
}
