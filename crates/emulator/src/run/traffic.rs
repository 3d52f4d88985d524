//! Traffic: which revision gets which share, and which tag names which.

use serde_json::{Value, json};

use super::{
    names,
    refusal::{Refusal, Violation},
};

const LATEST: &str = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST";

/// A target with its revision found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Share {
    pub revision: String,
    pub percent: u64,
    pub tag: Option<String>,
    pub latest: bool,
}

fn is_latest(target: &Value) -> bool {
    match target["type"].as_str() {
        Some(kind) => kind == LATEST,
        None => target["revision"].as_str().unwrap_or_default().is_empty(),
    }
}

/// Shares add up to 100, tags are legal and unique, revisions exist (or are made by this very request).
pub fn check(service: &str, targets: &[Value], exists: &dyn Fn(&str) -> bool) -> Result<(), Refusal> {
    let mut found = Vec::new();
    let mut tags = Vec::new();
    let mut sum = 0;
    for target in targets {
        let percent = target["percent"].as_i64().unwrap_or(0);
        sum += percent;
        if !(0..=100).contains(&percent) {
            found.push(Violation::new(
                "spec.traffic.percent",
                format!("percent must be 0 to 100, got {percent}."),
            ));
        }
        if let Some(tag) = target["tag"].as_str().filter(|t| !t.is_empty()) {
            found.extend(names::tag(service, tag).err());
            if tags.contains(&tag) {
                found.push(Violation::new(
                    "spec.traffic.tag",
                    format!("traffic tag '{tag}' is used twice."),
                ));
            }
            tags.push(tag);
        }
        found.extend(revision(target, exists));
    }
    if sum != 100 {
        let text = format!("Traffic targets must sum to 100 percent, got {sum}.");
        found.push(Violation::new("spec.traffic", text));
    }
    if found.is_empty() {
        return Ok(());
    }
    Err(Refusal::violations(&found))
}

fn revision(target: &Value, exists: &dyn Fn(&str) -> bool) -> Option<Violation> {
    let field = "spec.traffic.revision_name";
    let name = target["revision"].as_str().unwrap_or_default();
    if is_latest(target) {
        return (!name.is_empty()).then(|| {
            Violation::new(
                field,
                "revision must not be set for the latest revision's target.",
            )
        });
    }
    if name.is_empty() {
        return Some(Violation::new(
            field,
            "revision is required for a target of type REVISION.",
        ));
    }
    (!exists(name)).then(|| Violation::new(field, format!("Revision {name} does not exist or is deleted")))
}

/// The shares, with the latest ready revision filled in.
pub fn resolve(targets: &[Value], latest_ready: &str) -> Vec<Share> {
    targets
        .iter()
        .map(|target| {
            let latest = is_latest(target);
            let named = target["revision"].as_str().unwrap_or_default();
            Share {
                revision: if latest { latest_ready } else { named }.to_owned(),
                percent: target["percent"].as_u64().unwrap_or(0),
                tag: target["tag"]
                    .as_str()
                    .filter(|t| !t.is_empty())
                    .map(str::to_owned),
                latest,
            }
        })
        .collect()
}

/// `trafficStatuses`: the shares as they are served, with the URL of each tag.
pub fn statuses(shares: &[Share], tag_url: &dyn Fn(&str) -> Option<String>) -> Vec<Value> {
    shares
        .iter()
        .map(|share| {
            let mut status = json!({"type": if share.latest { LATEST } else { "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION" }});
            if !share.latest {
                status["revision"] = json!(share.revision);
            }
            if share.percent > 0 {
                status["percent"] = json!(share.percent);
            }
            if let Some(tag) = &share.tag {
                status["tag"] = json!(tag);
                if let Some(url) = tag_url(tag) {
                    status["uri"] = json!(url);
                }
            }
            status
        })
        .collect()
}

/// Picks by share: `roll` is 0 to 99.
pub fn pick<T>(shares: &[(T, u64)], roll: u64) -> Option<&T> {
    let mut sum = 0;
    shares
        .iter()
        .find(|(_, percent)| {
            sum += percent;
            roll < sum
        })
        .map(|(target, _)| target)
}

#[cfg(test)]
mod tests {
    use super::*;

    const REVISION: &str = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION";

    #[test]
    fn traffic_must_sum_to_100_and_name_known_revisions() {
        let exists = |name: &str| name == "svc-1" || name == "svc-2";
        let cases = [
            (json!([{"type": LATEST, "percent": 100}]), None),
            (json!([{"percent": 100}]), None),
            (
                json!([{"type": REVISION, "revision": "svc-1", "percent": 100},
                       {"type": REVISION, "revision": "svc-2", "tag": "cand"}]),
                None,
            ),
            (
                json!([{"type": LATEST, "percent": 99}]),
                Some("must sum to 100 percent, got 99"),
            ),
            (json!([]), Some("got 0")),
            (
                json!([{"type": REVISION, "revision": "svc-9", "percent": 100}]),
                Some("Revision svc-9 does not exist or is deleted"),
            ),
            (
                json!([{"type": REVISION, "percent": 100}]),
                Some("revision is required"),
            ),
            (
                json!([{"type": LATEST, "revision": "svc-1", "percent": 100}]),
                Some("must not be set"),
            ),
            (
                json!([{"percent": 100, "tag": "a"}, {"type": REVISION, "revision": "svc-1", "tag": "a"}]),
                Some("used twice"),
            ),
            (
                json!([{"percent": 101}, {"percent": -1}]),
                Some("percent must be 0 to 100"),
            ),
        ];
        for (targets, refused) in cases {
            let result = check("svc", targets.as_array().unwrap(), &exists);
            match refused {
                None => assert_eq!(result, Ok(()), "{targets}"),
                Some(text) => {
                    let message = result.unwrap_err().message;
                    assert!(message.contains(text), "{targets}: {message}");
                }
            }
        }
    }

    #[test]
    fn a_roll_picks_by_share() {
        let shares = [("old", 90), ("none", 0), ("new", 10)];
        assert_eq!(pick(&shares, 0), Some(&"old"));
        assert_eq!(pick(&shares, 89), Some(&"old"));
        assert_eq!(pick(&shares, 90), Some(&"new"));
        assert_eq!(pick(&shares, 99), Some(&"new"));
        assert_eq!(pick::<&str>(&[], 5), None);
    }

    #[test]
    fn a_tag_has_its_url_in_the_statuses() {
        let targets =
            json!([{"type": LATEST, "percent": 100}, {"type": REVISION, "revision": "s-2", "tag": "cand"}]);
        let shares = resolve(targets.as_array().unwrap(), "s-1");
        assert_eq!(shares[0].revision, "s-1");
        let statuses = statuses(&shares, &|tag| Some(format!("http://{tag}")));
        assert_eq!(
            Value::from(statuses),
            json!([{"type": LATEST, "percent": 100},
                   {"type": REVISION, "revision": "s-2", "tag": "cand", "uri": "http://cand"}])
        );
    }
}
