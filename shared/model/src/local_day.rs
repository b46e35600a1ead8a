//! Local days of the firm: at 22:00 in Montréal the UTC date is already tomorrow.

use chrono::{DateTime, Days, NaiveDate, NaiveTime, TimeZone, Utc};
use chrono_tz::Tz;

/// Time zone of the firm. Derived days in the tables are days of this zone.
pub const ZONE: Tz = chrono_tz::America::Montreal;

/// Returns the local day of an instant, in [`ZONE`].
#[must_use]
pub fn of(instant: DateTime<Utc>) -> NaiveDate {
    instant.with_timezone(&ZONE).date_naive()
}

/// Returns the first instant of a local day in `zone`: the instant after the gap where midnight is skipped, the earlier
/// one where it comes twice.
#[must_use]
pub fn start(day: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    let midnight = day.and_time(NaiveTime::MIN);
    // A gap ends on a quarter of an hour, a few hours after midnight at most.
    (0..24 * 4)
        .map(|quarters| midnight + chrono::TimeDelta::minutes(15 * quarters))
        .find_map(|wall| zone.from_local_datetime(&wall).earliest())
        .map(|start| start.with_timezone(&Utc))
}

/// Returns the first instant after a local day in `zone`.
#[must_use]
pub fn end(day: NaiveDate, zone: Tz) -> Option<DateTime<Utc>> {
    start(day.checked_add_days(Days::new(1))?, zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(year: i32, month: u32, day: u32) -> Option<i64> {
        let day = NaiveDate::from_ymd_opt(year, month, day)?;
        Some((end(day, ZONE)? - start(day, ZONE)?).num_hours())
    }

    #[test]
    fn day_has_23_or_25_hours_when_clocks_change() {
        assert_eq!(hours(2025, 3, 9), Some(23));
        assert_eq!(hours(2025, 11, 2), Some(25));
        assert_eq!(hours(2025, 12, 1), Some(24));
    }
}
