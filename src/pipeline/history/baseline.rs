//! The last good measurement of a production service, whole: what later measurements are compared with. Pure.
//!
//! The text is that of `bench --json`, and more: `bench --baseline FILE` reads it as well.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::{
    bench::{
        output::json,
        result::{BenchResult, Comparison},
        statistics,
    },
    config,
    google::run::types::{RevisionTemplate, Service, short_name},
    plan::traffic,
};

/// What was measured.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Production {
    /// Short name of the revision that had all traffic.
    pub revision: String,
    /// Commit of the run that measured it.
    pub commit: String,
    /// By digest.
    pub image: Option<String>,
    /// Image with vLLM that the weights were added to, where it is known.
    pub base_image: Option<String>,
    /// Hugging Face commit, where it is known.
    pub model_revision: Option<String>,
    pub instance: Instance,
}

/// What one instance has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Instance {
    pub gpu: String,
    pub cpu: String,
    pub memory: String,
}

/// A measurement and what was measured. All text is hostile once it has been read back.
#[derive(Clone, Debug)]
pub struct Baseline {
    pub production: Production,
    pub result: BenchResult,
}

#[derive(Serialize)]
struct Written<'a> {
    production: &'a Production,
    #[serde(flatten)]
    result: json::Document<'a>,
}

impl Baseline {
    /// # Errors
    /// In words, for whoever spoilt it.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Read {
            #[serde(default)]
            production: Production,
        }
        let text = std::str::from_utf8(text).map_err(|_| "is no text".to_owned())?;
        let result = json::parse(text)?;
        let read: Read = serde_json::from_str(text).map_err(|error| format!("is not readable: {error}"))?;
        Ok(Self {
            production: read.production,
            result,
        })
    }

    /// # Errors
    /// When a figure can't be written as JSON, which none of ours can't.
    pub fn text(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(&Written {
            production: &self.production,
            result: json::Document::of(&self.result),
        })
    }

    /// Whether it says that it was measured later than clocks can differ.
    pub fn is_dated_in_the_future(&self, now: DateTime<Utc>) -> bool {
        self.result.started_at > now + TimeDelta::days(1)
    }

    /// Whether this one was measured after `other`.
    pub fn is_later(&self, other: &Self) -> bool {
        self.result.started_at > other.result.started_at
    }

    /// Sets a measurement beside this one. The notes say first what differs besides the service's own settings.
    pub fn compare(&self, result: &BenchResult, instance: &Instance) -> Comparison {
        let name = format!(
            "production, revision {} of {}",
            self.production.revision,
            self.result.started_at.format("%Y-%m-%d")
        );
        let mut comparison = statistics::compare(&name, &self.result, result);
        let notes = self.production.instance.unlike(instance);
        comparison.notes.splice(..0, notes);
        comparison
    }
}

impl Instance {
    pub fn of(template: Option<&RevisionTemplate>) -> Self {
        let Some(template) = template else {
            return Self::default();
        };
        let limits = template.containers.first().and_then(|c| c.resources.as_ref());
        let limit = |name: &str| {
            let found = limits.and_then(|resources| resources.limits.get(name));
            found.cloned().unwrap_or_default()
        };
        Self {
            gpu: template
                .node_selector
                .as_ref()
                .map_or_else(String::new, |node| node.accelerator.clone()),
            cpu: limit("cpu"),
            memory: limit("memory"),
        }
    }

    /// Of a service as it is configured.
    pub fn of_service(service: &config::Service) -> Self {
        Self {
            gpu: service.gpu.clone(),
            cpu: service.cpu.to_string(),
            memory: service.memory.to_string(),
        }
    }

    /// Why figures of another instance tell less.
    fn unlike(&self, now: &Self) -> Vec<String> {
        let mut notes = Vec::new();
        // What is unknown differs from nothing.
        let differ = |one: &str, other: &str| !one.is_empty() && !other.is_empty() && one != other;
        if differ(&self.gpu, &now.gpu) {
            notes.push(format!(
                "the GPUs are not the same: production ran on {}, this run on {}",
                self.gpu, now.gpu
            ));
        }
        if differ(&self.cpu, &now.cpu) || differ(&self.memory, &now.memory) {
            notes.push(format!(
                "the instances are not of one size: production had {} CPU and {}, this run {} CPU and {}; what the CPU does takes longer on the smaller one",
                self.cpu, self.memory, now.cpu, now.memory
            ));
        }
        notes
    }
}

impl Production {
    /// The revision that a service runs with all of its traffic; `None` when several share it, or when the service's
    /// template describes another one.
    pub fn of(live: &Service, revision: &str, commit: &str) -> Option<Self> {
        let described = live.latest_created_revision.as_deref()?;
        let described = short_name(described);
        if described != revision || !traffic::serves_all(live, revision) {
            return None;
        }
        let template = live.template.as_ref();
        let image = template
            .and_then(|t| t.containers.first())
            .map(|c| c.image.clone());
        Some(Self {
            revision: revision.to_owned(),
            commit: commit.to_owned(),
            image,
            instance: Instance::of(template),
            ..Self::default()
        })
    }

    /// Takes over what an earlier measurement of the same revision knew.
    #[must_use]
    pub fn or(mut self, earlier: Option<&Self>) -> Self {
        if let Some(earlier) = earlier.filter(|earlier| earlier.revision == self.revision) {
            self.base_image = self.base_image.or_else(|| earlier.base_image.clone());
            self.model_revision = self.model_revision.or_else(|| earlier.model_revision.clone());
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::bench::output::samples;

    fn instance(cpu: &str, memory: &str, gpu: &str) -> Instance {
        Instance {
            gpu: gpu.to_owned(),
            cpu: cpu.to_owned(),
            memory: memory.to_owned(),
        }
    }

    fn baseline() -> Baseline {
        Baseline {
            production: Production {
                revision: "qwen-00004-abc".to_owned(),
                instance: instance("8", "32Gi", "nvidia-l4"),
                ..Production::default()
            },
            result: samples::three_levels(),
        }
    }

    #[test]
    fn a_baseline_is_read_back_and_is_a_result_of_bench_as_well() {
        let text = baseline().text().unwrap();
        let read = Baseline::parse(text.as_bytes()).unwrap();
        assert_eq!(read.production, baseline().production);
        assert_eq!(read.text().unwrap(), text);
        let as_result = json::parse(&text).unwrap();
        assert_eq!(as_result.levels.len(), 3);
    }

    #[test]
    fn what_somebody_spoilt_is_no_baseline_and_says_why() {
        for (text, said) in [
            (&b"\xff"[..], "no text"),
            (b"", "no result"),
            (b"{\"production\": {}}", "schema_version"),
        ] {
            let error = Baseline::parse(text).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
        let mut value: Value = serde_json::from_str(&baseline().text().unwrap()).unwrap();
        value["production"] = json!([1]);
        assert!(Baseline::parse(value.to_string().as_bytes()).is_err());
    }

    #[test]
    fn the_comparison_names_the_revision_and_the_day() {
        let same = instance("8", "32Gi", "nvidia-l4");
        let comparison = baseline().compare(&samples::three_levels(), &same);
        assert_eq!(
            comparison.baseline,
            "production, revision qwen-00004-abc of 2026-11-25"
        );
        assert!(!comparison.notes.iter().any(|note| note.contains("production")));
    }

    #[test]
    fn another_gpu_or_size_is_said_first() {
        let smaller = instance("4", "16Gi", "nvidia-rtx-pro-6000");
        let notes = baseline().compare(&samples::three_levels(), &smaller).notes;
        assert!(
            notes[0].contains("production ran on nvidia-l4, this run on nvidia-rtx-pro-6000"),
            "{notes:?}"
        );
        assert!(
            notes[1].contains("8 CPU and 32Gi, this run 4 CPU and 16Gi"),
            "{notes:?}"
        );
        assert_eq!(
            Instance::default().unlike(&smaller),
            Vec::<String>::new(),
            "unknown"
        );
    }

    #[test]
    fn loads_that_only_one_of_them_has_are_not_compared_and_named() {
        let other = samples::one_level();
        let comparison = baseline().compare(&other, &Instance::default());
        assert!(
            comparison
                .changes
                .iter()
                .all(|change| change.load == other.levels[0].load)
        );
        assert!(
            comparison
                .notes
                .iter()
                .any(|note| note.contains("only in the baseline")),
            "{:?}",
            comparison.notes
        );
    }

    #[test]
    fn only_a_revision_with_all_traffic_makes_a_baseline() {
        let service = |percent: u32, newest: &str| -> Service {
            serde_json::from_value(json!({
                "latestCreatedRevision": format!("s/revisions/{newest}"),
                "latestReadyRevision": "s/revisions/r1",
                "template": {"containers": [{"image": "i@sha256:1"}]},
                "trafficStatuses": [{"revision": "r1", "percent": percent}],
            }))
            .unwrap()
        };
        assert_eq!(
            Production::of(&service(100, "r1"), "r1", "c")
                .unwrap()
                .image
                .as_deref(),
            Some("i@sha256:1")
        );
        assert_eq!(Production::of(&service(90, "r1"), "r1", "c"), None);
        assert_eq!(
            Production::of(&service(100, "r2"), "r1", "c"),
            None,
            "of another revision"
        );
    }

    #[test]
    fn what_was_known_of_the_same_revision_stays_known() {
        let production = |revision: &str, base: Option<&str>| Production {
            revision: revision.to_owned(),
            base_image: base.map(str::to_owned),
            ..Production::default()
        };
        let earlier = production("r1", Some("vllm:1"));
        assert_eq!(
            production("r1", None).or(Some(&earlier)).base_image.as_deref(),
            Some("vllm:1")
        );
        assert_eq!(production("r2", None).or(Some(&earlier)).base_image, None);
    }
}
