//! Google's own services: what is off, missing or not allowed.

use super::{Entry, entry};
use crate::explain::Source::{Answer, Condition};

pub const ENTRIES: &[Entry] = &[
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
];
