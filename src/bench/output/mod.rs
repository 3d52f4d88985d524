//! A result for others: the terminal, files, schema, other tools' fields.

pub mod file;
pub mod json;
pub mod raw;
#[cfg(test)]
pub mod samples;
pub mod terminal;
pub mod vllm;
