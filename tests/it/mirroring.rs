//! Source to production in every mode: deletions are found, and no record is
//! deleted without proof.

use fetcher::report::ReportStatus;
use gazelle_sim::SimConfig;
use model::entity::{self, DeletionPolicy};
use model::local_day;
use pipeline_tests::mirror::{Mirror, entity};
use pipeline_tests::pipeline::Pipeline;
use pipeline_tests::source::TICK;
use protocol::request::{Mode, SyncRequest};
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

const NIGHTLY: Mode = Mode::Incremental { lookback_days: Some(45) };

fn small() -> SimConfig {
    SimConfig { clients: 100, pianos: 120, timeline: 800, ..SimConfig::default() }
}

fn ids(moved: &Value) -> Vec<String> {
    moved.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[sqlx::test(migrations = false)]
async fn each_mode_mirrors_what_it_lists(_: PgPoolOptions, options: PgConnectOptions) {
    let pipeline = Pipeline::open(small(), options).await;
    pipeline.tick().await;
    pipeline.assert_equals_the_source("a first tick").await;
    pipeline.source.control("/_sim/advance", &json!({"creates": 8, "edits": 3, "entity": "clients"})).await;
    pipeline.source.control("/_sim/advance", &json!({"creates": 8})).await;
    pipeline.tick().await;
    pipeline.assert_equals_the_source("creates and edits, a tick").await;
    pipeline.source.control("/_sim/advance", &json!({"late_edits": 10})).await;
    pipeline.tick().await;
    assert!(!pipeline.differences(entity("timeline")).await.is_empty(), "a tick reaches back a day alone");
    pipeline.sync(&NIGHTLY).await;
    pipeline.assert_equals_the_source("late edits, the nightly run").await;
    pipeline.source.control("/_sim/advance", &json!({"merges": 4, "transfers": 2, "deletes": 8})).await;
    pipeline.tick().await;
    pipeline.sync(&Mode::Full).await;
    pipeline.assert_equals_the_source("merges, transfers and deletions, a full run").await;
    let wrong = pipeline
        .mirror
        .rows(
            "select * from sync_status where records_fetched <> records_staged + records_duplicate + records_quarantined
                or (status = 'success' and source_count <> records_fetched + records_outside + records_passed)",
        )
        .await;
    assert_eq!(wrong, Vec::<Value>::new());
}

#[sqlx::test(migrations = false)]
async fn unchanged_full_run_writes_no_row(_: PgPoolOptions, options: PgConnectOptions) {
    let pipeline = Pipeline::open(small(), options).await;
    pipeline.sync(&Mode::Full).await;
    let physical = || async { Mirror::physical(&mut pipeline.mirror.connection().await).await };
    let before = physical().await;
    assert!(before.len() > 1_000);
    pipeline.sync(&Mode::Full).await;
    assert_eq!(physical().await, before);
}

#[sqlx::test(migrations = false)]
async fn deletions_are_marked_exactly_and_undone_on_return(_: PgPoolOptions, options: PgConnectOptions) {
    let pipeline = Pipeline::open(small(), options).await;
    pipeline.sync(&Mode::Full).await;
    for entity in entity::ALL.into_iter().filter(|entity| entity.deletion_policy != DeletionPolicy::Never) {
        // One in a hundred, one at least.
        let count = pipeline.source.truth(entity).await["rows"].as_array().map_or(0, Vec::len) / 100 + 1;
        let changes = json!({"deletes": count, "entity": entity.name});
        let moved = pipeline.source.control("/_sim/advance", &changes).await;
        pipeline.sync(&Mode::Full).await;
        for entity in entity::ALL {
            let gone = ids(&moved[entity.name]["deleted"]);
            let deleted = pipeline.deleted(entity).await;
            assert!(gone.iter().all(|id| deleted.contains(id)), "{}: {gone:?} of {deleted:?}", entity.name);
        }
        pipeline.assert_equals_the_source(&format!("{} deleted", entity.name)).await;
    }
    let before: usize = pipeline.deleted(entity("clients")).await.len();
    let moved = pipeline.source.control("/_sim/advance", &json!({"restores": 1, "entity": "clients"})).await;
    let returned = ids(&moved["clients"]["created"]);
    assert_eq!(returned.len(), 1, "{moved}");
    pipeline.tick().await;
    assert_eq!(pipeline.deleted(entity("clients")).await.len(), before - 1);
    let row = format!("select version, deleted_at from clients where id = '{}'", returned[0]);
    assert_eq!(pipeline.mirror.rows(&row).await, [json!({"version": 3, "deleted_at": null})]);
    pipeline.assert_equals_the_source("a client has returned, a tick").await;
    pipeline.source.control("/_sim/advance", &json!({"restores": 20})).await;
    pipeline.sync(&Mode::Full).await;
    pipeline.assert_equals_the_source("all have returned").await;
}

#[sqlx::test(migrations = false)]
async fn mass_deletion_waits_for_confirmation(_: PgPoolOptions, options: PgConnectOptions) {
    for (deletes, name) in [(60, "sixty percent"), (100, "an empty listing")] {
        let pipeline = Pipeline::open(small(), options.clone()).await;
        pipeline.mirror.empty().await;
        pipeline.sync(&Mode::Full).await;
        let live = "select count(*) from clients where deleted_at is null and not is_placeholder";
        let before = pipeline.mirror.value(live).await;
        pipeline.source.control("/_sim/advance", &json!({"deletes": deletes, "entity": "clients"})).await;
        for _ in 0..3 {
            pipeline.sync(&Mode::Full).await;
            assert_eq!(pipeline.mirror.value(live).await, before, "{name}: nothing is deleted");
        }
        let open = "select details from admin_actions where kind = 'deletion_withheld' and entity = 'clients' and resolved_at is null";
        let actions = pipeline.mirror.rows(open).await;
        assert_eq!(actions.len(), 1, "{name}: {actions:?}");
        let confirm = actions[0]["details"]["confirm"].as_str().unwrap_or_default();
        assert_eq!(confirm, "select gazelle.confirm_deletions('clients', 'your name')");
        let nobody = pipeline.mirror.value("select confirm_deletions('clients', ' ')").await;
        assert_eq!((nobody, pipeline.mirror.rows(open).await.len()), (json!(0), 1), "a person has a name");
        let released = pipeline.mirror.value(confirm).await;
        assert!(released.as_i64() >= Some(deletes * 9 / 10), "{name}: {released}");
        pipeline.settle().await;
        assert_eq!(pipeline.differences(entity("clients")).await, Vec::<String>::new(), "{name}");
        assert_eq!(pipeline.mirror.rows(open).await, Vec::<Value>::new(), "{name}");
        let by =
            "select resolved_by from admin_actions where kind = 'deletion_withheld' and entity = 'clients'";
        assert_eq!(pipeline.mirror.value(by).await, json!("your name"));
    }
}

#[sqlx::test(migrations = false)]
async fn hidden_record_is_looked_up_and_stays(_: PgPoolOptions, options: PgConnectOptions) {
    let pipeline = Pipeline::open(small(), options).await;
    pipeline.sync(&Mode::Full).await;
    for name in ["clients", "pianos"] {
        // Some nodes are null in each listing, although their records are there.
        let root = entity(name).query().expect("a query").root;
        pipeline.source.control("/_sim/faults", &json!({"null_nodes": 0.05, "root_field": root})).await;
        pipeline.source.fetch(entity(name), Mode::Full).await;
        pipeline.deliver().await;
        pipeline.mirror.reconcile().await;
        pipeline.settle().await;
        let asked = pipeline.mirror.value("select count(*) from sync_status where mode = 'verify'").await;
        assert!(asked.as_i64() > Some(0), "{name}: {asked}");
        for entity in entity::ALL {
            assert_eq!(
                pipeline.deleted(entity).await,
                Vec::<String>::new(),
                "{name} hides, {} stay",
                entity.name
            );
        }
        pipeline.source.heal().await;
    }
}

#[sqlx::test(migrations = false)]
async fn record_arriving_during_a_sweep_stays(_: PgPoolOptions, options: PgConnectOptions) {
    let pipeline = Pipeline::open(small(), options).await;
    pipeline.sync(&Mode::Full).await;
    // The sweep ends; before its pages are staged, clients arrive by a tick.
    pipeline.source.fetch(entity("clients"), Mode::Full).await;
    pipeline.source.control("/_sim/advance", &json!({"creates": 5, "entity": "clients"})).await;
    pipeline.source.fetch(entity("clients"), TICK).await;
    pipeline.settle().await;
    pipeline.assert_equals_the_source("clients arrived during the sweep").await;
    assert_eq!(pipeline.mirror.rows("select * from missing_records").await, Vec::<Value>::new());
}

#[sqlx::test(migrations = false)]
async fn users_are_never_deleted(_: PgPoolOptions, options: PgConnectOptions) {
    let pipeline = Pipeline::open(small(), options).await;
    pipeline.sync(&Mode::Full).await;
    let before = pipeline.mirror.value("select count(*) from users where deleted_at is null").await;
    pipeline
        .source
        .control("/_sim/reset", &json!({"users": 3, "clients": 100, "pianos": 120, "timeline": 800}))
        .await;
    pipeline.source.fetch(entity("users"), Mode::Full).await;
    pipeline.source.fetch(entity("users"), Mode::Full).await;
    pipeline.settle().await;
    let after = pipeline.mirror.value("select count(*) from users where deleted_at is null").await;
    assert!(after.as_i64() >= before.as_i64(), "{before} then {after}");
}

#[sqlx::test(migrations = false)]
async fn repair_takes_whole_local_days_across_dst(_: PgPoolOptions, options: PgConnectOptions) {
    let now = "2025-11-20T12:00:00Z".parse().ok();
    let config = SimConfig { timeline: 3_000, now, oddities: false, ..small() };
    let pipeline = Pipeline::open(config, options).await;
    for (start, end) in
        [("2025-11-01", "2025-11-02"), ("2025-03-08", "2025-03-09"), ("2025-06-15", "2025-06-15")]
    {
        let payload = json!({"entity": "timeline", "start": start, "end": end});
        let request = SyncRequest::parse(&payload, local_day::ZONE).expect("a request");
        let reports = pipeline.source.fetch(entity("timeline"), request.mode).await;
        assert_eq!(reports[0].status, ReportStatus::Success, "{reports:?}");
        pipeline.settle().await;
        // The source's own texts, read by the database's calendar instead of the pipeline's.
        let truth = pipeline.source.truth(entity("timeline")).await["rows"].to_string();
        let of_those_days = format!(
            "select id from jsonb_to_recordset($sim${truth}$sim$) as t(id text, occurred_at timestamptz)
             where (occurred_at at time zone 'America/Montreal')::date between '{start}' and '{end}'
             order by id collate \"C\""
        );
        let expected = pipeline.mirror.rows(&of_those_days).await;
        let mirrored =
            pipeline.mirror.rows("select id from timeline_entries order by id collate \"C\"").await;
        assert!(!expected.is_empty(), "{start}: the source has entries of these days");
        assert_eq!(mirrored, expected, "{start} to {end}");
        let run = pipeline.mirror.rows("select status, source_count = records_fetched + records_outside + records_passed as closes from sync_status where sync_type = 'timeline' order by started_at desc limit 1").await;
        assert_eq!(run, [json!({"status": "success", "closes": true})]);
        sqlx::raw_sql("truncate timeline_entries, timeline_entries_keys, stg_timeline_entries")
            .execute(&mut pipeline.mirror.connection().await)
            .await
            .expect("a clean start");
    }
}
