//! Read-only queries of the health API, the dashboard, the alerter and the daily report.

mod daily_summary;
mod entity_facts;
mod indicators;
mod monitor;
mod overview;
mod statements;

pub use daily_summary::{ActionCount, DailySummary, EntityDay, SlowRun, daily_summary};
pub use entity_facts::{entity_facts, is_reachable};
pub use indicators::indicators;
pub use monitor::{
    ErrorRate, KnownRun, LaneFacts, MonitorSnapshot, OpenActions, has_recent_incidents, monitor_snapshot,
};
pub use overview::{ActionGroup, ActionRow, HourRow, Overview, RunRow, overview};

/// Returns the static queries, by name.
pub(crate) fn statements() -> Vec<(&'static str, &'static str)> {
    [indicators::STATEMENTS, monitor::STATEMENTS].concat()
}

/// Returns the queries that are assembled over the whole registry, by name.
pub(crate) fn assembled() -> Vec<(&'static str, String)> {
    statements::assembled()
}
