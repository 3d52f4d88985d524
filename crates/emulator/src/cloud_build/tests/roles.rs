//! What a build may do is what its own account may, whoever started it.

use super::{bench, body, context, create, finished};
use crate::{
    seed::{FIRST_RUN, Grant, On},
    testing::Bench,
};

const BUILDER: &str = "llm-builder";

fn grant(role: &'static str, on: On) -> Grant {
    Grant {
        account: BUILDER,
        role,
        on,
    }
}

/// A build's account without the role, with `instead` in its place.
async fn without(lost: &Grant, instead: &[&'static str]) -> Bench {
    let bench = bench(0.0, &context()).await;
    let emulator = &bench.running.emulator;
    assert!(emulator.take(lost, ""), "{lost:?}");
    for role in instead {
        assert!(emulator.give(&grant(role, On::Project), ""), "{role}");
    }
    bench
}

#[tokio::test]
async fn a_build_whose_account_can_not_see_its_source_or_its_logs_bucket_is_not_taken() {
    let cases = [
        (
            "roles/storage.objectUser",
            "could not resolve source: googleapi: Error 403: llm-builder@demo-project.iam.gserviceaccount.com does not have storage.objects.get access to the Google Cloud Storage object. Permission 'storage.objects.get' denied on resource (or it may not exist)., forbidden",
        ),
        (
            "roles/storage.legacyBucketReader",
            "invalid bucket \"work-bucket\"; default Cloud Build service account or user-specified service account does not have access to the bucket",
        ),
    ];
    for (role, message) in cases {
        let lost = FIRST_RUN.iter().find(|g| g.account == BUILDER && g.role == role);
        let bench = without(lost.unwrap(), &[]).await;
        let refused = bench.post(super::BUILDS, &body("Qwen/Qwen3-0.6B")).await;
        assert_eq!(refused.status, 400, "{}", refused.text);
        assert_eq!(refused.json["error"]["message"], message);
    }
}

#[tokio::test]
async fn a_build_fails_where_its_account_lacks_a_right_in_googles_words() {
    let cases: [(Grant, &[&'static str], &str, &str); 3] = [
        (
            grant("roles/storage.objectUser", On::Project),
            &["roles/storage.objectViewer"],
            "LOGGING_FAILURE",
            "googleapi: Error 403: llm-builder@demo-project.iam.gserviceaccount.com does not have storage.objects.create access to the Google Cloud Storage object.",
        ),
        (
            grant("roles/artifactregistry.writer", On::Project),
            &["roles/artifactregistry.reader"],
            "PUSH_NOT_AUTHORIZED",
            "denied: Permission \"artifactregistry.repositories.uploadArtifacts\" denied on resource \"projects/demo-project/locations/europe-west4/repositories/llm\" (or it may not exist)",
        ),
        (
            grant("roles/secretmanager.secretAccessor", On::Secret),
            &["roles/secretmanager.viewer"],
            "",
            "build step 0 \"docker:27-cli\" failed: failed to access secret version for secret projects/demo-project/secrets/hf-token/versions/latest: rpc error: code = PermissionDenied desc = Permission 'secretmanager.versions.access' denied for resource 'projects/demo-project/secrets/hf-token/versions/latest' (or it may not exist).",
        ),
    ];
    for (lost, instead, kind, detail) in cases {
        let bench = without(&lost, instead).await;
        let (build, log) = finished(&bench, &create(&bench, &body("Qwen/Qwen3-0.6B")).await).await;
        assert_eq!(build["status"], "FAILURE", "{lost:?}: {build}");
        let found = build.pointer("/failureInfo/type").and_then(|t| t.as_str());
        assert_eq!(found.unwrap_or_default(), kind, "{lost:?}");
        let said = build["statusDetail"].as_str().unwrap();
        assert!(said.contains(detail), "{said}");
        assert!(kind == "LOGGING_FAILURE" || log.contains(detail), "{log}");
    }
}
