//! llm-deploy turns a push into a verified LLM endpoint on Google Cloud.
//!
//! The modules follow one run: [`event`] and [`config`] say what is wanted, [`plan`] compares it with what
//! is there, [`pipeline`] builds, deploys and tests it through [`google`], [`github`], [`endpoint`] and
//! [`bench`], and [`report`] renders the outcome; [`explain`] knows what failures mean. Dependencies point in that direction only.

#![cfg_attr(
    test,
    allow(clippy::disallowed_methods, reason = "a test reads its own files")
)]

pub mod arrival;
pub mod auth;
pub mod bench;
pub mod bootstrap;
pub mod cli;
pub mod commands;
pub mod config;
pub mod doctor;
pub mod endpoint;
pub mod environment;
pub mod event;
pub mod explain;
pub mod file;
pub mod github;
pub mod google;
pub mod http;
pub mod hugging_face;
pub mod image;
pub mod limiter;
pub mod pipeline;
pub mod plan;
pub mod progress;
pub mod report;
pub mod schema;
pub mod secrets;
pub mod signal;
pub mod tempo;
pub mod ui;
pub mod units;
pub mod webhook;
