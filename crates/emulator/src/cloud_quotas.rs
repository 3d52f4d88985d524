//! Cloud Quotas: what a project may use of Cloud Run, region by region. The numbers are those that Cloud Run's own
//! checks go by ([`super::run::Run::set_limits`]).

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{
    Call, PROJECT_NUMBER, Reply, Shared, list,
    run::{
        Limits,
        resources::{ACCELERATORS, Accelerator},
    },
};

const SERVICE: &str = "run.googleapis.com";

/// What the service holds.
#[derive(Default)]
pub struct Quotas {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    unlisted: bool,
    ineligible: Option<String>,
}

/// A quota of Cloud Run.
struct Quota {
    id: String,
    metric: &'static str,
    regions: Vec<&'static str>,
    value: u64,
}

impl Quotas {
    /// GPU quotas have no value in any region, as in a project before its first deployment with one.
    pub fn unlist_gpus(&self) {
        self.lock().unlisted = true;
    }

    /// No quota may be raised, for this reason: `NOT_ENOUGH_USAGE_HISTORY`, say.
    pub fn refuse_increases(&self, reason: &str) {
        self.lock().ineligible = Some(reason.to_owned());
    }

    pub async fn handle(emulator: &Shared, call: &Call) -> Reply {
        if call.param("locationsId") != "global" || call.param("servicesId") != SERVICE {
            let name = call.path.trim_start_matches("/v1/");
            return Reply::not_found(&format!("Resource '{name}' was not found."));
        }
        let state = emulator.quotas.lock();
        let all = quotas(&emulator.run.limits());
        match call.id.rsplit('.').next().unwrap_or("") {
            "list" => {
                let shown: Vec<Value> = all.iter().map(|q| q.show(&state)).collect();
                list::reply(call, "quotaInfos", &shown)
            }
            "get" => match all.iter().find(|q| q.id == call.param("quotaInfosId")) {
                Some(quota) => Reply::ok(&quota.show(&state)),
                None => unknown(call.param("quotaInfosId")),
            },
            _ => Reply::not_implemented(call),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn quotas(limits: &Limits) -> Vec<Quota> {
    let regions: BTreeSet<&str> = ACCELERATORS
        .iter()
        .flat_map(|kind| kind.regions)
        .copied()
        .collect();
    let everywhere = |id: &str, metric, value| Quota {
        id: id.to_owned(),
        metric,
        regions: regions.iter().copied().collect(),
        value,
    };
    let mut all = vec![
        everywhere("CpuAllocPerProjectRegion", "cpu_allocation", limits.milli_cpu),
        everywhere("MemAllocPerProjectRegion", "mem_allocation", limits.memory_bytes),
    ];
    for kind in ACCELERATORS.iter().filter(|kind| !kind.preview) {
        all.push(gpu(
            kind,
            "NoZonalRedundancy",
            "gpu_allocation_no_zonal_redundancy",
            limits.gpus,
        ));
        all.push(gpu(kind, "", "gpu_allocation", limits.zonal_gpus));
    }
    all
}

/// An L4 is counted in units, the RTX PRO 6000 in thousandths.
fn gpu(kind: &Accelerator, redundancy: &str, metric: &'static str, gpus: u64) -> Quota {
    let unit = if kind.name == "nvidia-l4" { 1 } else { 1000 };
    Quota {
        id: format!("{}GpuAlloc{redundancy}PerProjectRegion", kind.quota),
        metric,
        regions: kind.regions.to_vec(),
        value: gpus * unit,
    }
}

impl Quota {
    fn show(&self, state: &State) -> Value {
        let name = format!(
            "projects/{PROJECT_NUMBER}/locations/global/services/{SERVICE}/quotaInfos/{}",
            self.id
        );
        let mut out = json!({
            "name": name, "quotaId": self.id, "service": SERVICE, "metric": format!("{SERVICE}/{}", self.metric),
            "isPrecise": true, "containerType": "PROJECT", "dimensions": ["region"],
            "quotaIncreaseEligibility": match &state.ineligible {
                Some(reason) => json!({"ineligibilityReason": reason}),
                None => json!({"isEligible": true}),
            },
        });
        if !(state.unlisted && self.id.contains("GpuAlloc")) {
            let shown = self.regions.iter().map(|region| {
                json!({
                    "dimensions": {"region": region}, "details": {"value": self.value.to_string()},
                    "applicableLocations": [region],
                })
            });
            out["dimensionsInfos"] = shown.collect();
        }
        out
    }
}

fn unknown(id: &str) -> Reply {
    let message = format!("Quota '{id}' was not found for service '{SERVICE}'.");
    Reply::google_error(StatusCode::NOT_FOUND, "NOT_FOUND", &message, Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bench;

    const QUOTAS: &str =
        "/cloudquotas/v1/projects/demo-project/locations/global/services/run.googleapis.com/quotaInfos";

    async fn value(bench: &Bench, id: &str, region: &str) -> Option<String> {
        let answer = bench.get(&format!("{QUOTAS}/{id}")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let infos = answer.json["dimensionsInfos"].as_array()?.clone();
        let here = infos.iter().find(|i| i["dimensions"]["region"] == region)?;
        here["details"]["value"].as_str().map(str::to_owned)
    }

    #[tokio::test]
    async fn the_numbers_are_those_that_cloud_run_goes_by() {
        let bench = Bench::start().await;
        bench.running.emulator.run.set_limits(Limits {
            gpus: 2,
            zonal_gpus: 1,
            milli_cpu: 16_000,
            memory_bytes: 1 << 36,
        });
        for (id, expected) in [
            ("NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion", "2"),
            ("NvidiaL4GpuAllocPerProjectRegion", "1"),
            (
                "NvidiaRtxPro6000GpuAllocNoZonalRedundancyPerProjectRegion",
                "2000",
            ),
            ("CpuAllocPerProjectRegion", "16000"),
            ("MemAllocPerProjectRegion", "68719476736"),
        ] {
            assert_eq!(
                value(&bench, id, "europe-west4").await.as_deref(),
                Some(expected),
                "{id}"
            );
        }
        let nowhere = value(&bench, "NvidiaL4GpuAllocPerProjectRegion", "europe-west3").await;
        assert_eq!(nowhere, None, "a region without the GPU");
    }

    #[tokio::test]
    async fn an_unknown_quota_or_service_is_not_there() {
        let bench = Bench::start().await;
        for path in [
            format!("{QUOTAS}/NvidiaL4GpuAllocPerProjectPerRegion"),
            QUOTAS.replace("run.", "runs."),
            QUOTAS.replace("global", "europe-west4"),
        ] {
            assert_eq!(bench.get(&path).await.status, 404, "{path}");
        }
        assert_eq!(
            bench.get(QUOTAS).await.json["quotaInfos"]
                .as_array()
                .unwrap()
                .len(),
            6
        );
    }
}
