//! The stages with side effects, in the order in which they run.

pub mod smoke;
