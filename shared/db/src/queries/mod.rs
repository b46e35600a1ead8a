//! Read-only queries of the health API, the dashboard, the alerter and the daily report.

mod daily_summary;
mod entity_facts;
mod monitor;
mod overview;
mod statements;

pub use daily_summary::{ActionCount, DailySummary, EntityDay, SlowRun, daily_summary};
pub use entity_facts::{entity_facts, is_reachable};
pub use monitor::{LastRun, MonitorSnapshot, OpenActions, has_recent_incidents, monitor_snapshot};
pub use overview::{ActionRow, HourRow, Overview, RunRow, overview};

/// Returns the static queries, by name.
pub(crate) fn statements() -> Vec<(&'static str, &'static str)> {
    monitor::STATEMENTS.to_vec()
}

/// Returns the queries that are assembled over the whole registry, by name.
pub(crate) fn assembled() -> Vec<(&'static str, String)> {
    statements::assembled()
}
