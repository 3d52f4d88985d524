//! Where previews of the repository can be: in the configuration's project and region, and wherever else one was ever
//! deployed to. A pull request may have moved, and so may production.
//!
//! A record only adds a place to look at. What is deleted there has to carry all of our labels.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Services,
    claim::Claim,
    failed::{Blame, Failed},
    github_pages as pages,
};
use crate::{
    config::Config,
    github::{Deployment, GitHub},
};

/// Longest life of a preview, and some more: the schedule looks no further back.
const LONGEST: TimeDelta = TimeDelta::days(35);
/// Most places that are looked at: anyone with write access can make records.
const MOST: usize = 200;
/// Longest project id or region.
const LONGEST_NAME: usize = 63;

/// A Google Cloud project and a region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub project: String,
    pub region: String,
}

/// Where previews can be.
pub struct Places {
    /// The configuration's own comes first.
    pub all: Vec<Place>,
    /// Whether there are more records than are looked at.
    pub dropped: bool,
}

/// The places of a pull request's previews, or of all previews.
pub async fn places(
    services: &Services,
    github: Option<&GitHub>,
    config: &Config,
    number: Option<u64>,
    now: DateTime<Utc>,
) -> Places {
    // The file at a pull request's end is the pull request's own: what it says of others counts for nothing.
    let all = match number {
        Some(_) => vec![own(config)],
        None => configured(config),
    };
    let mut places = Places { all, dropped: false };
    let Some(github) = github else {
        return places;
    };
    let environment = number.map(pages::preview_environment);
    // A pull request may have been open for years.
    let since = number.map_or(now - LONGEST, |_| DateTime::UNIX_EPOCH);
    let work = github.deployments_since(environment.as_deref(), since);
    let optional = &services.optional.deployments;
    let deployments = optional.run(services.progress.as_ref(), work).await;
    for place in deployments.iter().flatten().flat_map(recorded) {
        if places.all.contains(&place) {
            continue;
        }
        if places.all.len() >= MOST {
            places.dropped = true;
            break;
        }
        places.all.push(place);
    }
    places
}

/// A place where a preview was deployed to, for a run whose configuration tells none: the latest that GitHub has, of a
/// pull request or of any.
pub async fn latest(github: &GitHub, number: Option<u64>, now: DateTime<Utc>) -> Option<Place> {
    let environment = number.map(pages::preview_environment);
    let since = number.map_or(now - LONGEST, |_| DateTime::UNIX_EPOCH);
    let deployments = github
        .deployments_since(environment.as_deref(), since)
        .await
        .ok()?;
    deployments.iter().flat_map(recorded).next()
}

/// What a run says that did not look at every record.
pub fn too_many() -> Failed {
    Failed::new(
        Blame::Deployment,
        format!("previews were looked for in {MOST} projects and regions only"),
        "the repository's deployments of previews at GitHub name more",
    )
    .fix("See who made the deployments of `preview/…` environments and delete those that are not llm-deploy's; then run `llm-deploy cleanup`")
}

fn own(config: &Config) -> Place {
    Place {
        project: config.project.clone(),
        region: config.region.clone(),
    }
}

/// Those that the configuration names, also for previews alone. Pure.
fn configured(config: &Config) -> Vec<Place> {
    let allowed = |key: &str, own: &str| -> Vec<String> {
        let listed = config.preview.limits.allow.get(key).into_iter().flatten();
        let listed = listed.filter(|text| is_name(text) && *text != own).cloned();
        std::iter::once(own.to_owned()).chain(listed).collect()
    };
    let projects = allowed("project", &config.project);
    let regions = allowed("region", &config.region);
    let pairs = projects.iter().flat_map(|project| {
        regions.iter().map(|region| Place {
            project: project.clone(),
            region: region.clone(),
        })
    });
    pairs.take(MOST).collect()
}

/// Those that a deployment of a preview names. Pure.
fn recorded(deployment: &Deployment) -> Vec<Place> {
    if !deployment.environment.starts_with(pages::PREVIEWS) {
        return Vec::new();
    }
    let claim = Claim::of(deployment).unwrap_or_default();
    let place = |model: &String| {
        let mut parts = model.split('/');
        let (project, region) = (parts.next()?, parts.next()?);
        (is_name(project) && is_name(region)).then(|| Place {
            project: project.to_owned(),
            region: region.to_owned(),
        })
    };
    claim.images.keys().filter_map(place).collect()
}

/// Whether the text can be a project's id or a region, and nothing else in a URL.
fn is_name(text: &str) -> bool {
    let inside = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.:".contains(c);
    (1..=LONGEST_NAME).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.chars().all(inside)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn names(deployment: Value) -> Vec<String> {
        let deployment = serde_json::from_value(deployment).unwrap();
        let all = recorded(&deployment).into_iter();
        all.map(|place| format!("{}/{}", place.project, place.region))
            .collect()
    }

    #[test]
    fn a_preview_s_deployment_names_its_places_and_forged_text_names_none() {
        let of = |environment: &str, model: &str| {
            let payload = json!({"llm-deploy-run": "1-0", "images": {model: "key"}});
            names(json!({"id": 1, "environment": environment, "payload": payload}))
        };
        assert_eq!(of("preview/pr-7", "p/us-central1/qwen"), ["p/us-central1"]);
        assert_eq!(of("preview/pr-7", "example.com:p/r/qwen"), ["example.com:p/r"]);
        assert!(of("production", "p/us-central1/qwen").is_empty());
        for model in ["../x/y", "p", "P/r/q", "p/r?x/q", "p/%2e%2e/q", ""] {
            assert!(of("preview/pr-7", model).is_empty(), "{model}");
        }
        assert!(names(json!({"id": 1, "environment": "preview/pr-7", "payload": "text"})).is_empty());
    }

    #[test]
    fn what_the_limits_allow_is_looked_at_but_no_pattern() {
        let config = crate::plan::testing::config(
            "preview: { limits: { allow: { region: [us-central1, 'us-*'], project: [staging] } } }",
        );
        let all: Vec<String> = configured(&config)
            .into_iter()
            .map(|place| format!("{}/{}", place.project, place.region))
            .collect();
        assert_eq!(
            all,
            [
                "acme-llm/europe-west4",
                "acme-llm/us-central1",
                "staging/europe-west4",
                "staging/us-central1"
            ]
        );
    }
}
