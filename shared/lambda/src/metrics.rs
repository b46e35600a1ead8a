//! Numbers for CloudWatch: one line of the log in the embedded metric format each, without a call.

use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

/// The namespace of every number, unless `METRICS_NAMESPACE` says otherwise: each stack has its own.
const NAMESPACE: &str = "AssistantGazelle";

/// A number's unit, as CloudWatch names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// How many.
    Count,
    /// How long.
    Seconds,
    /// How much of a hundred.
    Percent,
}

/// Writes numbers with their dimensions. Outside Lambda nobody reads them: then nothing is written.
pub fn measure(dimensions: &[(&str, &str)], numbers: &[(&str, Unit, f64)]) {
    if std::env::var_os("AWS_LAMBDA_FUNCTION_NAME").is_none() {
        return;
    }
    let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let namespace = std::env::var("METRICS_NAMESPACE").unwrap_or_else(|_| NAMESPACE.to_owned());
    let line = line(&namespace, dimensions, numbers, u64::try_from(millis).unwrap_or_default());
    // One write: a line of the log next to it must not cut it in two.
    let _ = std::io::stdout().write_all(format!("{line}\n").as_bytes());
}

fn line(namespace: &str, dimensions: &[(&str, &str)], numbers: &[(&str, Unit, f64)], millis: u64) -> Value {
    let names: Vec<&str> = dimensions.iter().map(|(name, _)| *name).collect();
    let metrics: Vec<Value> =
        numbers.iter().map(|(name, unit, _)| json!({ "Name": name, "Unit": format!("{unit:?}") })).collect();
    let mut line = Map::new();
    line.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": millis,
            "CloudWatchMetrics": [{ "Namespace": namespace, "Dimensions": [names], "Metrics": metrics }],
        }),
    );
    line.extend(dimensions.iter().map(|(name, value)| ((*name).to_owned(), json!(value))));
    line.extend(numbers.iter().map(|(name, _, value)| ((*name).to_owned(), json!(value))));
    Value::Object(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_names_its_numbers_their_units_and_their_dimensions() {
        let line = line("ours/test", &[("entity", "clients")], &[("Freshness", Unit::Percent, 98.5)], 7);
        let described = &line["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(described["Namespace"], json!("ours/test"));
        assert_eq!(described["Dimensions"], json!([["entity"]]));
        assert_eq!(described["Metrics"], json!([{"Name": "Freshness", "Unit": "Percent"}]));
        assert_eq!((&line["entity"], &line["Freshness"]), (&json!("clients"), &json!(98.5)));
    }
}
