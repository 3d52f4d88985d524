//! The fields of Cloud Build v1's messages that we send or read. int64 values are text.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// `Build`. Output-only fields are left out when empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Build {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<Step>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub available_secrets: Option<AvailableSecrets>,
    /// Tagged images that the worker pushes once all steps are done.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<String>,
    /// `7200s`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue_ttl: Option<String>,
    /// `gs://bucket/prefix`; the log is `prefix/log-ID.txt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logs_bucket: Option<String>,
    /// `projects/P/serviceAccounts/EMAIL`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<Options>,

    // Output only from here on.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    #[serde(skip_serializing_if = "Status::is_unknown")]
    pub status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status_detail: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_info: Option<FailureInfo>,
    /// The build's page in the console.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub results: Option<Results>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub create_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finish_time: Option<String>,
    /// `BUILD`, `PUSH`, `FETCHSOURCE`, `SETUPBUILD`
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub timing: BTreeMap<String, TimeSpan>,
}

/// `Build.status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    Pending,
    Queued,
    Working,
    Success,
    Failure,
    InternalError,
    Timeout,
    Cancelled,
    Expired,
    #[default]
    #[serde(other, rename = "STATUS_UNKNOWN")]
    Unknown,
}

impl Status {
    /// Nothing will change any more.
    pub fn is_terminal(self) -> bool {
        !matches!(self, Self::Pending | Self::Queued | Self::Working | Self::Unknown)
    }

    /// As Cloud Build writes it.
    pub fn name(self) -> String {
        let name = serde_json::to_value(self).unwrap_or_default();
        name.as_str().unwrap_or_default().to_owned()
    }

    #[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
    fn is_unknown(&self) -> bool {
        *self == Self::Unknown
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Source {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_source: Option<StorageSource>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct StorageSource {
    pub bucket: String,
    pub object: String,
    /// int64 as text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generation: Option<String>,
}

/// `BuildStep`. A literal `$` is written `$$`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Step {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The image that runs.
    pub name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub secret_env: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AvailableSecrets {
    pub secret_manager: Vec<SecretManagerSecret>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SecretManagerSecret {
    /// `projects/P/secrets/S/versions/V`
    pub version_name: String,
    /// The name that steps list in `secretEnv`.
    pub env: String,
}

/// `BuildOptions`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Options {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub machine_type: Option<String>,
    /// int64 as text, GB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_size_gb: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logging: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log_streaming_option: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FailureInfo {
    /// `USER_BUILD_STEP`, `PUSH_FAILED`, `FETCH_SOURCE_FAILED` …
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Results {
    pub images: Vec<BuiltImage>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct BuiltImage {
    pub name: String,
    /// `sha256:…`
    pub digest: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TimeSpan {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_time: Option<String>,
}

/// The end of the name of a bucket that Cloud Build itself keeps logs in.
const GOOGLES_BUCKET: &str = ".cloudbuild-logs.googleusercontent.com";

/// Where a build's log is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogPlace {
    /// An object in Cloud Storage.
    Object {
        bucket: String,
        object: String,
    },
    CloudLogging,
    Nowhere,
}

impl Build {
    /// Digest of the pushed `image` (with its tag), once the build has succeeded.
    pub fn digest_of(&self, image: &str) -> Option<&str> {
        let images = &self.results.as_ref()?.images;
        let found = images.iter().find(|i| i.name == image)?;
        Some(found.digest.as_str()).filter(|d| d.starts_with("sha256:"))
    }

    pub fn created(&self) -> Option<DateTime<Utc>> {
        self.create_time.as_ref()?.parse().ok()
    }

    /// Where the build writes its log, as Cloud Build shows it. Its own bucket can be read by the project's viewers
    /// only, but what goes there goes to Cloud Logging too unless the build says otherwise.
    pub fn log_place(&self) -> LogPlace {
        let logging = self.options.as_ref().and_then(|o| o.logging.as_deref());
        match logging {
            _ if self.id.is_empty() => LogPlace::Nowhere,
            Some("NONE") => LogPlace::Nowhere,
            Some("CLOUD_LOGGING_ONLY" | "STACKDRIVER_ONLY") => LogPlace::CloudLogging,
            Some("GCS_ONLY") => self.log_object().unwrap_or(LogPlace::Nowhere),
            _ => match self.log_object() {
                Some(LogPlace::Object { bucket, object }) if !bucket.ends_with(GOOGLES_BUCKET) => {
                    LogPlace::Object { bucket, object }
                }
                _ => LogPlace::CloudLogging,
            },
        }
    }

    fn log_object(&self) -> Option<LogPlace> {
        let place = self.logs_bucket.as_ref().filter(|place| !place.is_empty())?;
        let place = place.strip_prefix("gs://").unwrap_or(place);
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let prefix = prefix.trim_matches('/');
        let file = format!("log-{}.txt", self.id);
        let object = if prefix.is_empty() {
            file
        } else {
            format!("{prefix}/{file}")
        };
        Some(LogPlace::Object {
            bucket: bucket.to_owned(),
            object,
        })
    }

    /// Why it ended as it did, one line, from what Cloud Build says.
    pub fn reason(&self) -> Option<String> {
        let failure = self.failure_info.as_ref();
        let parts = [
            failure.and_then(|f| f.kind.clone()),
            failure.and_then(|f| f.detail.clone()),
            self.status_detail.clone(),
        ];
        let mut parts: Vec<String> = parts.into_iter().flatten().filter(|p| !p.is_empty()).collect();
        parts.dedup();
        (!parts.is_empty()).then(|| crate::http::shorten(&parts.join(": ")))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_log_is_where_the_build_says() {
        let place = |logging: Option<&str>, bucket: Option<&str>| {
            let build = Build {
                id: "x1".to_owned(),
                logs_bucket: bucket.map(str::to_owned),
                options: Some(Options {
                    logging: logging.map(str::to_owned),
                    ..Options::default()
                }),
                ..Build::default()
            };
            build.log_place()
        };
        let object = |bucket: &str, object: &str| LogPlace::Object {
            bucket: bucket.to_owned(),
            object: object.to_owned(),
        };
        let googles = "gs://7.cloudbuild-logs.googleusercontent.com";
        for (logging, bucket, expected) in [
            (
                Some("GCS_ONLY"),
                Some("gs://b/logs"),
                object("b", "logs/log-x1.txt"),
            ),
            (None, Some("gs://b"), object("b", "log-x1.txt")),
            (Some("LEGACY"), Some("b/a/c/"), object("b", "a/c/log-x1.txt")),
            (Some("LEGACY"), Some(googles), LogPlace::CloudLogging),
            (None, None, LogPlace::CloudLogging),
            (Some("CLOUD_LOGGING_ONLY"), Some("gs://b"), LogPlace::CloudLogging),
            (Some("STACKDRIVER_ONLY"), None, LogPlace::CloudLogging),
            (Some("NONE"), Some("gs://b"), LogPlace::Nowhere),
        ] {
            assert_eq!(place(logging, bucket), expected, "{logging:?} {bucket:?}");
        }
        assert_eq!(
            Build::default().log_place(),
            LogPlace::Nowhere,
            "it has no id yet"
        );
    }

    #[test]
    fn unknown_statuses_are_waited_for() {
        let read = |s: &str| serde_json::from_value::<Status>(json!(s)).unwrap();
        assert!(!read("SOMETHING_NEW").is_terminal());
        assert!(!read("PENDING").is_terminal());
        assert!(read("INTERNAL_ERROR").is_terminal());
    }

    #[test]
    fn a_build_is_sent_without_output_only_fields() {
        let body = serde_json::to_value(Build {
            tags: vec!["a".to_owned()],
            ..Build::default()
        })
        .unwrap();
        assert_eq!(body, json!({"tags": ["a"]}));
    }
}
