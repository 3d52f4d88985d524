//! Production's traffic: the old revision keeps it until the candidate has passed its tests.

use crate::google::run::types::{AllocationType, Service, TrafficTarget, short_name};

/// Tag of the revision under test. With it a service name may have 37 characters (46 for both together).
pub const CANDIDATE_TAG: &str = "candidate";

/// Traffic while the candidate is tested: as it is now, pinned to revisions, plus the tagged candidate at 0 %.
pub fn with_candidate(live: &Service, candidate: &str) -> Vec<TrafficTarget> {
    let mut traffic: Vec<TrafficTarget> = serving(live)
        .into_iter()
        .map(|(revision, percent)| to_revision(&revision, percent))
        .collect();
    traffic.push(TrafficTarget {
        kind: Some(AllocationType::Revision),
        revision: Some(candidate.to_owned()),
        percent: None,
        tag: Some(CANDIDATE_TAG.to_owned()),
    });
    traffic
}

/// All traffic on one revision, no tags left.
pub fn all_on(revision: &str) -> Vec<TrafficTarget> {
    vec![to_revision(revision, 100)]
}

/// Revisions that get traffic now, with their percentages. `LATEST` is resolved to the revision it means.
pub fn serving(live: &Service) -> Vec<(String, u32)> {
    let latest = live.latest_ready_revision.as_deref().map(short_name);
    live.traffic_statuses
        .iter()
        .filter_map(|status| {
            let percent = status.percent.filter(|p| *p > 0)?;
            Some((
                status.revision.as_deref().map(short_name).or(latest)?.to_owned(),
                percent,
            ))
        })
        .collect()
}

/// Whether `revision` gets everything.
pub fn serves_all(live: &Service, revision: &str) -> bool {
    serving(live)
        .iter()
        .filter(|(name, _)| name == revision)
        .map(|(_, percent)| percent)
        .sum::<u32>()
        == 100
}

/// URL of the candidate's tag.
pub fn candidate_url<'a>(live: &'a Service, candidate: &str) -> Option<&'a str> {
    live.traffic_statuses
        .iter()
        .find(|s| {
            s.tag.as_deref() == Some(CANDIDATE_TAG)
                && s.revision.as_deref().map(short_name) == Some(candidate)
        })
        .and_then(|s| s.uri.as_deref())
}

fn to_revision(revision: &str, percent: u32) -> TrafficTarget {
    TrafficTarget {
        kind: Some(AllocationType::Revision),
        revision: Some(revision.to_owned()),
        percent: Some(percent),
        tag: None,
    }
}
