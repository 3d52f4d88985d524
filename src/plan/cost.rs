//! List prices of a running instance.
//!
//! Source: Cloud Billing API and Cloud Run's pricing page, read 2026-08 to 2026-10, for tier 1 regions with
//! instance-based billing. Free tier and discounts are left out.

use crate::config::Service;

const CPU_SECOND: f64 = 0.000_018;
const GIB_SECOND: f64 = 0.000_002;
/// Regions for which the prices were read.
const REGIONS: [&str; 3] = ["us-central1", "europe-west1", "europe-west4"];

/// US dollars for one hour of one running instance; `None` where the price isn't known.
pub fn hourly_usd(region: &str, service: &Service) -> Option<f64> {
    if !REGIONS.contains(&region) {
        return None;
    }
    let gpu = match (service.gpu.as_str(), service.zonal_redundancy) {
        ("nvidia-l4", false) => 0.000_186_7,
        ("nvidia-l4", true) => 0.000_290_9,
        ("nvidia-rtx-pro-6000", false) => 0.000_365_22,
        _ => return None,
    };
    Some((gpu + f64::from(service.cpu) * CPU_SECOND + service.memory.as_gib() * GIB_SECOND) * 3600.0)
}
