//! Records for tests.

use chrono::{TimeZone, Utc};

use crate::report::{Status, record::Record};

/// What a run of that day of November found.
pub fn record(day: u32) -> Record {
    Record {
        at: Utc.with_ymd_and_hms(2026, 11, day, 6, 17, 0).unwrap(),
        commit: "4f1c2a9".to_owned(),
        status: Status::Succeeded,
        service: "qwen".to_owned(),
        model: "Qwen/Qwen3.5-4B".to_owned(),
        model_revision: None,
        url: None,
        revision: Some("qwen-00001-abc".to_owned()),
        ttft_ms: None,
        itl_ms: None,
        e2e_ms: None,
        tokens_per_second: None,
        objectives_met: None,
        stage: None,
        cause: None,
        run_url: Some(format!("run/{day}")),
        deployed: false,
    }
}
