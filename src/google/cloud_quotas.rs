//! Cloud Quotas: how much of Cloud Run a project may use.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    client::Client,
    error::Error,
    request::{Request, segment},
};
use crate::environment::Api;

/// One quota of Cloud Run, in every region.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Quota {
    /// From more specific ones to less specific ones.
    dimensions_infos: Vec<Info>,
    quota_increase_eligibility: Eligibility,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Info {
    dimensions: BTreeMap<String, String>,
    details: Details,
    applicable_locations: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
struct Details {
    /// An int64, which JSON has as text; -1 for no limit.
    value: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Eligibility {
    ineligibility_reason: String,
}

impl Quota {
    /// The value that is in force in the region, in the quota's own unit; `None` when there is none.
    pub fn value_in(&self, region: &str) -> Option<u64> {
        let here = self.dimensions_infos.iter().find(|info| info.is_for(region))?;
        // What is zero is left out of an answer.
        let value: i64 = here.details.value.as_deref().unwrap_or("0").parse().ok()?;
        Some(u64::try_from(value).unwrap_or(u64::MAX))
    }

    /// Whether the quota exists in any region: without one nothing can be said about this one.
    pub fn is_listed(&self) -> bool {
        !self.dimensions_infos.is_empty()
    }

    /// Why it can't be raised, in Google's words: `NOT_ENOUGH_USAGE_HISTORY`. `None` when it can.
    pub fn ineligible(&self) -> Option<&str> {
        let reason = self.quota_increase_eligibility.ineligibility_reason.as_str();
        (!matches!(reason, "" | "INELIGIBILITY_REASON_UNSPECIFIED")).then_some(reason)
    }
}

impl Info {
    fn is_for(&self, region: &str) -> bool {
        match self.dimensions.get("region") {
            Some(named) => named == region,
            None => self.applicable_locations.iter().any(|l| l == region),
        }
    }
}

/// A quota of Cloud Run by its id, such as `NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion`; `None` when Google
/// knows no such quota.
pub async fn of_cloud_run(c: &Client, project: &str, id: &str) -> Result<Option<Quota>, Error> {
    let path = format!(
        "v1/projects/{}/locations/global/services/run.googleapis.com/quotaInfos/{}",
        segment(project),
        segment(id)
    );
    c.find(Request::get(
        Api::CloudQuotas,
        path,
        format!("look up the quota {id}"),
    ))
    .await
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_region_s_own_value_counts_and_zero_is_none_but_there() {
        let quota: Quota = serde_json::from_value(json!({
            "dimensionsInfos": [
                {"dimensions": {"region": "europe-west4"}, "details": {"value": "3000"}},
                {"dimensions": {"region": "us-central1"}, "details": {}},
                {"details": {"value": "-1"}, "applicableLocations": ["europe-west1"]},
            ],
            "quotaIncreaseEligibility": {"ineligibilityReason": "NOT_ENOUGH_USAGE_HISTORY"},
        }))
        .unwrap();
        let seen = ["europe-west4", "us-central1", "europe-west1", "asia-south1"].map(|r| quota.value_in(r));
        assert_eq!(seen, [Some(3000), Some(0), Some(u64::MAX), None]);
        assert_eq!(quota.ineligible(), Some("NOT_ENOUGH_USAGE_HISTORY"));
        assert!(quota.is_listed() && !Quota::default().is_listed());
        assert_eq!(Quota::default().ineligible(), None);
    }
}
