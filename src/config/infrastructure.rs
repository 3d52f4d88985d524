//! What is the same for every model: builds, the image repository, previews.

use std::time::Duration;

use super::{
    Build, Logs, Model, Preview, defaults,
    gpu::{self, Accelerator},
    layers::{At, Resolver, Section},
    limits, raw, values,
};
use crate::units::Memory;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// Resolves Cloud Build's and Artifact Registry's settings.
pub fn build(resolver: &mut Resolver, file: &raw::File, project: &str) -> Build {
    let layers = file
        .build
        .iter()
        .map(|b| (At::File("build".to_owned()), b))
        .collect();
    let section = Section {
        target: "build".to_owned(),
        layers,
    };
    let location = resolver.take(
        &section,
        "location",
        |b| b.location.clone(),
        |text| values::location(&text),
    );
    let machine = resolver.plain(&section, "machine", |b| b.machine.clone());
    let disk_gb = resolver.plain(&section, "disk-gb", |b| b.disk_gb);
    let timeout = |text: String| values::duration(&text, MINUTE, DAY);
    let timeout = resolver.take(&section, "timeout", |b| b.timeout.clone(), timeout);
    let account = |text: String| values::service_account(&text);
    let service_account = resolver.take(
        &section,
        "service-account",
        |b| b.service_account.clone(),
        account,
    );
    let bucket = resolver.take(
        &section,
        "bucket",
        |b| b.bucket.clone(),
        |text| values::bucket(&text),
    );
    let logs = resolver.plain(&section, "logs", |b| b.logs.clone());
    let repository = resolver.take(
        &section,
        "repository",
        |b| b.repository.clone(),
        |text| values::repository(&text),
    );
    let keep = resolver.plain(&section, "keep", |b| b.keep);
    let age = |text: String| values::duration(&text, HOUR, 3650 * DAY);
    let delete_older_than = resolver.take(
        &section,
        "delete-older-than",
        |b| b.delete_older_than.clone(),
        age,
    );
    Build {
        location: location.unwrap_or_else(|| defaults::BUILD_LOCATION.to_owned()),
        machine,
        disk_gb,
        timeout,
        service_account,
        bucket: bucket.unwrap_or_else(|| defaults::bucket(project)),
        logs: if logs.as_deref() == Some("cloud-logging") {
            Logs::CloudLogging
        } else {
            Logs::Bucket
        },
        repository: repository.unwrap_or_else(|| defaults::REPOSITORY.to_owned()),
        keep: keep.unwrap_or(defaults::KEEP),
        delete_older_than: delete_older_than.unwrap_or(defaults::DELETE_OLDER_THAN),
    }
}

/// Resolves what previews differ in. Their size is by default the least that every model's GPU allows.
pub fn preview(resolver: &mut Resolver, file: &raw::File, models: &[Model]) -> Preview {
    let layers = file
        .preview
        .iter()
        .map(|p| (At::File("preview".to_owned()), p))
        .collect();
    let section = Section {
        target: "preview".to_owned(),
        layers,
    };
    let given_cpu = resolver.plain(&section, "cpu", |p| p.cpu);
    let given_memory = resolver.take(
        &section,
        "memory",
        |p| p.memory.clone(),
        |text| values::memory(&text),
    );
    let max_instances = resolver.plain(&section, "max-instances", |p| p.max_instances);
    let age = |text: String| values::duration(&text, HOUR, 30 * DAY);
    let expires = resolver.take(&section, "expires", |p| p.expires.clone(), age);
    let label = resolver.plain(&section, "label", |p| p.label.clone());
    let limits = limits::resolve(resolver, &section);
    // The least of all GPUs: `Preview::size_on` raises it for those that need more.
    let gpus: Vec<&Accelerator> = models.iter().filter_map(|m| gpu::find(&m.service.gpu)).collect();
    let least_cpu = gpus
        .iter()
        .map(|g| g.min_cpu())
        .min()
        .unwrap_or(defaults::PREVIEW_CPU);
    let least_memory = gpus
        .iter()
        .map(|g| g.min_memory)
        .min()
        .unwrap_or(defaults::PREVIEW_MEMORY);
    let cpu = given_cpu.unwrap_or(least_cpu.max(defaults::PREVIEW_CPU));
    let memory = given_memory.unwrap_or(least_memory.max(defaults::PREVIEW_MEMORY));
    check_preview(resolver, &gpus, (given_cpu, cpu), (given_memory, memory));
    Preview {
        cpu,
        memory,
        max_instances: max_instances.unwrap_or(defaults::PREVIEW_MAX_INSTANCES),
        expires: expires.unwrap_or(defaults::PREVIEW_EXPIRES),
        label,
        limits,
    }
}

/// Checks what was given; defaults for several models with different GPUs can't suit each of them, and are
/// raised to its least by whoever makes that preview.
fn check_preview(
    resolver: &mut Resolver,
    gpus: &[&Accelerator],
    (given_cpu, cpu): (Option<u32>, u32),
    (given_memory, memory): (Option<Memory>, Memory),
) {
    for gpu in gpus {
        if let (Some(_), Err(message)) = (given_cpu, gpu.check_cpu(cpu)) {
            resolver.blame("preview.cpu", message.into());
        } else if given_cpu.is_some() || given_memory.is_some() {
            let targets = ["preview.memory".to_owned(), "preview.cpu".to_owned()];
            if let Err(message) = gpu.check_memory(memory, cpu) {
                resolver.blame_given(&targets, message.into());
            }
        }
    }
}
