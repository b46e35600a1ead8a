//! Indicators on the page, in the JSON and in the plain text: promises kept, and completeness.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use i18n::indicator::IndicatorTexts;
use i18n::language::Language;
use maud::{Markup, html};
use model::entity;
use model::local_day::ZONE;
use protocol::health::EntityHealths;
use protocol::indicator::{
    Completeness, EntityIndicators, Indicators, LATENCY_ALLOWED_SECONDS, ON_TIME_REQUIRED_PERCENT, Period,
    SUCCESS_REQUIRED_PERCENT, total,
};
use serde_json::{Value, json};

/// Returns the section on promises: successful runs, latency, records on time, delay of alerts.
pub(crate) fn promises(indicators: &Indicators, language: Language) -> Markup {
    let texts = IndicatorTexts::of(language);
    html! {
        h2 { (texts.promises) }
        p.soft { (texts.promised) }
        div.scroll tabindex="0" role="region" aria-label=(texts.promises) {
            table role="table" {
                thead role="rowgroup" { tr role="row" {
                    th role="columnheader" scope="col" { (texts.entity) }
                    @for heading in texts.successes { th.number role="columnheader" scope="col" { (heading) } }
                    @for heading in [texts.latency_median, texts.latency_p95, texts.latency_max, texts.on_time] {
                        th.number role="columnheader" scope="col" { (heading) }
                    }
                } }
                tbody role="rowgroup" {
                    @for entity in entity::ALL {
                        (promise_row(language.title(entity), |period| indicators.of(entity.name, period).cloned(), language))
                    }
                    (promise_row(texts.all, |period| Some(total(&indicators.entities, period)), language))
                }
            }
        }
        @if let Some(delays) = &indicators.alerts { p { (language.alert_delays(delays)) } }
    }
}

fn promise_row(label: &str, of: impl Fn(Period) -> Option<EntityIndicators>, language: Language) -> Markup {
    let texts = IndicatorTexts::of(language);
    let week = of(Period::Week);
    let latency = week.as_ref().and_then(EntityIndicators::latency);
    let on_time = week.as_ref().and_then(EntityIndicators::on_time_percent);
    let percent =
        |share: Option<f64>, required: f64| share.map(|share| (language.percent(share), share >= required));
    let duration = |seconds: Option<f64>, allowed: f64| {
        seconds.map(|seconds| (language.seconds(seconds), seconds <= allowed))
    };
    html! {
        tr role="row" {
            td role="cell" { (label) }
            @for (period, heading) in Period::ALL.into_iter().zip(texts.successes) {
                @let share = of(period).and_then(|one| one.success_percent());
                (cell(heading, percent(share, SUCCESS_REQUIRED_PERCENT)))
            }
            (cell(texts.latency_median, duration(latency.map(|one| one.p50), LATENCY_ALLOWED_SECONDS)))
            (cell(texts.latency_p95, duration(latency.map(|one| one.p95), LATENCY_ALLOWED_SECONDS)))
            (cell(texts.latency_max, duration(latency.map(|one| one.max), f64::INFINITY)))
            (cell(texts.on_time, percent(on_time, ON_TIME_REQUIRED_PERCENT)))
        }
    }
}

/// Returns a cell with a value, marked where it does not keep the promise.
fn cell(label: &str, value: Option<(String, bool)>) -> Markup {
    html! {
        td.number role="cell" data-label=(label) {
            @match value {
                None => "–",
                Some((text, true)) => (text),
                Some((text, false)) => strong.failed { "! " (text) },
            }
        }
    }
}

/// Returns the section on completeness: the equation of every entity.
pub(crate) fn completeness(indicators: &Indicators, language: Language) -> Markup {
    let texts = IndicatorTexts::of(language);
    html! {
        h2 { (texts.completeness) }
        @if indicators.completeness.is_empty() {
            p { (texts.not_counted) }
        } @else {
            div.scroll tabindex="0" role="region" aria-label=(texts.completeness) {
                table role="table" {
                    thead role="rowgroup" { tr role="row" {
                        th role="columnheader" scope="col" { (texts.entity) }
                        @for heading in [texts.source, texts.rows, texts.skipped, texts.failed, texts.waiting, texts.deleted, texts.gap] {
                            th.number role="columnheader" scope="col" { (heading) }
                        }
                        th role="columnheader" scope="col" { (texts.listed) }
                    } }
                    tbody role="rowgroup" {
                        @for entity in entity::ALL {
                            @if let Some(count) = indicators.completeness_of(entity.name) {
                                (count_row(language.title(entity), count, texts))
                            }
                        }
                    }
                }
            }
        }
    }
}

fn count_row(label: &str, count: &Completeness, texts: &IndicatorTexts) -> Markup {
    html! {
        tr role="row" {
            td role="cell" { (label) }
            td.number role="cell" data-label=(texts.source) { (count.source_count) }
            td.number role="cell" data-label=(texts.rows) { (count.rows_present) }
            td.number role="cell" data-label=(texts.skipped) { (count.skipped) }
            td.number role="cell" data-label=(texts.failed) { (count.failed) }
            td.number role="cell" data-label=(texts.waiting) { (count.waiting) }
            td.number role="cell" data-label=(texts.deleted) { (count.deleted) }
            td.number role="cell" data-label=(texts.gap) {
                @if count.gap == 0 { "✓ 0" } @else { strong.failed { "! " (format!("{:+}", count.gap)) } }
            }
            td role="cell" { time datetime=(count.listed_at.to_rfc3339()) { (moment(count.listed_at)) } }
        }
    }
}

fn moment(instant: DateTime<Utc>) -> String {
    instant.with_timezone(&ZONE).format("%Y-%m-%d %H:%M").to_string()
}

/// Adds the indicators to the plain text: all entities together, the delay of alerts, and each count.
pub(crate) fn add_text(text: &mut String, indicators: &Indicators, language: Language) {
    let texts = IndicatorTexts::of(language);
    let _ = writeln!(text, "\n{}", texts.promises);
    for (period, label) in Period::ALL.into_iter().zip(texts.periods) {
        let all = total(&indicators.entities, period);
        let label = format!("{} ({label})", texts.all);
        let _ = writeln!(text, "  {}", language.indicators(&label, &all));
    }
    if let Some(delays) = &indicators.alerts {
        let _ = writeln!(text, "  {}", language.alert_delays(delays));
    }
    let _ = writeln!(text, "\n{}", texts.completeness);
    for entity in entity::ALL {
        if let Some(count) = indicators.completeness_of(entity.name) {
            let _ = writeln!(text, "  {}", language.completeness(language.title(entity), count));
        }
    }
}

/// Returns the health of every entity as JSON, with its indicators and its count.
pub(crate) fn health_json(health: &EntityHealths, indicators: &Indicators) -> Value {
    let mut all = json!(health);
    for (name, entity) in all.as_object_mut().into_iter().flatten() {
        let periods = Period::ALL.into_iter().map(|period| {
            let of = indicators.of(name, period);
            let figures = json!({
                "runs": of.map_or(0, |of| of.runs),
                "success_percent": of.and_then(EntityIndicators::success_percent),
                "on_time_percent": of.and_then(EntityIndicators::on_time_percent),
                "latency_seconds": of.and_then(EntityIndicators::latency),
            });
            (period.as_str().to_owned(), figures)
        });
        entity["indicators"] = Value::Object(periods.collect());
        entity["completeness"] = json!(indicators.completeness_of(name));
        if let Some(count) = entity["completeness"].as_object_mut() {
            count.remove("entity");
        }
    }
    all
}

#[cfg(test)]
pub(crate) mod tests {
    use protocol::indicator::{AlertDelays, Histogram, Quantiles};

    use super::*;

    /// Returns indicators of every entity: 999 of 1,000 runs, and a gap of 3.
    pub(crate) fn examples() -> Indicators {
        let mut histogram = vec![0; 96];
        histogram[8] = 200;
        let of = |entity: &str, period| EntityIndicators {
            entity: entity.to_owned(),
            period,
            runs: 1_000,
            runs_successful: 999,
            records_timed: 200,
            records_on_time: 150,
            histogram: Histogram(histogram.clone()),
            latency_max_seconds: Some(400.0),
        };
        let count = |entity: &str| Completeness {
            entity: entity.to_owned(),
            run_id: "run".to_owned(),
            listed_at: DateTime::UNIX_EPOCH,
            source_count: 246,
            rows_present: 230,
            skipped: 6,
            failed: 4,
            waiting: 2,
            deleted: 1,
            gap: 3,
            is_confirmed: true,
            counted_at: DateTime::UNIX_EPOCH,
        };
        let names = entity::ALL.map(|entity| entity.name);
        Indicators {
            entities: names.iter().flat_map(|name| Period::ALL.map(|period| of(name, period))).collect(),
            alerts: Some(AlertDelays {
                alerts: 7,
                delay: Some(Quantiles { p50: 0.4, p95: 12.0, max: 61.0 }),
            }),
            completeness: names.iter().map(|name| count(name)).collect(),
        }
    }

    #[test]
    fn page_shows_promises_and_gaps() {
        let indicators = examples();
        let page = promises(&indicators, Language::French).into_string();
        for shown in ["99,90 %", "0,2 s", "6 min 40 s", "! 75,00 %", "médiane 0,4 s", "1 min 01 s"] {
            assert!(page.contains(shown), "{shown}: {page}");
        }
        assert!(!page.contains("! 99,90"), "what is promised is kept: {page}");
        let page = completeness(&indicators, Language::English).into_string();
        assert_eq!(page.matches("! +3").count(), entity::ALL.len(), "{page}");
        assert!(completeness(&Indicators::default(), Language::French).into_string().contains("Pas encore"));
    }

    #[test]
    fn health_json_keeps_the_fields_of_the_strategy() {
        let health = EntityHealths::from([(
            "clients".to_owned(),
            protocol::health::EntityHealth {
                last_sync: None,
                freshness: 100.0,
                status: protocol::health::HealthStatus::Healthy,
                records_pending: 0,
                records_late: 0,
                oldest_pending_seconds: None,
                on_time_percent: None,
                last_sweep: None,
                unproven_sweeps: 0,
            },
        )]);
        let all = health_json(&health, &examples());
        assert_eq!(all["clients"]["freshness"], json!(100.0));
        assert_eq!(all["clients"]["completeness"]["gap"], json!(3));
        assert_eq!(all["clients"]["indicators"]["7d"]["success_percent"], json!(99.9));
        let none = health_json(&health, &Indicators::default());
        assert_eq!(none["clients"]["completeness"], Value::Null);
        assert_eq!(none["clients"]["indicators"]["24h"]["latency_seconds"], Value::Null);
    }
}
