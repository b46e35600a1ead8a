//! Faults that last for days: they cost the records that they concern, are told by name, and heal.

use std::collections::BTreeSet;

use gazelle_sim::SimConfig;
use model::entity::{self, Entity};
use pipeline_tests::mirror::entity;
use pipeline_tests::observation::alerts;
use pipeline_tests::pipeline::Pipeline;
use protocol::request::Mode;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

const NIGHTLY: Mode = Mode::Incremental { lookback_days: Some(45) };
/// Ticks of the faulty time: more than the stalls that a page is granted.
const TICKS: usize = 5;

async fn open(seed: u64, options: PgConnectOptions) -> Pipeline {
    let config =
        SimConfig { seed, clients: 130, pianos: 140, timeline: 400, oddities: false, ..SimConfig::default() };
    let pipeline = Pipeline::open(config, options).await;
    pipeline.sync(&Mode::Full).await;
    pipeline.assert_equals_the_source("before the fault").await;
    pipeline
}

/// Returns ids of the entity's records at the beginning, in the middle and at the end of a listing.
async fn some_ids(pipeline: &Pipeline, entity: &Entity) -> Vec<String> {
    let truth = pipeline.source.truth(entity).await;
    let rows = truth["rows"].as_array().expect("rows");
    let id = |index: usize| rows[index]["id"].as_str().expect("an id").to_owned();
    [0, rows.len() / 2, rows.len() - 1].into_iter().map(id).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Changes the source, then lets ticks, a night and a weekend pass.
async fn let_days_pass(pipeline: &Pipeline) {
    let changes = json!({"creates": 8, "edits": 12, "late_edits": 4});
    pipeline.source.control("/_sim/advance", &changes).await;
    for _ in 0..TICKS {
        pipeline.tick().await;
    }
    for mode in [NIGHTLY, Mode::Full, Mode::Full] {
        pipeline.sync(&mode).await;
    }
}

/// Asserts that each difference of the mirror concerns one of these records.
async fn assert_only_these_differ(pipeline: &Pipeline, ids: &[String], context: &str) {
    for entity in entity::ALL {
        let others: Vec<String> = pipeline
            .differences(entity)
            .await
            .into_iter()
            .filter(|difference| !ids.iter().any(|id| difference.contains(id.as_str())))
            .collect();
        assert!(others.is_empty(), "{context}: {}: {others:#?}", entity.name);
    }
}

async fn assert_nothing_deleted(pipeline: &Pipeline, context: &str) {
    for entity in entity::ALL {
        assert_eq!(pipeline.deleted(entity).await, Vec::<String>::new(), "{context}: {}", entity.name);
    }
}

/// Runs with a lasting fault of some records, asserts what must hold meanwhile, and that all heals after it.
async fn try_records(options: &PgConnectOptions, kind: &str, entity: &'static Entity) {
    let pipeline = Box::pin(open(7, options.clone())).await;
    let ids = some_ids(&pipeline, entity).await;
    let context = format!("{kind} {} of {}", ids.len(), entity.name);
    let is_quiet = alerts(&pipeline.mirror.db).await;
    pipeline.source.control("/_sim/faults", &json!({"records": {kind: ids}})).await;
    let_days_pass(&pipeline).await;
    assert_only_these_differ(&pipeline, &ids, &context).await;
    assert_nothing_deleted(&pipeline, &context).await;
    let told: Vec<String> = alerts(&pipeline.mirror.db).await.difference(&is_quiet).cloned().collect();
    let of_entity = |alert: &String| alert.split('/').nth(1) == Some(entity.name);
    assert!(!told.is_empty() && told.iter().all(of_entity), "{context}: {told:?}");
    pipeline.source.heal().await;
    let_days_pass(&pipeline).await;
    pipeline.assert_equals_the_source(&context).await;
    let left: Vec<String> = alerts(&pipeline.mirror.db).await.difference(&is_quiet).cloned().collect();
    assert_eq!(left, Vec::<String>::new(), "{context}: healed");
}

#[sqlx::test(migrations = false)]
async fn unservable_records_cost_themselves_alone(_: PgPoolOptions, options: PgConnectOptions) {
    for name in ["clients", "timeline"] {
        reset(&options).await;
        Box::pin(try_records(&options, "unservable", entity(name))).await;
    }
}

#[sqlx::test(migrations = false)]
async fn restricted_records_are_not_deleted(_: PgPoolOptions, options: PgConnectOptions) {
    for name in ["clients", "invoices"] {
        reset(&options).await;
        Box::pin(try_records(&options, "restricted", entity(name))).await;
    }
}

#[sqlx::test(migrations = false)]
async fn capped_count_is_told_and_costs_no_record(_: PgPoolOptions, options: PgConnectOptions) {
    let pipeline = Box::pin(open(7, options)).await;
    pipeline.source.control("/_sim/faults", &json!({"records": {"count_cap": 20}})).await;
    let_days_pass(&pipeline).await;
    pipeline.assert_equals_the_source("a capped count").await;
    assert_nothing_deleted(&pipeline, "a capped count").await;
    let told = alerts(&pipeline.mirror.db).await;
    for name in ["clients", "pianos", "timeline"] {
        assert!(told.iter().any(|alert| alert.split('/').nth(1) == Some(name)), "{name}: {told:?}");
    }
}

#[sqlx::test(migrations = false)]
async fn changed_forms_of_values_cost_nothing(_: PgPoolOptions, options: PgConnectOptions) {
    let faults =
        [json!({"text_numbers": true}), json!({"long_instants": true}), json!({"malformed_errors": true})];
    for fault in faults {
        reset(&options).await;
        let pipeline = Box::pin(open(7, options.clone())).await;
        pipeline.source.control("/_sim/faults", &json!({"records": fault})).await;
        let_days_pass(&pipeline).await;
        for entity in entity::ALL {
            // A JSON column holds what it receives, in whatever form.
            let differences = pipeline.differences(entity).await;
            let changed: Vec<_> = differences.iter().filter(|found| !found.contains(".taxes: ")).collect();
            assert!(changed.is_empty(), "{fault}: {}: {changed:#?}", entity.name);
        }
    }
}

async fn reset(options: &PgConnectOptions) {
    use sqlx::ConnectOptions as _;
    let mut connection = options.connect().await.expect("a connection");
    sqlx::raw_sql("drop schema if exists gazelle cascade")
        .execute(&mut connection)
        .await
        .expect("a clean start");
}
