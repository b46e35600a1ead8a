//! A day without a fault raises no alert.

use alerter::alert::NoticeKind;
use alerter::alert_store::AlertStore;
use alerter::snapshot::{ScheduleSign, Snapshot, Thresholds};
use chrono::Utc;
use gazelle_sim::SimConfig;
use model::entity;
use pipeline_tests::pipeline::Pipeline;
use protocol::request::Mode;
use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

/// Ticks of a day, one every two minutes.
const TICKS: i64 = 720;
const THRESHOLDS: Thresholds = Thresholds { interval_seconds: 120, error_rate_max: 5.0, is_scheduled: true };

/// Observes the mirror as the alerter does; returns kind and text of each new notice.
async fn look(pipeline: &Pipeline, store: &mut AlertStore) -> Vec<(NoticeKind, String)> {
    let watch = db::queries::monitor_snapshot(&pipeline.mirror.db, &store.memory.known_runs())
        .await
        .expect("the database");
    let at = Utc::now();
    let snapshot = Snapshot {
        at,
        database: Some(watch),
        database_error: None,
        dead_letters: Some(vec![("reconcile", 0)]),
        schedule: Some(ScheduleSign::FetchedAt(at)),
        memory: store.memory.clone(),
    };
    let conditions = snapshot.conditions(&THRESHOLDS);
    store.apply(&snapshot, &conditions);
    store.memory.record(snapshot.database.as_ref(), at);
    let notices = store.claim(at);
    store.remove_delivered(&notices.iter().map(|notice| notice.id).collect::<Vec<_>>());
    notices
        .into_iter()
        .map(|notice| {
            (
                notice.kind,
                notice.alert.map(|alert| format!("{:?} {}", alert.class, alert.detail)).unwrap_or_default(),
            )
        })
        .collect()
}

#[sqlx::test(migrations = false)]
async fn clean_day_of_720_ticks_raises_no_alert(_: PgPoolOptions, options: PgConnectOptions) {
    let config = SimConfig {
        seed: 5,
        users: 3,
        clients: 20,
        pianos: 25,
        timeline: 60,
        oddities: false,
        ..SimConfig::default()
    };
    let pipeline = Pipeline::open(config, options).await;
    pipeline.sync(&Mode::Full).await;
    let mut store = AlertStore::default();
    let mut told = Vec::new();
    for tick in 0..TICKS {
        if tick % 6 == 0 {
            // The firm works: a new entry, an edited client.
            let change = if tick % 12 == 0 {
                json!({"creates": 1, "entity": "timeline"})
            } else {
                json!({"edits": 1, "entity": "clients"})
            };
            pipeline.source.control("/_sim/advance", &change).await;
        }
        pipeline.tick().await;
        told.extend(look(&pipeline, &mut store).await);
    }
    assert_eq!(told, Vec::new(), "nobody is called on a clean day");
    let runs = pipeline
        .mirror
        .value("select count(*) from sync_status where status = 'success' and mode = 'incremental'")
        .await;
    let expected = TICKS * i64::try_from(entity::ALL.len()).expect("a few");
    assert_eq!(runs, json!(expected), "every tick of every entity was a run that succeeded");
    pipeline
        .source
        .control("/_sim/faults", &json!({"undefined_field": 1.0, "root_field": "allClients"}))
        .await;
    pipeline.tick().await;
    let told = look(&pipeline, &mut store).await;
    assert!(
        told.len() == 1 && told[0].0 == NoticeKind::Raised && told[0].1.starts_with("SchemaChanged"),
        "{told:?}"
    );
    pipeline.source.control("/_sim/faults", &json!({})).await;
    pipeline.tick().await;
    let told = look(&pipeline, &mut store).await;
    assert!(told.len() == 1 && told[0].0 == NoticeKind::Resolved, "{told:?}");
}
