//! The book of alerts: what is open, and what is still to be told. Pure; kept in S3 by who uses it.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use protocol::alert::{Class, Signal};
use serde::{Deserialize, Serialize};

use crate::sight::{Condition, Sight};

/// An alert that opens again within this time after it was over is on and off.
const FLAP_MEMORY: TimeDelta = TimeDelta::minutes(30);
/// How long one that is on and off must be calm: this, doubled each time.
const CALM_FIRST: TimeDelta = TimeDelta::minutes(2);
const CALM_MAX: TimeDelta = TimeDelta::hours(1);
/// An open alert that grows is told again, at most so often.
const NEWS_PAUSE: TimeDelta = TimeDelta::minutes(15);
/// Who takes a notice to the channels keeps it for so long; after that he is taken for dead.
const CLAIM: TimeDelta = TimeDelta::seconds(60);
/// What may wait while every channel is down.
const OUTBOX_MAX: usize = 300;

/// What is open, and what is to be told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Book {
    /// Open alerts, by class and subject.
    pub open: BTreeMap<String, Alert>,
    /// Notices that no channel has taken yet, oldest first.
    pub outbox: Vec<Notice>,
    /// When alerts were over, and how often they came back since.
    pub closed: BTreeMap<String, Closed>,
    /// When functions could not reach the database that the alerter did reach.
    pub blips: Vec<DateTime<Utc>>,
    /// The day of the last daily report.
    pub last_report: Option<NaiveDate>,
    /// When dead letters were last put back.
    pub redriven_at: Option<DateTime<Utc>>,
    next_id: u64,
}

/// Something that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// What.
    pub class: Class,
    /// Of which entity, queue or function; empty where it concerns all.
    pub subject: String,
    /// What is known, as last said.
    pub detail: String,
    /// When it began.
    pub since: DateTime<Utc>,
    /// When it was last met.
    pub last: DateTime<Utc>,
    /// How often.
    pub count: u64,
    /// How often it came back shortly after it was over.
    pub flaps: u32,
    /// The newest of its cases that was told.
    newest: Option<DateTime<Utc>>,
    /// How many cases were told.
    size: i64,
    /// When it was last told.
    told_at: DateTime<Utc>,
}

/// An alert that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Closed {
    at: DateTime<Utc>,
    flaps: u32,
}

/// What a notice says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It goes wrong.
    Raised,
    /// There is more of it.
    Grown,
    /// It is over.
    Resolved,
    /// A text as it is: the daily report, a trial.
    Text,
}

/// Something to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Its number in the book.
    pub id: u64,
    /// What it says.
    pub kind: Kind,
    /// Of which alert, as it was; none for a text.
    pub alert: Option<Alert>,
    /// A text's title.
    #[serde(default)]
    pub title: String,
    /// A text's body.
    #[serde(default)]
    pub text: String,
    /// When it was written.
    pub at: DateTime<Utc>,
    claimed_until: Option<DateTime<Utc>>,
}

fn key(class: Class, subject: &str) -> String {
    format!("{}/{subject}", class.as_str())
}

impl Book {
    /// Writes down that something goes wrong. What is open already is counted, not told again.
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
            told_at: now,
        };
        self.tell(Kind::Raised, Some(alert.clone()), now);
        self.open.insert(key, alert);
    }

    /// Takes in what was seen: opens what goes wrong, closes what is over.
    pub fn look(&mut self, sight: &Sight, conditions: &[Condition]) {
        let now = sight.at;
        for condition in conditions {
            if !self.is_explained(condition, conditions) {
                self.hold(condition, now);
            }
        }
        let over: Vec<String> = self
            .open
            .iter()
            .filter(|(_, alert)| now - alert.last >= calm(alert.flaps) && sight.is_over(alert, conditions))
            .map(|(key, _)| key.clone())
            .collect();
        for key in over {
            self.close(&key, now);
        }
        self.closed.retain(|_, closed| now - closed.at < FLAP_MEMORY);
    }

    /// Whether people are told the cause already: a run that failed for want of an authorisation or of a field, an
    /// entity that is old because its runs fail or because the database was away.
    fn is_explained(&self, condition: &Condition, conditions: &[Condition]) -> bool {
        let causes: &[Class] = match condition.class {
            Class::SyncFailed => &[Class::Credentials, Class::SchemaChanged],
            Class::EntityStale => &[Class::Credentials, Class::SchemaChanged, Class::SyncFailed],
            _ => &[],
        };
        let is_away = condition.class == Class::EntityStale
            && self.open.contains_key(&key(Class::DatabaseUnreachable, ""));
        is_away
            || causes.iter().copied().any(|cause| {
                self.open.contains_key(&key(cause, &condition.subject))
                    || conditions
                        .iter()
                        .any(|other| other.class == cause && other.subject == condition.subject)
            })
    }

    /// A condition that holds is an alert; one that grew is told again, now and then.
    fn hold(&mut self, condition: &Condition, now: DateTime<Utc>) {
        let key = key(condition.class, &condition.subject);
        if !self.open.contains_key(&key) {
            let signal = Signal::new(condition.class, &condition.subject, &condition.detail, now);
            self.raise(&signal, now);
            if let Some(alert) = self.open.get_mut(&key) {
                (alert.newest, alert.size) = (condition.newest, condition.size);
            }
            return;
        }
        let Some(alert) = self.open.get_mut(&key) else { return };
        if condition.is_event {
            // Its cases are counted by who meets them.
            return;
        }
        alert.last = now;
        let is_first_sight = alert.newest.is_none() && alert.size == 0;
        let is_grown = condition.newest > alert.newest || condition.size > alert.size;
        if is_first_sight {
            (alert.newest, alert.size) = (condition.newest, condition.size);
        } else if is_grown && now - alert.told_at >= NEWS_PAUSE {
            (alert.newest, alert.size) = (condition.newest, condition.size);
            alert.detail.clone_from(&condition.detail);
            alert.told_at = now;
            alert.count += 1;
            let alert = alert.clone();
            self.tell(Kind::Grown, Some(alert), now);
        } else {
            alert.size = alert.size.min(condition.size);
        }
    }

    /// Closes an alert of that class and subject, if it is open.
    pub fn resolve(&mut self, class: Class, subject: &str, now: DateTime<Utc>) {
        self.close(&key(class, subject), now);
    }

    fn close(&mut self, key: &str, now: DateTime<Utc>) {
        let Some(alert) = self.open.remove(key) else { return };
        self.closed.insert(key.to_owned(), Closed { at: now, flaps: alert.flaps });
        self.tell(Kind::Resolved, Some(alert), now);
    }

    /// Closes what is said of ways that nobody wants any more.
    pub fn forget_ways_but(&mut self, known: &[&str], now: DateTime<Utc>) {
        let gone: Vec<String> = self
            .open
            .iter()
            .filter(|(_, alert)| alert.class == Class::Channel && !known.contains(&alert.subject.as_str()))
            .map(|(key, _)| key.clone())
            .collect();
        for key in gone {
            self.close(&key, now);
        }
    }

    /// Has a text told as it is.
    pub fn say(&mut self, title: &str, text: &str, now: DateTime<Utc>) {
        self.tell(Kind::Text, None, now);
        if let Some(notice) = self.outbox.last_mut() {
            (notice.title, notice.text) = (title.to_owned(), text.to_owned());
        }
    }

    fn tell(&mut self, kind: Kind, alert: Option<Alert>, now: DateTime<Utc>) {
        if self.outbox.len() >= OUTBOX_MAX {
            // Every channel has been down for long. The open alerts say what goes wrong all the same.
            self.outbox.remove(0);
        }
        self.next_id += 1;
        self.outbox.push(Notice {
            id: self.next_id,
            kind,
            alert,
            title: String::new(),
            text: String::new(),
            at: now,
            claimed_until: None,
        });
    }

    /// Takes the notices that nobody else takes to the channels now.
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

    /// Strikes out what a channel has taken.
    pub fn told(&mut self, ids: &[u64]) {
        self.outbox.retain(|notice| !ids.contains(&notice.id));
    }

    /// Gives back what no channel took: it is tried again at the next invocation.
    pub fn give_back(&mut self, ids: &[u64]) {
        for notice in self.outbox.iter_mut().filter(|notice| ids.contains(&notice.id)) {
            notice.claimed_until = None;
        }
    }
}

/// How long an alert must have been calm before it is over.
fn calm(flaps: u32) -> TimeDelta {
    if flaps == 0 {
        return TimeDelta::zero();
    }
    (CALM_FIRST * 2_i32.saturating_pow(flaps.min(10) - 1)).min(CALM_MAX)
}

#[cfg(test)]
mod tests;
