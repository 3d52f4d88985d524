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

/// US dollars for one hour in which nobody calls: the minimum instances run, and are paid for as if they worked.
pub fn idle_usd(region: &str, service: &Service) -> Option<f64> {
    match service.min_instances {
        0 => Some(0.0),
        least => Some(hourly_usd(region, service)? * f64::from(least)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::config;

    #[test]
    fn an_hour_costs_what_the_price_list_says() {
        let cases = [
            ("nvidia-l4", 4, 16, false, Some("1.047")),
            ("nvidia-l4", 8, 32, false, Some("1.421")),
            ("nvidia-l4", 8, 32, true, Some("1.796")),
            ("nvidia-rtx-pro-6000", 20, 80, false, Some("3.187")),
            ("nvidia-rtx-pro-6000", 20, 80, true, None),
            ("nvidia-h100-80gb", 20, 80, false, None),
        ];
        for (gpu, cpu, memory, zonal_redundancy, expected) in cases {
            let service = Service {
                gpu: gpu.to_owned(),
                cpu,
                memory: crate::units::Memory::gib(memory),
                zonal_redundancy,
                ..config("").models[0].service.clone()
            };
            let usd = hourly_usd("europe-west4", &service).map(|usd| format!("{usd:.3}"));
            assert_eq!(
                usd.as_deref(),
                expected,
                "{gpu} {cpu} {memory} {zonal_redundancy}"
            );
            assert_eq!(
                hourly_usd("asia-southeast1", &service),
                None,
                "not read for that region"
            );
        }
    }

    #[test]
    fn an_idle_hour_costs_the_minimum_instances() {
        let usd = |min_instances, region| {
            let service = Service {
                min_instances,
                ..config("").models[0].service.clone()
            };
            let hour = hourly_usd(region, &service).unwrap_or(f64::NAN);
            idle_usd(region, &service).map(|usd| if usd == 0.0 { usd } else { usd / hour })
        };
        assert_eq!(usd(2, "europe-west4"), Some(2.0));
        assert_eq!(usd(0, "europe-west4"), Some(0.0));
        assert_eq!(
            usd(0, "asia-southeast1"),
            Some(0.0),
            "nothing runs, whatever it costs"
        );
        assert!(usd(1, "asia-southeast1").is_none());
    }
}
