//! Timestamps and dates in Gazelle's formats, and their local equivalents.

use chrono::{DateTime, Duration, NaiveDate, NaiveTime, SecondsFormat, Utc};
use chrono_tz::America::Montreal;

/// Formats a `CoreDateTime`: UTC, to the second, `2016-05-11T19:09:15Z`.
pub(crate) fn format(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Parses a `CoreDateTime` as RFC 3339.
pub(crate) fn parse(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc())
}

/// Parses a `CoreDateTime` argument; a bare date means its midnight in UTC.
pub(crate) fn parse_lenient(text: &str) -> Option<DateTime<Utc>> {
    parse(text).or_else(|| Some(parse_day(text)?.and_hms_opt(0, 0, 0)?.and_utc()))
}

/// Parses a `CoreDate`: `2016-05-11`.
pub(crate) fn parse_day(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()
}

/// Returns the day in Montréal.
pub(crate) fn local_day(time: DateTime<Utc>) -> NaiveDate {
    time.with_timezone(&Montreal).date_naive()
}

/// Returns the time of day in Montréal.
pub(crate) fn local_time(time: DateTime<Utc>) -> NaiveTime {
    time.with_timezone(&Montreal).time()
}

/// Returns the time `minutes` after midnight in Montréal; a time skipped by daylight saving is read as UTC.
pub(crate) fn from_local(day: NaiveDate, minutes: i64) -> DateTime<Utc> {
    let local = day.and_time(NaiveTime::MIN) + Duration::minutes(minutes);
    local.and_local_timezone(Montreal).earliest().map_or_else(|| local.and_utc(), |time| time.to_utc())
}
