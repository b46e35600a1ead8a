//! Alerts that are open and notices that wait for delivery, as `alerts/book.json` keeps them.

use chrono::{DateTime, Utc};
use protocol::alert::AlertClass;
use serde::{Deserialize, Serialize};

/// State that is wrong, from its first case until it is resolved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Class of the alert.
    pub class: AlertClass,
    /// Entity, queue, function or channel concerned; empty where it concerns all.
    pub subject: String,
    /// Detail of the newest case.
    pub detail: String,
    /// Time of the first case.
    pub since: DateTime<Utc>,
    /// Time of the newest case.
    pub last: DateTime<Utc>,
    /// Number of cases.
    pub count: u64,
    /// Number of times that the alert reopened shortly after it was resolved.
    pub flaps: u32,
    /// Newest case that a notice has reported.
    pub(crate) newest: Option<DateTime<Utc>>,
    /// Number of open cases that a notice has reported.
    pub(crate) size: i64,
    /// Time of the last notice.
    #[serde(rename = "told_at")]
    pub(crate) notified_at: DateTime<Utc>,
}

/// Kind of a notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// A new alert.
    Raised,
    /// An open alert with more cases.
    Grown,
    /// A resolved alert.
    Resolved,
    /// A text without an alert: the daily report or a trial message.
    Text,
}

/// Message that waits for delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Sequence number.
    pub id: u64,
    /// Kind of the notice.
    pub kind: NoticeKind,
    /// The alert as it was then; none for a text.
    pub alert: Option<Alert>,
    /// Title of a text.
    #[serde(default)]
    pub title: String,
    /// Body of a text.
    #[serde(default)]
    pub text: String,
    /// Time of the fault that a new alert is about, where it is not that of the alert's first case.
    #[serde(default)]
    pub fault_at: Option<DateTime<Utc>>,
    /// Time at which the notice was written.
    pub at: DateTime<Utc>,
    /// End of the claim of the invocation that delivers it.
    pub(crate) claimed_until: Option<DateTime<Utc>>,
}
