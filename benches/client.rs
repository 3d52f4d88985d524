//! `cargo bench --bench client [-- ARGUMENTS]`: `llm-deploy bench self-test` of the optimized program.

#![allow(
    clippy::expect_used,
    reason = "without the program there is nothing to measure"
)]

use std::process::{Command, exit};

fn main() {
    let (by_cargo, arguments): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|a| a == "--bench");
    // `cargo test --benches` only wants to know that it builds.
    if by_cargo.is_empty() {
        return;
    }
    let status = Command::new(env!("CARGO_BIN_EXE_llm-deploy"))
        .args(["bench", "self-test"])
        .args(arguments)
        .status()
        .expect("the program starts");
    exit(status.code().unwrap_or(1));
}
