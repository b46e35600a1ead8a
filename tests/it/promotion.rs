//! Promotion of staged records: all of them, only changed rows, never over anything
//! newer, and one record at fault fails alone.

use model::entity::{self, Entity, Source};
use pipeline_tests::mirror::{Mirror, entity};
use pipeline_tests::pages::{HandRun, MemorySource};
use protocol::manifest::RunStatus;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::staging::record;

/// Stages and reconciles records of an entity, as a run of that minute. Records of a nested
/// entity lie inside a parent record.
pub(crate) async fn sync(mirror: &Mirror, entity: &'static Entity, minute: i64, records: &[Value]) {
    let source = MemorySource::default();
    match entity.source {
        Source::Query(_) => {
            let mut run = HandRun::new(entity, minute);
            run.page(&source, records);
            run.end(&source, RunStatus::Success);
        }
        Source::Nested { parent, field } => {
            // Minutes of their own: the parent's own runs have others.
            let mut run = HandRun::new(pipeline_tests::mirror::entity(parent), minute + 1_000);
            let mut carrier = record("carrier");
            carrier[field] = json!(records);
            run.page(&source, &[carrier]);
            run.end(&source, RunStatus::Success);
        }
    }
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    mirror.reconcile().await;
}

/// Returns everything that a write to a row of the table would change.
async fn physical(mirror: &Mirror, table: &str) -> Vec<Value> {
    mirror
        .rows(&format!("select id, version, updated_at, xmin::text, ctid::text from {table} order by id"))
        .await
}

#[sqlx::test(migrations = false)]
async fn unchanged_run_writes_nothing(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    for entity in entity::ALL {
        let records: Vec<Value> = (0..30).map(|number| record(&format!("x{number}"))).collect();
        sync(&mirror, entity, 0, &records).await;
        let before = physical(&mirror, entity.table).await;
        assert!(before.len() >= 30, "{}: {before:?}", entity.name);
        let staged = mirror.value(&format!("select count(*) from {}", entity.staging_table)).await;
        sync(&mirror, entity, 1, &records).await;
        assert_eq!(physical(&mirror, entity.table).await, before, "{}", entity.name);
        let after = mirror.value(&format!("select count(*) from {}", entity.staging_table)).await;
        assert_eq!(after, staged, "{}: no staging row is added", entity.name);
    }
}

#[sqlx::test(migrations = false)]
async fn only_changed_rows_move(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    for entity in entity::ALL {
        let mut records: Vec<Value> = (0..30).map(|number| record(&format!("x{number:02}"))).collect();
        sync(&mirror, entity, 0, &records).await;
        for place in [3, 17] {
            records[place]["comment"] = json!("corrigé");
            records[place]["tags"] = json!(["b"]);
        }
        sync(&mirror, entity, 1, &records).await;
        let moved = mirror
            .rows(&format!(
                "select id, version from {} where version <> 1 and id <> 'carrier' order by id",
                entity.table
            ))
            .await;
        assert_eq!(
            moved,
            [json!({"id": "x03", "version": 2}), json!({"id": "x17", "version": 2})],
            "{}",
            entity.name
        );
    }
}

#[sqlx::test(migrations = false)]
async fn older_page_never_wins_and_reverted_change_ends(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    for entity in entity::ALL {
        let (mut a, mut b) = (record("x"), record("x"));
        a["humidity"] = json!(40);
        b["humidity"] = json!(41);
        let now = || async {
            mirror.value(&format!("select raw_data -> 'humidity' from {} where id = 'x'", entity.table)).await
        };
        for (minute, content, expected) in
            [(10, &a, 40), (20, &b, 41), (30, &a, 40), (5, &b, 40), (25, &b, 40), (40, &b, 41)]
        {
            sync(&mirror, entity, minute, std::slice::from_ref(content)).await;
            assert_eq!(now().await, json!(expected), "{} at minute {minute}", entity.name);
        }
        let count = mirror.value(&format!("select count(*) from {} where id = 'x'", entity.table)).await;
        assert_eq!(count, json!(1), "{}", entity.name);
    }
}

#[sqlx::test(migrations = false)]
async fn incident_01_entry_with_unknown_references_lands(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let mut entry = record("tme_1");
    entry["user"] = json!({"id": "usr_new"});
    entry["client"] = json!({"id": "cli_new"});
    entry["piano"] = json!({"id": "ins_new"});
    sync(&mirror, entity("timeline"), 0, &[entry, record("tme_2")]).await;
    let row =
        mirror.rows("select user_id, client_id, piano_id from timeline_entries where id = 'tme_1'").await;
    assert_eq!(row, [json!({"user_id": "usr_new", "client_id": "cli_new", "piano_id": "ins_new"})]);
    let made_up = mirror.rows("select id, first_name, last_name, is_placeholder from users").await;
    assert_eq!(
        made_up,
        [json!({"id": "usr_new", "first_name": "Inconnu", "last_name": "(usr_new)", "is_placeholder": true})]
    );
    let asked = "select entity, subject from admin_actions where kind = 'placeholder' and resolved_at is null order by entity";
    assert_eq!(mirror.rows(asked).await.len(), 3);
    let decisions =
        mirror.rows("select reference, choice, method from match_decisions order by reference").await;
    assert_eq!(decisions.len(), 3, "{decisions:?}");

    let mut user = record("usr_new");
    user["lastName"] = json!("Lebrun");
    sync(&mirror, entity("users"), 1, &[user]).await;
    let healed = mirror.rows("select first_name, last_name, is_placeholder from users").await;
    assert_eq!(healed, [json!({"first_name": "Zoé", "last_name": "Lebrun", "is_placeholder": false})]);
    let open: Vec<_> = mirror.rows(asked).await.into_iter().map(|row| row["entity"].clone()).collect();
    assert_eq!(open, [json!("clients"), json!("pianos")], "the healed one is settled");
}

#[sqlx::test(migrations = false)]
async fn incident_03_empty_value_keeps_protected_columns(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let (pianos, clients) = (entity("pianos"), entity("clients"));
    sync(
        &mirror,
        pianos,
        0,
        &[json!({"id": "ins_1", "tags": [], "damppChaserInstalled": null, "notes": ""})],
    )
    .await;
    sync(&mirror, clients, 0, &[json!({"id": "cli_1", "tags": [], "personalNotes": null})]).await;
    let mut connection = mirror.connection().await;
    sqlx::raw_sql(
        "update pianos set tags = '{à la main}', dampp_chaser_installed = true, notes = 'clé chez le concierge';
         update clients set tags = '{institution}', personal_notes = 'sonner deux fois'",
    )
    .execute(&mut connection)
    .await
    .expect("a person's marks");
    sync(
        &mirror,
        pianos,
        1,
        &[json!({"id": "ins_1", "tags": [], "damppChaserInstalled": null, "notes": null, "make": "Yamaha"})],
    )
    .await;
    sync(
        &mirror,
        clients,
        1,
        &[json!({"id": "cli_1", "tags": null, "personalNotes": "", "companyName": "Alma"})],
    )
    .await;
    let piano = mirror.rows("select make, tags, dampp_chaser_installed, notes from pianos").await;
    let expected = json!({"make": "Yamaha", "tags": ["à la main"], "dampp_chaser_installed": true, "notes": "clé chez le concierge"});
    assert_eq!(piano, [expected]);
    let client = mirror.rows("select company_name, tags, personal_notes from clients").await;
    assert_eq!(
        client,
        [json!({"company_name": "Alma", "tags": ["institution"], "personal_notes": "sonner deux fois"})]
    );
}

#[sqlx::test(migrations = false)]
async fn refused_row_fails_alone(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let mut connection = mirror.connection().await;
    for entity in entity::ALL {
        let table = entity.table;
        let refuse = format!("alter table {table} add constraint refuses check (id <> 'x42')");
        sqlx::raw_sql(sqlx::AssertSqlSafe(refuse)).execute(&mut connection).await.expect("a constraint");
        let records: Vec<Value> = (0..100).map(|number| record(&format!("x{number}"))).collect();
        sync(&mirror, entity, 0, &records).await;
        let landed = mirror.value(&format!("select count(*) from {table} where id like 'x%'")).await;
        assert_eq!(landed, json!(99), "{}", entity.name);
        let failed = mirror
            .rows(&format!(
                "select gazelle_id, last_error from {} where outcome = 'failed'",
                entity.staging_table
            ))
            .await;
        assert_eq!(failed.len(), 1, "{}: {failed:?}", entity.name);
        assert_eq!(failed[0]["gazelle_id"], "x42");
        let reason = failed[0]["last_error"].as_str().unwrap_or_default();
        assert!(reason.starts_with("SQLSTATE 23514") && reason.contains("constraint refuses"), "{reason}");
        let run = mirror.rows(&format!("select status, records_processed, records_failed, records_pending from sync_status where sync_type = '{}' order by started_at desc limit 1", entity.name)).await;
        assert_eq!(
            (&run[0]["status"], &run[0]["records_failed"], &run[0]["records_pending"]),
            (&json!("partial"), &json!(1), &json!(0)),
            "{}: {run:?}",
            entity.name
        );
    }
}

#[sqlx::test(migrations = false)]
async fn entry_moves_between_partitions_as_one_row(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let at = |instant: &str| {
        let mut entry = record("tme_1");
        entry["occurredAt"] = json!(instant);
        entry
    };
    let mut minute = 0;
    for (instant, partition) in [
        ("2025-01-15T12:00:00Z", "timeline_entries_2025_01"),
        ("2025-02-15T12:00:00Z", "timeline_entries_2025_02"),
        ("2025-02-16T12:00:00Z", "timeline_entries_2025_02"),
        ("9999-12-31T23:59:59Z", "timeline_entries_default"),
        ("0001-01-01T00:00:00Z", "timeline_entries_default"),
        ("2025-01-15T12:00:00Z", "timeline_entries_2025_01"),
    ] {
        minute += 1;
        sync(&mirror, entity("timeline"), minute, &[at(instant)]).await;
        let rows =
            mirror.rows("select tableoid::regclass::text as lies, version from timeline_entries").await;
        let lies = rows[0]["lies"].as_str().unwrap_or_default();
        assert!(rows.len() == 1 && lies.ends_with(partition), "{instant}: {rows:?}");
        assert_eq!(rows[0]["version"], json!(minute), "{instant}");
    }
    sync(&mirror, entity("timeline"), 0, &[at("2024-06-01T00:00:00Z")]).await;
    let rows = mirror.rows("select occurred_at from timeline_entries").await;
    assert_eq!(rows, [json!({"occurred_at": "2025-01-15T12:00:00+00:00"})], "an older page does not move it");
}

#[sqlx::test(migrations = false)]
async fn impossible_record_is_skipped_with_a_reason(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let records = [
        Value::Null,
        json!({"id": null, "make": "Yamaha"}),
        json!([1]),
        json!("text"),
        json!({"id": ""}),
        json!({"id": "x".repeat(5_000)}),
        record("ins_1"),
    ];
    sync(&mirror, entity("pianos"), 0, &records).await;
    let skipped = mirror.rows("select last_error as reason, count(*) from stg_pianos where outcome = 'skipped' group by 1 order by 1").await;
    let expected = [
        json!({"reason": "the id is missing or not usable", "count": 3}),
        json!({"reason": "the node is not an object", "count": 2}),
        json!({"reason": "the node is null", "count": 1}),
    ];
    assert_eq!(skipped, expected);
    let run = mirror.rows("select status, records_fetched, records_processed, records_skipped from sync_status where sync_type = 'pianos'").await;
    assert_eq!(
        run,
        [json!({"status": "success", "records_fetched": 7, "records_processed": 1, "records_skipped": 6})]
    );
}

#[sqlx::test(migrations = false)]
async fn every_table_and_partition_has_row_security(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let mut entry = record("tme_1");
    entry["occurredAt"] = json!("2031-07-01T00:00:00Z");
    sync(&mirror, entity("timeline"), 0, &[entry, record("tme_2")]).await;
    let open = mirror
        .rows(
            "select relname from pg_class where relnamespace = current_schema()::regnamespace
                and relkind in ('r', 'p') and not relrowsecurity",
        )
        .await;
    assert_eq!(open, Vec::<Value>::new());
}

#[sqlx::test(migrations = false)]
async fn resumed_run_is_judged_again(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let status = || async { mirror.value("select status from sync_status").await };
    let mut run = HandRun::new(entity("users"), 0);
    let first = MemorySource::default();
    run.page(&first, &[record("usr_1")]);
    run.end_with(&first, RunStatus::Failed, 2);
    assert_eq!(mirror.stage(&first).await, Vec::<String>::new());
    assert_eq!(status().await, json!("failed"));
    let second = MemorySource::default();
    run.page(&second, &[record("usr_2")]);
    run.end_with(&second, RunStatus::Success, 4);
    assert_eq!(mirror.stage(&second).await, Vec::<String>::new());
    mirror.reconcile().await;
    assert_eq!(status().await, json!("success"));
    let late = MemorySource::default();
    run.end_with(&late, RunStatus::Running, 3);
    assert_eq!(mirror.stage(&late).await, Vec::<String>::new());
    assert_eq!(status().await, json!("success"));
}
