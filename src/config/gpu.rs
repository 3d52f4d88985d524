//! What Cloud Run allows per accelerator.
//!
//! Sources: Cloud Run's GPU pages for services and worker pools (minimum CPU and memory, regions), and its
//! memory-limits page (the CPUs that more memory needs), as read in autumn 2026. Quota ids and units: seen in public
//! reports of the real service.

use crate::units::Memory;

/// An accelerator type and its limits.
#[derive(Debug, PartialEq, Eq)]
pub struct Accelerator {
    /// As Cloud Run names it.
    pub name: &'static str,
    /// Allowed numbers of CPUs, ascending.
    pub cpus: &'static [u32],
    pub min_memory: Memory,
    pub max_memory: Memory,
    pub regions: &'static [&'static str],
    quota: Option<Quota>,
}

/// How Cloud Quotas counts an accelerator.
#[derive(Debug, PartialEq, Eq)]
struct Quota {
    /// Beginning of the ids.
    name: &'static str,
    /// What one GPU counts: some are counted in thousandths.
    unit: u64,
    /// Google gives some when a project deploys one in a region for the first time.
    granted_at_first: bool,
}

const L4: Accelerator = Accelerator {
    name: "nvidia-l4",
    cpus: &[4, 6, 8],
    min_memory: Memory::gib(16),
    max_memory: Memory::gib(32),
    regions: &[
        "us-central1",
        "us-east4",
        "europe-west1",
        "europe-west4",
        "asia-southeast1",
        "asia-south1",
    ],
    quota: Some(Quota {
        name: "NvidiaL4",
        unit: 1,
        granted_at_first: true,
    }),
};

const RTX_PRO_6000: Accelerator = Accelerator {
    name: "nvidia-rtx-pro-6000",
    cpus: &[20, 22, 24, 30],
    min_memory: Memory::gib(80),
    max_memory: Memory::gib(120),
    regions: &["us-central1", "europe-west4", "asia-southeast1", "asia-south2"],
    quota: Some(Quota {
        name: "NvidiaRtxPro6000",
        unit: 1000,
        granted_at_first: false,
    }),
};

/// In private preview.
const H100: Accelerator = Accelerator {
    name: "nvidia-h100-80gb",
    cpus: &[20, 22, 24, 26],
    min_memory: Memory::gib(80),
    max_memory: Memory::gib(360),
    regions: &["us-east4"],
    quota: None,
};

pub const ACCELERATORS: [&Accelerator; 3] = [&L4, &RTX_PRO_6000, &H100];

/// The accelerator of that name.
pub fn find(name: &str) -> Option<&'static Accelerator> {
    ACCELERATORS.into_iter().find(|a| a.name == name)
}

impl Accelerator {
    /// Id of its quota in Cloud Run, with zonal redundancy or without; `None` when it isn't known.
    pub fn quota_id(&self, zonal: bool) -> Option<String> {
        let redundancy = if zonal { "" } else { "NoZonalRedundancy" };
        let quota = self.quota.as_ref()?;
        Some(format!("{}GpuAlloc{redundancy}PerProjectRegion", quota.name))
    }

    /// What one GPU counts in that quota.
    pub fn quota_unit(&self) -> u64 {
        self.quota.as_ref().map_or(1, |quota| quota.unit)
    }

    /// Whether Google gives three, without zonal redundancy, when a project deploys its first one in a region.
    pub fn granted_at_first(&self) -> bool {
        self.quota.as_ref().is_some_and(|quota| quota.granted_at_first)
    }

    /// The least number of CPUs.
    pub fn min_cpu(&self) -> u32 {
        self.cpus.first().copied().unwrap_or(1)
    }

    /// The most memory that an instance with this many CPUs may have.
    pub fn most_for(&self, cpu: u32) -> Memory {
        self.max_memory.min(most_memory(cpu))
    }

    /// Whether an instance may have this many CPUs; otherwise what is allowed.
    pub fn check_cpu(&self, cpu: u32) -> Result<(), String> {
        if self.cpus.contains(&cpu) {
            return Ok(());
        }
        let names: Vec<String> = self.cpus.iter().map(u32::to_string).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        Err(format!(
            "{} needs {} CPUs on Cloud Run, got {cpu}",
            self.name,
            super::check::one_of(&names)
        ))
    }

    /// Whether an instance with this many CPUs may have this much memory; otherwise what is allowed.
    pub fn check_memory(&self, memory: Memory, cpu: u32) -> Result<(), String> {
        let (min, max) = (self.min_memory, self.max_memory);
        if memory < min || memory > max {
            return Err(format!(
                "{} needs {min} to {max} of memory on Cloud Run, got {memory}",
                self.name
            ));
        }
        let most = most_memory(cpu);
        if memory > most {
            return Err(format!(
                "{cpu} CPUs take at most {most} of memory on Cloud Run, got {memory}"
            ));
        }
        Ok(())
    }

    /// Whether Cloud Run was known to have this accelerator in the region; otherwise where it was.
    pub fn check_region(&self, region: &str) -> Result<(), String> {
        if self.regions.contains(&region) {
            return Ok(());
        }
        let place = super::check::one_of(self.regions);
        Err(format!(
            "{} is not known to be offered in `{region}` by Cloud Run, but in {place}",
            self.name
        ))
    }
}

/// The most memory that Cloud Run gives to so many CPUs; larger machines are bound by the accelerator alone.
fn most_memory(cpu: u32) -> Memory {
    match cpu {
        0..=1 => Memory::gib(4),
        2..=3 => Memory::gib(8),
        4..=5 => Memory::gib(16),
        6..=7 => Memory::gib(24),
        8..=19 => Memory::gib(32),
        _ => Memory(u64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_those_that_cloud_run_allows() {
        let l4 = find("nvidia-l4").unwrap();
        for (cpu, gib, fits) in [
            (8, 32, true),
            (4, 16, true),
            (6, 24, true),
            (4, 32, false),
            (2, 16, false),
            (5, 16, false),
            (8, 8, false),
            (8, 64, false),
        ] {
            let result = l4
                .check_cpu(cpu)
                .and_then(|()| l4.check_memory(Memory::gib(gib), cpu));
            assert_eq!(result.is_ok(), fits, "{cpu} CPU, {gib} GiB: {result:?}");
        }
        let rtx = find("nvidia-rtx-pro-6000").unwrap();
        assert!(rtx.check_cpu(20).is_ok() && rtx.check_memory(Memory::gib(80), 20).is_ok());
        assert!(rtx.check_cpu(8).unwrap_err().contains("`20`, `22`, `24` or `30`"));
    }

    #[test]
    fn an_accelerator_is_only_where_google_has_it() {
        assert!(find("nvidia-l4").unwrap().check_region("europe-west4").is_ok());
        assert!(
            find("nvidia-l4")
                .unwrap()
                .check_region("europe-north1")
                .unwrap_err()
                .contains("`europe-west4`")
        );
        assert_eq!(find("nvidia-l40"), None);
    }
}
