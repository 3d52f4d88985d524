//! What the project may use of Cloud Run in the region, against what the configuration can take.
//!
//! Cloud Run holds each service's most instances against the quota when it is deployed, whatever is running.

use std::collections::BTreeMap;

use super::{Check, Group, Seen, Verdict};
use crate::{
    config::{
        Config,
        gpu::{self, Accelerator},
    },
    google::cloud_quotas::Quota,
};

/// Quotas of Cloud Run by id; `None` for one that Google doesn't know.
pub type Quotas = BTreeMap<String, Seen<Option<Quota>>>;

pub const CPU: &str = "CpuAllocPerProjectRegion";
pub const MEMORY: &str = "MemAllocPerProjectRegion";

/// What is held against a quota.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// Each service by itself: one that is larger is refused.
    Each,
    /// All services and a preview of each model together as well: they may not all run at once.
    All,
}

/// How much of something the configuration can take, in the quota's own unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// The service that takes the most.
    pub largest: u64,
    pub production: u64,
    /// One preview of each model.
    pub preview: u64,
}

impl Demand {
    fn add(&mut self, production: u64, preview: u64) {
        self.largest = self.largest.max(production).max(preview);
        self.production += production;
        self.preview += preview;
    }
}

/// A kind of GPU, with zonal redundancy or without.
type Kind = (&'static Accelerator, bool);

fn kinds(config: &Config) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = Vec::new();
    for service in config.models.iter().map(|m| &m.service) {
        let kind = gpu::find(&service.gpu).map(|gpu| (gpu, service.zonal_redundancy));
        kinds.extend(kind.filter(|kind| !kinds.contains(kind)));
    }
    kinds
}

/// Ids of the quotas that matter. With `both`, a GPU's with zonal redundancy and without.
pub fn ids(config: &Config, both: bool) -> Vec<String> {
    let mut ids = vec![CPU.to_owned(), MEMORY.to_owned()];
    for (gpu, zonal) in kinds(config) {
        let redundancies = if both { vec![zonal, !zonal] } else { vec![zonal] };
        for id in redundancies.into_iter().filter_map(|zonal| gpu.quota_id(zonal)) {
            if !ids.contains(&id) {
                ids.push(id);
            }
        }
    }
    ids
}

pub fn checks(config: &Config, quotas: &Quotas, against: Against) -> Vec<Check> {
    let mut checks: Vec<Check> = kinds(config)
        .into_iter()
        .map(|kind| of_gpu(config, kind, quotas, against))
        .collect();
    checks.extend([
        of_cpu(config, quotas, against),
        of_memory(config, quotas, against),
    ]);
    checks
}

fn of_gpu(config: &Config, (gpu, zonal): Kind, quotas: &Quotas, against: Against) -> Check {
    let redundancy = if zonal { "with" } else { "without" };
    let subject = format!("{} {redundancy} zonal redundancy", gpu.name);
    let Some(id) = gpu.quota_id(zonal) else {
        return Group::Quota.skipped(subject, &super::Unseen("its quota's id is not known".to_owned()));
    };
    let mut demand = Demand::default();
    for service in config.models.iter().map(|m| &m.service) {
        if service.gpu == gpu.name && service.zonal_redundancy == zonal {
            demand.add(
                u64::from(service.max_instances),
                u64::from(config.preview.max_instances),
            );
        }
    }
    let quota = match quotas.get(&id) {
        Some(Ok(Some(quota))) => quota,
        Some(Ok(None)) | None => return unknown(subject, &id),
        Some(Err(why)) => return Group::Quota.skipped(subject, why),
    };
    let value = quota
        .value_in(&config.region)
        .map(|value| value / gpu.quota_unit());
    let other = gpu.quota_id(!zonal).and_then(|id| match quotas.get(&id)? {
        Ok(Some(quota)) => Some(quota.value_in(&config.region).unwrap_or(0) / gpu.quota_unit()),
        _ => None,
    });
    let detail = |value: u64| {
        let elsewhere = match other {
            Some(other) if zonal => format!(" ({other} without it)"),
            Some(other) => format!(" ({other} with it)"),
            None => String::new(),
        };
        format!("{value} in {}{elsewhere}", config.region)
    };
    match value {
        Some(value) if value > 0 => {
            let check = compare(subject, &detail(value), value, demand, against, &|n| {
                n.to_string()
            });
            if check.verdict == Verdict::Pass {
                check
            } else {
                ask(check, config, &id, quota)
            }
        }
        // Google's pages promise this for the L4; the RTX PRO 6000 was seen to get as much.
        _ if !zonal && gpu.granted_at_first() => {
            let first =
                "Google gives 3 with a project's first deployment in a region; new accounts may get none";
            ask(
                Group::Quota.warn(subject, format!("none yet in {}: {first}", config.region)),
                config,
                &id,
                quota,
            )
        }
        Some(_) => ask(Group::Quota.fail(subject, detail(0)), config, &id, quota),
        None => ask(
            Group::Quota.warn(subject, format!("none is listed for {}", config.region)),
            config,
            &id,
            quota,
        ),
    }
}

fn of_cpu(config: &Config, quotas: &Quotas, against: Against) -> Check {
    let mut demand = Demand::default();
    for model in &config.models {
        let (service, preview) = (&model.service, config.preview.size_on(&model.service.gpu));
        let milli = |cpu: u32, instances: u32| u64::from(cpu) * 1000 * u64::from(instances);
        demand.add(
            milli(service.cpu, service.max_instances),
            milli(preview.0, config.preview.max_instances),
        );
    }
    of_size(
        config,
        quotas,
        CPU,
        ("vCPU", &|milli| (milli / 1000).to_string()),
        demand,
        against,
    )
}

fn of_memory(config: &Config, quotas: &Quotas, against: Against) -> Check {
    let mut demand = Demand::default();
    for model in &config.models {
        let (service, preview) = (&model.service, config.preview.size_on(&model.service.gpu));
        let bytes = |mib: u64, instances: u32| (mib << 20) * u64::from(instances);
        demand.add(
            bytes(service.memory.0, service.max_instances),
            bytes(preview.1.0, config.preview.max_instances),
        );
    }
    of_size(
        config,
        quotas,
        MEMORY,
        ("memory", &|bytes| format!("{} GiB", bytes >> 30)),
        demand,
        against,
    )
}

fn of_size(
    config: &Config,
    quotas: &Quotas,
    id: &str,
    (name, show): (&str, &dyn Fn(u64) -> String),
    demand: Demand,
    against: Against,
) -> Check {
    let quota = match quotas.get(id) {
        Some(Ok(Some(quota))) => quota,
        Some(Ok(None)) | None => return unknown(name.to_owned(), id),
        Some(Err(why)) => return Group::Quota.skipped(name, why),
    };
    let Some(value) = quota.value_in(&config.region) else {
        let why = format!("no quota is listed for {}", config.region);
        return Group::Quota.skipped(name, &super::Unseen(why));
    };
    let detail = format!("{} in {}", show(value), config.region);
    let check = compare(name.to_owned(), &detail, value, demand, against, show);
    if check.verdict == Verdict::Pass {
        check
    } else {
        ask(check, config, id, quota)
    }
}

fn compare(
    subject: String,
    detail: &str,
    value: u64,
    demand: Demand,
    against: Against,
    show: &dyn Fn(u64) -> String,
) -> Check {
    if demand.largest > value {
        let most = show(demand.largest);
        let detail =
            format!("{detail}, but one service may take {most} (`max-instances`): Cloud Run refuses it");
        return Group::Quota.fail(subject, detail);
    }
    let total = demand.production + demand.preview;
    if against == Against::All && total > value {
        let detail = format!(
            "{detail}; production may take {} and a preview of each model {}: not all of it at once",
            show(demand.production),
            show(demand.preview)
        );
        return Group::Quota.warn(subject, detail);
    }
    Group::Quota.pass(subject, format!("{detail}; at most {} are taken", show(total)))
}

fn unknown(subject: String, id: &str) -> Check {
    Group::Quota.skipped(
        subject,
        &super::Unseen(format!("Google knows no quota {id} in this project")),
    )
}

/// Where more is asked for, and whether that is possible.
fn ask(mut check: Check, config: &Config, id: &str, quota: &Quota) -> Check {
    if let Some(reason) = quota.ineligible() {
        check.detail = format!("{}; it can't be raised yet ({reason})", check.detail);
    }
    check.detail = format!("{} [{id}]", check.detail);
    check.link(format!(
        "https://console.cloud.google.com/iam-admin/quotas?project={}",
        config.project
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctor::{Unseen, testing};

    const L4: &str = "NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion";
    const L4_ZONAL: &str = "NvidiaL4GpuAllocPerProjectRegion";
    const RTX: &str = "NvidiaRtxPro6000GpuAllocNoZonalRedundancyPerProjectRegion";

    fn quota(value: Option<u64>) -> Seen<Option<Quota>> {
        let infos: Vec<_> = value
            .iter()
            .map(|v| json!({"dimensions": {"region": "europe-west4"}, "details": {"value": v.to_string()}}))
            .collect();
        Ok(Some(
            serde_json::from_value(json!({"dimensionsInfos": infos})).unwrap(),
        ))
    }

    fn quotas(all: &[(&str, Option<u64>)]) -> Quotas {
        all.iter()
            .map(|(id, value)| ((*id).to_owned(), quota(*value)))
            .collect()
    }

    /// The verdict on the GPU with these quotas.
    fn of_gpu(more: &str, all: &[(&str, Option<u64>)]) -> Check {
        checks(&testing::config(more), &quotas(all), Against::All).remove(0)
    }

    #[test]
    fn gpus_are_held_against_the_most_instances_of_production_and_a_preview() {
        for (more, value, verdict) in [
            ("", 2, Verdict::Pass),
            ("", 1, Verdict::Warn),
            ("service: { max-instances: 3 }", 3, Verdict::Warn),
            ("service: { max-instances: 3 }", 2, Verdict::Fail),
            ("preview: { max-instances: 4 }", 3, Verdict::Fail),
        ] {
            let check = of_gpu(more, &[(L4, Some(value)), (L4_ZONAL, Some(0))]);
            assert_eq!(check.verdict, verdict, "{more} {value}: {}", check.detail);
            assert!(check.detail.contains("(0 with it)"), "{}", check.detail);
        }
    }

    #[test]
    fn a_project_that_never_deployed_an_l4_may_get_one_and_another_gpu_needs_quota() {
        for none in [None, Some(0)] {
            let check = of_gpu("", &[(L4, none)]);
            assert_eq!(check.verdict, Verdict::Warn);
            assert!(
                check.detail.contains("gives 3 with a project's first deployment"),
                "{}",
                check.detail
            );
        }
        let zonal = of_gpu(
            "service: { zonal-redundancy: true }",
            &[(L4_ZONAL, Some(0)), (L4, Some(3))],
        );
        assert_eq!(zonal.verdict, Verdict::Fail);
        assert!(zonal.detail.contains("(3 without it)"), "{}", zonal.detail);
        let rtx = "service: { gpu: nvidia-rtx-pro-6000, cpu: 20, memory: 80Gi }";
        assert_eq!(of_gpu(rtx, &[(RTX, Some(0))]).verdict, Verdict::Fail);
        assert_eq!(
            of_gpu(rtx, &[(RTX, Some(2000))]).verdict,
            Verdict::Pass,
            "it is counted in thousandths"
        );
    }

    #[test]
    fn cpu_and_memory_are_held_against_them_too() {
        let young = quotas(&[(L4, Some(3)), (CPU, Some(20_000)), (MEMORY, Some(40 << 30))]);
        let checks = |more: &str| checks(&testing::config(more), &young, Against::All);
        insta::assert_snapshot!(testing::lines(&checks("")));
        insta::assert_snapshot!(testing::lines(&checks("service: { max-instances: 3 }")));
    }

    #[test]
    fn what_can_t_be_seen_is_skipped_and_why_it_can_t_be_raised_is_told() {
        let config = testing::config("");
        let mut quotas = quotas(&[]);
        quotas.insert(L4.to_owned(), Err(Unseen("403".to_owned())));
        assert_eq!(
            testing::verdicts(&checks(&config, &quotas, Against::All)),
            [Verdict::Skipped; 3]
        );
        let poor = json!({"quotaIncreaseEligibility": {"ineligibilityReason": "NOT_ENOUGH_USAGE_HISTORY"}});
        quotas.insert(L4.to_owned(), Ok(Some(serde_json::from_value(poor).unwrap())));
        let detail = &checks(&config, &quotas, Against::All)[0].detail;
        assert!(
            detail.contains("can't be raised yet (NOT_ENOUGH_USAGE_HISTORY)"),
            "{detail}"
        );
    }

    #[test]
    fn a_run_is_told_only_of_what_is_refused() {
        let young = quotas(&[(L4, Some(3)), (CPU, Some(20_000)), (MEMORY, Some(40 << 30))]);
        let verdicts = |more| testing::verdicts(&checks(&testing::config(more), &young, Against::Each));
        assert_eq!(verdicts(""), [Verdict::Pass; 3]);
        assert_eq!(verdicts("service: { max-instances: 4 }"), [Verdict::Fail; 3]);
    }
}
