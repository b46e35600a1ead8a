//! Indicators in production: successful runs, latency from Gazelle to the row, delay of alerts.

use chrono::{DateTime, TimeDelta, Utc};
use gazelle_sim::SimConfig;
use model::entity;
use pipeline_tests::mirror::{Mirror, entity};
use pipeline_tests::pages::{HandRun, MemorySource};
use pipeline_tests::pipeline::Pipeline;
use protocol::indicator::{EntityIndicators, Indicators, Period};
use protocol::manifest::RunStatus;
use protocol::request::Mode;
use serde_json::json;
use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::staging::record;

fn small() -> SimConfig {
    SimConfig { clients: 60, pianos: 70, timeline: 300, ..SimConfig::default() }
}

/// Computes the daily figures as the alerter does, and reads the indicators.
async fn indicators(mirror: &Mirror) -> Indicators {
    db::performance::roll_up(&mirror.db, 31).await.expect("the database is there");
    db::queries::indicators(&mirror.db).await.expect("the database is there")
}

fn of<'a>(indicators: &'a Indicators, name: &str, period: Period) -> &'a EntityIndicators {
    indicators.of(name, period).unwrap_or_else(|| panic!("{name}: no figures"))
}

async fn execute(mirror: &Mirror, sql: &str) {
    let sql = AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(sql).execute(&mut mirror.connection().await).await.expect("a statement");
}

/// Stages and promotes a run of one page that began at this instant.
async fn promote(mirror: &Mirror, name: &str, began: DateTime<Utc>, salt: u32, ids: &[&str]) -> MemorySource {
    let source = MemorySource::default();
    let mut run = HandRun::started(entity(name), began, salt);
    run.page(&source, &ids.iter().map(|id| record(id)).collect::<Vec<_>>());
    run.end(&source, RunStatus::Success);
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    mirror.drain(entity(name)).await;
    source
}

#[sqlx::test(migrations = false)]
async fn latency_counts_what_a_tick_sees_first(_: PgPoolOptions, options: PgConnectOptions) {
    let pipeline = Pipeline::open(small(), options).await;
    pipeline.tick().await;
    pipeline.sync(&Mode::Full).await;
    let first = indicators(&pipeline.mirror).await;
    for entity in entity::ALL {
        let figures = of(&first, entity.name, Period::Day);
        assert_eq!(figures.records_timed, 0, "{}: the initial load is no latency", entity.name);
        assert_eq!(figures.success_percent(), Some(100.0), "{}", entity.name);
    }
    for entity in entity::ALL {
        let change = json!({"creates": 3, "entity": entity.name});
        pipeline.source.control("/_sim/advance", &change).await;
    }
    pipeline.tick().await;
    pipeline.tick().await;
    let before = indicators(&pipeline.mirror).await;
    for entity in entity::ALL {
        for period in Period::ALL {
            let figures = of(&before, entity.name, period);
            let counted = figures.histogram.0.iter().sum::<i64>();
            assert!(figures.records_timed >= 3, "{}: {figures:?}", entity.name);
            assert_eq!(counted, figures.records_timed, "{}: each promoted one is counted once", entity.name);
            let latency = figures.latency().expect("a latency");
            assert!(latency.p50 <= latency.p95 && latency.p95 <= latency.max, "{latency:?}");
            assert!(latency.max < 60.0, "{}: {latency:?}", entity.name);
            assert_eq!(figures.on_time_percent(), Some(100.0), "{}", entity.name);
        }
    }
    let column = "select count(*) from sync_status where records_timed > 0
        and (performance_metrics #>> '{latency_seconds,max}')::float8 = latency_max_seconds
        and performance_metrics #> '{latency_seconds}' ?& array['p50', 'p95', 'max']";
    let timed = "select count(*) from sync_status where records_timed > 0";
    assert_eq!(pipeline.mirror.value(column).await, pipeline.mirror.value(timed).await);
    // Everything once more, from the raw pages, into rows that were lost.
    execute(&pipeline.mirror, "update users set deleted_at = now(); delete from measurements").await;
    let day = |back: i64| (Utc::now() - TimeDelta::days(back)).format("%Y-%m-%d").to_string();
    for entity in entity::fetched() {
        let replay = json!({"task": "replay", "entity": entity.name, "start": day(1), "end": day(-1)});
        pipeline.task(&replay).await;
    }
    pipeline.settle().await;
    let after = indicators(&pipeline.mirror).await;
    for entity in entity::ALL {
        let (before, after) = (of(&before, entity.name, Period::Day), of(&after, entity.name, Period::Day));
        assert_eq!(after.histogram, before.histogram, "{}: a replay is no latency", entity.name);
    }
}

#[sqlx::test(migrations = false)]
async fn late_and_failed_records_are_not_on_time(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let now = Utc::now();
    for entity in entity::fetched() {
        let name = entity.name;
        promote(&mirror, name, now - TimeDelta::hours(9), 1, &["a"]).await;
        let ended = format!(
            "update sync_status set completed_at = started_at + interval '1 minute' where sync_type = '{name}'"
        );
        execute(&mirror, &ended).await;
        // Fetched two hours ago and staged only now, as after an outage; then one at once.
        promote(&mirror, name, now - TimeDelta::hours(2), 2, &["b", "c", "d"]).await;
        promote(&mirror, name, Utc::now() - TimeDelta::seconds(2), 3, &["e"]).await;
        let figures = indicators(&mirror).await;
        let figures = of(&figures, name, Period::Day);
        assert_eq!((figures.records_timed, figures.records_on_time), (4, 1), "{name}");
        let latency = figures.latency().expect("a latency");
        assert!((7_195.0..7_400.0).contains(&latency.max) && latency.p50 > 6_000.0, "{name}: {latency:?}");
    }
}

#[sqlx::test(migrations = false)]
async fn retried_record_is_judged_once(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let now = Utc::now();
    promote(&mirror, "timeline", now - TimeDelta::hours(9), 1, &["a"]).await;
    execute(&mirror, "update sync_status set completed_at = started_at + interval '1 minute'").await;
    let source = MemorySource::default();
    let mut run = HandRun::started(entity("timeline"), now - TimeDelta::seconds(3), 2);
    let mut broken = record("b");
    broken["occurredAt"] = json!("soon");
    run.page(&source, &[broken, record("c")]);
    run.end(&source, RunStatus::Success);
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    mirror.drain(entity("timeline")).await;
    let judged = |indicators: Indicators| {
        let figures = of(&indicators, "timeline", Period::Day).clone();
        (figures.runs, figures.runs_successful, figures.records_timed, figures.records_on_time)
    };
    assert_eq!(judged(indicators(&mirror).await), (2, 1, 2, 1), "a partial run is no success");
    execute(&mirror, "update stg_timeline_entries set raw_data = jsonb_set(raw_data, '{occurredAt}', '\"2025-03-01T12:00:00Z\"') where gazelle_id = 'b'").await;
    assert_eq!(db::staging::retry_failed(&mirror.db, entity("timeline")).await.expect("a database"), 1);
    mirror.drain(entity("timeline")).await;
    assert_eq!(judged(indicators(&mirror).await), (2, 2, 2, 1), "the run ended well, the record was late");
}

#[sqlx::test(migrations = false)]
async fn run_is_judged_by_its_last_status(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    for entity in entity::fetched() {
        let source = MemorySource::default();
        let mut run = HandRun::started(entity, Utc::now() - TimeDelta::minutes(5), 1);
        run.page(&source, &[record("a")]);
        run.end_with(&source, RunStatus::Failed, 2);
        assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
        mirror.drain(entity).await;
        let figures = indicators(&mirror).await;
        for period in Period::ALL {
            assert_eq!(of(&figures, entity.name, period).success_percent(), Some(0.0), "{}", entity.name);
        }
        run.end_with(&source, RunStatus::Success, 3);
        assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
        let figures = indicators(&mirror).await;
        for period in Period::ALL {
            let figures = of(&figures, entity.name, period);
            assert_eq!((figures.runs, figures.runs_successful), (1, 1), "{}: resumed", entity.name);
        }
    }
    // A day whose runs are pruned keeps what it had.
    execute(&mirror, "delete from sync_status").await;
    let figures = indicators(&mirror).await;
    for entity in entity::fetched() {
        assert_eq!(of(&figures, entity.name, Period::Month).runs, 1, "{}", entity.name);
        assert_eq!(figures.of(entity.name, Period::Day), None, "{}", entity.name);
    }
}

#[sqlx::test(migrations = false)]
async fn alert_delays_are_recorded_once_and_summed_up(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let now = Utc::now();
    let delay = |index: i64, seconds: i64| db::performance::AlertDelay {
        class: "sync_failed",
        subject: format!("{index}"),
        fault_at: now - TimeDelta::minutes(index),
        delivered_at: now - TimeDelta::minutes(index) + TimeDelta::seconds(seconds),
    };
    let delays: Vec<_> =
        (0..100).map(|index| delay(index, if index < 90 { 2 } else { 40 + index })).collect();
    for _ in 0..2 {
        db::performance::record_alert_delays(&mirror.db, &delays).await.expect("the database is there");
    }
    let alerts = indicators(&mirror).await.alerts.expect("read");
    let quantiles = alerts.delay.expect("some");
    assert_eq!((alerts.alerts, quantiles.p50, quantiles.max), (100, 2.0, 139.0));
    assert!((130.0..139.0).contains(&quantiles.p95), "{quantiles:?}");
    execute(&mirror, "update alert_delays set delivered_at = now() - interval '2 years', fault_at = fault_at - interval '2 years'").await;
    assert_eq!(indicators(&mirror).await.alerts.expect("read").delay, None);
    assert_eq!(mirror.value("select count(*) from alert_delays").await, json!(0), "old ones are deleted");
}

/// Milliseconds that a question of health may take after five years.
const QUESTION_MS_MAX: f64 = 100.0;

#[sqlx::test(migrations = false)]
async fn five_years_of_runs_keep_questions_cheap(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    // A run of every entity every two minutes for a month, then one every six hours.
    let names = entity::ALL.map(|entity| format!("'{}'", entity.name)).join(", ");
    execute(
        &mirror,
        &format!(
            "insert into sync_status (run_id, sync_type, mode, status, started_at, completed_at, fetch_status,
                records_timed, records_on_time, latency_histogram, latency_max_seconds)
            select 'run-' || entity || at, entity, case when extract(epoch from at)::bigint % 604800 < 120 then 'full' else 'incremental' end,
                'success', at, at + interval '5 seconds', 'success', 1, 1,
                case when at > now() - interval '2 days' and extract(epoch from at)::bigint % 360 < 120 then array_fill(0, array[26]) || 1 end, 5
            from unnest(array[{names}]) as e(entity),
                (select now() - n * interval '2 minutes' as at from generate_series(1, 21600) n
                 union all select now() - interval '30 days' - n * interval '6 hours' from generate_series(1, 7200) n) t;
            insert into performance_metrics (day, entity, runs, runs_successful, latency_histogram, latency_max_seconds)
            select current_date - n, entity, 720, 720, array_fill(1::bigint, array[96]), 5
            from unnest(array[{names}]) as e(entity), generate_series(3, 1825) n;
            analyze sync_status; analyze performance_metrics"
        ),
    )
    .await;
    let mut took = Vec::new();
    for _ in 0..5 {
        let began = std::time::Instant::now();
        db::queries::indicators(&mirror.db).await.expect("the database is there");
        let indicators_ms = began.elapsed().as_secs_f64() * 1_000.0;
        let began = std::time::Instant::now();
        db::completeness::due_counts(&mirror.db).await.expect("the database is there");
        took.push((indicators_ms, began.elapsed().as_secs_f64() * 1_000.0));
    }
    let best = |of: fn(&(f64, f64)) -> f64| took.iter().map(of).fold(f64::INFINITY, f64::min);
    let (indicators_ms, due_ms) = (best(|took| took.0), best(|took| took.1));
    assert!(indicators_ms < QUESTION_MS_MAX && due_ms < QUESTION_MS_MAX, "{took:?}");
    let kept = mirror.value("select count(*) from performance_metrics").await;
    db::performance::roll_up(&mirror.db, 2).await.expect("the database is there");
    assert!(
        mirror.value("select count(*) from performance_metrics").await.as_i64() < kept.as_i64(),
        "bounded"
    );
}
