//! Google Cloud's REST APIs, one small file each.

pub mod run;
