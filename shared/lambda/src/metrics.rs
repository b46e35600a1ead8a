//! Metrics for CloudWatch in the embedded metric format: one line of the log each, without a call to AWS.

use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

/// Namespace of the metrics in the absence of `METRICS_NAMESPACE`; each stack has its own.
const DEFAULT_NAMESPACE: &str = "AssistantGazelle";

/// Unit of a metric. Each variant is written by its name, as CloudWatch expects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Number of things or events.
    Count,
    /// Duration, in seconds and their fractions.
    Seconds,
    /// Share of a whole, from 0 to 100.
    Percent,
}

/// Writes metrics, each a name, a unit and a value, with their common dimensions.
///
/// Does nothing outside Lambda, where nothing reads them.
pub fn emit_metrics(dimensions: &[(&str, &str)], metrics: &[(&str, Unit, f64)]) {
    if std::env::var_os("AWS_LAMBDA_FUNCTION_NAME").is_none() {
        return;
    }
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let timestamp_ms = u64::try_from(elapsed.as_millis()).unwrap_or_default();
    let namespace = std::env::var("METRICS_NAMESPACE").unwrap_or_else(|_| DEFAULT_NAMESPACE.to_owned());
    let line = embedded_metrics(&namespace, dimensions, metrics, timestamp_ms);
    // A single write call, so that no other log line can split this one.
    let _ = std::io::stdout().write_all(format!("{line}\n").as_bytes());
}

fn embedded_metrics(
    namespace: &str,
    dimensions: &[(&str, &str)],
    metrics: &[(&str, Unit, f64)],
    timestamp_ms: u64,
) -> Value {
    let dimension_names: Vec<&str> = dimensions.iter().map(|(name, _)| *name).collect();
    let definitions: Vec<Value> =
        metrics.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": format!("{unit:?}") })).collect();
    let directive =
        json!({ "Namespace": namespace, "Dimensions": [dimension_names], "Metrics": definitions });
    let mut line = Map::new();
    line.insert("_aws".to_owned(), json!({ "Timestamp": timestamp_ms, "CloudWatchMetrics": [directive] }));
    line.extend(dimensions.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
    line.extend(metrics.iter().map(|(name, _, value)| ((*name).to_owned(), json!(value))));
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_line_names_metrics_units_and_dimensions() {
        let metrics = [("Freshness", Unit::Percent, 98.5)];
        let line = embedded_metrics("ours/test", &[("entity", "clients")], &metrics, 7);
        let described = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(described["Namespace"], json!("ours/test"));
        assert_eq!(described["Dimensions"], json!([["entity"]]));
        assert_eq!(described["Metrics"], json!([{"Name": "Freshness", "Unit": "Percent"}]));
        assert_eq!((&line["entity"], &line["Freshness"]), (&json!("clients"), &json!(98.5)));
    }
}
