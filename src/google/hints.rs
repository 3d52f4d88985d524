//! Known causes in Google's messages, each with what to do. The wording that is looked for was seen in
//! public reports of the real services.

/// `(part of Google's message, what to do)`; the first match counts.
const KNOWN: &[(&str, &str)] = &[
    (
        "due to quota restrictions, cannot run builds in this region",
        "Set `build.location: global`, or ask for quota for Cloud Build in this region",
    ),
    (
        "quota for using GPUs without zonal redundancy",
        "Ask for GPU quota for Cloud Run in this region (IAM & Admin → Quotas), or choose another region",
    ),
    (
        "quota for using GPUs with zonal redundancy",
        "Set `service.zonal-redundancy: false`, or ask for the zonal GPU quota",
    ),
    (
        "Quota exceeded for total allowable count of GPUs",
        "Lower `service.max-instances`, delete services that hold GPUs, or ask for more GPU quota",
    ),
    (
        "Max instances must be set to",
        "Lower `service.max-instances`, `service.cpu` or `service.memory`, or ask for more CPU and memory quota",
    ),
    (
        "iam.serviceaccounts.actAs",
        "Grant the deploying account roles/iam.serviceAccountUser on that service account",
    ),
    (
        "Permission denied on secret",
        "Check that the secret exists, and grant the service's account roles/secretmanager.secretAccessor on it",
    ),
    (
        "must have permission to read the image",
        "Grant the Cloud Run service agent roles/artifactregistry.reader on the repository",
    ),
    (
        "failed to start and listen on the port",
        "Look at the container's log below; a big model may need a longer `service.startup-timeout`",
    ),
    (
        "if 'build.service_account' is specified",
        "Set `build.bucket` to a bucket that the build's account may write logs to",
    ),
    (
        "storage.objects.get access",
        "Grant the build's service account roles/storage.objectViewer on the build bucket",
    ),
    (
        "Resource readiness deadline exceeded",
        "The image import took too long: run the job again; it takes up where it ended",
    ),
];

/// What to do about a known message.
pub fn fix(message: &str) -> Option<&'static str> {
    let message = message.to_lowercase();
    KNOWN
        .iter()
        .find(|(part, _)| message.contains(&part.to_lowercase()))
        .map(|(_, fix)| *fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_cause_leads_to_what_to_do() {
        let text = "failed precondition: due to quota restrictions, cannot run builds in this region, see …";
        assert!(fix(text).is_some_and(|f| f.contains("build.location: global")));
        let text = "Permission 'iam.serviceaccounts.actAs' denied on service account x";
        assert!(fix(text).is_some_and(|f| f.contains("roles/iam.serviceAccountUser")));
        assert_eq!(fix("something else"), None);
    }
}
