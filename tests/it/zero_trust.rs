//! Three fates of a record: rejected with its reason, waiting while the database is in trouble, or,
//! where our own code fails, isolated and tried again.

use model::entity::{Entity, Source};
use model::rule::{Effect, RowDraft, Rule};
use pipeline_tests::mirror::{Mirror, entity};
use pipeline_tests::pages::{HandRun, MemorySource};
use protocol::manifest::RunStatus;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::promotion::sync;
use crate::staging::record;

fn panic_at_a_word(draft: &mut RowDraft<'_>) {
    assert!(draft.get("first_name") != Some("boom"), "a bug of ours");
}

/// The entity `users` with a rule that panics.
fn with_a_bug() -> &'static Entity {
    static RULES: &[Rule] = &[Rule::new("a bug", Effect::Derives(panic_at_a_word))];
    let users = entity("users");
    let Source::Query(query) = &users.source else { panic!("users are fetched") };
    let source = model::entity::Query {
        root: query.root,
        selection: query.selection,
        shape: model::entity::Shape::List,
    };
    Box::leak(Box::new(Entity {
        name: users.name,
        title: users.title,
        table: users.table,
        staging_table: users.staging_table,
        source: Source::Query(source),
        child_tables: &[],
        columns: users.columns,
        partitioned_by: None,
        rules: RULES,
        placeholder: users.placeholder,
        placeholder_notice: users.placeholder_notice,
        deletion_policy: users.deletion_policy,
        duplicate_ids: None,
        matching: None,
    }))
}

async fn bad_one(mirror: &Mirror) -> Value {
    let sql = "select processed, outcome, processing_attempts as attempts, last_error,
        next_attempt_at > now() + interval '30 seconds' as later from stg_users where gazelle_id = 'bad'";
    mirror.rows(sql).await.remove(0)
}

async fn execute(mirror: &Mirror, sql: &'static str) {
    sqlx::raw_sql(sql).execute(&mut mirror.connection().await).await.expect("a statement");
}

#[sqlx::test(migrations = false)]
async fn panicking_record_fails_alone_after_three_attempts(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let source = MemorySource::default();
    let mut run = HandRun::new(entity("users"), 0);
    let mut nodes: Vec<Value> = (0..50).map(|number| json!({"id": format!("good{number}")})).collect();
    nodes.insert(23, json!({"id": "bad", "firstName": "boom"}));
    run.page(&source, &nodes);
    run.end(&source, RunStatus::Success);
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    for attempt in 1..=2 {
        mirror.drain(with_a_bug()).await;
        let expected = json!({"processed": false, "outcome": null, "attempts": attempt,
            "last_error": "the transform panicked", "later": true});
        assert_eq!(bad_one(&mirror).await, expected, "put off, and not forgotten");
        assert_eq!(mirror.value("select count(*) from users").await, json!(50), "the others are there");
        assert_eq!(mirror.value("select status from sync_status").await, json!("running"), "its run waits");
        // Not before its time.
        mirror.drain(with_a_bug()).await;
        assert_eq!(bad_one(&mirror).await["attempts"], json!(attempt));
        execute(&mirror, "update stg_users set next_attempt_at = now() where not processed").await;
    }
    mirror.drain(with_a_bug()).await;
    let failed = bad_one(&mirror).await;
    assert_eq!(
        (&failed["outcome"], &failed["last_error"]),
        (&json!("failed"), &json!("the transform panicked, 3 times"))
    );
    let actions =
        "select kind, resolved_at is null as open, resolved_by from admin_actions where kind = 'failed'";
    assert_eq!(
        mirror.rows(actions).await,
        [json!({"kind": "failed", "open": true, "resolved_by": null})],
        "a person is asked"
    );
    assert_eq!(mirror.value("select status from sync_status").await, json!("partial"));
    let ended = mirror.value("select completed_at from sync_status").await;
    // The fix is deployed; one command.
    let retried =
        db::staging::retry_failed(&mirror.db, entity("users")).await.expect("the database is there");
    assert_eq!(retried, 1);
    mirror.reconcile().await;
    assert_eq!(mirror.value("select first_name from users where id = 'bad'").await, json!("boom"));
    assert_eq!(
        mirror.rows(actions).await,
        [json!({"kind": "failed", "open": false, "resolved_by": "retry"})]
    );
    let run = "select status, records_failed, records_processed, records_pending from sync_status";
    let closed =
        json!({"status": "success", "records_failed": 0, "records_processed": 51, "records_pending": 0});
    assert_eq!(mirror.rows(run).await, [closed], "its run closes with it");
    let now = mirror.value("select completed_at from sync_status").await;
    assert_eq!(now, ended, "and ended when it ended: old records do not make the mirror fresh");
}

#[sqlx::test(migrations = false)]
async fn healed_record_closes_its_action(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let refuse = "alter table users add constraint refuses check (first_name <> 'boom')";
    execute(&mirror, refuse).await;
    sync(&mirror, entity("users"), 0, &[json!({"id": "bad", "firstName": "boom"})]).await;
    let open = "select count(*) from admin_actions where kind = 'failed' and resolved_at is null";
    assert_eq!(mirror.value(open).await, json!(1));
    execute(
        &mirror,
        "alter table users drop constraint refuses; update stg_users set processed = false, outcome = null;
            update sync_status set records_failed = 0",
    )
    .await;
    mirror.reconcile().await;
    assert_eq!(mirror.value("select first_name from users where id = 'bad'").await, json!("boom"));
    assert_eq!(mirror.value(open).await, json!(0));
}

#[sqlx::test(migrations = false)]
async fn database_trouble_counts_no_attempt(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let source = MemorySource::default();
    let mut run = HandRun::new(entity("users"), 0);
    run.page(&source, &[record("usr_1"), record("usr_2")]);
    run.end(&source, RunStatus::Success);
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    // SQLSTATE of trouble (53), of a missing table (42), of our own (P0): none is a record's fault.
    for state in ["53200", "42P01", "40001", "P0001", "XX000"] {
        let sql = format!(
            "create or replace function trouble() returns trigger language plpgsql as
                $$ begin raise exception 'no' using errcode = '{state}'; end $$;
            create or replace trigger trouble before insert on users for each row execute function trouble()"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql))
            .execute(&mut mirror.connection().await)
            .await
            .expect("a trigger");
        let deadline = tokio::time::Instant::now() + std::time::Duration::from_mins(1);
        let drained = reconciler::reconcile::drain(&mirror.db, entity("users"), deadline).await;
        assert!(drained.is_err(), "{state}: {drained:?}");
        let waiting = "select count(*) from stg_users where not processed and processing_attempts = 0 and next_attempt_at <= now()";
        assert_eq!(mirror.value(waiting).await, json!(2), "{state}");
    }
    execute(&mirror, "drop trigger trouble on users").await;
    mirror.reconcile().await;
    assert_eq!(mirror.value("select count(*) from users").await, json!(2));
}

#[sqlx::test(migrations = false)]
async fn coming_months_have_partitions(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    sync(&mirror, entity("timeline"), 0, &[record("tme_1")]).await;
    let missing = "select to_char(now() at time zone 'UTC' + n * interval '1 month', 'YYYY_MM') as month from generate_series(0, 3) n
        where to_regclass('timeline_entries_' || to_char(date_trunc('month', now() at time zone 'UTC') + n * interval '1 month', 'YYYY_MM')) is null";
    assert_eq!(mirror.rows(missing).await, Vec::<Value>::new());
}

#[sqlx::test(migrations = false)]
async fn measurement_and_note_of_one_day_are_one_reading(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let measured = |id: &str, day: &str| json!({"id": id, "takenOn": day, "temperature": 21, "humidity": 40, "a4Pitch": 440});
    let piano = |id: &str, measurements: Vec<Value>| json!({"id": id, "allPianoMeasurements": measurements});
    let pianos = [
        piano("ins_1", vec![measured("mea_1", "2025-07-01"), measured("mea_2", "2025-01-05")]),
        piano("ins_2", vec![]),
    ];
    sync(&mirror, entity("pianos"), 0, &pianos).await;
    let note = |id: &str, piano: &str, at: &str, comment: &str| json!({"id": id, "piano": {"id": piano}, "occurredAt": at, "type": "SERVICE_ENTRY_MANUAL", "comment": comment});
    // 02:00 UTC is still the evening of the day before in Montréal.
    let notes = [
        note("tme_1", "ins_1", "2025-07-02T02:00:00Z", "Accord 441Hz, 23C, 45%"),
        note("tme_2", "ins_1", "2025-07-03T15:00:00Z", "68F, 33%"),
        note("tme_3", "ins_2", "2025-07-01T15:00:00Z", "rabais 10 %"),
        note("tme_4", "ins_2", "2025-07-02T02:30:00Z", "20°, 33%"),
    ];
    sync(&mirror, entity("timeline"), 1, &notes).await;
    let climate = mirror
        .rows("select piano_id, day, temperature_celsius as t, humidity_percent as h, pitch_hertz as p, measurement_ids as m, entry_ids as e
            from piano_climate order by piano_id, day")
        .await;
    let expected = [
        json!({"piano_id": "ins_1", "day": "2025-01-05", "t": 21, "h": 40, "p": 440, "m": ["mea_2"], "e": []}),
        json!({"piano_id": "ins_1", "day": "2025-07-01", "t": 21, "h": 40, "p": 440, "m": ["mea_1"], "e": ["tme_1"]}),
        json!({"piano_id": "ins_1", "day": "2025-07-03", "t": 20, "h": 33, "p": null, "m": [], "e": ["tme_2"]}),
        json!({"piano_id": "ins_2", "day": "2025-07-01", "t": 20, "h": 33, "p": null, "m": [], "e": ["tme_4"]}),
    ];
    assert_eq!(climate, expected);
}
