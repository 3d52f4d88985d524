//! Whether Cloud Run has such a machine: the GPU in the region, and CPUs and memory that go with it.

use super::{Check, Group, quota::Quotas};
use crate::{
    config::{
        Config, Model,
        gpu::{self, Accelerator},
    },
    units::Memory,
};

/// `quotas` know regions that Google's pages did not list when they were read.
pub fn checks(config: &Config, quotas: &Quotas) -> Vec<Check> {
    let mut checks: Vec<Check> = Vec::new();
    for model in &config.models {
        let new = match gpu::find(&model.service.gpu) {
            Some(gpu) => vec![region(config, gpu, quotas), sizes(config, model, gpu)],
            None => {
                let detail = "is not known here; Cloud Run will say whether it has it";
                vec![Group::Machine.warn(model.service.gpu.as_str(), detail)]
            }
        };
        for check in new {
            if !checks.contains(&check) {
                checks.push(check);
            }
        }
    }
    checks
}

fn region(config: &Config, gpu: &Accelerator, quotas: &Quotas) -> Check {
    let subject = format!("{} in {}", gpu.name, config.region);
    let Err(elsewhere) = gpu.check_region(&config.region) else {
        return Group::Machine.pass(subject, "Cloud Run offers it there");
    };
    let of_gpu = [false, true]
        .into_iter()
        .filter_map(|zonal| gpu.quota_id(zonal))
        .filter_map(|id| quotas.get(&id)?.as_ref().ok()?.as_ref())
        .filter(|quota| quota.is_listed());
    let listed: Vec<bool> = of_gpu
        .map(|quota| quota.value_in(&config.region).is_some())
        .collect();
    let check = match listed.as_slice() {
        here if here.contains(&true) => return Group::Machine.pass(subject, "Cloud Quotas lists it there"),
        [] => Group::Machine.warn(subject, elsewhere),
        _ => Group::Machine.fail(
            subject,
            format!("{elsewhere}; Cloud Quotas does not list it there either"),
        ),
    };
    check.advice("Choose another `region` or `service.gpu`")
}

fn sizes(config: &Config, model: &Model, gpu: &Accelerator) -> Check {
    let service = &model.service;
    let subject = format!("size of {}", model.name);
    let preview = config.preview.size_on(&service.gpu);
    let (cpu, memory): (u32, Memory) = preview;
    for (whose, (cpu, memory)) in [
        ("production", (service.cpu, service.memory)),
        ("a preview", preview),
    ] {
        if let Err(why) = gpu.check_cpu(cpu).and_then(|()| gpu.check_memory(memory, cpu)) {
            let check = Group::Machine.fail(subject, format!("{whose}: {why}"));
            return check.advice("Correct `cpu` and `memory` in `service` or `preview`");
        }
    }
    let detail = format!(
        "{} vCPU and {} in production, {cpu} and {memory} in a preview: both go with {}",
        service.cpu, service.memory, gpu.name
    );
    Group::Machine.pass(subject, detail)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctor::{Verdict, testing};

    fn in_europe_north1(region_with_quota: Option<&str>) -> Verdict {
        let mut config = testing::config("");
        config.region = "europe-north1".to_owned();
        let infos: Vec<_> = region_with_quota
            .iter()
            .map(|r| json!({"dimensions": {"region": r}, "details": {"value": "3"}}))
            .collect();
        let quota = serde_json::from_value(json!({"dimensionsInfos": infos})).unwrap();
        let id = "NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion".to_owned();
        checks(&config, &[(id, Ok(Some(quota)))].into())[0].verdict
    }

    #[test]
    fn a_region_that_is_not_on_google_s_page_is_looked_up_among_the_quotas() {
        assert_eq!(in_europe_north1(Some("europe-north1")), Verdict::Pass);
        assert_eq!(in_europe_north1(Some("europe-west4")), Verdict::Fail);
        assert_eq!(
            in_europe_north1(None),
            Verdict::Warn,
            "no quota is listed anywhere"
        );
        assert_eq!(
            testing::verdicts(&checks(&testing::config(""), &Quotas::new())),
            [Verdict::Pass; 2]
        );
    }

    #[test]
    fn a_preview_s_size_must_go_with_the_gpu_too() {
        let mut config = testing::config("");
        config.preview.cpu = 5;
        let checks = checks(&config, &Quotas::new());
        assert_eq!(testing::verdicts(&checks), [Verdict::Pass, Verdict::Fail]);
        assert!(
            checks[1].detail.starts_with("a preview: "),
            "{}",
            checks[1].detail
        );
    }
}
