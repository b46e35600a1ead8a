//! Status of the whole mirror, as a person reads it.

use db::queries::{ActionGroup, Overview};
use protocol::action::ActionKind;
use protocol::alert::AlertClass;
use protocol::health::{EntityHealths, HealthStatus, worst};

/// Returns the worst status of the entities, or `Degraded` where an open action raises an alert: the mirror may be fresh,
/// and yet a person must act.
#[must_use]
pub fn overall(overview: &Overview, health: &EntityHealths) -> HealthStatus {
    let raises_alert =
        |group: &ActionGroup| ActionKind::parse(&group.kind).and_then(AlertClass::of_action).is_some();
    let least = if overview.action_groups.iter().any(raises_alert) {
        HealthStatus::Degraded
    } else {
        HealthStatus::Healthy
    };
    worst(health).max(least)
}
