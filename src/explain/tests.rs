//! Each known cause by the words in which it was seen.

use super::{
    Evidence, Explanation, Facts, PATTERNS,
    Source::{self, Answer, Build, BuildLog, Condition, ContainerLog},
    catalogue::CATALOGUE,
    explain, page,
};

/// Entry, who says it, its words as they are really said (see `seen` in the table), and what cause or fix must name.
const CASES: &[(&str, Source, &str, &str)] = &[
    (
        "api-disabled",
        Answer,
        "Cloud Run Admin API has not been used in project 1234 before or it is disabled. Enable it by visiting https://console.developers.google.com/apis/api/run.googleapis.com/overview?project=1234 then retry. (HTTP 403, PERMISSION_DENIED, SERVICE_DISABLED)",
        "gcloud services enable run.googleapis.com --project p",
    ),
    (
        "billing-off",
        Answer,
        "The billing account for the owning project is disabled in state absent (HTTP 403)",
        "billing/linkedaccount?project=p",
    ),
    (
        "act-as",
        Answer,
        "Permission 'iam.serviceaccounts.actAs' denied on service account rt@p.iam.gserviceaccount.com (or it may not exist).",
        "service-accounts add-iam-policy-binding rt@p.iam.gserviceaccount.com --project=p --member=serviceAccount:d@p.iam.gserviceaccount.com",
    ),
    (
        "secret-denied",
        Condition,
        "spec.template.spec.containers[0].env[4].value_from.secret_key_ref.name: Permission denied on secret: projects/12/secrets/api-key/versions/latest for Revision service account rt@p.iam.gserviceaccount.com. The service account used must be granted the 'Secret Manager Secret Accessor' role (roles/secretmanager.secretAccessor) at the secret, project or higher level.",
        "gcloud secrets add-iam-policy-binding api-key --project=p --member=serviceAccount:rt@p.iam.gserviceaccount.com",
    ),
    (
        "image-unreadable",
        Condition,
        "Google Cloud Run Service Agent service-12@serverless-robot-prod.iam.gserviceaccount.com must have permission to read the image, europe-west4-docker.pkg.dev/p/llm-deploy/qwen. Ensure that the provided container image URL is correct and that the above account has permission to access the image.",
        "--member=serviceAccount:service-12@serverless-robot-prod.iam.gserviceaccount.com",
    ),
    (
        "image-missing",
        Condition,
        "Image 'europe-west4-docker.pkg.dev/p/llm-deploy/qwen@sha256:0' not found.",
        "Run again",
    ),
    (
        "image-import",
        Condition,
        "The service has encountered an error during container import. Please try again later. Resource readiness deadline exceeded.",
        "not UTF-8",
    ),
    (
        "image-broken",
        Condition,
        "Container import failed: got 1 Manifest.Layers vs 0 ConfigFile.RootFS.DiffIDs",
        "image.base",
    ),
    (
        "public-forbidden",
        Answer,
        "One or more users named in the policy do not belong to a permitted customer,  perhaps due to an organization policy. (HTTP 400, FAILED_PRECONDITION)",
        "service.access: private",
    ),
    (
        "build-account-required",
        Answer,
        "build.service_account must be specified due to the evaluation of the following org policies (HTTP 400, INVALID_ARGUMENT)",
        "build.service-account",
    ),
    (
        "organization-policy",
        Answer,
        "Constraint constraints/run.allowedIngress violated for projects/p attempting to create a service. (HTTP 412, FAILED_PRECONDITION)",
        "run.allowedIngress",
    ),
    (
        "gpu-quota-zonal",
        Answer,
        "You do not have quota for using GPUs with zonal redundancy. (HTTP 400)",
        "service.zonal-redundancy: false",
    ),
    (
        "gpu-quota",
        Answer,
        "You do not have quota for using GPUs without zonal redundancy. (HTTP 400)",
        "no GPU quota for Cloud Run in europe-west4",
    ),
    (
        "gpu-quota-used",
        Condition,
        "Revision 'qwen-1' is not ready and cannot serve traffic. Quota exceeded for total allowable count of GPUs per project per region.",
        "service.max-instances",
    ),
    (
        "cpu-memory-quota",
        Answer,
        "spec.template.metadata.annotations[autoscaling.knative.dev/maxScale]: Max instances must be set to 0 or fewer to set the requested total CPU. Consider running your workload in a region with greater capacity, or requesting an increase in quota for this region. Quota violated: CpuAllocPerProjectRegion requested: 60000 allowed: 20000 MemAllocPerProjectRegion requested: 257698037760 allowed: 42949672960 (HTTP 400, INVALID_ARGUMENT)",
        "CpuAllocPerProjectRegion requested: 60000 allowed: 20000",
    ),
    (
        "instances-quota",
        Answer,
        "Max instances must be set to 2 or fewer to set the requested total CPU. (HTTP 400, INVALID_ARGUMENT)",
        "service.max-instances: 2",
    ),
    (
        "build-region",
        Answer,
        "failed precondition: due to quota restrictions, cannot run builds in this region, see https://cloud.google.com/build/docs/locations#restricted_regions_for_some_projects (HTTP 400, FAILED_PRECONDITION)",
        "build.location: global",
    ),
    (
        "request-quota",
        Answer,
        "Quota exceeded for quota metric 'Read requests' and limit 'Read requests per minute' of service 'logging.googleapis.com' for consumer 'project_number:12'. (HTTP 429, RESOURCE_EXHAUSTED, RATE_LIMIT_EXCEEDED)",
        "Read requests",
    ),
    (
        "logs-bucket",
        Answer,
        "if 'build.service_account' is specified, the build must either (a) specify 'build.logs_bucket', (b) use the REGIONAL_USER_OWNED_BUCKET build.options.default_logs_bucket_behavior option, or (c) use either CLOUD_LOGGING_ONLY / NONE logging options (HTTP 400, INVALID_ARGUMENT)",
        "build.logs: cloud-logging",
    ),
    (
        "source-unreadable",
        Answer,
        "could not resolve source: googleapi: Error 403: 12-compute@developer.gserviceaccount.com does not have storage.objects.get access to the Google Cloud Storage object.",
        "--member=serviceAccount:12-compute@developer.gserviceaccount.com",
    ),
    (
        "source-missing",
        Build,
        "FAILURE: FETCH_SOURCE_FAILED: error fetching storage source",
        "--member=serviceAccount:b@p.iam.gserviceaccount.com",
    ),
    (
        "permission",
        Answer,
        "Permission 'run.services.get' denied on resource 'projects/p/locations/r/services/qwen' (or resource may not exist). (HTTP 403, PERMISSION_DENIED)",
        "roles/run.developer",
    ),
    (
        "permission-unnamed",
        Answer,
        "The caller does not have permission (HTTP 403, PERMISSION_DENIED)",
        "llm-deploy doctor",
    ),
    (
        "credentials-refused",
        Answer,
        "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential. (HTTP 401, UNAUTHENTICATED)",
        "workload identity",
    ),
    (
        "name-too-long",
        Answer,
        "traffic tag 'candidate' and service name 'a-very-long-name' together are too long. Combined traffic tag and service name cannot exceed 46 characters. (HTTP 400, INVALID_ARGUMENT)",
        "37 characters",
    ),
    (
        "probe-range",
        Answer,
        "service.spec.template.spec.containers[0].startup_probe: period_seconds must be a number between 0 and 240. (HTTP 400, INVALID_ARGUMENT)",
        "period_seconds must be from 0 to 240",
    ),
    (
        "build-timeout",
        Build,
        "TIMEOUT: build timed out",
        "build.timeout",
    ),
    ("build-queue", Build, "EXPIRED: build expired", "build.location"),
    (
        "build-cancelled",
        Build,
        "CANCELLED: Build was cancelled.",
        "Run again",
    ),
    (
        "build-internal",
        Build,
        "INTERNAL_ERROR: Cloud Build gives no reason of its own",
        "status.cloud.google.com",
    ),
    (
        "disk-full",
        BuildLog,
        "#23 ERROR: failed to copy files: copy file range failed: no space left on device",
        "build.disk-gb",
    ),
    (
        "model-gated",
        BuildLog,
        "#9 3.112 huggingface_hub.errors.GatedRepoError: 403 Client Error.\n#9 3.112 \n#9 3.112 Cannot access gated repo for url https://huggingface.co/api/models/m/gated/revision/main.",
        "licence at https://huggingface.co/m/gated",
    ),
    (
        "token-invalid",
        BuildLog,
        "#9 3.1 huggingface_hub.errors.HfHubHTTPError: 401 Client Error: Unauthorized for url: https://huggingface.co/api/models/m/gated\n#9 3.1 Invalid credentials in Authorization header",
        "gcloud secrets versions add hf-token --project=p",
    ),
    (
        "token-scope",
        BuildLog,
        "#9 3.1 403 Forbidden: None.\n#9 3.1 Cannot access content at: https://huggingface.co/m/gated/resolve/main/config.json.\n#9 3.1 Make sure your token has the correct permissions.",
        "fine-grained",
    ),
    (
        "model-missing",
        BuildLog,
        "#9 3.1 huggingface_hub.errors.RepositoryNotFoundError: 401 Client Error.\n#9 3.1 Repository Not Found for url: https://huggingface.co/api/models/m/gated.",
        "`m/gated`",
    ),
    (
        "revision-missing",
        BuildLog,
        "huggingface_hub.errors.RevisionNotFoundError: 404 Client Error.\nRevision Not Found for url: https://huggingface.co/api/models/m/gated/revision/x.",
        "`revision`",
    ),
    (
        "hub-rate-limit",
        BuildLog,
        "429 Too Many Requests: you have reached your 'api' rate limit.\nRetry after 55 seconds (0/2500 requests remaining in current 300s window).",
        "image.hf-token-secret",
    ),
    (
        "pull-rate-limit",
        BuildLog,
        "429 Too Many Requests - Server message: toomanyrequests: You have reached your unauthenticated pull rate limit. https://www.docker.com/increase-rate-limit",
        "Artifact Registry",
    ),
    (
        "base-missing",
        BuildLog,
        "ERROR: failed to solve: vllm/vllm-openai:v9: failed to resolve source metadata for docker.io/vllm/vllm-openai:v9: docker.io/vllm/vllm-openai:v9: not found",
        "`docker.io/vllm/vllm-openai:v9`",
    ),
    (
        "secret-in-build",
        Build,
        "FAILURE: build step 0 \"docker\" failed: failed to access secret version for secret projects/p/secrets/hf-token/versions/latest: rpc error: code = PermissionDenied desc = Permission 'secretmanager.versions.access' denied",
        "gcloud secrets add-iam-policy-binding hf-token --project=p --member=serviceAccount:b@p.iam.gserviceaccount.com",
    ),
    (
        "push-denied",
        BuildLog,
        "denied: Permission \"artifactregistry.repositories.uploadArtifacts\" denied on resource \"projects/p/locations/europe-west4/repositories/llm-deploy\" (or it may not exist)",
        "--member=serviceAccount:b@p.iam.gserviceaccount.com --role=roles/artifactregistry.writer",
    ),
    (
        "download-incomplete",
        BuildLog,
        "#9 88.1 download: model-00002-of-00004.safetensors has 12 bytes, expected 4998215208",
        "model-00002-of-00004.safetensors",
    ),
    (
        "driver-too-old",
        ContainerLog,
        "RuntimeError: The NVIDIA driver on your system is too old (found version 12020). Please update your GPU driver",
        "VLLM_ENABLE_CUDA_COMPATIBILITY: \"1\"",
    ),
    (
        "driver-mismatch",
        ContainerLog,
        "RuntimeError: Unexpected error from cudaGetDeviceCount(). Did you run some cuda functions before calling NumCudaDevices() that might have already set an error? Error 803: system has unsupported display driver / cuda driver combination",
        "LD_LIBRARY_PATH",
    ),
    (
        "no-gpu",
        ContainerLog,
        "RuntimeError: No CUDA GPUs are available",
        "image.base",
    ),
    (
        "max-model-len",
        ContainerLog,
        "(EngineCore_DP0 pid=268) ERROR 10-21 00:35:03 [core.py:708] ValueError: To serve at least one request with the models's max seq len (262144), (24.00 GiB KV cache is needed, which is larger than the available KV cache memory (8.04 GiB). Based on the available memory, the estimated maximum model length is 87840. Try increasing `gpu_memory_utilization` or decreasing `max_model_len` when initializing the engine.",
        "engine.max-model-len: 87840",
    ),
    (
        "kv-cache",
        ContainerLog,
        "ValueError: No available memory for the cache blocks. Try increasing `gpu_memory_utilization` when initializing the engine.",
        "engine.gpu-memory-utilization",
    ),
    (
        "weights-too-large",
        ContainerLog,
        "Failed to load model - not enough GPU memory. Try lowering --gpu-memory-utilization to free memory for weights, increasing --tensor-parallel-size, or using --quantization. (original error: CUDA out of memory. Tried to allocate 2.00 GiB)",
        "quantized",
    ),
    (
        "gpu-memory-taken",
        ContainerLog,
        "(EngineCore pid=17635) ValueError: Free memory on device cuda:0 (15.32/22.04 GiB) on startup is less than desired GPU memory utilization (0.88, 19.39 GiB). Decrease GPU memory utilization or reduce GPU memory used by other processes.",
        "15.32 of 22.04 GiB",
    ),
    (
        "context-too-long",
        ContainerLog,
        "User-specified max_model_len (65536) is greater than the derived max_model_len (max_position_embeddings=32768 or model_max_length=None in model's config.json). To allow overriding this maximum, set the env var VLLM_ALLOW_LONG_MAX_MODEL_LEN=1.",
        "engine.max-model-len: 32768",
    ),
    (
        "bfloat16-unsupported",
        ContainerLog,
        "ValueError: Bfloat16 is only supported on GPUs with compute capability of at least 8.0. Your Tesla T4 GPU has compute capability 7.5. You can use float16 instead by explicitly setting the `dtype` flag in CLI, for example: --dtype=half.",
        "engine.dtype: half",
    ),
    (
        "quantization-unsupported",
        ContainerLog,
        "ValueError: The quantization method modelopt_fp4 is not supported for the current GPU. Minimum capability: 100. Current capability: 89.",
        "another quantization",
    ),
    (
        "quantization-unknown",
        ContainerLog,
        "Unknown quantization method: foo. Must be one of ['awq', 'fp8'].",
        "`foo`",
    ),
    (
        "dtype-unknown",
        ContainerLog,
        "ValueError: Unknown dtype: 'bfloat61'",
        "`engine.dtype: bfloat61`",
    ),
    (
        "architecture-unsupported",
        ContainerLog,
        "ValueError: Model architectures ['FancyForCausalLM'] are not supported for now. Supported architectures: dict_keys(['LlamaForCausalLM'])",
        "'FancyForCausalLM'",
    ),
    (
        "model-type-unknown",
        ContainerLog,
        "ValueError: The checkpoint you are trying to load has model type `qwen9` but Transformers does not recognize this architecture. This could be because of an issue with the checkpoint, or because your version of Transformers is out of date.",
        "`qwen9`",
    ),
    (
        "remote-code",
        ContainerLog,
        "The repository /model contains custom code which must be executed to correctly load the model. You can inspect the repository content at /model .",
        "{trust-remote-code: true}",
    ),
    (
        "flag-unknown",
        ContainerLog,
        "vllm: error: unrecognized arguments: --enable-expert-offload --expert-offload-mem 46",
        "`--enable-expert-offload`",
    ),
    (
        "flag-value",
        ContainerLog,
        "vllm serve: error: argument --kv-cache-dtype: invalid choice: 'fp9' (choose from 'auto', 'fp8')",
        "invalid choice: 'fp9'",
    ),
    (
        "hub-offline",
        ContainerLog,
        "huggingface_hub.errors.LocalEntryNotFoundError: Cannot find the requested files in the disk cache and outgoing traffic has been disabled. To enable hf.co look-ups and downloads online, set 'local_files_only' to False.",
        "engine.args",
    ),
    (
        "cuda-out-of-memory",
        ContainerLog,
        "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 350.00 MiB. GPU 0 has a total capacity of 23.68 GiB of which 212.81 MiB is free.",
        "engine.gpu-memory-utilization",
    ),
    (
        "memory-limit",
        ContainerLog,
        "Memory limit of 16384 MiB exceeded with 17002 MiB used. Consider increasing the memory limit, see https://cloud.google.com/run/docs/configuring/memory-limits",
        "16384 MiB",
    ),
    (
        "killed",
        ContainerLog,
        "Container terminated on signal 9.",
        "service.memory",
    ),
    (
        "wrong-port",
        ContainerLog,
        "(APIServer pid=1) INFO 11-24 10:00:00 [entry.py:140] Starting vLLM server on http://0.0.0.0:8001\nSTARTUP HTTP probe failed 60 times consecutively for container \"vllm\" on port 8080 path \"/health\". The instance was not started. Connection failed with status ERROR_CONNECTION_FAILED.",
        "on port 8001, Cloud Run looks at 8080",
    ),
    (
        "startup-timeout",
        ContainerLog,
        "Loading safetensors checkpoint shards:  40% Completed | 2/5 [01:12<01:48, 36.01s/it]\nSTARTUP HTTP probe failed 60 times consecutively for container \"vllm\" on port 8080 path \"/health\". The instance was not started. Connection failed with status ERROR_CONNECTION_FAILED.",
        "within 10m 00s: 40 % of the weights' files were loaded",
    ),
    (
        "crash",
        ContainerLog,
        "Traceback (most recent call last):\nContainer called exit(1).",
        "first error in its log",
    ),
    (
        "not-listening",
        Condition,
        "The user-provided container failed to start and listen on the port defined provided by the PORT=8080 environment variable within the allocated timeout. [HEALTH_CHECK_CONTAINER_ERROR]",
        "service.startup-timeout",
    ),
];

fn deployment() -> Facts {
    [
        ("project", "p"),
        ("region", "europe-west4"),
        ("service", "qwen"),
        ("model", "m/gated"),
        ("gpu", "nvidia-l4"),
        ("cpu", "8"),
        ("memory", "32Gi"),
        ("port", "8080"),
        ("deployer", "d@p.iam.gserviceaccount.com"),
        ("build-account", "b@p.iam.gserviceaccount.com"),
        ("runtime-account", "rt@p.iam.gserviceaccount.com"),
        ("secret", "hf-token"),
        ("token-secret", "hf-token"),
        ("bucket", "p-llm-deploy"),
        ("repository", "llm-deploy"),
        ("location", "global"),
        ("window", "10m 00s"),
    ]
    .into_iter()
    .fold(Facts::default(), |facts, (name, value)| facts.with(name, value))
}

fn known(said: &[(Source, &str)]) -> Option<Explanation> {
    let mut evidence = Evidence::default();
    for (source, text) in said {
        evidence.add(*source, *text);
    }
    explain(&evidence, &deployment())
}

#[test]
fn every_known_cause_is_recognised_by_its_real_words() {
    for (name, source, text, named) in CASES {
        let found = known(&[(*source, text)]);
        let found = found.unwrap_or_else(|| panic!("{name} is not recognised"));
        assert_eq!(found.name, *name, "{text}");
        let told = format!("{} {}", found.cause, found.fix);
        assert!(told.contains(named), "{name}: {told}");
    }
    let without: Vec<_> = CATALOGUE
        .iter()
        .map(|e| e.name)
        .filter(|name| *name != "invalid-argument" && !CASES.iter().any(|(case, ..)| case == name))
        .collect();
    assert!(without.is_empty(), "no case: {without:?}");
}

#[test]
fn every_pattern_is_one_and_every_entry_says_where_it_was_seen() {
    for (entry, patterns) in CATALOGUE.iter().zip(PATTERNS.iter()) {
        assert_eq!(entry.patterns.len(), patterns.len(), "{}", entry.name);
        assert!(
            !entry.seen.is_empty() && !entry.sources.is_empty(),
            "{}",
            entry.name
        );
        assert!(
            entry.cause.ends_with('.') && !entry.fix.ends_with('.'),
            "{}",
            entry.name
        );
        let twins = CATALOGUE.iter().filter(|e| e.name == entry.name).count();
        assert_eq!(twins, 1, "{}", entry.name);
    }
}

#[test]
fn what_the_container_says_comes_before_what_cloud_run_says() {
    let (_, source, generic, _) = CASES.iter().find(|(name, ..)| *name == "not-listening").unwrap();
    for (name, log_source, log, _) in CASES.iter().filter(|(_, source, ..)| *source == ContainerLog) {
        let found = known(&[(*source, generic), (*log_source, log)]).unwrap();
        assert_eq!(found.name, *name);
    }
}

#[test]
fn a_root_cause_comes_before_the_crash_that_follows_from_it() {
    let log = "ERROR [core.py:708] ValueError: No available memory for the cache blocks. Try increasing\n\
               RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}\n\
               Container called exit(1).";
    let found = known(&[(ContainerLog, log)]).unwrap();
    assert_eq!(found.name, "kv-cache");
    assert!(found.line.unwrap().contains("cache blocks"));
}

#[test]
fn a_container_that_listens_where_cloud_run_looks_was_only_too_slow() {
    let log = "Starting vLLM server on http://0.0.0.0:8080\n\
               STARTUP HTTP probe failed 60 times consecutively for container \"vllm\" on port 8080";
    assert_eq!(known(&[(ContainerLog, log)]).unwrap().name, "startup-timeout");
}

#[test]
fn each_field_violation_is_shown() {
    let mut evidence = Evidence::default();
    evidence.add(
        Answer,
        "Bad request.; a: too long; b: too short (HTTP 400, INVALID_ARGUMENT)",
    );
    let facts = deployment().with("violations", "a: too long; b: too short");
    let found = explain(&evidence, &facts).unwrap();
    assert_eq!(
        found.cause,
        "Google does not take a value that was sent: a: too long; b: too short."
    );
    assert_eq!(
        explain(&evidence, &deployment()),
        None,
        "without violations Google's words are all there is"
    );
}

#[test]
fn logs_are_not_taken_for_googles_words() {
    for text in [
        "Permission 'run.services.get' denied",
        "You do not have quota for using GPUs without zonal redundancy.",
    ] {
        assert_eq!(
            known(&[
                (ContainerLog, text),
                (BuildLog, text),
                (Build, text),
                (Condition, "x")
            ]),
            None
        );
    }
}

#[test]
fn the_deployers_own_bucket_right_is_not_taken_for_the_builds() {
    let text = "d@p.iam.gserviceaccount.com does not have storage.objects.create access to the Google Cloud Storage \
                object. Permission 'storage.objects.create' denied on resource (or it may not exist). (HTTP 403)";
    let found = known(&[(Answer, text)]).unwrap();
    assert_eq!(found.name, "permission");
    assert!(
        found
            .fix
            .contains("gs://p-llm-deploy --member=serviceAccount:d@p"),
        "{}",
        found.fix
    );
}

#[test]
fn a_permission_that_is_not_known_has_no_role_made_up() {
    let found = known(&[(
        Answer,
        "Permission 'compute.instances.create' denied on resource (HTTP 403)",
    )])
    .unwrap();
    assert!(
        found
            .fix
            .starts_with("Grant d@p.iam.gserviceaccount.com a role that has it"),
        "{}",
        found.fix
    );
}

#[test]
fn the_page_of_failures_is_made_from_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/failures.md");
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(path, page()).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == page(),
        "docs/failures.md is out of date: run this test with INSTA_UPDATE=always"
    );
}
