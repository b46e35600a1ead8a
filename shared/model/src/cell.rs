//! Cells: values of a record in the text form that PostgreSQL casts to the column's type.

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, SecondsFormat, Utc};
use serde_json::Value;

use crate::column::ColumnType;

/// Returns the cell for a value; none where the value does not fit the column's type.
pub(crate) fn cell_text(value: &Value, column_type: ColumnType) -> Option<String> {
    Some(match column_type {
        ColumnType::Text => match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        },
        ColumnType::Int => i32::try_from(whole_number(value)?).ok()?.to_string(),
        ColumnType::Money => whole_number(value)?.to_string(),
        ColumnType::Bool => boolean(value)?.to_string(),
        ColumnType::Timestamp => instant_text(parse_instant(value.as_str()?)?),
        ColumnType::Date => date_text(parse_day(value.as_str()?)?),
        ColumnType::TextArray => {
            let items = value.as_array()?.iter().filter(|item| !item.is_null());
            array_literal(items.map(Value::as_str).collect::<Option<Vec<_>>>()?)
        }
        ColumnType::Number => decimal(value)?,
        ColumnType::Time => NaiveTime::parse_from_str(value.as_str()?, "%H:%M:%S").ok()?.to_string(),
        ColumnType::Json => value.to_string(),
    })
}

/// Whole numbers that a double holds exactly.
const EXACT_IN_DOUBLE: f64 = 9_007_199_254_740_992.0;

/// Digits of a decimal number that is read from a text; `numeric` holds more, and no amount has so many.
const DECIMAL_BYTES_MAX: usize = 40;

/// Returns a whole number: from a number, also one with the fraction zero, or from a text of digits, which means the
/// same. None for everything of which another number could be meant.
#[must_use]
pub fn whole_number(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let double = number.as_f64().filter(|double| double.fract() == 0.0)?;
            #[expect(
                clippy::cast_possible_truncation,
                reason = "the bound leaves whole numbers that i64 holds"
            )]
            (double.abs() <= EXACT_IN_DOUBLE).then_some(double as i64)
        }),
        Value::String(text) => {
            digits(text).filter(|text| !text.contains('.')).and_then(|text| text.parse().ok())
        }
        _ => None,
    }
}

/// Returns a boolean, also from the texts `true` and `false`.
fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::String(text) if text.trim().eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.trim().eq_ignore_ascii_case("false") => Some(false),
        value => value.as_bool(),
    }
}

/// Returns a decimal number, also from a text of digits with a decimal point.
fn decimal(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => digits(text).map(str::to_owned),
        _ => None,
    }
}

/// Returns the trimmed text if it is a plain decimal number: a sign, digits, at most one point between digits.
fn digits(text: &str) -> Option<&str> {
    let text = text.trim();
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    (are_digits(whole) && are_digits(fraction) && text.len() <= DECIMAL_BYTES_MAX).then_some(text)
}

/// Parses an ISO 8601 instant. A `Z` is taken at its word: Gazelle's times are true UTC.
///
/// The result has microseconds, as the database's, and a leap second is the next second: what is decided from it, such
/// as the month of a partition, is decided as the database decides.
#[must_use]
pub fn parse_instant(text: &str) -> Option<DateTime<Utc>> {
    let instant = DateTime::parse_from_rfc3339(text.trim()).ok()?.with_timezone(&Utc);
    DateTime::from_timestamp_micros(instant.timestamp_micros()).filter(|at| at.year() >= YEAR_MIN)
}

/// First year, astronomically, all of whose days the database can hold: 4712 BC.
const YEAR_MIN: i32 = -4711;

/// Parses an ISO 8601 day; none for one that the database cannot hold.
fn parse_day(text: &str) -> Option<NaiveDate> {
    NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d").ok().filter(|day| day.year() >= YEAR_MIN)
}

/// Formats an instant as PostgreSQL reads it.
#[must_use]
pub fn instant_text(instant: DateTime<Utc>) -> String {
    if (1..=9999).contains(&instant.year()) {
        return instant.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    }
    let (date, era) = date_text(instant.date_naive())
        .split_once(' ')
        .map_or_else(|| (date_text(instant.date_naive()), ""), |(date, _)| (date.to_owned(), " BC"));
    format!("{date} {}+00{era}", instant.format("%H:%M:%S%.f"))
}

/// Formats a day as PostgreSQL reads it. PostgreSQL has no year 0: the year before 1 is 1 BC.
#[must_use]
pub fn date_text(day: NaiveDate) -> String {
    let (year, era) = if day.year() > 0 { (day.year(), "") } else { (1 - day.year(), " BC") };
    format!("{year:04}-{:02}-{:02}{era}", day.month(), day.day())
}

/// Formats a number with at most one decimal, as PostgreSQL reads it: `21`, `20.5`.
#[must_use]
pub fn number_text(value: f64) -> String {
    format!("{:.1}", value + 0.0).trim_end_matches(".0").to_owned()
}

/// Formats a list of texts as an array literal of PostgreSQL.
fn array_literal(items: Vec<&str>) -> String {
    let quoted: Vec<String> = items
        .into_iter()
        .map(|item| format!("\"{}\"", item.replace('\\', "\\\\").replace('"', "\\\"")))
        .collect();
    format!("{{{}}}", quoted.join(","))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn number_text_keeps_at_most_one_decimal() {
        let written: Vec<String> = [21.0, 20.46, -0.0, 439.5].into_iter().map(number_text).collect();
        assert_eq!(written, ["21", "20.5", "0", "439.5"]);
    }

    #[test]
    fn dates_outside_1_to_9999_use_postgres_syntax() {
        let at = |text| cell_text(&json!(text), ColumnType::Timestamp);
        assert_eq!(at("0001-01-01T00:00:00+05:00"), Some("0001-12-31 19:00:00+00 BC".to_owned()));
        assert_eq!(at("9999-12-31T23:00:00-05:00"), Some("10000-01-01 04:00:00+00".to_owned()));
        assert_eq!(cell_text(&json!("0000-12-31"), ColumnType::Date), Some("0001-12-31 BC".to_owned()));
        assert_eq!(cell_text(&json!("2025-02-30"), ColumnType::Date), None);
    }

    #[test]
    fn instant_has_microseconds_and_no_leap_second() {
        let at = |text| cell_text(&json!(text), ColumnType::Timestamp);
        for (text, expected) in [
            ("2026-01-31T23:59:59.9999999Z", "2026-01-31T23:59:59.999999Z"),
            ("2026-01-31T23:59:59.999999999999Z", "2026-01-31T23:59:59.999999Z"),
            ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
            ("2016-12-31T18:59:60.5-05:00", "2017-01-01T00:00:00.500Z"),
            ("0000-01-01T00:00:00.0000009+23:59", "0002-12-31 00:01:00+00 BC"),
        ] {
            assert_eq!(at(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(at("infinity"), None);
        // A cell is read back as the same instant.
        let cell = at("2016-12-31T23:59:60.1234567Z").unwrap_or_default();
        assert_eq!(at(&cell).as_deref(), Some(cell.as_str()));
    }

    #[test]
    fn day_outside_the_database_is_unreadable() {
        let on = |text| cell_text(&json!(text), ColumnType::Date);
        assert_eq!(
            ["-5000-01-01", "-262143-01-01", "infinity", "2026-13-01"].map(on),
            [None, None, None, None]
        );
        assert_eq!(on("-4711-01-01").as_deref(), Some("4712-01-01 BC"));
    }

    #[test]
    fn digit_text_is_read_where_it_is_certain() {
        use ColumnType::{Bool, Int, Money, Number};
        for (value, column_type, expected) in [
            (json!("22995"), Money, Some("22995")),
            (json!(" -5 "), Int, Some("-5")),
            (json!(22_995.0), Money, Some("22995")),
            (json!("229.95"), Money, None),
            (json!(229.95), Money, None),
            (json!("12 000"), Int, None),
            (json!("1e3"), Int, None),
            (json!("99999999999"), Int, None),
            (json!("20.5"), Number, Some("20.5")),
            (json!("20,5"), Number, None),
            (json!("."), Number, None),
            (json!("TRUE"), Bool, Some("true")),
            (json!("false"), Bool, Some("false")),
            (json!("yes"), Bool, None),
        ] {
            assert_eq!(cell_text(&value, column_type).as_deref(), expected, "{value}");
        }
    }

    #[test]
    fn z_is_utc_and_offsets_are_converted() {
        let at = |text| cell_text(&json!(text), ColumnType::Timestamp);
        assert_eq!(at("2016-05-11T19:09:15Z"), Some("2016-05-11T19:09:15Z".to_owned()));
        assert_eq!(at("2016-05-11T15:09:15-04:00"), Some("2016-05-11T19:09:15Z".to_owned()));
    }
}
