//! The fields of Cloud Run v2's messages that we send or read (`run.v2` discovery document).
//!
//! Output-only fields are `Option`s or lists that are left out when empty, so that a desired service is
//! written with none of them. int64 values are strings, as in proto JSON.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

fn is_false(value: &bool) -> bool {
    !*value
}

/// `GoogleCloudRunV2Service`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Service {
    /// Full resource name; output only on create.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ingress: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub launch_stage: Option<String>,
    /// True: no IAM check on invocation, the service is public.
    #[serde(skip_serializing_if = "is_false")]
    pub invoker_iam_disabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Scaling>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub template: Option<RevisionTemplate>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub traffic: Vec<TrafficTarget>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,

    // Output only from here on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_time: Option<String>,
    #[serde(skip_serializing_if = "is_false")]
    pub reconciling: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terminal_condition: Option<Condition>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Full resource name of the revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latest_ready_revision: Option<String>,
    /// Full resource name of the revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latest_created_revision: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub traffic_statuses: Vec<TrafficTargetStatus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
}

/// `GoogleCloudRunV2ServiceScaling` (on the service) and `GoogleCloudRunV2RevisionScaling` (on the template).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Scaling {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_instance_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_instance_count: Option<u32>,
}

/// `GoogleCloudRunV2RevisionTemplate`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RevisionTemplate {
    /// Name of the revision to be made, `SERVICE-SUFFIX`, at most 63 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    /// Longest request as a duration, `300s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub execution_environment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_instance_request_concurrency: Option<u32>,
    #[serde(skip_serializing_if = "is_false")]
    pub gpu_zonal_redundancy_disabled: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node_selector: Option<NodeSelector>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scaling: Option<Scaling>,
    pub containers: Vec<Container>,
}

/// `GoogleCloudRunV2NodeSelector`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct NodeSelector {
    pub accelerator: String,
}

/// `GoogleCloudRunV2Container`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Container {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub image: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<EnvVar>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Resources>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<ContainerPort>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub startup_probe: Option<Probe>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liveness_probe: Option<Probe>,
}

/// `GoogleCloudRunV2EnvVar`: a value or a secret, never both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EnvVar {
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_source: Option<EnvVarSource>,
}

/// `GoogleCloudRunV2EnvVarSource`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EnvVarSource {
    pub secret_key_ref: SecretKeySelector,
}

/// `GoogleCloudRunV2SecretKeySelector`: names a secret, never holds it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SecretKeySelector {
    pub secret: String,
    pub version: String,
}

/// `GoogleCloudRunV2ResourceRequirements`. With `limits` given, an absent `cpuIdle` means false: CPU
/// always allocated, which GPUs require.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Resources {
    pub limits: BTreeMap<String, String>,
    pub cpu_idle: bool,
    #[serde(skip_serializing_if = "is_false")]
    pub startup_cpu_boost: bool,
}

/// `GoogleCloudRunV2ContainerPort`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerPort {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub container_port: u16,
}

/// `GoogleCloudRunV2Probe`. Times in seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Probe {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_delay_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_threshold: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_get: Option<HttpGet>,
}

impl Probe {
    /// Returns how long the probe waits for a container before it gives up: the initial delay and every period. Google's
    /// defaults (10 s, 3 tries) stand for what is missing. `None` when the probe has no times at all.
    pub fn window(&self) -> Option<Duration> {
        if self.period_seconds.is_none() && self.failure_threshold.is_none() {
            return None;
        }
        let or = |value: Option<u32>, default: u32| u64::from(value.filter(|v| *v > 0).unwrap_or(default));
        let tries = or(self.period_seconds, 10).saturating_mul(or(self.failure_threshold, 3));
        Some(Duration::from_secs(
            tries.saturating_add(or(self.initial_delay_seconds, 0)),
        ))
    }
}

/// `GoogleCloudRunV2HTTPGetAction`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HttpGet {
    pub path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// `GoogleCloudRunV2TrafficTarget`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrafficTarget {
    #[serde(rename = "type")]
    pub kind: Option<AllocationType>,
    /// Short revision name, absent for the latest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
}

/// `GoogleCloudRunV2TrafficTargetStatus`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TrafficTargetStatus {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<AllocationType>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The tag's own URL.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
}

/// How a traffic target names its revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AllocationType {
    #[serde(rename = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST")]
    Latest,
    #[serde(rename = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION")]
    Revision,
    #[serde(other, rename = "TRAFFIC_TARGET_ALLOCATION_TYPE_UNSPECIFIED")]
    Unspecified,
}

/// `GoogleCloudRunV2Condition`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    #[serde(rename = "type")]
    pub kind: String,
    /// `CONDITION_PENDING`, `CONDITION_RECONCILING`, `CONDITION_FAILED` or `CONDITION_SUCCEEDED`.
    pub state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision_reason: Option<String>,
}

/// `GoogleCloudRunV2Revision`, as far as it is read.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Revision {
    pub name: String,
    pub reconciling: bool,
    pub conditions: Vec<Condition>,
    pub log_uri: Option<String>,
    pub containers: Vec<Container>,
    pub max_instance_request_concurrency: Option<u32>,
    pub gpu_zonal_redundancy_disabled: bool,
    pub node_selector: Option<NodeSelector>,
    pub scaling: Option<Scaling>,
}

impl Revision {
    /// The template that it was made of, as far as it is read.
    pub fn into_template(self) -> RevisionTemplate {
        RevisionTemplate {
            max_instance_request_concurrency: self.max_instance_request_concurrency,
            gpu_zonal_redundancy_disabled: self.gpu_zonal_redundancy_disabled,
            node_selector: self.node_selector,
            scaling: self.scaling,
            containers: self.containers,
            ..RevisionTemplate::default()
        }
    }
}

/// The last segment of a resource name: `projects/p/…/revisions/qwen-00001` → `qwen-00001`.
pub fn short_name(resource: &str) -> &str {
    resource.rsplit('/').next().unwrap_or(resource)
}
