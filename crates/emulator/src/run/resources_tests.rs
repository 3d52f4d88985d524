use serde_json::{Value, json};

use super::*;

fn with(accelerator: &str, cpu: &str, memory: &str) -> Value {
    json!({
        "nodeSelector": {"accelerator": accelerator}, "gpuZonalRedundancyDisabled": true,
        "containers": [{"resources": {"limits": {"cpu": cpu, "memory": memory, "nvidia.com/gpu": "1"}}}]
    })
}

#[test]
fn gpu_minimums_and_regions_are_a_table() {
    // accelerator, CPU, memory, region, launch stage, part of the refusal
    let cases = [
        ("nvidia-l4", "4", "16Gi", "europe-west4", "GA", None),
        ("nvidia-l4", "8", "32Gi", "us-central1", "GA", None),
        (
            "nvidia-l4",
            "2",
            "16Gi",
            "europe-west4",
            "GA",
            Some("at least 4 CPU"),
        ),
        (
            "nvidia-l4",
            "4",
            "8Gi",
            "europe-west4",
            "GA",
            Some("at least 16Gi"),
        ),
        (
            "nvidia-l4",
            "4",
            "32Gi",
            "europe-west4",
            "GA",
            Some("between 2048Mi and 16Gi"),
        ),
        (
            "nvidia-l4",
            "8",
            "32Gi",
            "europe-north1",
            "GA",
            Some("not available in region europe-north1"),
        ),
        (
            "nvidia-l4",
            "12",
            "32Gi",
            "us-central1",
            "GA",
            Some("12 is above 8"),
        ),
        ("nvidia-rtx-pro-6000", "20", "80Gi", "us-central1", "GA", None),
        (
            "nvidia-rtx-pro-6000",
            "8",
            "80Gi",
            "us-central1",
            "GA",
            Some("at least 20 CPU"),
        ),
        ("nvidia-h100-80gb", "20", "200Gi", "us-east4", "ALPHA", None),
        (
            "nvidia-h100-80gb",
            "20",
            "200Gi",
            "us-east4",
            "GA",
            Some("declared launch stage"),
        ),
        (
            "nvidia-t4",
            "8",
            "32Gi",
            "us-central1",
            "GA",
            Some("'nvidia-t4' is not supported"),
        ),
    ];
    for (accelerator, cpu, memory, region, stage, refused) in cases {
        let found = template(&with(accelerator, cpu, memory), region, stage);
        match refused {
            None => assert_eq!(found, [], "{accelerator} {cpu} {memory} {region}"),
            Some(text) => {
                assert_eq!(found.len(), 1, "{found:?}");
                assert!(found[0].description.contains(text), "{found:?}");
            }
        }
    }
}

#[test]
fn a_gpu_needs_instance_billing_and_the_second_generation() {
    let mut body = with("nvidia-l4", "8", "32Gi");
    body["containers"][0]["resources"]["cpuIdle"] = json!(true);
    body["executionEnvironment"] = json!("EXECUTION_ENVIRONMENT_GEN1");
    assert_eq!(template(&body, "europe-west4", "GA").len(), 2);
}

#[test]
fn an_instance_has_one_gpu_and_cpus_of_a_size_that_there_is() {
    let two = json!({"resources": {"limits": {"nvidia.com/gpu": "2"}}});
    assert!(container(0, &two)[0].description.contains("must be 1"));
    for (cpu, had) in [
        ("0.05", false),
        ("500m", true),
        ("1", true),
        ("1500m", false),
        ("6", true),
        ("5", false),
    ] {
        let sized = json!({"resources": {"limits": {"cpu": cpu}}});
        assert_eq!(container(0, &sized).is_empty(), had, "{cpu} CPU");
    }
    let unknown = json!({"resources": {"limits": {"gpu": "1"}}});
    assert_eq!(container(0, &unknown).len(), 1);
}

#[test]
fn a_gpu_without_a_node_selector_is_refused() {
    let mut body = with("nvidia-l4", "8", "32Gi");
    body.as_object_mut().unwrap().remove("nodeSelector");
    assert!(
        template(&body, "europe-west4", "GA")[0]
            .description
            .contains("accelerator")
    );
}

#[test]
fn the_regional_quota_counts_the_most_instances() {
    let limits = Limits::default();
    assert_eq!(quota(&with("nvidia-l4", "8", "32Gi"), 1, &limits), Ok(()));
    assert_eq!(quota(&with("nvidia-l4", "4", "16Gi"), 2, &limits), Ok(()));
    let refused = quota(&with("nvidia-rtx-pro-6000", "20", "80Gi"), 3, &limits).unwrap_err();
    insta::assert_snapshot!(refused.message, @r"
    spec.template.metadata.annotations[autoscaling.knative.dev/maxScale]: Max instances must be set to 0 or fewer to set the requested total CPU.
    Consider running your workload in a region with greater capacity, or requesting an increase in quota for this region

    Quota violated:
    CpuAllocPerProjectRegion requested: 60000 allowed: 20000
    MemAllocPerProjectRegion requested: 257698037760 allowed: 42949672960
    ");
    let wide = Limits {
        milli_cpu: 1_000_000,
        memory_bytes: 1 << 50,
        ..limits
    };
    let refused = quota(&with("nvidia-l4", "8", "32Gi"), 10, &wide).unwrap_err();
    assert!(
        refused
            .message
            .contains("NvidiaL4GpuAllocNoZonalRedundancyPerProjectRegion requested: 10 allowed: 3")
    );
}

#[test]
fn a_project_without_gpu_quota_is_told_so_in_googles_words() {
    let none = Limits {
        gpus: 0,
        ..Limits::default()
    };
    let mut body = with("nvidia-l4", "8", "32Gi");
    let refused = quota(&body, 1, &none).unwrap_err();
    assert!(
        refused
            .message
            .contains("You do not have quota for using GPUs without zonal redundancy.")
    );
    body.as_object_mut().unwrap().remove("gpuZonalRedundancyDisabled");
    let refused = quota(&body, 1, &Limits::default()).unwrap_err();
    assert!(
        refused
            .message
            .contains("with zonal redundancy. You could deploy using GPUs without zonal redundancy instead.")
    );
}

#[test]
fn the_default_of_most_instances_fits_the_quota() {
    let limits = Limits::default();
    assert_eq!(default_max_instances(&with("nvidia-l4", "8", "32Gi"), &limits), 1);
    assert_eq!(default_max_instances(&with("nvidia-l4", "4", "16Gi"), &limits), 2);
    assert_eq!(default_max_instances(&json!({"containers": [{}]}), &limits), 20);
}
