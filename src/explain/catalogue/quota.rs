//! Quota.

use super::{Entry, entry};
use crate::explain::Source::{Answer, Condition};

pub const ENTRIES: &[Entry] = &[
    entry(
        "gpu-quota-zonal",
        &[Answer, Condition],
        &[r"do not have quota for using GPUs with zonal redundancy"],
        "The project has GPU quota in {region} only without zonal redundancy, or none.",
        "Set `service.zonal-redundancy: false`, or ask for zonal GPU quota: https://console.cloud.google.com/iam-admin/quotas?project={project}",
        "public logs; gcloud, command_lib/run/exceptions.py",
    )
    .about(&["service.zonal-redundancy", "service.gpu"]),
    entry(
        "gpu-quota",
        &[Answer, Condition],
        &[r"do not have quota for using GPUs without zonal redundancy"],
        "The project has no GPU quota for Cloud Run in {region}.",
        "Ask for it (`{gpu}`, without zonal redundancy): https://console.cloud.google.com/iam-admin/quotas?project={project}, or choose another `region`",
        "public logs; gcloud, command_lib/run/exceptions.py",
    )
    .about(&["service.gpu", "region"]),
    entry(
        "gpu-quota-used",
        &[Answer, Condition],
        &[r"Quota exceeded for total allowable count of GPUs"],
        "Every GPU that the project may use in {region} is in use.",
        "Lower `service.max-instances`, delete services that hold GPUs (`gcloud run services list --project {project} --region {region}`), or ask for more: https://console.cloud.google.com/iam-admin/quotas?project={project}",
        "GoogleCloudPlatform/magic-modules#17149",
    )
    .about(&["service.max-instances", "service.gpu"]),
    entry(
        "cpu-memory-quota",
        &[Answer, Condition],
        &[
            r"Max instances must be set to 0 or fewer[\s\S]*?(?P<quota>(?:Cpu|Mem)AllocPerProjectRegion requested: \d+ allowed: \d+)",
            r"Max instances must be set to 0 or fewer",
        ],
        "One instance with {cpu} CPUs and {memory} is more than the quota of {region} allows ({quota}).",
        "Lower `service.cpu` and `service.memory`, choose another `region`, or ask for more: https://console.cloud.google.com/iam-admin/quotas?project={project}",
        "googlecodelabs/feedback#1856, #2311",
    )
    .about(&["service.cpu", "service.memory"]),
    entry(
        "instances-quota",
        &[Answer, Condition],
        &[
            r"Max instances must be set to (?P<most>\d+) or fewer",
            r"maxScale may not exceed (?P<most>\d+)",
        ],
        "The quota of {region} for CPUs and memory allows {most} such instances.",
        "Set `service.max-instances: {most}`, lower `service.cpu` and `service.memory`, or ask for more: https://console.cloud.google.com/iam-admin/quotas?project={project}",
        "googlecodelabs/feedback#1856, #1210",
    )
    .about(&["service.max-instances"]),
    entry(
        "build-region",
        &[Answer],
        &[r"due to quota restrictions, cannot run builds in this region"],
        "The project may not run builds in {location}.",
        "Set `build.location: global`, or ask for Cloud Build quota in this region",
        "public logs; Cloud Build's page on locations",
    )
    .about(&["build.location"]),
    entry(
        "request-quota",
        &[Answer],
        &[
            r"Quota exceeded for quota metric '(?P<metric>[^']{1,80})'",
            r"RATE_LIMIT_EXCEEDED",
            r"RESOURCE_EXHAUSTED",
        ],
        "The project has made more requests than its quota allows ({metric}).",
        "Run again in some minutes; when it comes often, let fewer runs go at once or ask for more quota",
        "ErrorInfo reasons in google.rpc",
    ),
];
