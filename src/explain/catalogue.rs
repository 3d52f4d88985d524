//! The known causes. The first that fits counts, so that the more specific ones come first.
//!
//! `docs/failures.md` is made from this table.

use super::{
    Facts,
    Source::{self, Answer, Build, BuildLog, Condition, ContainerLog},
};

/// One known cause.
pub struct Entry {
    pub name: &'static str,
    /// Where its words are looked for, in this order.
    pub sources: &'static [Source],
    /// Regular expressions, one of which must be found. What a named group finds fills the texts.
    pub patterns: &'static [&'static str],
    /// What must hold besides, once the values are known.
    pub when: fn(&Facts) -> bool,
    /// `{name}` is filled in: a group's value, or a fact of the deployment.
    pub cause: &'static str,
    pub fix: &'static str,
    /// Settings that may cause it, the likeliest first, as they are written below a model (`service.gpu`) or in the
    /// file (`build.timeout`). `{name}` is filled in.
    pub settings: &'static [&'static str],
    /// Where the words were read.
    pub seen: &'static str,
}

fn always(_: &Facts) -> bool {
    true
}

fn has_permission(facts: &Facts) -> bool {
    facts.get("permission").is_some()
}

fn has_violations(facts: &Facts) -> bool {
    facts.get("violations").is_some()
}

fn is_other_port(facts: &Facts) -> bool {
    facts
        .get("port")
        .is_some_and(|port| facts.get("listens") != Some(port))
}

const fn entry(
    name: &'static str,
    sources: &'static [Source],
    patterns: &'static [&'static str],
    cause: &'static str,
    fix: &'static str,
    seen: &'static str,
) -> Entry {
    Entry {
        name,
        sources,
        patterns,
        when: always,
        cause,
        fix,
        settings: &[],
        seen,
    }
}

impl Entry {
    const fn about(mut self, settings: &'static [&'static str]) -> Self {
        self.settings = settings;
        self
    }
}

pub const CATALOGUE: &[Entry] = &[
    // Google's own services: what is off, missing or not allowed.
    entry(
        "api-disabled",
        &[Answer],
        &[
            r"apis/api/(?P<api>[\w.-]+)/overview",
            r"SERVICE_DISABLED",
            r"API has not been used in project \S+ before or it is disabled",
        ],
        "An API that this needs is not enabled in the project.",
        "Enable it: `gcloud services enable {api} --project {project}`; give it some minutes, then run again",
        "ErrorInfo reason in google.rpc; message in many public threads",
    ),
    entry(
        "billing-off",
        &[Answer],
        &[
            r"BILLING_DISABLED",
            r"This API method requires billing to be enabled",
            r"billing account for the owning project is disabled",
            r"UREQ_PROJECT_BILLING_NOT_FOUND",
            r"Billing must be enabled",
        ],
        "The project has no active billing account.",
        "Link one: https://console.cloud.google.com/billing/linkedaccount?project={project}",
        "GoogleCloudPlatform/cloud-run-mcp#151, kyegomez/zeta#71",
    ),
    entry(
        "act-as",
        &[Answer, Condition],
        &[
            r"(?i)Permission 'iam\.serviceaccounts\.actAs' denied on service account (?P<account>[\w.@-]+)",
            r"does not have permission to act as service account (?P<account>[\w.@-]+)",
        ],
        "The deploying account may not start anything that runs as `{account}`, or there is no such account.",
        "Check the name in `service.service-account` and `build.service-account`; then grant roles/iam.serviceAccountUser: `gcloud iam service-accounts add-iam-policy-binding {account} --project={project} --member=serviceAccount:{deployer} --role=roles/iam.serviceAccountUser`",
        "stefda/action-cloud-run#6, google/keyword_factory#22",
    )
    .about(&["service.service-account", "build.service-account"]),
    entry(
        "secret-denied",
        &[Answer, Condition],
        &[
            r"Permission denied on secret: projects/[\w-]+/secrets/(?P<secret>[\w-]+)/versions/\S+ for Revision service account (?P<account>[\w.@-]+)",
        ],
        "The container's account `{account}` may not read the secret `{secret}`, or there is no such secret.",
        "Check the name in `service.secrets`; then `gcloud secrets add-iam-policy-binding {secret} --project={project} --member=serviceAccount:{account} --role=roles/secretmanager.secretAccessor`",
        "Cloud Run's message in public logs",
    )
    .about(&["service.secrets"]),
    entry(
        "image-unreadable",
        &[Answer, Condition],
        &[
            r"(?P<agent>service-\d+@[\w.-]+) must have permission to read the image",
            r"must have permission to read the image",
        ],
        "Cloud Run's own account may not read the image.",
        "Grant it: `gcloud artifacts repositories add-iam-policy-binding {repository} --location={region} --project={project} --member=serviceAccount:{agent} --role=roles/artifactregistry.reader`; when Cloud Run was only just enabled, run again in some minutes",
        "Cloud Run's troubleshooting page",
    ),
    entry(
        "image-missing",
        &[Answer, Condition],
        &[
            r"Image '(?P<image>[^']+)' not found",
            r"MANIFEST_UNKNOWN",
            r"CONTAINER_MISSING",
        ],
        "The image is not in the registry any more.",
        "Run again: it is built anew. A clean-up policy that is too eager deletes images: see `build.keep` and `build.delete-older-than`",
        "gcloud run deploy in public logs; the OCI distribution specification",
    )
    .about(&["build.keep", "build.delete-older-than"]),
    entry(
        "image-import",
        &[Answer, Condition],
        &[
            r"encountered an error during container import",
            r"Resource readiness deadline exceeded",
        ],
        "Cloud Run did not import the image in time: it is very large, or has file names that are not UTF-8.",
        "Run again: it takes up where it ended. If it fails again, look for such file names in `image.base` and in the model, or take a smaller model",
        "Cloud Run's troubleshooting page",
    ),
    entry(
        "image-broken",
        &[Answer, Condition],
        &[r"Container import failed"],
        "Cloud Run cannot read the image: its manifest and its configuration don't agree.",
        "Build it anew: delete its tag in Artifact Registry and run again; if it fails again, take another `image.base`",
        "Cloud Run's troubleshooting page",
    )
    .about(&["image.base"]),
    entry(
        "public-forbidden",
        &[Answer, Condition],
        &[
            r"do not belong to a permitted customer",
            r"constraints/(?P<constraint>iam\.(?:allowedPolicyMemberDomains|managed\.allowedPolicyMembers))",
            r"(?P<constraint>run\.managed\.requireInvokerIam)",
        ],
        "The organization's policy forbids endpoints that anyone may call.",
        "Set `service.access: private`, or ask the organization's administrator for an exception for project {project}",
        "LayerZero-Labs/gasolina-gcp#15, GoogleCloudPlatform/genai-for-marketing#153",
    )
    .about(&["service.access"]),
    entry(
        "build-account-required",
        &[Answer],
        &[r"build\.service_account must be specified due to the evaluation of the following org policies"],
        "The organization's policy asks for a service account of your own for builds.",
        "Make one, and set `build.service-account`; `llm-deploy bootstrap` makes it with its roles",
        "GoogleCloudPlatform/genai-for-marketing#149",
    )
    .about(&["build.service-account"]),
    entry(
        "organization-policy",
        &[Answer, Condition],
        &[r"constraints/(?P<constraint>[a-z]+\.[\w.]+)"],
        "The organization's policy `{constraint}` forbids this.",
        "Ask the organization's administrator for an exception for project {project}, or change the setting that it is about",
        "names of constraints: organization policy reference",
    ),
    // Quota.
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
    // What was asked for is not right, or not allowed to this account.
    entry(
        "logs-bucket",
        &[Answer],
        &[r"if 'build\.service_account' is specified, the build must"],
        "A build with its own service account must say where it logs to.",
        "Set `build.bucket` to a bucket that `{build-account}` may write to, or `build.logs: cloud-logging`",
        "Cloud Build's message in public logs",
    )
    .about(&["build.bucket", "build.logs"]),
    entry(
        "logs-bucket-unseen",
        &[Answer],
        &[r#"(?:invalid bucket "(?P<bucket>[\w.-]+)"; )?[^"]*does not have access to the bucket"#],
        "The build's account may not look at the bucket that the build logs to, or there is no such bucket.",
        "Grant it roles/storage.legacyBucketReader: `gcloud storage buckets add-iam-policy-binding gs://{bucket} --member=serviceAccount:{build-account} --role=roles/storage.legacyBucketReader`, then run again",
        "Cloud Build's message in public logs",
    )
    .about(&["build.bucket"]),
    entry(
        "source-unreadable",
        &[Build, BuildLog, Answer],
        &[
            r"(?:could not resolve source|fetch)[\s\S]{0,200}?(?P<account>[\w.-]+@[\w.-]+) does not have storage\.objects\.get access",
        ],
        "The build's account `{account}` may not read its source.",
        "`gcloud storage buckets add-iam-policy-binding gs://{bucket} --member=serviceAccount:{account} --role=roles/storage.objectUser`, then run again",
        "Cloud Build's message in public logs",
    ),
    entry(
        "source-missing",
        &[Build],
        &[r"FETCH_SOURCE_FAILED"],
        "The build's account `{account}` may not read its source, or the source is gone from the bucket.",
        "`gcloud storage buckets add-iam-policy-binding gs://{bucket} --member=serviceAccount:{account} --role=roles/storage.objectUser`, then run again",
        "FailureInfo in Cloud Build's API",
    ),
    Entry {
        when: has_permission,
        ..entry(
            "permission",
            &[Answer],
            &[
                r"(?i)Permission ['\x22]?(?P<permission>[a-z]+\.\w+\.\w+)['\x22]? (?:is )?denied(?: on resource:? ['\x22]?(?P<resource>\w[\w./:@-]*))?",
                r"does not have (?P<permission>storage\.\w+\.\w+) access",
                r"\(HTTP 403\b",
            ],
            "The deploying account lacks the permission {lacking}.",
            "{grant}. A new grant takes a minute or two",
            "ErrorInfo.metadata.permission; google-github-actions/deploy-cloudrun#182",
        )
    },
    entry(
        "permission-unnamed",
        &[Answer],
        &[r"The caller does not have permission", r"PERMISSION_DENIED"],
        "The deploying account lacks a permission, and Google does not say which.",
        "`llm-deploy doctor` checks every permission that a run needs and says which is missing",
        "pomerium/pomerium#5724",
    ),
    entry(
        "credentials-refused",
        &[Answer],
        &[r"UNAUTHENTICATED", r"invalid authentication credentials"],
        "Google does not accept the credentials, or they have expired.",
        "Check the workload identity provider and the service account of this run; `llm-deploy doctor` says which credentials are taken",
        "google.rpc.Code and its HTTP mapping",
    ),
    entry(
        "name-too-long",
        &[Answer],
        &[r"traffic tag '(?P<tag>[^']+)' and service name '(?P<name>[^']+)' together are too long"],
        "The names of the service and of its candidate's tag are too long together.",
        "Give the model a shorter `name`: at most 37 characters",
        "firebase/firebase-tools#6137",
    )
    .about(&["name"]),
    entry(
        "probe-range",
        &[Answer],
        &[r"startup_probe: (?P<field>\w+) must be a number between (?P<least>\d+) and (?P<most>\d+)"],
        "Cloud Run does not take this startup probe: {field} must be from {least} to {most}.",
        "Lower `service.startup-timeout`",
        "googlecodelabs/feedback#1550",
    )
    .about(&["service.startup-timeout"]),
    Entry {
        when: has_violations,
        ..entry(
            "invalid-argument",
            &[Answer],
            &[r"INVALID_ARGUMENT"],
            "Google does not take a value that was sent: {violations}.",
            "Correct the setting that it is about; when it is none of yours, report it with Google's words",
            "google.rpc.BadRequest",
        )
    },
    // The build.
    entry(
        "build-timeout",
        &[Build],
        &[r"^TIMEOUT\b"],
        "The build did not end within its time.",
        "Raise `build.timeout`, or set `build.machine: E2_HIGHCPU_32` for a faster one",
        "Build.status in Cloud Build's API",
    )
    .about(&["build.timeout", "build.machine"]),
    entry(
        "build-queue",
        &[Build],
        &[r"^EXPIRED\b"],
        "The build waited for a worker for longer than it may.",
        "Run again; when it comes often, set another `build.location`, or a smaller `build.machine`",
        "Build.status in Cloud Build's API",
    )
    .about(&["build.location", "build.machine"]),
    entry(
        "build-cancelled",
        &[Build],
        &[r"^CANCELLED\b"],
        "Somebody or something cancelled the build.",
        "Run again to start a new one",
        "Build.status in Cloud Build's API",
    ),
    entry(
        "build-internal",
        &[Build],
        &[r"^INTERNAL_ERROR\b", r"LOGGING_FAILURE"],
        "Cloud Build itself failed.",
        "Run again; see https://status.cloud.google.com when it stays so",
        "Build.status and FailureInfo in Cloud Build's API",
    ),
    entry(
        "disk-full",
        &[BuildLog, Build],
        &[
            r"(?i)no space left on device",
            r"Not enough free disk space to download the file",
        ],
        "The build's disk is full.",
        "Raise `build.disk-gb` to about 4 times the size of the weights and 60 GB",
        "kserve/kserve#3432; huggingface_hub, file_download.py",
    )
    .about(&["build.disk-gb"]),
    entry(
        "model-gated",
        &[BuildLog],
        &[
            r"Cannot access gated repo",
            r"GatedRepoError",
            r"Access to model \S+ is restricted",
        ],
        "The model is gated, and the Hugging Face token was not granted it.",
        "Accept the model's licence at https://huggingface.co/{model} with the account whose token is in the secret `{token-secret}` (`image.hf-token-secret`), and check that it holds that token",
        "huggingface_hub, utils/_http.py",
    )
    .about(&["image.hf-token-secret", "id"]),
    entry(
        "token-invalid",
        &[BuildLog],
        &[
            r"Invalid credentials in Authorization header",
            r"Invalid user token",
        ],
        "Hugging Face does not know the token.",
        "Put a valid one into the secret: `gcloud secrets versions add {token-secret} --project={project} --data-file=-`",
        "huggingface_hub, utils/_http.py and hf_api.py",
    )
    .about(&["image.hf-token-secret"]),
    entry(
        "token-scope",
        &[BuildLog],
        &[
            r"403 Forbidden: [^\n]*\n[^\n]*Cannot access content at",
            r"Make sure your token has the correct permissions",
        ],
        "The Hugging Face token may not read this model.",
        "Give it read access to gated repositories (a fine-grained token needs that ticked) in its settings at Hugging Face",
        "huggingface_hub, utils/_http.py",
    )
    .about(&["image.hf-token-secret"]),
    entry(
        "model-missing",
        &[BuildLog],
        &[
            r"Repository Not Found for url",
            r"RepositoryNotFoundError",
            r"401 Client Error",
        ],
        "The model is private or doesn't exist.",
        "Check its id `{model}`; for a private one set `image.hf-token-secret` to a secret with a token that may read it",
        "huggingface_hub, utils/_http.py",
    )
    .about(&["id", "image.hf-token-secret"]),
    entry(
        "revision-missing",
        &[BuildLog],
        &[r"Revision Not Found for url", r"RevisionNotFoundError"],
        "The model's revision is gone from Hugging Face.",
        "Check `revision`, and run again",
        "huggingface_hub, utils/_http.py",
    )
    .about(&["revision"]),
    entry(
        "pull-rate-limit",
        &[BuildLog],
        &[r"toomanyrequests: You have reached your"],
        "Docker Hub refused to give the base image: too many were pulled from this address.",
        "Run again later, or copy the image to Artifact Registry and set `image.base` to the copy",
        "docs.docker.com, pull limits",
    )
    .about(&["image.base"]),
    entry(
        "hub-rate-limit",
        &[BuildLog],
        &[r"429 Too Many Requests", r"429 Client Error: Too Many Requests"],
        "Hugging Face refused downloads for a while: too many came from this address or token.",
        "Run again in some minutes; with a token (`image.hf-token-secret`) the limit is the token's own",
        "huggingface_hub, utils/_http.py; huggingface/huggingface_hub#3312",
    )
    .about(&["image.hf-token-secret"]),
    entry(
        "base-missing",
        &[BuildLog],
        &[r"failed to resolve source metadata for (?P<image>[\w./:@-]+?): [^\n]*not found"],
        "There is no such base image: `{image}`.",
        "Check `image.base`",
        "BuildKit's message in public logs",
    )
    .about(&["image.base"]),
    entry(
        "secret-in-build",
        &[Build, BuildLog],
        &[r"failed to access secret version for secret projects/[\w-]+/secrets/(?P<secret>[\w-]+)"],
        "The build's account may not read the secret `{secret}`, or it has no such version.",
        "`gcloud secrets add-iam-policy-binding {secret} --project={project} --member=serviceAccount:{build-account} --role=roles/secretmanager.secretAccessor`",
        "Cloud Build's message in public logs",
    )
    .about(&["image.hf-token-secret"]),
    entry(
        "push-denied",
        &[BuildLog, Build],
        &[r"(?i)denied: Permission ['\x22]?(?P<permission>artifactregistry\.\w+\.\w+)"],
        "The build's account may not push to the repository, or there is no such repository.",
        "{grant}",
        "Artifact Registry's message in public logs",
    ),
    entry(
        "download-incomplete",
        &[BuildLog],
        &[r"download: (?P<file>[\w./-]+) (?:is missing after the download|has \d+ bytes, expected \d+)"],
        "A file of the model did not come whole: `{file}`.",
        "Run again; when it stays so, the files at Hugging Face were changed: see https://huggingface.co/{model}",
        "llm-deploy's download.sh",
    ),
    // The container: vLLM's own words come before Cloud Run's.
    entry(
        "driver-too-old",
        &[ContainerLog],
        &[
            r"NVIDIA driver on your system is too old \(found version (?P<found>\d+)\)",
            r"CUDA driver version is insufficient for CUDA runtime version",
        ],
        "The GPU's driver is older than the CUDA version that the image was built for.",
        "Set `service.env: {VLLM_ENABLE_CUDA_COMPATIBILITY: \"1\"}`, or `image.base` to a vLLM image built for CUDA 12",
        "PyTorch, libc10_cuda; vLLM 0.32, env_override.py",
    )
    .about(&["image.base"]),
    entry(
        "driver-mismatch",
        &[ContainerLog],
        &[
            r"Error 80[34]: (?:system has unsupported display driver|forward compatibility was attempted)",
            r"unsupported display driver / cuda driver combination",
        ],
        "The image's CUDA compatibility libraries don't fit the GPU's driver, which is newer or not made for them.",
        "Take `VLLM_ENABLE_CUDA_COMPATIBILITY` out of `service.env`; if it is not there, set `service.env: {LD_LIBRARY_PATH: /usr/local/nvidia/lib64}` so that the driver's own libraries are used",
        "vllm-project/vllm#5283, gpustack/gpustack#4678",
    )
    .about(&["service.env.VLLM_ENABLE_CUDA_COMPATIBILITY", "image.base"]),
    entry(
        "no-gpu",
        &[ContainerLog],
        &[r"No CUDA GPUs are available", r"Failed to infer device type"],
        "vLLM finds no GPU.",
        "Check that `image.base` is a CUDA build of vLLM, and that nothing in `service.env` hides the GPU (`CUDA_VISIBLE_DEVICES`)",
        "PyTorch; vLLM 0.32, config/device.py",
    )
    .about(&["image.base", "service.env.CUDA_VISIBLE_DEVICES"]),
    entry(
        "max-model-len",
        &[ContainerLog],
        &[
            r"the estimated maximum model length is (?P<most>\d+)",
            r"larger than the maximum number of tokens that can be stored in KV cache \((?P<most>\d+)\)",
        ],
        "A request of `engine.max-model-len` tokens does not fit into the GPU memory that the weights leave.",
        "Set `engine.max-model-len: {most}` or less, or raise `engine.gpu-memory-utilization`",
        "vLLM 0.32, v1/core/kv_cache_utils.py; vllm-project/vllm#7195",
    )
    .about(&["engine.max-model-len", "engine.gpu-memory-utilization"]),
    entry(
        "kv-cache",
        &[ContainerLog],
        &[
            r"larger than the available KV cache memory",
            r"No available memory for the cache blocks",
        ],
        "The weights leave no GPU memory for requests.",
        "Lower `engine.max-model-len`, raise `engine.gpu-memory-utilization`, or take a quantized or smaller model or a larger `service.gpu`",
        "vLLM 0.32, v1/core/kv_cache_utils.py",
    )
    .about(&["engine.max-model-len", "engine.gpu-memory-utilization", "service.gpu"]),
    entry(
        "weights-too-large",
        &[ContainerLog],
        &[r"Failed to load model - not enough GPU memory"],
        "The weights don't fit into the GPU's memory.",
        "Take a quantized or smaller model, or a larger `service.gpu`",
        "vLLM 0.32, v1/worker/gpu_model_runner.py",
    )
    .about(&["id", "service.gpu"]),
    entry(
        "gpu-memory-taken",
        &[ContainerLog],
        &[r"Free memory on device \S* ?\((?P<free>[\d.]+)/(?P<total>[\d.]+) GiB\) on startup is less than"],
        "vLLM wants more GPU memory than is free: {free} of {total} GiB.",
        "Lower `engine.gpu-memory-utilization`",
        "vLLM 0.32, v1/worker/utils.py",
    )
    .about(&["engine.gpu-memory-utilization"]),
    entry(
        "context-too-long",
        &[ContainerLog],
        &[
            r"User-specified max_model_len \((?P<asked>\d+)\) is greater than the derived max_model_len \(\w+=(?P<most>[\d.]+)",
            r"User-specified max_model_len \((?P<asked>\d+)\) is greater than the derived",
        ],
        "`engine.max-model-len` is longer than the model was made for.",
        "Set `engine.max-model-len: {most}` or less",
        "vLLM 0.32, config/model.py",
    )
    .about(&["engine.max-model-len"]),
    entry(
        "bfloat16-unsupported",
        &[ContainerLog],
        &[r"Bfloat16 is only supported on GPUs with compute capability of at least"],
        "This GPU cannot compute with bfloat16.",
        "Set `engine.dtype: half`, or another `service.gpu`",
        "vLLM 0.32, platforms/cuda.py",
    )
    .about(&["engine.dtype", "service.gpu"]),
    entry(
        "quantization-unsupported",
        &[ContainerLog],
        &[
            r"The quantization method (?P<method>[\w-]+) is not supported for the current GPU",
            r"Quantization scheme is not supported for the current GPU",
            r"is not supported for quantization method (?P<method>[\w-]+)",
        ],
        "This GPU or `engine.dtype` does not go with the model's quantization.",
        "Take another quantization of the model, another `engine.dtype`, or a newer `service.gpu`",
        "vLLM 0.32, config/vllm.py",
    )
    .about(&["engine.args.quantization", "engine.dtype", "id"]),
    entry(
        "quantization-unknown",
        &[ContainerLog],
        &[r"Unknown quantization method: (?P<method>[\w-]+)"],
        "This vLLM does not know the model's quantization `{method}`.",
        "Take another quantization, or a newer vLLM: set `image.base`",
        "vLLM 0.32, config/model.py",
    )
    .about(&["engine.args.quantization", "id"]),
    entry(
        "dtype-unknown",
        &[ContainerLog],
        &[r"Unknown dtype: '?(?P<dtype>[\w.]+)"],
        "vLLM does not know `engine.dtype: {dtype}`.",
        "Set one of `auto`, `half`, `bfloat16`, `float`",
        "vLLM 0.32, config/model.py",
    )
    .about(&["engine.dtype"]),
    entry(
        "architecture-unsupported",
        &[ContainerLog],
        &[
            r"Model architectures \[?(?P<architecture>['\w, ]{1,100})\]? are not supported for now",
            r"Model architecture (?P<architecture>\w+) is not supported",
        ],
        "This vLLM cannot serve models of the kind {architecture}.",
        "Take a newer vLLM (`image.base`) or another model",
        "vLLM 0.32, model_executor/models/registry.py",
    )
    .about(&["id", "image.base"]),
    entry(
        "model-type-unknown",
        &[ContainerLog],
        &[r"has model type `(?P<type>[\w.-]+)` but Transformers does not recognize this architecture"],
        "The image's Transformers library does not know the model type `{type}`: the model is newer than the image.",
        "Set `image.base` to a newer vLLM image",
        "Transformers, models/auto/configuration_auto.py",
    )
    .about(&["image.base", "id"]),
    entry(
        "remote-code",
        &[ContainerLog],
        &[
            r"contains custom code which must be executed to correctly load the model",
            r"--trust-remote-code` flag in the CLI",
            r"requires you to execute the (?:configuration|model) file",
        ],
        "The model brings its own Python code, which vLLM runs only when told to.",
        "Read that code at https://huggingface.co/{model}; if you trust it, pin `revision` and set `engine.args: {trust-remote-code: true}`",
        "Transformers, dynamic_module_utils.py; vLLM 0.32, transformers_utils/config.py",
    )
    .about(&["engine.args.trust-remote-code", "id"]),
    entry(
        "flag-unknown",
        &[ContainerLog],
        &[r"error: unrecognized arguments: (?P<flag>--?[\w-]+)"],
        "This vLLM has no flag `{flag}`.",
        "Correct or remove it in `engine.args`; the flags are those of the vLLM version in `image.base`",
        "Python's argparse, as vLLM uses it",
    )
    .about(&["engine.args.{flag-name}"]),
    entry(
        "flag-value",
        &[ContainerLog],
        &[r"error: argument (?P<flag>--?[\w-]+)[^:\n]*: (?P<why>[^\n]{1,200})"],
        "vLLM does not take the value of `{flag}`: {why}.",
        "Correct it in `engine` or `engine.args`",
        "Python's argparse, as vLLM uses it",
    )
    .about(&["engine.{flag-name}", "engine.args.{flag-name}"]),
    entry(
        "hub-offline",
        &[ContainerLog],
        &[r"outgoing traffic has been disabled", r"LocalEntryNotFoundError"],
        "vLLM wants a file from Hugging Face that is not in the image; nothing is downloaded at start.",
        "Look in `engine.args` for another model (a draft model, an adapter, a tokenizer): only the model's own files are in the image",
        "huggingface_hub, _snapshot_download.py",
    )
    .about(&["engine.args"]),
    entry(
        "cuda-out-of-memory",
        &[ContainerLog],
        &[r"CUDA out of memory", r"CUDA error: out of memory"],
        "The GPU's memory ran out while vLLM started.",
        "Lower `engine.max-model-len`, `engine.gpu-memory-utilization` or `max-num-seqs` in `engine.args`, or take a quantized or smaller model",
        "PyTorch, libc10_cuda; vllm-project/vllm#16343",
    )
    .about(&["engine.max-model-len", "engine.gpu-memory-utilization", "engine.args.max-num-seqs"]),
    entry(
        "memory-limit",
        &[ContainerLog, Condition],
        &[r"Memory limit of (?P<limit>\d+)\s?M(?:iB)? exceeded"],
        "The container used more than its {limit} MiB of memory. Files that it writes count too.",
        "Raise `service.memory`",
        "googleapis/repo-automation-bots#2418, SkyTruth/cerulean-cloud#90",
    )
    .about(&["service.memory"]),
    entry(
        "killed",
        &[ContainerLog],
        &[r"Container terminated on signal 9"],
        "The container was killed, most likely because its memory ran out.",
        "Raise `service.memory`",
        "Cloud Run's system log in public threads",
    )
    .about(&["service.memory"]),
    Entry {
        when: is_other_port,
        ..entry(
            "wrong-port",
            &[ContainerLog],
            &[r"Starting vLLM (?:API )?server(?: \d+)? on https?://[\w.\[\]-]+:(?P<listens>\d+)"],
            "vLLM listens on port {listens}, Cloud Run looks at {port}.",
            "Take `port` out of `engine.args`: vLLM gets `service.port` by itself",
            "vLLM 0.32, entrypoints/launchers/api_server/entry.py",
        )
        .about(&["service.port"])
    },
    entry(
        "startup-timeout",
        &[ContainerLog],
        &[r"STARTUP \w+ probe failed (?P<times>\d+) times? consecutively"],
        "vLLM was not ready within {window}: {progress}.",
        "Raise `service.startup-timeout`; a smaller or quantized model loads faster",
        "Cloud Run's system log in public threads; vLLM 0.32 for how far it had come",
    )
    .about(&["service.startup-timeout"]),
    entry(
        "crash",
        &[ContainerLog],
        &[
            r"Container called exit\((?P<code>-?\d+)\)",
            r"Container terminated on signal (?P<signal>\d+)",
        ],
        "The container ended by itself before it was ready: {progress}.",
        "Look for the first error in its log below",
        "Cloud Run's system log in public threads",
    ),
    entry(
        "not-listening",
        &[Condition],
        &[
            r"failed to start and listen on the port",
            r"HEALTH_CHECK_CONTAINER_ERROR",
        ],
        "The container did not answer on its port within {window}.",
        "Look at its log; a big model may need a longer `service.startup-timeout`",
        "googlecodelabs/feedback#1550",
    )
    .about(&["service.startup-timeout"]),
];
