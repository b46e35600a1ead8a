//! Incidents before this project, each with a test of its number. Others stand where they
//! belong: 01 and 03 in `promotion`, 07 in `shared_limits`, 10 in `fetching`.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use gazelle_sim::SimConfig;
use model::entity;
use pipeline_tests::mirror::{Mirror, entity};
use pipeline_tests::pages::{HandRun, MemorySource};
use pipeline_tests::pipeline::Pipeline;
use pipeline_tests::truth::mirrored;
use protocol::health::{HealthStatus, assess};
use protocol::manifest::RunStatus;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::promotion::sync;
use crate::staging::record;

#[sqlx::test(migrations = false)]
async fn incident_02_more_than_1000_records_are_mirrored(_: PgPoolOptions, options: PgConnectOptions) {
    let config = SimConfig { clients: 2_300, pianos: 1_100, timeline: 1_500, ..SimConfig::default() };
    let pipeline = Pipeline::open(config, options).await;
    pipeline.tick().await;
    pipeline.assert_equals_the_source("more than a thousand of each").await;
    let counted = pipeline
        .mirror
        .rows("select sync_type, source_count from sync_status where source_count > 1000 order by 1")
        .await;
    assert!(counted.len() >= 3, "{counted:?}");
    for row in counted {
        let entity = entity::find(row["sync_type"].as_str().unwrap_or_default()).expect("an entity");
        let mirrored = mirrored(&mut pipeline.mirror.connection().await, entity).await.len();
        assert!(mirrored > 1_000, "{}: {mirrored} of {}", entity.name, row["source_count"]);
    }
}

#[sqlx::test(migrations = false)]
async fn incident_04_unknown_field_fails_no_record(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    for entity in entity::ALL {
        let mut records: Vec<Value> = (0..20).map(|number| record(&format!("x{number:02}"))).collect();
        for record in &mut records {
            record["anInventionOfTomorrow"] = json!({"nested": [1, "deux", null]});
        }
        sync(&mirror, entity, 0, &records).await;
        let landed = mirror.value(&format!("select count(*) from {} where id like 'x%'", entity.table)).await;
        assert_eq!(landed, json!(20), "{}", entity.name);
        let kept = format!(
            "select raw_data->'anInventionOfTomorrow'->'nested'->>1 from {} where id = 'x07'",
            entity.table
        );
        assert_eq!(
            mirror.value(&kept).await,
            json!("deux"),
            "{}: what no column holds is in raw_data",
            entity.name
        );
    }
}

#[sqlx::test(migrations = false)]
async fn incident_05_unknown_enum_value_is_kept(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let grown_fields = [
        ("users", "accessLevel", "access_level"),
        ("users", "status", "status"),
        ("clients", "status", "status"),
        ("clients", "clientType", "client_type"),
        ("pianos", "status", "status"),
        ("pianos", "type", "type"),
        ("timeline", "type", "entry_type"),
    ];
    for (minute, (name, field, column)) in (0..).zip(grown_fields) {
        let mut grown = record("grown");
        grown[field] = json!("ARCHIVED_BY_ROBOT");
        sync(&mirror, entity(name), minute, &[grown]).await;
        let kept =
            mirror.value(&format!("select {column} from {} where id = 'grown'", entity(name).table)).await;
        assert_eq!(kept, json!("ARCHIVED_BY_ROBOT"), "{name}.{field}");
    }
}

#[sqlx::test(migrations = false)]
async fn incident_06_updated_at_moves_with_content_only(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    for entity in entity::ALL {
        let moment = || async {
            mirror.value(&format!("select updated_at from {} where id = 'x'", entity.table)).await
        };
        sync(&mirror, entity, 0, &[record("x")]).await;
        let first = moment().await;
        for minute in 1..4 {
            sync(&mirror, entity, minute, &[record("x")]).await;
        }
        assert_eq!(moment().await, first, "{}", entity.name);
        let mut changed = record("x");
        changed["humidity"] = json!(12);
        sync(&mirror, entity, 4, &[changed]).await;
        assert_ne!(moment().await, first, "{}", entity.name);
    }
}

#[sqlx::test(migrations = false)]
async fn incident_08_entry_before_its_client_is_linked_later(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let mut entry = record("tme_1");
    entry["client"] = json!({"id": "cli_new"});
    sync(&mirror, entity("timeline"), 0, &[entry]).await;
    let joined = "select e.id, c.is_placeholder, c.company_name from timeline_entries e join clients c on c.id = e.client_id";
    let before = mirror.rows(joined).await;
    assert_eq!(before, [json!({"id": "tme_1", "is_placeholder": true, "company_name": "Inconnu (cli_new)"})]);
    let mut client = record("cli_new");
    client["companyName"] = json!("École Alma");
    sync(&mirror, entity("clients"), 1, &[client]).await;
    let after = mirror.rows(joined).await;
    assert_eq!(after, [json!({"id": "tme_1", "is_placeholder": false, "company_name": "École Alma"})]);
}

#[sqlx::test(migrations = false)]
async fn incident_09_entry_under_two_ids_is_reported_once(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let entry = |id: &str, at: &str, comment: &str| {
        let mut entry = record(id);
        entry["occurredAt"] = json!(at);
        entry["comment"] = json!(comment);
        entry
    };
    // From a file of old, beside the API's own: one day in Montréal, although not in UTC.
    let old = [
        entry("tle_1", "2025-07-02T02:00:00Z", "Accord 440Hz, 21C, 39%"),
        entry("tle_2", "2025-07-01T14:00:00Z", "Accord 440Hz"),
    ];
    sync(&mirror, entity("timeline"), 0, &old).await;
    let new = [
        entry("tme_1", "2025-07-01T14:00:00Z", "Accord  440Hz, 21C, 39% "),
        entry("tme_2", "2025-07-02T14:00:00Z", "Accord 440Hz"),
        entry("tme_3", "2025-07-01T14:00:00Z", ""),
    ];
    for minute in 1..4 {
        sync(&mirror, entity("timeline"), minute, &new).await;
    }
    let reported = mirror.rows("select subject, details from admin_actions where kind = 'duplicate'").await;
    assert_eq!(reported, [json!({"subject": "tle_1", "details": {"same_as": "tme_1"}})]);
    sqlx::raw_sql("update admin_actions set resolved_at = now(), resolved_by = 'test'")
        .execute(&mut mirror.connection().await)
        .await
        .expect("a person's word");
    let mut edited = new[0].clone();
    edited["summary"] = json!("relu");
    sync(&mirror, entity("timeline"), 5, &[edited]).await;
    let again = mirror.value("select count(*) from admin_actions where kind = 'duplicate'").await;
    assert_eq!(again, json!(1), "once");
}

#[sqlx::test(migrations = false)]
async fn incident_11_one_bad_row_does_not_alarm(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let mut records: Vec<Value> = (0..4_135).map(|number| record(&format!("tme_{number:04}"))).collect();
    records[2_000]["occurredAt"] = json!("hier");
    sync(&mirror, entity("timeline"), now_minute(), &records).await;
    let run = mirror
        .rows(
            "select status, records_processed, records_failed from sync_status where sync_type = 'timeline'",
        )
        .await;
    assert_eq!(run, [json!({"status": "partial", "records_processed": 4_134, "records_failed": 1})]);
    assert_eq!(verdict(&mirror).await, HealthStatus::Degraded);
}

#[sqlx::test(migrations = false)]
async fn incident_12_last_success_ignores_failures(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    sync(&mirror, entity("timeline"), now_minute() - 10, &[record("tme_1")]).await;
    let last = || async {
        let facts = db::queries::entity_facts(&mirror.db).await.expect("the database is there");
        facts.into_iter().find(|facts| facts.entity == "timeline").and_then(|facts| facts.last_success)
    };
    let success = last().await;
    assert!(success.is_some());
    let source = MemorySource::default();
    let failed = HandRun::new(entity("timeline"), now_minute());
    failed.end(&source, RunStatus::Failed);
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    assert_eq!(last().await, success, "a failed run is no success");
}

#[sqlx::test(migrations = false)]
async fn incident_13_evening_belongs_to_the_local_day(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let mut evening = record("tme_1");
    evening["occurredAt"] = json!("2025-12-31T03:30:00Z");
    let mut summer = record("tme_2");
    summer["occurredAt"] = json!("2025-07-01T02:00:00Z");
    sync(&mirror, entity("timeline"), 0, &[evening, summer]).await;
    let days = mirror.rows("select occurred_on from timeline_entries order by id").await;
    assert_eq!(days, [json!({"occurred_on": "2025-12-30"}), json!({"occurred_on": "2025-06-30"})]);
}

#[sqlx::test(migrations = false)]
async fn incident_14_edit_of_oldest_record_seen_next_tick(_: PgPoolOptions, options: PgConnectOptions) {
    let config = SimConfig { clients: 300, pianos: 300, timeline: 300, ..SimConfig::default() };
    let pipeline = Pipeline::open(config, options).await;
    pipeline.tick().await;
    let mut edited = BTreeSet::new();
    for name in ["clients", "pianos"] {
        // So many that old ones are among them.
        let moved = pipeline.source.control("/_sim/advance", &json!({"edits": 60, "entity": name})).await;
        edited.extend(moved[name]["edited"].as_array().into_iter().flatten().map(Value::to_string));
    }
    assert!(edited.len() > 100, "{edited:?}");
    pipeline.tick().await;
    pipeline.assert_equals_the_source("edits of old records, a tick").await;
}

/// Returns the minute, counted from the first day of test runs, of a run that starts now.
fn now_minute() -> i64 {
    (Utc::now() - (DateTime::UNIX_EPOCH + TimeDelta::days(20_000))).num_minutes()
}

async fn verdict(mirror: &Mirror) -> HealthStatus {
    let facts = db::queries::entity_facts(&mirror.db).await.expect("the database is there");
    assess(&facts, Utc::now(), 120)["timeline"].status
}
