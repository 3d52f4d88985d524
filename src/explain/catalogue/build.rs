//! The build.

use super::{Entry, entry};
use crate::explain::Source::{Build, BuildLog};

pub const ENTRIES: &[Entry] = &[
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
];
