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
        ColumnType::Int => i32::try_from(value.as_i64()?).ok()?.to_string(),
        ColumnType::Money => value.as_i64()?.to_string(),
        ColumnType::Bool => value.as_bool()?.to_string(),
        ColumnType::Timestamp => instant_text(parse_instant(value.as_str()?)?),
        ColumnType::Date => date_text(NaiveDate::parse_from_str(value.as_str()?, "%Y-%m-%d").ok()?),
        ColumnType::TextArray => {
            let items = value.as_array()?.iter().filter(|item| !item.is_null());
            array_literal(items.map(Value::as_str).collect::<Option<Vec<_>>>()?)
        }
        ColumnType::Number => value.as_number()?.to_string(),
        ColumnType::Time => NaiveTime::parse_from_str(value.as_str()?, "%H:%M:%S").ok()?.to_string(),
        ColumnType::Json => value.to_string(),
    })
}

/// Parses an ISO 8601 instant. A `Z` is taken at its word: Gazelle's times are true UTC.
#[must_use]
pub fn parse_instant(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|instant| instant.with_timezone(&Utc))
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
    fn z_is_utc_and_offsets_are_converted() {
        let at = |text| cell_text(&json!(text), ColumnType::Timestamp);
        assert_eq!(at("2016-05-11T19:09:15Z"), Some("2016-05-11T19:09:15Z".to_owned()));
        assert_eq!(at("2016-05-11T15:09:15-04:00"), Some("2016-05-11T19:09:15Z".to_owned()));
    }
}
