//! Periods of time.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::local_day;

/// A period: from the first instant inside to the first instant after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// The first instant inside.
    pub start: DateTime<Utc>,
    /// The first instant after; open-ended where there is none.
    pub end: Option<DateTime<Utc>>,
}

impl Window {
    /// Whether an instant lies inside.
    #[must_use]
    pub fn contains(&self, instant: DateTime<Utc>) -> bool {
        instant >= self.start && self.end.is_none_or(|end| instant < end)
    }

    /// From so many days before that instant on.
    #[must_use]
    pub fn since(instant: DateTime<Utc>, days: u32) -> Option<Self> {
        let start = instant.checked_sub_signed(TimeDelta::days(i64::from(days)))?;
        Some(Self { start, end: None })
    }

    /// The instants of whole local days, both inclusive.
    #[must_use]
    pub fn of_days(first: NaiveDate, last: NaiveDate, zone: Tz) -> Option<Self> {
        Some(Self { start: local_day::start(first, zone)?, end: Some(local_day::end(last, zone)?) })
    }
}
