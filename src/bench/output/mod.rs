//! A result for others: files, schema, other tools' fields.

pub mod json;
pub mod raw;
#[cfg(test)]
pub mod samples;
pub mod vllm;
