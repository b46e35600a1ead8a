//! Windows: periods of time that a run fetches.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

use crate::local_day;

/// Period from the first instant inside to the first instant after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// First instant inside the period.
    pub start: DateTime<Utc>,
    /// First instant after the end; none for an open-ended period.
    pub end: Option<DateTime<Utc>>,
}

impl Window {
    /// Reports whether an instant is inside.
    #[must_use]
    pub fn contains(&self, instant: DateTime<Utc>) -> bool {
        instant >= self.start && self.end.is_none_or(|end| instant < end)
    }

    /// Returns the open-ended window that begins `days` before `instant`; none out of range.
    #[must_use]
    pub fn since(instant: DateTime<Utc>, days: u32) -> Option<Self> {
        let start = instant.checked_sub_signed(TimeDelta::days(i64::from(days)))?;
        Some(Self { start, end: None })
    }

    /// Returns the window of whole local days in `zone`, both inclusive; none out of range.
    #[must_use]
    pub fn of_days(first: NaiveDate, last: NaiveDate, zone: Tz) -> Option<Self> {
        Some(Self { start: local_day::start(first, zone)?, end: Some(local_day::end(last, zone)?) })
    }
}
