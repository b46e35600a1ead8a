//! The state of the mirror as Prometheus text, version 0.0.4.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use db::queries::Overview;

use crate::backlog::Backlog;
use crate::indicator_metrics;

use protocol::action::ActionKind;
use protocol::health::{HealthStatus, assess};

/// Gauge of an entity: name, help text, value.
type Metric = (&'static str, &'static str, fn(&Facts<'_>) -> Option<f64>);

/// Gauge of a queue: name, help text, value.
type Gauge = (&'static str, &'static str, fn(&Backlog) -> Option<u64>);

struct Facts<'a> {
    health: &'a protocol::health::EntityHealth,
    report: &'a protocol::health::EntityFacts,
    now: DateTime<Utc>,
}

const METRICS: &[Metric] = &[
    (
        "gazelle_freshness_percent",
        "Records that are neither late nor failed, while fetches are on time",
        |facts| Some(facts.health.freshness),
    ),
    ("gazelle_records_late", "Records that have waited for more than an hour", |facts| {
        Some(seconds(facts.health.records_late))
    }),
    ("gazelle_last_fetch_age_seconds", "Since a scheduled run last read its list to the end", |facts| {
        facts.report.last_fetch.map(|last| seconds((facts.now - last).num_seconds()))
    }),
    ("gazelle_last_sweep_age_seconds", "Since the last full run that proved which records exist", |facts| {
        facts.health.last_sweep.map(|last| seconds((facts.now - last).num_seconds()))
    }),
    ("gazelle_unproven_sweeps", "Full runs without proof since the last with one", |facts| {
        Some(seconds(facts.health.unproven_sweeps))
    }),
    ("gazelle_last_success_age_seconds", "Since the last successful run ended", |facts| {
        facts.health.last_sync.map(|last| seconds((facts.now - last).num_seconds()))
    }),
    ("gazelle_records_pending", "Records that wait in staging", |facts| {
        Some(seconds(facts.health.records_pending))
    }),
    ("gazelle_oldest_pending_seconds", "How long the oldest waiting record has waited", |facts| {
        facts.report.oldest_pending_seconds.map(seconds)
    }),
    ("gazelle_failures_in_a_row", "Failed runs since the last success", |facts| {
        Some(seconds(facts.report.failures_in_a_row))
    }),
    ("gazelle_unhealthy", "1 where readers are misled", |facts| {
        Some(f64::from(u8::from(facts.health.status == HealthStatus::Unhealthy)))
    }),
];

/// Returns the metrics of every entity, of the open actions and of the queues.
#[must_use]
pub fn metrics(
    overview: &Overview,
    backlog: &[Backlog],
    now: DateTime<Utc>,
    interval_seconds: u32,
) -> String {
    let health = assess(&overview.entities, now, interval_seconds);
    let mut text = String::new();
    for (name, help, value) in METRICS {
        let _ = writeln!(text, "# HELP {name} {help}.\n# TYPE {name} gauge");
        for report in &overview.entities {
            let Some(health) = health.get(report.entity.as_str()) else { continue };
            if let Some(value) = value(&Facts { health, report, now }) {
                let _ = writeln!(text, "{name}{{entity=\"{}\"}} {value}", report.entity);
            }
        }
    }
    let (name, help) = ("gazelle_actions_open_by_kind", "Actions that wait for a person, by kind");
    let _ = writeln!(text, "# HELP {name} {help}.\n# TYPE {name} gauge");
    // A kind that this version does not know is no label: its text could be anything.
    for group in overview.action_groups.iter().filter(|group| ActionKind::parse(&group.kind).is_some()) {
        let _ = writeln!(text, "{name}{{kind=\"{}\"}} {}", group.kind, group.open);
    }
    for (name, help, value) in [
        ("gazelle_actions_open", "Actions that wait for a person", overview.actions_open),
        ("gazelle_quarantined", "Objects and messages in quarantine", overview.quarantined),
    ] {
        let _ = writeln!(text, "# HELP {name} {help}.\n# TYPE {name} gauge\n{name} {value}");
    }
    let gauges: [Gauge; 2] = [
        ("gazelle_queue_messages", "Messages that wait in a queue", |queue| queue.waiting),
        ("gazelle_dead_letters", "Messages that a queue has set aside", |queue| queue.dead),
    ];
    for (name, help, value) in gauges {
        let _ = writeln!(text, "# HELP {name} {help}.\n# TYPE {name} gauge");
        for queue in backlog {
            if let Some(value) = value(queue) {
                let _ = writeln!(text, "{name}{{queue=\"{}\"}} {value}", queue.queue);
            }
        }
    }
    indicator_metrics::add(&mut text, &overview.indicators);
    text
}

#[expect(clippy::cast_precision_loss, reason = "counts and ages in seconds are far below 2^52")]
fn seconds(number: i64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use model::entity;
    use protocol::health::EntityFacts;

    use super::*;

    #[test]
    fn every_entity_has_metrics_and_missing_age_is_omitted() {
        let entities = entity::ALL.map(|entity| EntityFacts {
            entity: entity.name.to_owned(),
            failures_in_a_row: 2,
            pending: 7,
            oldest_pending_seconds: Some(40),
            ..EntityFacts::default()
        });
        let overview = Overview { entities: entities.to_vec(), actions_open: 3, ..Overview::default() };
        let text =
            metrics(&overview, &[Backlog { queue: "fetch", waiting: Some(4), dead: None }], Utc::now(), 120);
        for entity in entity::ALL {
            assert!(
                text.contains(&format!("gazelle_records_pending{{entity=\"{}\"}} 7\n", entity.name)),
                "{text}"
            );
        }
        assert!(text.contains("gazelle_queue_messages{queue=\"fetch\"} 4\n"), "{text}");
        assert!(!text.contains("age_seconds{") && !text.contains("gazelle_dead_letters{"), "{text}");
        assert!(text.contains("# TYPE gazelle_actions_open gauge\ngazelle_actions_open 3\n"), "{text}");
    }
}
