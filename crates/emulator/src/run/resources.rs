//! CPU, memory and GPU rules, and the regional quota.

use serde_json::Value;

use super::{
    quantity,
    refusal::{Refusal, Violation},
};

const GIB: u64 = 1 << 30;
/// CPU of the largest machine without a large GPU, in thousandths.
const LARGEST: u64 = 8000;

/// An accelerator that Cloud Run has.
#[derive(Debug)]
pub struct Accelerator {
    pub name: &'static str,
    min_cpu: u64,
    min_gib: u64,
    max_gib: u64,
    pub regions: &'static [&'static str],
    /// Part of the quota's id.
    pub quota: &'static str,
    /// In private preview: needs `launchStage: ALPHA`.
    pub preview: bool,
}

/// Minimums and regions as Google's pages on GPUs give them.
pub static ACCELERATORS: [Accelerator; 3] = [
    Accelerator {
        name: "nvidia-l4",
        min_cpu: 4,
        min_gib: 16,
        max_gib: 32,
        regions: &[
            "us-central1",
            "us-east4",
            "europe-west1",
            "europe-west4",
            "asia-southeast1",
            "asia-south1",
        ],
        quota: "NvidiaL4",
        preview: false,
    },
    Accelerator {
        name: "nvidia-rtx-pro-6000",
        min_cpu: 20,
        min_gib: 80,
        max_gib: 120,
        regions: &["us-central1", "europe-west4", "asia-southeast1", "asia-south2"],
        quota: "NvidiaRtxPro6000",
        preview: false,
    },
    Accelerator {
        name: "nvidia-h100-80gb",
        min_cpu: 20,
        min_gib: 80,
        max_gib: 360,
        regions: &["us-east4"],
        quota: "NvidiaH100",
        preview: true,
    },
];

/// What the project may use in a region. The defaults are those of a young project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// GPUs without zonal redundancy.
    pub gpus: u64,
    /// GPUs with zonal redundancy.
    pub zonal_gpus: u64,
    pub milli_cpu: u64,
    pub memory_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            gpus: 3,
            zonal_gpus: 0,
            milli_cpu: 20_000,
            memory_bytes: 40 * GIB,
        }
    }
}

/// What one instance takes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Need {
    pub milli_cpu: u64,
    pub memory_bytes: u64,
    pub gpus: u64,
}

pub fn accelerator(template: &Value) -> Option<&str> {
    template.pointer("/nodeSelector/accelerator")?.as_str()
}

fn limit<'a>(container: &'a Value, key: &str) -> Option<&'a str> {
    container.pointer("/resources/limits")?.get(key)?.as_str()
}

/// What one instance of the template takes, all containers together.
pub fn need(template: &Value) -> Need {
    let containers = template.get("containers").and_then(Value::as_array);
    containers
        .into_iter()
        .flatten()
        .fold(Need::default(), |sum, c| Need {
            milli_cpu: sum.milli_cpu + limit(c, "cpu").and_then(quantity::milli_cpu).unwrap_or(1000),
            memory_bytes: sum.memory_bytes + limit(c, "memory").and_then(quantity::bytes).unwrap_or(GIB / 2),
            gpus: sum.gpus
                + limit(c, "nvidia.com/gpu")
                    .and_then(|g| g.parse::<u64>().ok())
                    .unwrap_or(0),
        })
}

/// Rules within one container.
pub fn container(index: usize, container: &Value) -> Vec<Violation> {
    let at = |key: &str| format!("spec.template.spec.containers[{index}].resources.limits.{key}");
    let mut found = Vec::new();
    let limits = container.pointer("/resources/limits").and_then(Value::as_object);
    for (key, value) in limits.into_iter().flatten() {
        let text = value.as_str().unwrap_or_default();
        let good = match key.as_str() {
            "cpu" => quantity::milli_cpu(text).is_some_and(is_size),
            "memory" => quantity::bytes(text).is_some(),
            "nvidia.com/gpu" => text == "1",
            _ => {
                found.push(Violation::new(
                    at(key),
                    "only cpu, memory and nvidia.com/gpu can be limited.",
                ));
                true
            }
        };
        if !good && key == "nvidia.com/gpu" {
            let text = format!("GPU count must be 1, got '{text}'. An instance has one GPU.");
            found.push(Violation::new(at(key), text));
        } else if !good {
            let text =
                format!("Invalid value specified for container {key}. '{text}' is not one that can be had.");
            found.push(Violation::new(at(key), text));
        }
    }
    found
}

/// Up to one CPU in parts, then 2, 4, 6 or 8; the largest GPUs' machines have more.
fn is_size(milli_cpu: u64) -> bool {
    matches!(milli_cpu, 80..=1000 | 2000 | 4000 | 6000 | 8000)
        || milli_cpu > LARGEST && milli_cpu.is_multiple_of(1000)
}

/// More than 8 CPU come with the large GPUs only.
fn too_many_cpus(need: Need) -> Option<Violation> {
    let text = format!(
        "Invalid value specified for container cpu. {} is above 8.",
        need.milli_cpu as f64 / 1000.0
    );
    (need.milli_cpu > LARGEST)
        .then(|| Violation::new("spec.template.spec.containers[0].resources.limits.cpu", text))
}

/// Rules of the whole template: GPU, billing, memory per CPU.
pub fn template(template: &Value, region: &str, launch_stage: &str) -> Vec<Violation> {
    let need = need(template);
    match (accelerator(template), need.gpus) {
        (None, 0) => memory_per_cpu(need, 32)
            .into_iter()
            .chain(too_many_cpus(need))
            .collect(),
        (None, _) => vec![Violation::new(
            "spec.template.spec.nodeSelector",
            "a container asks for nvidia.com/gpu, but node_selector.accelerator is not set.",
        )],
        (Some(name), gpus) => gpu(template, name, gpus, need, region, launch_stage),
    }
}

fn gpu(template: &Value, name: &str, gpus: u64, need: Need, region: &str, stage: &str) -> Vec<Violation> {
    let field = "spec.template.spec.nodeSelector";
    let Some(kind) = ACCELERATORS.iter().find(|a| a.name == name) else {
        return vec![Violation::new(
            field,
            format!("GPU type '{name}' is not supported."),
        )];
    };
    let mut found = Vec::new();
    if !kind.regions.contains(&region) {
        let text = format!(
            "GPU type '{name}' is not available in region {region}. It is available in {}.",
            kind.regions.join(", ")
        );
        found.push(Violation::new(field, text));
    }
    if kind.preview && stage != "ALPHA" {
        let text = "The feature is not supported in the declared launch stage";
        found.push(Violation::new(field, text));
    }
    if gpus != 1 {
        found.push(Violation::new(
            "spec.template.spec.containers[0].resources.limits.nvidia.com/gpu",
            format!("exactly one container must have one GPU, got {gpus}."),
        ));
    }
    found.extend(minimums(kind, need));
    if kind.min_cpu * 1000 <= LARGEST {
        found.extend(too_many_cpus(need));
    }
    found.extend(gpu_settings(template));
    found
}

fn minimums(kind: &Accelerator, need: Need) -> Vec<Violation> {
    let at = |key: &str| format!("spec.template.spec.containers[0].resources.limits.{key}");
    let mut found = Vec::new();
    if need.milli_cpu < kind.min_cpu * 1000 {
        let text = format!("GPU type '{}' requires at least {} CPU.", kind.name, kind.min_cpu);
        found.push(Violation::new(at("cpu"), text));
    }
    if need.memory_bytes < kind.min_gib * GIB {
        let text = format!(
            "GPU type '{}' requires at least {}Gi of memory.",
            kind.name, kind.min_gib
        );
        found.push(Violation::new(at("memory"), text));
    }
    if found.is_empty() {
        found.extend(memory_per_cpu(need, kind.max_gib));
    }
    found
}

/// At most 4 GiB a CPU (more only on the largest machines), at least 2 GiB with 4 CPU and 4 GiB with 8.
fn memory_per_cpu(need: Need, max_gib: u64) -> Option<Violation> {
    let cpu = need.milli_cpu as f64 / 1000.0;
    let most = if max_gib > 120 {
        max_gib * GIB
    } else {
        ((cpu * 4.0).max(0.5) * GIB as f64) as u64
    }
    .min(max_gib * GIB);
    let least = match need.milli_cpu {
        ..2000 => 128 << 20,
        2000..4000 => GIB / 4,
        4000..6000 => 2 * GIB,
        _ => 4 * GIB,
    };
    (!(least..=most).contains(&need.memory_bytes)).then(|| {
        Violation::new(
            "spec.template.spec.containers[0].resources.limits.memory",
            format!(
                "Invalid value specified for container memory. For {cpu} CPU, memory must be between {}Mi and {}Gi \
                 inclusive.",
                least >> 20,
                most as f64 / GIB as f64
            ),
        )
    })
}

fn gpu_settings(template: &Value) -> Vec<Violation> {
    let mut found = Vec::new();
    let idle = |c: &Value| c.pointer("/resources/cpuIdle").and_then(Value::as_bool) == Some(true);
    if template["containers"]
        .as_array()
        .is_some_and(|c| c.iter().any(idle))
    {
        found.push(Violation::new(
            "spec.template.metadata.annotations[run.googleapis.com/cpu-throttling]",
            "GPU requires instance-based billing: cpu_idle must be false.",
        ));
    }
    if template["executionEnvironment"].as_str() == Some("EXECUTION_ENVIRONMENT_GEN1") {
        found.push(Violation::new(
            "spec.template.metadata.annotations[run.googleapis.com/execution-environment]",
            "GPU requires the second generation execution environment.",
        ));
    }
    found
}

/// The quota rules that are checked when a request comes in: the need times the most instances.
pub fn quota(template: &Value, max_instances: u64, limits: &Limits) -> Result<(), Refusal> {
    let need = need(template);
    let zonal = template["gpuZonalRedundancyDisabled"].as_bool() != Some(true);
    let gpus = if zonal { limits.zonal_gpus } else { limits.gpus };
    if need.gpus > 0 && gpus == 0 {
        return Err(no_gpu_quota(zonal, limits.gpus > 0));
    }
    let kind = accelerator(template).and_then(|name| ACCELERATORS.iter().find(|a| a.name == name));
    let gpu_quota = format!(
        "{}GpuAlloc{}PerProjectRegion",
        kind.map_or("", |k| k.quota),
        if zonal { "" } else { "NoZonalRedundancy" }
    );
    let rules = [
        (
            "CpuAllocPerProjectRegion",
            "CPU",
            need.milli_cpu,
            limits.milli_cpu,
        ),
        (
            "MemAllocPerProjectRegion",
            "memory",
            need.memory_bytes,
            limits.memory_bytes,
        ),
        (gpu_quota.as_str(), "GPU", need.gpus, gpus),
    ];
    let broken: Vec<_> = rules
        .into_iter()
        .filter(|(_, _, one, allowed)| one * max_instances > *allowed)
        .collect();
    let Some((_, what, ..)) = broken.first() else {
        return Ok(());
    };
    let fits = broken
        .iter()
        .map(|(_, _, one, allowed)| allowed / one)
        .min()
        .unwrap_or(0);
    let lines: Vec<String> = broken
        .iter()
        .map(|(id, _, one, allowed)| format!("{id} requested: {} allowed: {allowed}", one * max_instances))
        .collect();
    Err(Refusal::violations(&[Violation::new(
        "spec.template.metadata.annotations[autoscaling.knative.dev/maxScale]",
        format!(
            "Max instances must be set to {fits} or fewer to set the requested total {what}.\nConsider running your \
             workload in a region with greater capacity, or requesting an increase in quota for this \
             region\n\nQuota violated:\n{}",
            lines.join("\n")
        ),
    )]))
}

fn no_gpu_quota(zonal: bool, without_is_possible: bool) -> Refusal {
    let mut text = format!(
        "You do not have quota for using GPUs {} zonal redundancy.",
        if zonal { "with" } else { "without" }
    );
    if zonal && without_is_possible {
        text.push_str(" You could deploy using GPUs without zonal redundancy instead.");
    }
    Refusal::violations(&[Violation::new("spec.template.spec.nodeSelector", text)])
}

/// The server's own choice of the most instances: 100, or what the quota allows, but at least one.
pub fn default_max_instances(template: &Value, limits: &Limits) -> u64 {
    let need = need(template);
    let fits = |one: u64, allowed: u64| allowed.checked_div(one).unwrap_or(u64::MAX);
    let zonal = template["gpuZonalRedundancyDisabled"].as_bool() != Some(true);
    let gpus = if zonal { limits.zonal_gpus } else { limits.gpus };
    fits(need.milli_cpu, limits.milli_cpu)
        .min(fits(need.memory_bytes, limits.memory_bytes))
        .min(fits(need.gpus, gpus))
        .clamp(1, 100)
}

#[cfg(test)]
#[path = "resources_tests.rs"]
mod tests;
