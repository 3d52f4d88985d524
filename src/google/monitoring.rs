//! Cloud Monitoring: how many instances a service has.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Deserialize;

use super::{
    client::Client,
    error::Error,
    logging::quoted,
    request::{Request, segment},
};
use crate::environment::Api;

/// Pages that are read: a series for each revision and state, each with a point a minute.
const PAGES: usize = 10;

/// How many instances of a revision were in a state at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Count {
    pub at: DateTime<Utc>,
    pub revision: String,
    /// `active` or `idle`.
    pub state: String,
    pub instances: u64,
}

/// The points of `run.googleapis.com/container/instance_count` of a service. Sampled every minute, and told up to
/// three minutes late.
pub async fn instance_count(
    c: &Client,
    project: &str,
    location: &str,
    service: &str,
    since: DateTime<Utc>,
) -> Result<Vec<Count>, Error> {
    let filter = [
        ("metric.type", "run.googleapis.com/container/instance_count"),
        ("resource.labels.service_name", service),
        ("resource.labels.location", location),
    ]
    .map(|(key, value)| format!("{key}={}", quoted(value)))
    .join(" AND ");
    let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Micros, true);
    let (mut counts, mut token) = (Vec::new(), String::new());
    for _ in 0..PAGES {
        let what = format!("read how many instances service `{service}` has in Cloud Monitoring");
        let path = format!("v3/projects/{}/timeSeries", segment(project));
        let mut request = Request::get(Api::Monitoring, path, what)
            .needs("monitoring.timeSeries.list")
            .query("filter", filter.as_str())
            .query("interval.startTime", time(since))
            .query("interval.endTime", time(Utc::now()));
        if !token.is_empty() {
            request = request.query("pageToken", token);
        }
        let list: List = c.json(request).await?;
        counts.extend(list.time_series.iter().flat_map(Series::counts));
        token = list.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    Ok(counts)
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct List {
    time_series: Vec<Series>,
    next_page_token: String,
}

/// `TimeSeries`, as far as it is read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Series {
    metric: Labelled,
    resource: Labelled,
    points: Vec<Point>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Labelled {
    labels: std::collections::BTreeMap<String, String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Point {
    interval: Interval,
    value: Number,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Interval {
    end_time: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Number {
    /// int64 is a string in proto JSON.
    int64_value: Option<String>,
    double_value: Option<f64>,
}

impl Series {
    fn counts(&self) -> Vec<Count> {
        let label = |of: &Labelled, name: &str| of.labels.get(name).cloned().unwrap_or_default();
        let count = |point: &Point| {
            let whole = point
                .value
                .int64_value
                .as_ref()
                .and_then(|text| text.parse().ok());
            let instances = whole.or_else(|| point.value.double_value.map(|n| n.max(0.0).ceil() as u64))?;
            Some(Count {
                at: DateTime::parse_from_rfc3339(&point.interval.end_time)
                    .ok()?
                    .to_utc(),
                revision: label(&self.resource, "revision_name"),
                state: label(&self.metric, "state"),
                instances,
            })
        };
        self.points.iter().filter_map(count).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::google::testing::{Server, answer};

    #[tokio::test]
    async fn every_page_is_read_and_both_kinds_of_numbers() {
        let series = |state: &str, value: serde_json::Value| {
            json!({"metric": {"labels": {"state": state}}, "resource": {"labels": {"revision_name": "s-1"}},
                "points": [{"interval": {"endTime": "2026-01-02T03:04:05Z"}, "value": value}, {"value": {}}]})
        };
        let server = Server::script(vec![
            answer(
                200,
                json!({"timeSeries": [series("active", json!({"int64Value": "2"}))], "nextPageToken": "t"}),
            ),
            answer(
                200,
                json!({"timeSeries": [series("idle", json!({"doubleValue": 0.5}))]}),
            ),
        ])
        .await;
        let since = DateTime::UNIX_EPOCH;
        let counts = instance_count(&server.client(), "p", "r", "s", since)
            .await
            .unwrap();
        let seen: Vec<_> = counts.iter().map(|c| (c.state.as_str(), c.instances)).collect();
        assert_eq!(seen, [("active", 2), ("idle", 1)]);
        assert_eq!(counts[0].at.to_rfc3339(), "2026-01-02T03:04:05+00:00");
        assert!(server.lines()[1].contains("pageToken=t"));
    }
}
