//! What was asked for is not right, or not allowed to this account.

use super::{Entry, entry, has_permission, has_violations};
use crate::explain::Source::{Answer, Build, BuildLog};

pub const ENTRIES: &[Entry] = &[
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
];
