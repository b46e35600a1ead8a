//! Lines of the daily report, in French.

use crate::language::Language;

/// Heading of the day's data.
pub const DATA: &str = "Données de la journée :";
/// Heading of the slowest runs.
pub const SLOWEST_RUNS: &str = "Exécutions les plus lentes :";

/// Counts of an entity's day.
#[derive(Debug, Clone, Copy)]
pub struct EntityCounts {
    /// Rows written.
    pub promoted: i64,
    /// Rows that did not exist before.
    pub new: i64,
    /// Records that failed.
    pub failed: i64,
    /// Records skipped with a reason.
    pub skipped: i64,
    /// Runs that ended.
    pub runs: i64,
    /// Runs that failed.
    pub failed_runs: i64,
}

/// Returns the title of the report of a day.
#[must_use]
pub fn title(day: &str) -> String {
    format!("📋 Rapport du {day}")
}

/// Returns the line of an entity; freshness in percent.
#[must_use]
pub fn entity(label: &str, counts: EntityCounts, freshness: Option<f64>) -> String {
    let EntityCounts { promoted, new, failed, skipped, runs, failed_runs } = counts;
    let freshness = freshness
        .map(|percent| format!(", fraîcheur {} %", Language::French.decimal(percent)))
        .unwrap_or_default();
    format!(
        "• {label} : {promoted} écrits, {new} nouveaux, {failed} en échec, {skipped} ignorés ; {runs} exécutions \
         dont {failed_runs} échouées{freshness}"
    )
}

/// Returns the line of an entity whose full runs prove nothing: their number, and days since the last proof.
#[must_use]
pub fn unproven_sweep(label: &str, runs: i64, days: Option<i64>) -> String {
    let last = days.map_or_else(|| "jamais encore".to_owned(), |days| format!("il y a {days} j"));
    format!("• {label} : {runs} balayage(s) complet(s) sans preuve ; dernière preuve : {last}")
}

/// Returns the heading of the open actions.
#[must_use]
pub fn to_do(open: i64) -> String {
    format!("À faire : {open}")
}

/// Returns a line with a label and a number.
#[must_use]
pub fn count(label: &str, number: i64) -> String {
    format!("• {label} : {number}")
}

/// Returns the heading of the open alerts.
#[must_use]
pub fn open_alerts(open: usize) -> String {
    format!("Alertes ouvertes : {open}")
}

/// Returns the line of an open alert; `moment` is local time.
#[must_use]
pub fn open_alert(heading: &str, moment: &str) -> String {
    format!("• {heading} depuis {moment}")
}

/// Returns the line of a slow run: its entity, mode, seconds and records fetched.
#[must_use]
pub fn slow_run(label: &str, mode: &str, seconds: f64, fetched: i64) -> String {
    format!("• {label} ({mode}) : {} s, {fetched} lus", Language::French.decimal(seconds))
}
