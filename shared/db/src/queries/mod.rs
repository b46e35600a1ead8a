//! Read-only questions of health, dashboard, alerter and daily report.

pub(crate) mod entity_facts;
mod overview;
mod watch;

pub use entity_facts::{entity_reports, is_reachable};
pub use overview::{Action, Hour, Overview, Run, overview};
pub use watch::{ActionCount, Day, EntityDay, LastRun, OpenActions, SlowRun, Watch, day, has_news, watch};
