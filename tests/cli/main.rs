//! What a user sees, through the built binary, against an emulator: one file for each use.

#![allow(
    clippy::unwrap_used,
    reason = "a test that finds nothing to unwrap has failed"
)]
#![allow(clippy::disallowed_methods, reason = "a test reads its own files")]

mod api_key;
mod authors;
mod bench;
mod bootstrap;
mod bounds;
mod build_logs;
mod cleanup;
mod cold_start;
mod command_line;
mod config;
mod deleted;
mod demo;
mod doctor;
mod emulator;
mod failures;
mod forged_claims;
mod fork;
mod identity;
mod interrupt;
mod json;
mod kill_matrix;
mod killed;
mod lifecycle;
mod limits;
mod live;
mod long_files;
mod meanwhile;
mod named_files;
mod objectives;
mod overrides;
mod page;
mod plan;
mod preview;
mod production;
mod race;
mod record;
mod redaction;
mod roles;
mod schedule;
mod scheduled;
mod secrets;
mod several_models;
mod snapshot;
mod support;
mod surfaces;
mod two_at_once;
mod unreadable;
