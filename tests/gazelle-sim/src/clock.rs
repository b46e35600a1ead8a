//! Moments as Gazelle writes them, and the local day of a moment.

use chrono::{DateTime, Duration, NaiveDate, NaiveTime, SecondsFormat, Utc};
use chrono_tz::America::Montreal;

/// A `CoreDateTime`: UTC, to the second, `2016-05-11T19:09:15Z`.
pub(crate) fn stamp(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The moment of a `CoreDateTime`.
pub(crate) fn parse(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.to_utc())
}

/// The moment of a `CoreDateTime` argument, for which a bare date stands for its midnight.
pub(crate) fn parse_lenient(text: &str) -> Option<DateTime<Utc>> {
    parse(text).or_else(|| Some(day(text)?.and_hms_opt(0, 0, 0)?.and_utc()))
}

/// The day of a `CoreDate`.
pub(crate) fn day(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()
}

/// The day it was in Montréal.
pub(crate) fn local_day(moment: DateTime<Utc>) -> NaiveDate {
    moment.with_timezone(&Montreal).date_naive()
}

/// The time it was in Montréal.
pub(crate) fn local_time(moment: DateTime<Utc>) -> NaiveTime {
    moment.with_timezone(&Montreal).time()
}

/// The moment so many minutes past midnight on a day in Montréal; where the clocks there skip it, in UTC.
pub(crate) fn at_local(day: NaiveDate, minutes: i64) -> DateTime<Utc> {
    let local = day.and_time(NaiveTime::MIN) + Duration::minutes(minutes);
    local.and_local_timezone(Montreal).earliest().map_or_else(|| local.and_utc(), |moment| moment.to_utc())
}
