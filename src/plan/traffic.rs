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

/// The revision with most of the traffic; `None` when none has any.
pub fn mostly(live: &Service) -> Option<String> {
    let shares = serving(live).into_iter();
    shares.max_by_key(|(_, percent)| *percent).map(|(name, _)| name)
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

/// Who gets the traffic, when somebody moved production's by hand: the newest ready revision lacks some of it, and
/// no candidate of ours is waiting.
pub fn moved_by_hand(live: &Service) -> Option<String> {
    let newest = live.latest_ready_revision.as_deref().map(short_name)?;
    let shares = serving(live);
    let ours = |tag: &Option<String>| tag.as_deref() == Some(CANDIDATE_TAG);
    if shares.is_empty() || serves_all(live, newest) || live.traffic_statuses.iter().any(|s| ours(&s.tag)) {
        return None;
    }
    let shares: Vec<String> = shares
        .iter()
        .map(|(revision, percent)| format!("{revision} gets {percent} %"))
        .collect();
    Some(shares.join(", "))
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn live(statuses: &Value) -> Service {
        let service = json!({"latestReadyRevision": "x/revisions/r2", "trafficStatuses": statuses});
        serde_json::from_value(service).unwrap()
    }

    fn latest(percent: u32) -> Value {
        json!({"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": percent})
    }

    fn on(revision: &str, percent: u32) -> Value {
        json!({"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": revision, "percent": percent})
    }

    #[test]
    fn what_serves_is_told_by_revision_also_where_the_service_says_latest() {
        let tag = json!({"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": "r3", "tag": "t"});
        let cases = [
            (json!([]), vec![], false),
            (json!([latest(100)]), vec![("r2", 100)], true),
            (json!([on("r2", 100)]), vec![("r2", 100)], true),
            (json!([on("r1", 100), tag]), vec![("r1", 100)], false),
            (
                json!([on("r1", 90), latest(10)]),
                vec![("r1", 90), ("r2", 10)],
                false,
            ),
            (
                json!([on("r2", 40), latest(60)]),
                vec![("r2", 40), ("r2", 60)],
                true,
            ),
        ];
        for (statuses, expected, all) in cases {
            let live = live(&statuses);
            let found = serving(&live);
            let found: Vec<_> = found
                .iter()
                .map(|(name, percent)| (name.as_str(), *percent))
                .collect();
            assert_eq!(found, expected);
            assert_eq!(serves_all(&live, "r2"), all, "{expected:?}");
        }
    }

    #[test]
    fn beside_a_candidate_the_shares_stay_as_they_were() {
        let traffic = with_candidate(&live(&json!([on("r1", 90), latest(10)])), "r3");
        assert_eq!(
            serde_json::to_value(traffic).unwrap(),
            json!([on("r1", 90), on("r2", 10),
                {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": "r3", "tag": "candidate"}])
        );
    }

    #[test]
    fn only_the_tag_on_the_candidate_itself_gives_its_url() {
        let tagged = json!([on("r1", 100),
            {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": "r2", "tag": "candidate", "uri": "u"}]);
        let live = live(&tagged);
        assert_eq!(candidate_url(&live, "r2"), Some("u"));
        assert_eq!(candidate_url(&live, "r3"), None, "a stale tag is no candidate's");
        assert_eq!(moved_by_hand(&live), None);
    }
}
