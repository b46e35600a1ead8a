//! The content of the health page as plain text, for a terminal.

use std::fmt::Write as _;

use crate::verdict::overall;
use chrono::{DateTime, Utc};
use db::queries::Overview;
use i18n::language::Language;
use i18n::page::PageTexts;
use model::entity;
use protocol::health::assess;

use crate::backlog::Backlog;
use crate::indicators;

/// Runs and actions shown; the page shows more.
const LINES: usize = 8;

/// Returns the state of the mirror as text; `overview` is none while the database gives no answer.
#[must_use]
pub fn status(
    overview: Option<&Overview>,
    backlog: &[Backlog],
    language: Language,
    now: DateTime<Utc>,
    interval_seconds: u32,
) -> String {
    let texts = PageTexts::of(language);
    let mut text = String::new();
    if let Some(overview) = overview {
        mirror(&mut text, overview, language, now, interval_seconds);
    } else {
        let _ = writeln!(text, "{}", texts.database_unreachable_short);
    }
    let _ = writeln!(text, "\n{}", texts.queues);
    for queue in backlog {
        let number = |count: Option<u64>| count.map_or_else(|| "?".to_owned(), |count| count.to_string());
        let (waiting, dead) = (number(queue.waiting), number(queue.dead));
        let _ = writeln!(
            text,
            "  {:<12} {waiting:>6} {}, {dead:>4} {}",
            queue.queue, texts.waiting_count, texts.set_aside_count
        );
    }
    text
}

fn mirror(text: &mut String, overview: &Overview, language: Language, now: DateTime<Utc>, interval: u32) {
    let texts = PageTexts::of(language);
    let health = assess(&overview.entities, now, interval);
    let _ = writeln!(text, "{}\n", language.health_status(overall(overview, &health)).to_uppercase());
    for entity in entity::ALL {
        let Some(state) = health.get(entity.name) else { continue };
        let last = state
            .last_sync
            .map_or_else(|| texts.never.to_owned(), |last| language.ago((now - last).num_seconds()));
        let freshness = language.decimal(state.freshness);
        let _ = writeln!(
            text,
            "  {:<16} {:<18} {freshness:>5} %  {last:<16} {:>6} {}",
            language.title(entity),
            language.health_status(state.status),
            state.records_pending,
            texts.waiting_count
        );
        if let Some(seconds) = state.oldest_pending_seconds.filter(|_| state.records_late > 0) {
            let _ = writeln!(text, "  {:<16} ! {} {}", "", texts.oldest_waiting, language.ago(seconds));
        }
        if state.unproven_sweeps > 0 {
            let _ = writeln!(text, "  {:<16} ! {} {}", "", state.unproven_sweeps, texts.unproven_count);
        }
    }
    let _ = writeln!(text, "\n{} ({})", texts.to_do, overview.actions_open);
    for action in overview.actions.iter().take(LINES) {
        let (what, _) = language.action_of_kind(&action.kind);
        let title = entity::find(&action.entity).map_or(action.entity.as_str(), |one| language.title(one));
        let _ = writeln!(text, "  {what} · {title} · {}", plain(&action.subject));
    }
    indicators::add_text(text, &overview.indicators, language);
    let _ = writeln!(text, "\n{}", texts.last_runs);
    for run in overview.runs.iter().take(LINES) {
        let title = entity::find(&run.entity).map_or(run.entity.as_str(), |one| language.title(one));
        let error = run.error.as_deref().map(|error| format!(" · {}", plain(error))).unwrap_or_default();
        let _ = writeln!(
            text,
            "  {:<16} {:<14} {:<10} {:>6} {}{error}",
            title,
            language.mode(&run.mode),
            language.run_status(run.status.as_str()),
            run.promoted,
            texts.written_count
        );
    }
}

/// Removes control characters: a source's text must not steer a terminal.
fn plain(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_text_strips_control_characters() {
        let action = db::queries::ActionRow {
            id: uuid::Uuid::nil(),
            kind: "placeholder".to_owned(),
            entity: "users".to_owned(),
            subject: "\u{1b}[2Jusr_1".to_owned(),
            since: Utc::now(),
            detail: None,
        };
        let overview = Overview { actions: vec![action], actions_open: 1, ..Overview::default() };
        let backlog = [Backlog { queue: "fetch", waiting: Some(3), dead: None }];
        let text = status(Some(&overview), &backlog, Language::French, Utc::now(), 120);
        assert!(!text.contains('\u{1b}') && text.contains("usr_1") && text.contains("À faire (1)"), "{text}");
        assert!(text.contains("3 en attente,    ? mis de côté"), "{text}");
        let text = status(None, &backlog, Language::English, Utc::now(), 120);
        assert!(text.starts_with("The database gives no answer"), "{text}");
    }
}
