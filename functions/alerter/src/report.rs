//! The daily report, in French: what yesterday brought, and what waits.

use std::fmt::Write as _;

use chrono::{DateTime, NaiveDate, Timelike as _, Utc};
use db::queries::Day;
use i18n::language::Language;
use model::entity;
use model::local_day::{self, ZONE};
use protocol::health::health;

use crate::book::Book;
use crate::words::moment;

/// The hour of the report, in the firm's time.
const HOUR: u32 = 7;

/// The day whose report is due: it is past the hour, and today's was not written. None on a book's first day, which
/// has seen no yesterday.
#[must_use]
pub fn due(book: &Book, now: DateTime<Utc>) -> Option<NaiveDate> {
    let local = now.with_timezone(&ZONE);
    let today = local.date_naive();
    (local.hour() >= HOUR && book.last_report.is_some_and(|last| last < today)).then_some(today)
}

/// The day before that one, from its first instant to its last.
#[must_use]
pub fn yesterday(today: NaiveDate) -> Option<(NaiveDate, DateTime<Utc>, DateTime<Utc>)> {
    let day = today.pred_opt()?;
    Some((day, local_day::start(day, ZONE)?, local_day::start(today, ZONE)?))
}

/// Title and text of a day's report.
#[must_use]
pub fn report(
    day: NaiveDate,
    facts: &Day,
    book: &Book,
    now: DateTime<Utc>,
    interval: u32,
) -> (String, String) {
    let french = Language::French;
    let name =
        |known: &str| entity::find(known).map_or_else(|| known.to_owned(), |one| one.title.french.to_owned());
    let health = health(&facts.facts, now, interval);
    let mut text = String::from("Données de la journée :\n");
    for of in &facts.entities {
        let freshness = health.get(&of.entity).map_or_else(String::new, |state| {
            format!(", fraîcheur {:.1} %", state.freshness).replace('.', ",")
        });
        let _ = writeln!(
            text,
            "• {} : {} écrits, {} nouveaux, {} en échec, {} ignorés ; {} exécutions dont {} échouées{freshness}",
            name(&of.entity),
            of.promoted,
            of.new,
            of.failed,
            of.skipped,
            of.runs,
            of.failed_runs
        );
    }
    let open: i64 = facts.actions.iter().map(|actions| actions.open).sum();
    let _ = writeln!(text, "\nÀ faire : {open}");
    for actions in &facts.actions {
        let _ = writeln!(text, "• {} : {}", french.action(&actions.kind).0, actions.open);
    }
    let _ = writeln!(text, "\nAlertes ouvertes : {}", book.open.len());
    for alert in book.open.values() {
        let _ = writeln!(text, "• {} depuis {}", crate::words::heading(alert), moment(alert.since));
    }
    text.push_str("\nExécutions les plus lentes :\n");
    for run in &facts.slowest {
        let seconds = format!("{:.1}", run.seconds).replace('.', ",");
        let _ = writeln!(
            text,
            "• {} ({}) : {seconds} s, {} lus",
            name(&run.entity),
            french.mode(&run.mode),
            run.fetched
        );
    }
    (format!("📋 Rapport du {day}"), text.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;

    use super::*;

    #[test]
    fn report_is_due_once_a_day_across_dst() {
        // 2026-03-08: the clocks go forward at 02:00; 2026-11-01: back.
        for (day, before, after) in [
            ((2026, 3, 8), (10, 59), (11, 0)),
            ((2026, 11, 1), (11, 59), (12, 0)),
            ((2026, 1, 15), (11, 59), (12, 0)),
        ] {
            let at = |(hour, minute)| {
                Utc.with_ymd_and_hms(day.0, day.1, day.2, hour, minute, 0).single().unwrap_or_default()
            };
            let today = NaiveDate::from_ymd_opt(day.0, day.1, day.2);
            let mut book = Book::default();
            book.last_report = today.and_then(|today| today.pred_opt());
            assert_eq!((due(&book, at(before)), due(&book, at(after))), (None, today), "{day:?}");
            book.last_report = today;
            assert_eq!(due(&book, at(after)), None, "once");
            assert_eq!(due(&Book::default(), at(after)), None, "a new book has seen no yesterday");
        }
    }
}
