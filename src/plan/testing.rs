//! Configurations and live services for the tests of this module.

use serde_json::{Value, json};

use super::{Facts, target::Target};
use crate::{
    config::{self, Config, Source},
    google::run::types::Service,
};

/// A configuration with the least that is needed, and `more`.
pub fn config(more: &str) -> Config {
    let text = format!("project: acme-llm\nregion: europe-west4\nmodel: Qwen/Qwen3.5-4B\n{more}\n");
    let source = Source {
        name: "llm-deploy.yaml",
        text: &text,
    };
    config::resolve(Some(source), &[]).unwrap()
}

pub fn production(more: &str) -> Target {
    let config = config(more);
    Target::production(&config, &config.models[0], "octo/app", "c0ffee")
}

pub fn preview(more: &str) -> Target {
    let config = config(more);
    let now = chrono::DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    Target::preview(&config, &config.models[0], "octo/app", "c0ffee", 12, now)
}

pub fn facts(live: Option<Service>) -> Facts {
    Facts {
        commit: "a".repeat(40),
        weights_bytes: 8 << 30,
        image_path: "europe-west4-docker.pkg.dev/acme-llm/llm-deploy/qwen3-5-4b".to_owned(),
        image_key: "key".to_owned(),
        image_digest: Some("sha256:1".to_owned()),
        image_warnings: Vec::new(),
        live,
    }
}

/// `desired` as the real API gives it back: false, zero and empty are left out, what was left out is filled in,
/// revision `r1` is ready and has all traffic.
pub fn read_back(desired: &Service) -> Value {
    let mut live = serde_json::to_value(desired).unwrap();
    live["generation"] = json!("3");
    live["observedGeneration"] = json!("3");
    live["etag"] = json!("\"CJ\"");
    live["client"] = json!("gcloud");
    live["clientVersion"] = json!("528.0.0");
    live["labels"]["team"] = json!("search");
    live["latestCreatedRevision"] = json!("projects/p/locations/r/services/s/revisions/r1");
    live["latestReadyRevision"] = live["latestCreatedRevision"].clone();
    live["trafficStatuses"] = json!([{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}]);
    live["scaling"] = json!({});
    let template = &mut live["template"];
    template["revision"] = json!("r1");
    template["serviceAccount"] = json!("1-compute@developer.gserviceaccount.com");
    template["labels"] = json!({"client": "x"});
    let container = &mut template["containers"][0];
    container["resources"].as_object_mut().unwrap().remove("cpuIdle");
    container["startupProbe"]["httpGet"]["httpHeaders"] = json!([]);
    if let Some(env) = container.get_mut("env").and_then(Value::as_array_mut) {
        env.reverse();
        for variable in env {
            variable.as_object_mut().unwrap().retain(|_, value| value != "");
        }
    }
    live
}
