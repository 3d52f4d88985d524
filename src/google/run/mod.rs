//! Cloud Run v2: the messages and the calls.

pub mod types;
