//! The health page for people: open actions, freshness, failures, and how promises are kept.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use db::queries::{ActionGroup, ActionRow, HourRow, Overview, RunRow};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use model::entity;
use model::local_day::ZONE;
use sha2::{Digest, Sha256};

use crate::backlog::Backlog;
use crate::indicators::{completeness, promises};

use crate::verdict::overall;
use i18n::language::Language;
use i18n::page::PageTexts;
use protocol::health::{EntityHealths, HealthStatus, assess};

const STYLE: &str = include_str!("page/style.css");
/// Interval at which a browser reloads the page, in seconds.
pub const REFRESH_SECONDS: u32 = 60;
/// Hours shown by the chart of an entity.
const HOURS: i32 = 24;

/// Returns the content security policy: the page's own style by its digest, and nothing else.
#[must_use]
pub fn content_security_policy() -> String {
    let digest = STANDARD.encode(Sha256::digest(STYLE));
    format!(
        "default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
}

/// Returns the page for a database that answers.
#[must_use]
pub fn dashboard(
    overview: &Overview,
    backlog: &[Backlog],
    language: Language,
    now: DateTime<Utc>,
    interval_seconds: u32,
) -> String {
    let health = assess(&overview.entities, now, interval_seconds);
    let overall = overall(overview, &health);
    let body = html! {
        // Open actions come first; without any, the state does.
        @if overview.actions_open > 0 {
            (actions(overview, language))
            (entities(overview, &health, language, now))
        } @else {
            (entities(overview, &health, language, now))
            (actions(overview, language))
        }
        (promises(&overview.indicators, language))
        (completeness(&overview.indicators, language))
        (runs(&overview.runs, language))
        (queues(backlog, language))
    };
    page(language, overall, now, &body)
}

/// Returns the page for a database that gives no answer.
#[must_use]
pub fn unreachable(backlog: &[Backlog], language: Language, now: DateTime<Utc>) -> String {
    let texts = PageTexts::of(language);
    let body = html! {
        p.card { (texts.database_unreachable) }
        (queues(backlog, language))
    };
    page(language, HealthStatus::Unhealthy, now, &body)
}

fn page(language: Language, overall: HealthStatus, now: DateTime<Utc>, body: &Markup) -> String {
    let texts = PageTexts::of(language);
    let title = texts.product;
    html! {
        (DOCTYPE)
        html lang=(language.code()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (language.health_status(overall)) " · " (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (title) }
                    div.banner.(overall.as_str()) {
                        p.verdict role="status" { (mark(overall)) " " (language.health_status(overall)) }
                        p.soft { (texts.as_of) (moment(now)) }
                    }
                }
                main { (body) }
                footer.soft {
                    p { (texts.footer) }
                }
            }
        }
    }
    .into_string()
}

/// Returns the sign of a status, which must not be told by colour alone.
const fn mark(status: HealthStatus) -> &'static str {
    match status {
        HealthStatus::Healthy => "✓",
        HealthStatus::Unknown => "?",
        HealthStatus::Degraded => "!",
        HealthStatus::Unhealthy => "✗",
    }
}

fn entities(overview: &Overview, health: &EntityHealths, language: Language, now: DateTime<Utc>) -> Markup {
    let texts = PageTexts::of(language);
    html! {
        h2 { (texts.data) }
        ul.cards {
            @for entity in entity::ALL {
                @if let Some(state) = health.get(entity.name) {
                    @let hours: Vec<&HourRow> = overview.trend.iter().filter(|hour| hour.entity == entity.name).collect();
                    li.card {
                        h3 { (language.title(entity)) }
                        p.verdict.(state.status.as_str()) { (mark(state.status)) " " (language.health_status(state.status)) }
                        dl {
                            dt { (texts.freshness) }
                            dd { @if state.status == HealthStatus::Unknown { "–" } @else { (language.decimal(state.freshness)) " %" } }
                            dt { (texts.last_success) }
                            dd { @match state.last_sync {
                                Some(last) => (language.ago((now - last).num_seconds())),
                                None => (texts.never),
                            } }
                            dt { (texts.waiting) }
                            dd { (state.records_pending)
                                @if let Some(seconds) = state.oldest_pending_seconds { " · " (language.ago(seconds)) } }
                            dt { (texts.last_sweep) }
                            dd { @match state.last_sweep {
                                Some(sweep) => (language.ago((now - sweep).num_seconds())),
                                None => (texts.never),
                            }
                                @if state.unproven_sweeps > 0 { br; span.failed { "! " (state.unproven_sweeps) " " (texts.unproven_count) } } }
                            dt { (texts.written_24_h) }
                            dd { (hours.iter().map(|hour| hour.promoted).sum::<i64>()) }
                            dt { (texts.failed_24_h) }
                            dd { (hours.iter().map(|hour| hour.failed + hour.failed_runs).sum::<i64>()) }
                        }
                        (plot(&hours, language))
                    }
                }
            }
        }
    }
}

/// Returns a bar per hour, the current one at the right: rows written, and hours with failures.
fn plot(hours: &[&HourRow], language: Language) -> Markup {
    let texts = PageTexts::of(language);
    let most = hours.iter().map(|hour| hour.promoted).max().unwrap_or(0).max(1);
    let label = texts.chart;
    html! {
        svg.plot viewBox="0 0 240 40" preserveAspectRatio="none" role="img" aria-label=(label) {
            line.axis x1="0" y1="39.5" x2="240" y2="39.5" {}
            @for hour in hours.iter().filter(|hour| (0..HOURS).contains(&hour.ago)) {
                @let x = (HOURS - 1 - hour.ago) * 10 + 1;
                @let height = (hour.promoted * 36 / most).max(i64::from(hour.promoted > 0));
                rect.ok x=(x) y=(39 - height) width="8" height=(height) {}
                @if hour.failed + hour.failed_runs > 0 {
                    rect.ko x=(x) y="0" width="8" height="10" {}
                }
            }
        }
    }
}

fn actions(overview: &Overview, language: Language) -> Markup {
    let texts = PageTexts::of(language);
    let Overview { actions, actions_open, action_groups, quarantined, .. } = overview;
    html! {
        h2 { (texts.to_do) " (" (actions_open) ")" }
        @if actions.is_empty() {
            p { (texts.nothing_to_do) }
        } @else {
            div.scroll tabindex="0" role="region" aria-label=(texts.open_actions) {
                table role="table" {
                    thead role="rowgroup" { tr role="row" {
                        th role="columnheader" scope="col" { (texts.what) }
                        th role="columnheader" scope="col" { (texts.subject) }
                        th role="columnheader" scope="col" { (texts.since) }
                        th role="columnheader" scope="col" { (texts.close) }
                    } }
                    @for group in action_groups { (group_of(group, actions, language)) }
                }
            }
        }
        @if *quarantined > 0 {
            p { (quarantined) " " (texts.quarantined_count) }
        }
    }
}

/// Returns the rows of the actions of one kind, and how many more there are.
fn group_of(group: &ActionGroup, actions: &[ActionRow], language: Language) -> Markup {
    let shown: Vec<&ActionRow> = actions.iter().filter(|action| action.kind == group.kind).collect();
    let hidden = group.open.saturating_sub(i64::try_from(shown.len()).unwrap_or(i64::MAX));
    html! {
        tbody role="rowgroup" {
            @for action in shown { (row(action, language)) }
            @if hidden > 0 {
                tr role="row" {
                    td.soft role="cell" colspan="4" {
                        (language.and_more(hidden)) " · " (language.action_of_kind(&group.kind).0)
                    }
                }
            }
        }
    }
}

fn row(action: &ActionRow, language: Language) -> Markup {
    let texts = PageTexts::of(language);
    let (what, advice) = language.action_of_kind(&action.kind);
    let entity = entity::find(&action.entity).map_or(action.entity.as_str(), |entity| language.title(entity));
    html! {
        tr role="row" {
            td role="cell" { strong { (what) } @if !entity.is_empty() { " · " (entity) } br; span.soft { (advice) } }
            td.long role="cell" { span.clamp { (action.subject) } @if let Some(detail) = &action.detail { span.clamp.soft { (detail) } } }
            td role="cell" { time datetime=(action.since.to_rfc3339()) { (moment(action.since)) } }
            td role="cell" {
                form method="post" action={ "/api/v6/actions/" (action.id) "/resolve" } {
                    button type="submit" aria-label={ (texts.close_named) (what) " " (action.subject) } { (texts.done) }
                }
            }
        }
    }
}

fn runs(runs: &[RunRow], language: Language) -> Markup {
    let texts = PageTexts::of(language);
    html! {
        h2 { (texts.last_runs) }
        @if runs.is_empty() {
            p { (texts.no_runs) }
        } @else {
            div.scroll tabindex="0" role="region" aria-label=(texts.runs) {
                table role="table" {
                    thead role="rowgroup" { tr role="row" {
                        th role="columnheader" scope="col" { (texts.began) }
                        th role="columnheader" scope="col" { (texts.what) }
                        th role="columnheader" scope="col" { (texts.outcome) }
                        th.number role="columnheader" scope="col" { (texts.read) }
                        th.number role="columnheader" scope="col" { (texts.written) }
                        th.number role="columnheader" scope="col" { (texts.failed) }
                        th.number role="columnheader" scope="col" { (texts.took) }
                    } }
                    tbody role="rowgroup" {
                        @for run in runs {
                            @let entity = entity::find(&run.entity).map_or(run.entity.as_str(), |entity| language.title(entity));
                            tr.(row_class(run.status.as_str())) role="row" {
                                td role="cell" { time datetime=(run.started_at.to_rfc3339()) { (moment(run.started_at)) } }
                                td role="cell" { (entity) " · " (language.mode(&run.mode)) }
                                td role="cell" { span.(class(run.status.as_str())) { (run_mark(run.status.as_str())) " " (language.run_status(run.status.as_str())) }
                                    @if let Some(error) = &run.error { br; span.soft { (error) } } }
                                td.number role="cell" data-label=(texts.read) { (run.fetched) }
                                td.number role="cell" data-label=(texts.written) { (run.promoted) }
                                td.number role="cell" data-label=(texts.failed) { (run.failed) }
                                td.number role="cell" data-label=(texts.took) { @if let Some(end) = run.completed_at { (duration((end - run.started_at).num_seconds())) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Returns the table of queues: messages that wait, and dead letters.
fn queues(backlog: &[Backlog], language: Language) -> Markup {
    let texts = PageTexts::of(language);
    let number = |count: Option<u64>| count.map_or_else(|| "?".to_owned(), |count| count.to_string());
    html! {
        @if !backlog.is_empty() {
            h2 { (texts.messages_in_transit) }
            table.narrow role="table" {
                thead role="rowgroup" { tr role="row" {
                    th role="columnheader" scope="col" { (texts.queue) }
                    th.number role="columnheader" scope="col" { (texts.waiting) }
                    th.number role="columnheader" scope="col" { (texts.set_aside) }
                } }
                tbody role="rowgroup" { @for queue in backlog { tr role="row" {
                    td role="cell" { (language.queue(queue.queue)) }
                    td.number role="cell" { (number(queue.waiting)) }
                    td.number role="cell" { @if queue.dead.unwrap_or(0) > 0 { strong.failed { "! " (number(queue.dead)) } } @else { (number(queue.dead)) } }
                } } }
            }
        }
    }
}

/// Returns the CSS class of a run's status; only known statuses become one.
fn class(status: &str) -> &'static str {
    ["running", "success", "partial", "failed"]
        .into_iter()
        .find(|known| *known == status)
        .unwrap_or("unknown")
}

/// Returns the CSS class of a run's row.
fn row_class(status: &str) -> &'static str {
    if matches!(status, "partial" | "failed") { "trouble" } else { "plain" }
}

fn run_mark(status: &str) -> &'static str {
    match status {
        "success" => "✓",
        "partial" => "!",
        "failed" => "✗",
        _ => "…",
    }
}

fn moment(instant: DateTime<Utc>) -> String {
    instant.with_timezone(&ZONE).format("%Y-%m-%d %H:%M").to_string()
}

fn duration(seconds: i64) -> String {
    if seconds < 60 {
        format!("{} s", seconds.max(0))
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

#[cfg(test)]
mod tests {
    use protocol::health::EntityFacts;

    use super::*;

    fn overview() -> Overview {
        let now = Utc::now();
        Overview {
            entities: entity::ALL
                .map(|entity| EntityFacts {
                    entity: entity.name.to_owned(),
                    last_success: Some(now),
                    last_status: Some(protocol::manifest::RunStatus::Success),
                    recent: 1,
                    on_time: 1,
                    ..EntityFacts::default()
                })
                .to_vec(),
            actions: vec![ActionRow {
                id: uuid::Uuid::nil(),
                kind: "placeholder".to_owned(),
                entity: "users".to_owned(),
                subject: "<script>alert(1)</script>".to_owned(),
                since: now,
                detail: Some("\" onmouseover=\"x".to_owned()),
            }],
            actions_open: 1,
            action_groups: vec![ActionGroup { kind: "placeholder".to_owned(), open: 1, oldest: now }],
            ..Overview::default()
        }
    }

    #[test]
    fn grave_actions_come_first_and_the_rest_is_counted() {
        let now = Utc::now();
        let action = |kind: &str, subject: &str| ActionRow {
            id: uuid::Uuid::nil(),
            kind: kind.to_owned(),
            entity: "clients".to_owned(),
            subject: subject.to_owned(),
            since: now,
            detail: None,
        };
        let group = |kind: &str, open| ActionGroup { kind: kind.to_owned(), open, oldest: now };
        let overview = Overview {
            actions: vec![action("credentials", "grave-one"), action("duplicate", "slight-one")],
            action_groups: vec![group("credentials", 1), group("duplicate", 2_078)],
            actions_open: 2_079,
            ..overview()
        };
        let page = dashboard(&overview, &[], Language::French, now, 120);
        let place = |text: &str| page.find(text).unwrap_or(usize::MAX);
        assert!(place("grave-one") < place("slight-one"), "{page}");
        assert!(place("slight-one") < place("… et 2077 autres"), "{page}");
        assert!(!page.contains("… et 0"), "{page}");
    }

    #[test]
    fn hostile_name_is_escaped() {
        let page = dashboard(&overview(), &[], Language::French, Utc::now(), 120);
        assert!(!page.contains("<script") && page.contains("&lt;script&gt;alert(1)"), "{page}");
        assert!(!page.contains("\" onmouseover=\""), "{page}");
    }

    #[test]
    fn every_entity_has_a_card_in_both_languages() {
        for language in [Language::French, Language::English] {
            let page = dashboard(&overview(), &[], language, Utc::now(), 120);
            for entity in entity::ALL {
                assert!(page.contains(language.title(entity)), "{}", entity.name);
            }
            assert!(page.contains(&format!("lang=\"{}\"", language.code())));
        }
    }

    #[test]
    fn csp_contains_the_style_digest() {
        let page = unreachable(&[], Language::French, Utc::now());
        let style =
            page.split("<style>").nth(1).and_then(|rest| rest.split("</style>").next()).unwrap_or_default();
        let digest = STANDARD.encode(Sha256::digest(style));
        assert!(content_security_policy().contains(&digest));
    }
}
