//! The permission that a refusal is about, when only Google's message tells.

/// The permission that `message` names, in its usual spelling; from some messages it follows without being named.
///
/// Wording seen in public reports of Cloud Run, Cloud Build, Cloud Storage, Secret Manager, Monitoring and Service
/// Usage.
pub fn permission(message: &str) -> Option<String> {
    let quoted = ["Permission '", "Permission \"", "Permission "];
    let mut starts = quoted.into_iter().chain(["does not have "]);
    if let Some(found) = starts.find_map(|start| leading_name(after(message, start)?)) {
        return Some(usual(found));
    }
    if let Some(rest) = after(message, "Permission denied to ") {
        let verb = rest.split(' ').next().unwrap_or_default();
        return matches!(verb, "enable" | "get" | "list").then(|| format!("serviceusage.services.{verb}"));
    }
    let implied = [
        ("does not have permission to act as", "iam.serviceAccounts.actAs"),
        // Cloud Build looks at the bucket as the build's account before it takes the build.
        ("does not have access to the bucket", "storage.buckets.get"),
    ];
    let implied = implied.iter().find(|(part, _)| message.contains(part));
    implied.map(|(_, permission)| (*permission).to_owned())
}

fn after<'a>(message: &'a str, start: &str) -> Option<&'a str> {
    message.split_once(start).map(|(_, rest)| rest)
}

/// The word at the start, if it is a permission's name.
fn leading_name(text: &str) -> Option<&str> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "./".contains(c)));
    let word = &text[..end.unwrap_or(text.len())];
    (word.split('.').filter(|part| !part.is_empty()).count() >= 3).then_some(word)
}

/// Cloud Run spells this one in small letters.
fn usual(permission: &str) -> String {
    permission.replace("iam.serviceaccounts.", "iam.serviceAccounts.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_permission_is_found_in_every_services_words() {
        let cases = [
            (
                "Permission 'run.services.get' denied on resource 'projects/p/locations/r/services/s' (or resource may not exist).",
                "run.services.get",
            ),
            (
                "Permission 'iam.serviceaccounts.actAs' denied on service account a@b (or it may not exist).",
                "iam.serviceAccounts.actAs",
            ),
            (
                "caller does not have permission to act as service account 109095503163182759798",
                "iam.serviceAccounts.actAs",
            ),
            (
                "could not resolve source: googleapi: Error 403: a@b does not have storage.objects.get access to the Google Cloud Storage object.",
                "storage.objects.get",
            ),
            (
                "invalid bucket \"x\"; default Cloud Build service account or user-specified service account does not have access to the bucket",
                "storage.buckets.get",
            ),
            (
                "failed to push \"x\": denied: Permission \"artifactregistry.repositories.uploadArtifacts\" denied on resource \"y\"",
                "artifactregistry.repositories.uploadArtifacts",
            ),
            (
                "Permission monitoring.timeSeries.list denied (or the resource may not exist).",
                "monitoring.timeSeries.list",
            ),
            (
                "Permission denied to enable service [run.googleapis.com]",
                "serviceusage.services.enable",
            ),
        ];
        for (message, name) in cases {
            assert_eq!(permission(message).as_deref(), Some(name), "{message}");
        }
    }

    #[test]
    fn other_messages_name_none() {
        for message in [
            "",
            "The caller does not have permission",
            "Permission denied on secret: projects/1/secrets/s/versions/latest for Revision service account a@b.",
            "Permission ''",
            "does not have …access to",
        ] {
            assert_eq!(permission(message), None, "{message}");
        }
    }
}
