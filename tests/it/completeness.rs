//! Completeness: Gazelle's count equals the rows here and what is explained; what does not close is told.

use gazelle_sim::SimConfig;
use model::entity::{self, Entity, Source};
use pipeline_tests::mirror::{Mirror, entity};
use pipeline_tests::pages::{HandRun, MemorySource};
use pipeline_tests::pipeline::Pipeline;
use protocol::action::ActionKind;
use protocol::alert::AlertClass;
use protocol::indicator::Completeness;
use protocol::manifest::RunStatus;
use protocol::request::Mode;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::staging::record;

fn small() -> SimConfig {
    SimConfig { clients: 60, pianos: 70, timeline: 300, ..SimConfig::default() }
}

async fn count(mirror: &Mirror, entity: &Entity) -> Completeness {
    let indicators = db::queries::indicators(&mirror.db).await.expect("the database is there");
    indicators.completeness_of(entity.name).cloned().unwrap_or_else(|| panic!("{}: not counted", entity.name))
}

async fn execute(mirror: &Mirror, sql: &str) {
    let sql = AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(sql).execute(&mut mirror.connection().await).await.expect("a statement");
}

async fn check(mirror: &Mirror) {
    reconciler::completeness::check_completeness(&mirror.db).await.expect("the database is there");
}

/// Returns the entities with an open action about a gap.
async fn alerted(mirror: &Mirror) -> Vec<Value> {
    let open = "select entity, subject from admin_actions where kind = 'incomplete' and resolved_at is null order by 1";
    mirror.rows(open).await
}

fn assert_closes(count: &Completeness, context: &str) {
    let Completeness { source_count, rows_present, skipped, failed, waiting, deleted, gap, .. } = count;
    let sum = rows_present + skipped + failed + waiting + deleted + gap;
    assert_eq!((*source_count, *gap), (sum, 0), "{context}: {count:?}");
}

#[sqlx::test(migrations = false)]
async fn every_entity_closes_after_a_full_run(_: PgPoolOptions, options: PgConnectOptions) {
    let pipeline = Pipeline::open(small(), options).await;
    pipeline.sync(&Mode::Full).await;
    for round in 0..3 {
        for entity in entity::ALL {
            let count = count(&pipeline.mirror, entity).await;
            assert_closes(&count, &format!("{} in round {round}", entity.name));
            assert!(count.source_count > 0 && count.rows_present > 0, "{}: {count:?}", entity.name);
        }
        assert_eq!(alerted(&pipeline.mirror).await, Vec::<Value>::new(), "round {round}");
        // Changes between the full runs, deletions and merges among them, are no gap.
        let changes =
            json!({"creates": 8, "edits": 8, "late_edits": 4, "deletes": 6, "merges": 2, "transfers": 2});
        pipeline.source.control("/_sim/advance", &changes).await;
        pipeline.tick().await;
        pipeline.source.control("/_sim/advance", &json!({"creates": 4, "restores": 4})).await;
        pipeline.tick().await;
        execute(
            &pipeline.mirror,
            "update completeness set counted_at = counted_at - interval '2 hours', waiting = 1",
        )
        .await;
        check(&pipeline.mirror).await;
        for entity in entity::ALL {
            assert_closes(&count(&pipeline.mirror, entity).await, &format!("{} after changes", entity.name));
        }
        pipeline.sync(&Mode::Full).await;
    }
}

#[sqlx::test(migrations = false)]
async fn lost_row_is_alerted_until_it_returns(_: PgPoolOptions, options: PgConnectOptions) {
    let pipeline = Pipeline::open(small(), options).await;
    pipeline.sync(&Mode::Full).await;
    // Lost in production, without a word: one row of each entity that nothing refers to.
    for entity in entity::ALL {
        let lose = format!(
            "set session_replication_role = replica;
             delete from {0} where id = (select id from {0} where deleted_at is null and not is_placeholder order by id limit 1)",
            entity.table
        );
        execute(&pipeline.mirror, &lose).await;
    }
    pipeline.sync(&Mode::Full).await;
    for entity in entity::ALL {
        let count = count(&pipeline.mirror, entity).await;
        assert_eq!((count.gap, count.is_confirmed), (1, true), "{}: {count:?}", entity.name);
    }
    assert_eq!(alerted(&pipeline.mirror).await.len(), entity::ALL.len());
    // The alerter looks at once, and raises an alert of this class.
    assert!(db::queries::has_recent_incidents(&pipeline.mirror.db).await.expect("the database is there"));
    assert_eq!(AlertClass::of_action(ActionKind::Incomplete), Some(AlertClass::Incomplete));
    let day = |back: i64| (chrono::Utc::now() - chrono::TimeDelta::days(back)).format("%Y-%m-%d").to_string();
    for entity in entity::fetched() {
        pipeline
            .task(&json!({"task": "replay", "entity": entity.name, "start": day(1), "end": day(-1)}))
            .await;
    }
    pipeline.settle().await;
    for entity in entity::ALL {
        assert_closes(&count(&pipeline.mirror, entity).await, entity.name);
    }
    assert_eq!(alerted(&pipeline.mirror).await, Vec::<Value>::new(), "each is resolved by itself");
}

#[sqlx::test(migrations = false)]
async fn record_lost_before_staging_is_a_gap(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    for entity in entity::fetched().filter(|entity| matches!(entity.source, Source::Query(_))) {
        let source = MemorySource::default();
        let mut run = HandRun::started(entity, chrono::Utc::now(), 1);
        run.page(&source, &[record("a"), record("b"), Value::Null]);
        run.end(&source, RunStatus::Success);
        assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
        check(&mirror).await;
        let counted = format!("select * from completeness where entity = '{}'", entity.name);
        assert_eq!(mirror.rows(&counted).await, Vec::<Value>::new(), "not settled yet");
        mirror.drain(entity).await;
        check(&mirror).await;
        let closed = count(&mirror, entity).await;
        assert_closes(&closed, entity.name);
        assert_eq!((closed.source_count, closed.rows_present, closed.skipped), (3, 2, 1), "{}", entity.name);
        // Of the next listing staging lacks one, as if it had never come.
        let source = MemorySource::default();
        let mut run = HandRun::started(entity, chrono::Utc::now(), 2);
        run.page(&source, &[record("a"), record("b"), record("c")]);
        run.end(&source, RunStatus::Success);
        assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
        mirror.drain(entity).await;
        execute(&mirror, &format!("delete from {} where gazelle_id = 'c'", entity.staging_table)).await;
        check(&mirror).await;
        assert_eq!(count(&mirror, entity).await.gap, 1, "{}", entity.name);
    }
}

#[sqlx::test(migrations = false)]
async fn failed_and_waiting_records_are_explained(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let timeline = entity("timeline");
    let source = MemorySource::default();
    let mut run = HandRun::started(timeline, chrono::Utc::now(), 1);
    let mut broken = record("tme_b");
    broken["occurredAt"] = json!("soon");
    run.page(&source, &[record("tme_a"), broken, Value::Null, Value::Null]);
    run.end(&source, RunStatus::Success);
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    mirror.drain(timeline).await;
    check(&mirror).await;
    let failed = count(&mirror, timeline).await;
    assert_closes(&failed, "a failed record");
    assert_eq!((failed.rows_present, failed.failed, failed.skipped), (1, 1, 2), "{failed:?}");
    assert_eq!(db::staging::retry_failed(&mirror.db, timeline).await.expect("a database"), 1);
    execute(&mirror, "update completeness set counted_at = counted_at - interval '2 hours'").await;
    check(&mirror).await;
    // Its run is under way again: the count waits for it.
    assert_eq!(count(&mirror, timeline).await.failed, 1);
    execute(&mirror, "update stg_timeline_entries set raw_data = jsonb_set(raw_data, '{occurredAt}', '\"2025-03-01T12:00:00Z\"') where gazelle_id = 'tme_b'").await;
    mirror.drain(timeline).await;
    check(&mirror).await;
    let healed = count(&mirror, timeline).await;
    assert_closes(&healed, "a retried record");
    assert_eq!((healed.rows_present, healed.failed), (2, 0), "{healed:?}");
}

#[sqlx::test(migrations = false)]
async fn unproven_listing_is_told_only_when_repeated(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    for entity in entity::fetched() {
        for minute in 0..2 {
            let source = MemorySource::default();
            let mut run =
                HandRun::started(entity, chrono::Utc::now() + chrono::TimeDelta::seconds(minute), 1);
            run.page(&source, &[record("a"), record("b")]);
            run.end(&source, RunStatus::Partial);
            assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
            mirror.drain(entity).await;
            // Gazelle counts one more than it lists, at the beginning and at the end.
            execute(&mirror, &format!("update sync_status set source_count = 3, source_count_first = 3, records_distinct = 2 where sync_type = '{}'", entity.name)).await;
            check(&mirror).await;
            let count = count(&mirror, entity).await;
            assert_eq!((count.gap, count.is_confirmed), (1, minute == 1), "{}", entity.name);
            let is_told = alerted(&mirror).await.iter().any(|open| open["entity"] == entity.name);
            assert_eq!(is_told, minute == 1, "{}", entity.name);
        }
    }
}

#[sqlx::test(migrations = false)]
async fn closed_action_stays_closed_until_the_gap_changes(_: PgPoolOptions, options: PgConnectOptions) {
    let pipeline = Pipeline::open(small(), options).await;
    pipeline.sync(&Mode::Full).await;
    let lose = "set session_replication_role = replica; delete from users where id = (
        select min(id) from users where deleted_at is null and not is_placeholder)";
    execute(&pipeline.mirror, lose).await;
    pipeline.sync(&Mode::Full).await;
    assert_eq!(alerted(&pipeline.mirror).await.len(), 1);
    execute(
        &pipeline.mirror,
        "update admin_actions set resolved_at = now(), resolved_by = 'zoe' where kind = 'incomplete'",
    )
    .await;
    let later = "update completeness set counted_at = counted_at - interval '2 hours'";
    execute(&pipeline.mirror, later).await;
    check(&pipeline.mirror).await;
    assert_eq!(alerted(&pipeline.mirror).await, Vec::<Value>::new(), "a person knows of it");
    execute(&pipeline.mirror, &format!("{lose}; {later}")).await;
    check(&pipeline.mirror).await;
    assert_eq!(alerted(&pipeline.mirror).await.len(), 1, "it has grown");
    assert_eq!(count(&pipeline.mirror, entity("users")).await.gap, 2);
}
