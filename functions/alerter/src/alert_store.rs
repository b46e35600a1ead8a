//! Store of alerts: what is open, and which notices wait for delivery. Pure; the caller keeps it in S3.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use protocol::alert::{AlertClass, Signal, parse_lane_subject};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::alert::{Alert, Notice, NoticeKind};
use crate::alert_delay::{AlertDelay, DELAYS_MAX, fault_began};
use crate::memory::Memory;
use crate::snapshot::{Condition, Snapshot};

/// Time after its resolution within which an alert that reopens counts as flapping.
const FLAP_MEMORY: TimeDelta = TimeDelta::minutes(30);
/// Calm that resolves an alert after its first flap; doubled by each further one.
const CALM_FIRST: TimeDelta = TimeDelta::minutes(2);
/// Upper bound of the calm that a flapping alert needs.
const CALM_MAX: TimeDelta = TimeDelta::hours(1);
/// Shortest time between two notices of an alert that grows.
const REPEAT_PAUSE: TimeDelta = TimeDelta::minutes(15);
/// Time for which an invocation keeps the notices that it delivers; after that it counts as dead.
const CLAIM: TimeDelta = TimeDelta::seconds(60);
/// Notices that may wait while every channel is down; the object must stay small.
const OUTBOX_MAX: usize = 300;

/// Open alerts and notices that wait for delivery.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AlertStore {
    /// Open alerts, by class and subject.
    #[serde(deserialize_with = "readable_alerts")]
    pub open: BTreeMap<String, Alert>,
    /// Notices that no channel has accepted yet, oldest first.
    #[serde(deserialize_with = "readable_notices")]
    pub outbox: Vec<Notice>,
    /// Alerts resolved within the last 30 minutes.
    pub closed: BTreeMap<String, ResolvedAlert>,
    /// Times at which functions could not reach the database although the alerter could.
    #[serde(rename = "blips")]
    pub transient_failures: Vec<DateTime<Utc>>,
    /// Local day of the last daily report.
    pub last_report: Option<NaiveDate>,
    /// Time at which dead letters were last put back.
    pub redriven_at: Option<DateTime<Utc>>,
    /// Memory of former observations.
    pub memory: Memory,
    /// Delays of alerts that the database does not hold yet, oldest first.
    pub delays: Vec<AlertDelay>,
    next_id: u64,
}

/// Alert that was resolved a short time ago.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedAlert {
    at: DateTime<Utc>,
    flaps: u32,
}

/// Reads alerts without those of a class that only a later version knows: one of them must not cost the others.
fn readable_alerts<'de, D: Deserializer<'de>>(alerts: D) -> Result<BTreeMap<String, Alert>, D::Error> {
    let alerts: BTreeMap<String, Value> = BTreeMap::deserialize(alerts)?;
    let read = |(key, alert)| Some((key, serde_json::from_value(alert).ok()?));
    Ok(alerts.into_iter().filter_map(read).collect())
}

/// Reads notices like [`readable_alerts`].
fn readable_notices<'de, D: Deserializer<'de>>(notices: D) -> Result<Vec<Notice>, D::Error> {
    let notices: Vec<Value> = Vec::deserialize(notices)?;
    Ok(notices.into_iter().filter_map(|notice| serde_json::from_value(notice).ok()).collect())
}

fn key(class: AlertClass, subject: &str) -> String {
    format!("{}/{subject}", class.as_str())
}

impl AlertStore {
    /// Opens an alert for a signal, with a notice; an alert that is open already only counts one more case.
    pub fn raise(&mut self, signal: &Signal, now: DateTime<Utc>) {
        let key = key(signal.class, &signal.subject);
        if let Some(alert) = self.open.get_mut(&key) {
            alert.count += 1;
            alert.last = alert.last.max(signal.at);
            alert.detail.clone_from(&signal.detail);
            return;
        }
        let flaps = match self.closed.get(&key) {
            Some(closed) if now - closed.at < FLAP_MEMORY => closed.flaps + 1,
            _ => 0,
        };
        let alert = Alert {
            class: signal.class,
            subject: signal.subject.clone(),
            detail: signal.detail.clone(),
            since: signal.at,
            last: signal.at,
            count: 1,
            flaps,
            newest: None,
            size: 0,
            notified_at: now,
        };
        self.add_notice(NoticeKind::Raised, Some(alert.clone()), now);
        self.open.insert(key, alert);
    }

    /// Opens alerts for conditions that hold, and resolves those that the snapshot proves to be over.
    pub fn apply(&mut self, snapshot: &Snapshot, conditions: &[Condition]) {
        let now = snapshot.at;
        for condition in conditions {
            if !self.is_explained(condition, conditions) {
                self.apply_condition(condition, now);
            }
        }
        let over: Vec<String> = self
            .open
            .iter()
            .filter(|(_, alert)| {
                now - alert.last >= required_calm(alert.flaps) && snapshot.is_over(alert, conditions)
            })
            .map(|(key, _)| key.clone())
            .collect();
        for key in over {
            self.close(&key, now);
        }
        self.closed.retain(|_, closed| now - closed.at < FLAP_MEMORY);
    }

    /// Returns whether an alert on the cause is open already: a run that failed without credentials or for a schema
    /// change, an entity that is stale because its runs fail or because the database was out of reach.
    fn is_explained(&self, condition: &Condition, conditions: &[Condition]) -> bool {
        let causes: &[AlertClass] = match condition.class {
            AlertClass::SyncFailed => &[AlertClass::Credentials, AlertClass::SchemaChanged],
            AlertClass::EntityStale => {
                &[AlertClass::Credentials, AlertClass::SchemaChanged, AlertClass::SyncFailed]
            }
            _ => &[],
        };
        let is_database_away = condition.class == AlertClass::EntityStale
            && self.open.contains_key(&key(AlertClass::DatabaseUnreachable, ""));
        let (entity, _) = parse_lane_subject(&condition.subject);
        is_database_away
            || causes.iter().copied().any(|cause| {
                // Credentials are refused to every lane of the entity.
                let subject = if cause == AlertClass::Credentials { entity } else { &condition.subject };
                self.open.contains_key(&key(cause, subject))
                    || conditions.iter().any(|other| other.class == cause && other.subject == subject)
            })
    }

    /// Opens the alert of a condition, or repeats it when it has grown, at most every [`REPEAT_PAUSE`].
    fn apply_condition(&mut self, condition: &Condition, now: DateTime<Utc>) {
        let key = key(condition.class, &condition.subject);
        if !self.open.contains_key(&key) {
            // An event is as old as its case: a success that came after it must prove that it is over.
            let at = condition.newest.filter(|_| condition.is_event).unwrap_or(now).min(now);
            let signal = Signal::new(condition.class, &condition.subject, &condition.detail, at);
            self.raise(&signal, now);
            if let Some(notice) = self.outbox.last_mut() {
                notice.fault_at = Some(fault_began(condition.newest, now));
            }
            if let Some(alert) = self.open.get_mut(&key) {
                (alert.newest, alert.size) = (condition.newest, condition.size);
            }
            return;
        }
        let Some(alert) = self.open.get_mut(&key) else { return };
        if condition.is_event {
            // Each case of an event sends a signal of its own, which counts it.
            return;
        }
        alert.last = now;
        let is_first_observation = alert.newest.is_none() && alert.size == 0;
        let is_grown = condition.newest > alert.newest || condition.size > alert.size;
        if is_first_observation {
            (alert.newest, alert.size) = (condition.newest, condition.size);
        } else if is_grown && now - alert.notified_at >= REPEAT_PAUSE {
            (alert.newest, alert.size) = (condition.newest, condition.size);
            alert.detail.clone_from(&condition.detail);
            alert.notified_at = now;
            alert.count += 1;
            let alert = alert.clone();
            self.add_notice(NoticeKind::Grown, Some(alert), now);
        } else {
            alert.size = alert.size.min(condition.size);
        }
    }

    /// Resolves the alert of this class and subject, if it is open.
    pub fn resolve(&mut self, class: AlertClass, subject: &str, now: DateTime<Utc>) {
        self.close(&key(class, subject), now);
    }

    fn close(&mut self, key: &str, now: DateTime<Utc>) {
        let Some(alert) = self.open.remove(key) else { return };
        self.closed.insert(key.to_owned(), ResolvedAlert { at: now, flaps: alert.flaps });
        self.add_notice(NoticeKind::Resolved, Some(alert), now);
    }

    /// Resolves the alerts of channels that are not configured any more.
    pub fn resolve_removed_channels(&mut self, configured: &[&str], now: DateTime<Utc>) {
        let gone: Vec<String> = self
            .open
            .iter()
            .filter(|(_, alert)| {
                alert.class == AlertClass::Channel && !configured.contains(&alert.subject.as_str())
            })
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            self.close(&key, now);
        }
    }

    /// Adds a notice with a text of its own.
    pub fn add_text(&mut self, title: &str, text: &str, now: DateTime<Utc>) {
        self.add_notice(NoticeKind::Text, None, now);
        if let Some(notice) = self.outbox.last_mut() {
            (notice.title, notice.text) = (title.to_owned(), text.to_owned());
        }
    }

    fn add_notice(&mut self, kind: NoticeKind, alert: Option<Alert>, now: DateTime<Utc>) {
        if self.outbox.len() >= OUTBOX_MAX {
            // Every channel has been down for long; the open alerts remain, whatever notice is dropped.
            self.outbox.remove(0);
        }
        self.next_id += 1;
        self.outbox.push(Notice {
            id: self.next_id,
            kind,
            alert,
            title: String::new(),
            text: String::new(),
            fault_at: None,
            at: now,
            claimed_until: None,
        });
    }

    /// Claims the notices that no other invocation delivers now, for a minute.
    pub fn claim(&mut self, now: DateTime<Utc>) -> Vec<Notice> {
        let free = |notice: &&mut Notice| notice.claimed_until.is_none_or(|until| until <= now);
        self.outbox
            .iter_mut()
            .filter(free)
            .map(|notice| {
                notice.claimed_until = Some(now + CLAIM);
                notice.clone()
            })
            .collect()
    }

    /// Removes notices that a channel has accepted, and keeps the delays of new alerts among them.
    pub fn record_delivery(&mut self, ids: &[u64], now: DateTime<Utc>) {
        let accepted = self.outbox.iter().filter(|notice| ids.contains(&notice.id));
        self.delays.extend(accepted.filter_map(|notice| AlertDelay::of(notice, now)));
        let surplus = self.delays.len().saturating_sub(DELAYS_MAX);
        self.delays.drain(..surplus);
        self.remove_delivered(ids);
    }

    /// Removes notices.
    pub fn remove_delivered(&mut self, ids: &[u64]) {
        self.outbox.retain(|notice| !ids.contains(&notice.id));
    }

    /// Releases notices that no channel accepted: the next invocation tries again.
    pub fn release(&mut self, ids: &[u64]) {
        for notice in self.outbox.iter_mut().filter(|notice| ids.contains(&notice.id)) {
            notice.claimed_until = None;
        }
    }
}

/// Returns the time without a case that resolves an alert, given how often it reopened.
fn required_calm(flaps: u32) -> TimeDelta {
    if flaps == 0 {
        return TimeDelta::zero();
    }
    (CALM_FIRST * 2_i32.saturating_pow(flaps.min(10) - 1)).min(CALM_MAX)
}

#[cfg(test)]
mod tests;
