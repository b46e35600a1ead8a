//! The dashboard's truth as plain text, for a terminal.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use db::queries::Overview;
use i18n::language::Language;
use model::entity;
use protocol::health::{health, worst};

use crate::backlog::Backlog;

/// Lines of runs and of actions that are shown; the page shows more.
const LINES: usize = 8;

/// The state of the mirror as text; none where the database gives no answer.
#[must_use]
pub fn status(
    overview: Option<&Overview>,
    backlog: &[Backlog],
    language: Language,
    now: DateTime<Utc>,
    interval_seconds: u32,
) -> String {
    let mut text = String::new();
    if let Some(overview) = overview {
        mirror(&mut text, overview, language, now, interval_seconds);
    } else {
        let _ = writeln!(
            text,
            "{}",
            language.pick(
                "La base de données ne répond pas ; rien n'est perdu.",
                "The database gives no answer; nothing is lost."
            )
        );
    }
    let _ = writeln!(text, "\n{}", language.pick("Files d'attente", "Queues"));
    for queue in backlog {
        let number = |count: Option<u64>| count.map_or_else(|| "?".to_owned(), |count| count.to_string());
        let (waiting, dead) = (number(queue.waiting), number(queue.dead));
        let words = language.pick(("en attente", "mis de côté"), ("waiting", "set aside"));
        let _ = writeln!(text, "  {:<12} {waiting:>6} {}, {dead:>4} {}", queue.queue, words.0, words.1);
    }
    text
}

fn mirror(text: &mut String, overview: &Overview, language: Language, now: DateTime<Utc>, interval: u32) {
    let health = health(&overview.entities, now, interval);
    let _ = writeln!(text, "{}\n", language.verdict(worst(&health)).to_uppercase());
    for entity in entity::ALL {
        let Some(state) = health.get(entity.name) else { continue };
        let last = state.last_sync.map_or_else(
            || language.pick("jamais", "never").to_owned(),
            |last| language.ago((now - last).num_seconds()),
        );
        let freshness = format!("{:.1}", state.freshness);
        let freshness = language.pick(freshness.replace('.', ",").as_str(), freshness.as_str()).to_owned();
        let _ = writeln!(
            text,
            "  {:<16} {:<18} {freshness:>5} %  {last:<16} {:>6} {}",
            language.title(entity),
            language.verdict(state.status),
            state.records_pending,
            language.pick("en attente", "waiting")
        );
    }
    let _ = writeln!(text, "\n{} ({})", language.pick("À faire", "To do"), overview.actions_open);
    for action in overview.actions.iter().take(LINES) {
        let (what, _) = language.action(&action.kind);
        let title = entity::find(&action.entity).map_or(action.entity.as_str(), |one| language.title(one));
        let _ = writeln!(text, "  {what} · {title} · {}", plain(&action.subject));
    }
    let _ = writeln!(text, "\n{}", language.pick("Dernières exécutions", "Last runs"));
    for run in overview.runs.iter().take(LINES) {
        let title = entity::find(&run.entity).map_or(run.entity.as_str(), |one| language.title(one));
        let error = run.error.as_deref().map(|error| format!(" · {}", plain(error))).unwrap_or_default();
        let _ = writeln!(
            text,
            "  {:<16} {:<14} {:<10} {:>6} {}{error}",
            title,
            language.mode(&run.mode),
            language.run_status(&run.status),
            run.promoted,
            language.pick("écrits", "written")
        );
    }
}

/// What a source says must not steer a terminal.
fn plain(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_text_strips_control_characters() {
        let action = db::queries::Action {
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
