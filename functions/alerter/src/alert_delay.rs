//! Delay of an alert: from the fault to the acceptance of its notice by a channel. Pure.

use chrono::{DateTime, TimeDelta, Utc};
use protocol::alert::AlertClass;
use serde::{Deserialize, Serialize};

use crate::alert::{Notice, NoticeKind};

/// Delays that wait for the database at most; the object of the alert store must stay small.
pub(crate) const DELAYS_MAX: usize = 100;
/// Time between two observations. A state whose beginning nobody knows began after the one before at the earliest.
const OBSERVATION_INTERVAL: TimeDelta = TimeDelta::minutes(1);

/// Delay of one alert, until the database holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertDelay {
    /// Class of the alert.
    pub class: AlertClass,
    /// Subject of the alert.
    #[serde(default)]
    pub subject: String,
    /// Instant of the fault.
    pub fault_at: DateTime<Utc>,
    /// Instant at which a channel accepted the notice.
    pub delivered_at: DateTime<Utc>,
}

impl AlertDelay {
    /// Returns the delay of a notice that was accepted; none for a notice of another kind than a new alert.
    #[must_use]
    pub fn of(notice: &Notice, delivered_at: DateTime<Utc>) -> Option<Self> {
        let alert = notice.alert.as_ref().filter(|_| notice.kind == NoticeKind::Raised)?;
        let fault_at = notice.fault_at.unwrap_or(alert.since).min(delivered_at);
        Some(Self { class: alert.class, subject: alert.subject.clone(), fault_at, delivered_at })
    }
}

/// Returns the instant of a fault that an observation found: that of its newest case, else that of the observation
/// before, so that no waiting time is left out.
#[must_use]
pub fn fault_began(newest: Option<DateTime<Utc>>, observed_at: DateTime<Utc>) -> DateTime<Utc> {
    newest.unwrap_or(observed_at - OBSERVATION_INTERVAL)
}
