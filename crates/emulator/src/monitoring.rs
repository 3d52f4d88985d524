//! Cloud Monitoring: time series that the other services write, by filter and interval.

use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{SecondsFormat, Utc};
use serde_json::{Value, json};

use super::{
    Call, Reply, Shared, list,
    logging::filter::{self, instant},
};

/// Points of a sampled series that are kept; the oldest go first.
const KEPT: usize = 500;

/// What the service holds.
#[derive(Default)]
pub struct Metrics {
    series: Mutex<Vec<Value>>,
}

impl Metrics {
    /// Stores a TimeSeries: metric and resource with their labels, and points, newest first.
    pub fn write(&self, series: Value) {
        self.lock().push(series);
    }

    /// Adds a point of now to the series with these labels, which is made if it isn't there.
    pub fn sample(&self, mut series: Value, number: u64) {
        let now = Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true);
        let point = json!({"interval": {"startTime": now, "endTime": now},
            "value": {"int64Value": number.to_string()}});
        let mut all = self.lock();
        let same = |s: &&mut Value| s["metric"] == series["metric"] && s["resource"] == series["resource"];
        if let Some(points) = all.iter_mut().find(same).and_then(|s| s["points"].as_array_mut()) {
            points.insert(0, point);
            points.truncate(KEPT);
            return;
        }
        series["points"] = json!([point]);
        all.push(series);
    }

    pub async fn handle(emulator: &Shared, call: &Call) -> Reply {
        emulator.metrics.list(call)
    }

    fn list(&self, call: &Call) -> Reply {
        let filter = match filter::parse(call.query("filter").unwrap_or("")) {
            Ok(filter) => filter,
            Err(mistake) => {
                return Reply::invalid(&format!("Field filter had an invalid value: {mistake}"));
            }
        };
        if filter.equal("metric.type").is_none() {
            return Reply::invalid(
                "Field filter had an invalid value: must specify a restriction on \"metric.type\" in the filter.",
            );
        }
        let time = |name: &str| call.query(name).and_then(|t| instant(&json!(t)));
        let Some(end) = time("interval.endTime") else {
            return Reply::invalid("Field interval.end_time had an invalid value: it must be given.");
        };
        let start = time("interval.startTime").unwrap_or(end);
        let series = self.lock();
        let fitting = series.iter().filter(|s| filter.fits(s));
        let found: Vec<Value> = fitting
            .filter_map(|s| {
                let points = s["points"].as_array()?.iter();
                let inside = points.filter(|p| {
                    instant(&p["interval"]["endTime"]).is_some_and(|at| at > start && at <= end || at == end)
                });
                let points: Vec<Value> = inside.cloned().collect();
                let mut out = s.clone();
                out["points"] = points.into();
                (out["points"] != json!([])).then_some(out)
            })
            .collect();
        let aggregated = call.query.iter().any(|(name, _)| name.contains("ggregation."));
        if aggregated && !found.is_empty() {
            return Reply::not_implemented(call);
        }
        list::reply(call, "timeSeries", &found)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Value>> {
        self.series.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
