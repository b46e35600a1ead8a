//! Indicators and completeness as Prometheus text, version 0.0.4.

use std::fmt::Write as _;

use protocol::indicator::{Completeness, EntityIndicators, Indicators, Period, Quantiles, total};

/// Gauge of a count: name, help text, value.
type CountGauge = (&'static str, &'static str, fn(&Completeness) -> i64);

const COUNTS: [CountGauge; 8] = [
    (
        "gazelle_completeness_gap",
        "Records of the last full run that are neither here nor explained",
        |count| count.gap,
    ),
    ("gazelle_completeness_source_count", "Records that Gazelle counted at the last full run", |count| {
        count.source_count
    }),
    ("gazelle_completeness_rows", "Rows of the records that the last full run listed", |count| {
        count.rows_present
    }),
    ("gazelle_completeness_skipped", "Listed records that never become a row, with a reason", |count| {
        count.skipped
    }),
    ("gazelle_completeness_failed", "Listed records that failed or were set aside", |count| count.failed),
    ("gazelle_completeness_waiting", "Listed records that wait in staging", |count| count.waiting),
    ("gazelle_completeness_deleted", "Listed records that are gone since", |count| count.deleted),
    ("gazelle_completeness_listed_timestamp_seconds", "Beginning of the last full run", |count| {
        count.listed_at.timestamp()
    }),
];

/// Gauge of an entity over a period: name, help text, value.
type ShareGauge = (&'static str, &'static str, fn(&EntityIndicators) -> Option<f64>);

const SHARES: [ShareGauge; 2] = [
    (
        "gazelle_run_success_percent",
        "Runs of the period that were a success; a partial run is none",
        EntityIndicators::success_percent,
    ),
    (
        "gazelle_on_time_percent",
        "Records of the period that production held within an hour",
        EntityIndicators::on_time_percent,
    ),
];

/// Adds the indicators and the counts of every entity; entity `all` is all of them together.
pub(crate) fn add(text: &mut String, indicators: &Indicators) {
    let totals = Period::ALL.map(|period| total(&indicators.entities, period));
    let all = || indicators.entities.iter().chain(&totals);
    for (name, help, value) in SHARES {
        let _ = writeln!(text, "# HELP {name} {help}.\n# TYPE {name} gauge");
        for one in all() {
            if let Some(value) = value(one) {
                let (entity, period) = (&one.entity, one.period.as_str());
                let _ = writeln!(text, "{name}{{entity=\"{entity}\",period=\"{period}\"}} {value}");
            }
        }
    }
    let name = "gazelle_latency_seconds";
    let _ = writeln!(
        text,
        "# HELP {name} From Gazelle's listing to the row; quantile 1 is the maximum.\n# TYPE {name} gauge"
    );
    for one in all() {
        let Some(latency) = one.latency() else { continue };
        for (quantile, seconds) in quantiles(latency) {
            let (entity, period) = (&one.entity, one.period.as_str());
            let _ = writeln!(
                text,
                "{name}{{entity=\"{entity}\",period=\"{period}\",quantile=\"{quantile}\"}} {seconds}"
            );
        }
    }
    let name = "gazelle_alert_delay_seconds";
    let _ = writeln!(
        text,
        "# HELP {name} From a fault to its alert, last 30 days; quantile 1 is the maximum.\n# TYPE {name} gauge"
    );
    for (quantile, seconds) in
        indicators.alerts.and_then(|alerts| alerts.delay).into_iter().flat_map(quantiles)
    {
        let _ = writeln!(text, "{name}{{quantile=\"{quantile}\"}} {seconds}");
    }
    for (name, help, value) in COUNTS {
        let _ = writeln!(text, "# HELP {name} {help}.\n# TYPE {name} gauge");
        for count in &indicators.completeness {
            let _ = writeln!(text, "{name}{{entity=\"{}\"}} {}", count.entity, value(count));
        }
    }
}

fn quantiles(of: Quantiles) -> [(&'static str, f64); 3] {
    [("0.5", of.p50), ("0.95", of.p95), ("1", of.max)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::indicators::tests::examples;

    #[test]
    fn every_entity_has_indicators_and_a_gap() {
        let mut text = String::new();
        add(&mut text, &examples());
        for entity in model::entity::ALL {
            let name = entity.name;
            for line in [
                format!("gazelle_completeness_gap{{entity=\"{name}\"}} 3\n"),
                format!("gazelle_run_success_percent{{entity=\"{name}\",period=\"30d\"}} 99.9\n"),
                format!(
                    "gazelle_latency_seconds{{entity=\"{name}\",period=\"24h\",quantile=\"0.95\"}} 0.25\n"
                ),
            ] {
                assert!(text.contains(&line), "{line}: {text}");
            }
        }
        assert!(text.contains("gazelle_run_success_percent{entity=\"all\",period=\"24h\"} 99.9\n"), "{text}");
        assert!(text.contains("gazelle_alert_delay_seconds{quantile=\"1\"} 61\n"), "{text}");
    }

    #[test]
    fn missing_indicators_are_omitted() {
        let mut text = String::new();
        add(&mut text, &Indicators::default());
        assert!(text.lines().all(|line| line.starts_with('#')), "{text}");
    }
}
