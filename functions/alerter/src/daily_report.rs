//! The daily report: yesterday's counts, open actions, open alerts, slowest runs.

use chrono::{DateTime, NaiveDate, Timelike as _, Utc};
use db::queries::DailySummary;
use i18n::indicator::IndicatorTexts;
use i18n::language::Language;
use i18n::report as texts;
use model::entity;
use model::local_day::{self, ZONE};
use object_store::StateError;
use protocol::health::{EntityFacts, assess, is_sweep_overdue};
use protocol::indicator::{Period, total};
use tokio::time::timeout;
use tracing::warn;

use crate::alert_store::AlertStore;
use crate::alerter::Alerter;
use crate::message::{heading, moment};
use crate::observe::{DATABASE_TIMEOUT, ObserveError};

/// Hour of the report, in the firm's time zone.
const HOUR: u32 = 7;

/// Writes yesterday's report into the alert store, once a day or on request. Without a database it waits for the
/// next observation.
pub(crate) async fn write_if_due(
    alerter: &Alerter,
    store: &AlertStore,
    is_requested: bool,
) -> Result<(), StateError> {
    let now = Utc::now();
    let today = if is_requested { Some(local_day::of(now)) } else { due(store, now) };
    let Some((today, (day, start, end))) = today.and_then(|today| Some((today, yesterday(today)?))) else {
        return Ok(());
    };
    let query = async {
        let db = alerter.db.get().await?;
        Ok::<DailySummary, ObserveError>(db::queries::daily_summary(db, start, end).await?)
    };
    let summary = match timeout(DATABASE_TIMEOUT, query).await.unwrap_or(Err(ObserveError::Timeout)) {
        Ok(summary) => summary,
        Err(error) => {
            warn!("The daily report waits for the database: {}", lambda::error_chain(&error));
            return Ok(());
        }
    };
    let (title, text) = report(day, &summary, store, now, alerter.config.thresholds.interval_seconds);
    let last_report = store.last_report;
    let write = |store: &mut AlertStore| {
        // Another invocation may have been quicker.
        if store.last_report == last_report {
            store.last_report = Some(today);
            store.add_text(&title, &text, now);
        }
    };
    alerter.update_store(&write).await
}

/// Returns the local day whose report is due: the hour has passed, and today's report was not written. None on a
/// store's first day, which has no yesterday.
#[must_use]
pub fn due(store: &AlertStore, now: DateTime<Utc>) -> Option<NaiveDate> {
    let local = now.with_timezone(&ZONE);
    let today = local.date_naive();
    (local.hour() >= HOUR && store.last_report.is_some_and(|last| last < today)).then_some(today)
}

/// Returns the day before, with its first instant and the first instant after it.
#[must_use]
pub fn yesterday(today: NaiveDate) -> Option<(NaiveDate, DateTime<Utc>, DateTime<Utc>)> {
    let day = today.pred_opt()?;
    Some((day, local_day::start(day, ZONE)?, local_day::start(today, ZONE)?))
}

/// Returns title and text of a day's report.
#[must_use]
pub fn report(
    day: NaiveDate,
    summary: &DailySummary,
    store: &AlertStore,
    now: DateTime<Utc>,
    interval_seconds: u32,
) -> (String, String) {
    let french = Language::French;
    let label =
        |name: &str| entity::find(name).map_or_else(|| name.to_owned(), |one| french.title(one).to_owned());
    let health = assess(&summary.facts, now, interval_seconds);
    let mut lines = vec![texts::DATA.to_owned()];
    lines.extend(summary.entities.iter().map(|of| {
        let counts = texts::EntityCounts {
            promoted: of.promoted,
            new: of.new,
            failed: of.failed,
            skipped: of.skipped,
            runs: of.runs,
            failed_runs: of.failed_runs,
        };
        texts::entity(&label(&of.entity), counts, health.get(&of.entity).map(|state| state.freshness))
    }));
    lines.extend(summary.facts.iter().filter_map(|facts| unproven_sweep(facts, &label(&facts.entity), now)));
    lines.extend(indicator_lines(summary));
    lines.push(String::new());
    lines.push(texts::to_do(summary.actions.iter().map(|actions| actions.open).sum()));
    lines.extend(
        summary
            .actions
            .iter()
            .map(|actions| texts::count(french.action_of_kind(&actions.kind).0, actions.open)),
    );
    lines.push(String::new());
    lines.push(texts::open_alerts(store.open.len()));
    lines.extend(store.open.values().map(|alert| texts::open_alert(&heading(alert), &moment(alert.since))));
    lines.push(String::new());
    lines.push(texts::SLOWEST_RUNS.to_owned());
    lines.extend(
        summary.slowest.iter().map(|run| {
            texts::slow_run(&label(&run.entity), french.mode(&run.mode), run.seconds, run.fetched)
        }),
    );
    (texts::title(&day.to_string()), lines.join("\n"))
}

/// Returns the line of an entity whose full runs do not prove which records exist; none where they do.
fn unproven_sweep(facts: &EntityFacts, label: &str, now: DateTime<Utc>) -> Option<String> {
    let days = facts.last_sweep.map(|sweep| (now - sweep).num_days());
    let is_shown = facts.unproven_sweeps > 0 || is_sweep_overdue(facts, now, None);
    is_shown.then(|| texts::unproven_sweep(label, facts.unproven_sweeps, days))
}

/// Returns the lines on promises and completeness.
fn indicator_lines(summary: &DailySummary) -> Vec<String> {
    let (french, texts) = (Language::French, IndicatorTexts::of(Language::French));
    let indicators = &summary.indicators;
    let mut lines = vec![String::new(), texts.promises.to_owned()];
    for entity in entity::ALL {
        let day = indicators.of(entity.name, Period::Day);
        lines.extend(day.map(|day| french.indicators(french.title(entity), day)));
    }
    for (period, label) in Period::ALL.into_iter().zip(texts.periods) {
        let label = format!("{} ({label})", texts.all);
        lines.push(french.indicators(&label, &total(&indicators.entities, period)));
    }
    lines.extend(indicators.alerts.iter().map(|delays| format!("• {}", french.alert_delays(delays))));
    lines.push(String::new());
    lines.push(texts.completeness.to_owned());
    if indicators.completeness.is_empty() {
        lines.push(texts.not_counted.to_owned());
    }
    for entity in entity::ALL {
        let count = indicators.completeness_of(entity.name);
        lines.extend(count.map(|count| french.completeness(french.title(entity), count)));
    }
    lines
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;

    use super::*;

    #[test]
    fn unproven_sweeps_have_a_line() {
        let now = DateTime::UNIX_EPOCH + chrono::TimeDelta::days(20_000);
        let line = |facts: &EntityFacts| unproven_sweep(facts, "Pianos", now).unwrap_or_default();
        let days = |days| Some(now - chrono::TimeDelta::days(days));
        let proven = EntityFacts { first_run: days(90), last_sweep: days(3), ..EntityFacts::default() };
        assert_eq!(line(&proven), "");
        let twice = EntityFacts { unproven_sweeps: 2, last_sweep: days(16), ..proven.clone() };
        assert_eq!(line(&twice), texts::unproven_sweep("Pianos", 2, Some(16)));
        let overdue = EntityFacts { last_sweep: None, ..proven };
        assert_eq!(line(&overdue), texts::unproven_sweep("Pianos", 0, None));
    }

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
            let mut store = AlertStore::default();
            store.last_report = today.and_then(|today| today.pred_opt());
            assert_eq!((due(&store, at(before)), due(&store, at(after))), (None, today), "{day:?}");
            store.last_report = today;
            assert_eq!(due(&store, at(after)), None, "once");
            assert_eq!(due(&AlertStore::default(), at(after)), None, "a new store has no yesterday");
        }
    }
}
