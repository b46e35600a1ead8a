//! Random sequences of changes, faults and kills, from a seed each: the mirror converges to the source.
//! `PROPERTY_SEQUENCES` and `PROPERTY_SEED` choose their number and the first
//! seed.

use std::time::Duration;

use chrono::TimeDelta;
use gazelle_sim::SimConfig;
use model::entity;
use object_store::ObjectStore;
use pipeline_tests::dice::Dice;
use pipeline_tests::memory::Hang;
use pipeline_tests::pipeline::Pipeline;
use pipeline_tests::source::{Source, TICK};
use protocol::request::Mode;
use serde_json::{Value, json};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, ConnectOptions};

const NIGHTLY: Mode = Mode::Incremental { lookback_days: Some(45) };
/// Expires every lease of killed processes, as hours would.
const LEASES: [&str; 2] = ["/lease", "/expires_at"];

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

#[sqlx::test(migrations = false)]
async fn random_sequences_converge_to_the_source(_: PgPoolOptions, options: PgConnectOptions) {
    let (first, count) = (setting("PROPERTY_SEED", 1), setting("PROPERTY_SEQUENCES", 8));
    for seed in first..first + count {
        let mut connection = options.connect().await.expect("a connection");
        sqlx::raw_sql(AssertSqlSafe("drop schema if exists gazelle cascade".to_owned()))
            .execute(&mut connection)
            .await
            .expect("a clean start");
        let config = SimConfig { seed, clients: 60, pianos: 70, timeline: 300, ..SimConfig::default() };
        let pipeline = Pipeline::open(config, options.clone()).await;
        let mut dice = Dice(seed);
        let mut told = Vec::new();
        for _ in 0..14 {
            told.push(act(&pipeline, &mut dice).await);
        }
        pipeline.source.sink.hang(None);
        pipeline.source.heal().await;
        pipeline.skew_clock(TimeDelta::zero());
        release(&pipeline.source);
        pipeline.task(&json!({"task": "audit"})).await;
        pipeline.sync(&NIGHTLY).await;
        pipeline.sync(&Mode::Full).await;
        pipeline.sync(&Mode::Full).await;
        confirm(&pipeline).await;
        pipeline.assert_equals_the_source(&format!("seed {seed} after {told:#?}")).await;
        let gaps = "select entity, subject, details from admin_actions where kind = 'incomplete' and resolved_at is null";
        assert_eq!(pipeline.mirror.rows(gaps).await, Vec::<Value>::new(), "seed {seed} after {told:#?}");
    }
}

/// Applies one random step; returns its description.
async fn act(pipeline: &Pipeline, dice: &mut Dice) -> String {
    match dice.below(14) {
        0..=3 => {
            let changes = json!({
                "creates": dice.below(6), "edits": dice.below(6), "late_edits": dice.below(4), "deletes": dice.below(4),
                "merges": dice.below(2), "transfers": dice.below(2), "restores": dice.below(2),
            });
            pipeline.source.control("/_sim/advance", &changes).await;
            format!("changes {changes}")
        }
        4 => {
            let names = [
                "status_500", "drop_connection", "truncate", "invalid_json", "graphql_error", "shift_pages",
                "null_nodes",
            ];
            let name = names[dice.place(names.len())];
            let rates = [0.02, 0.1, 0.3];
            let rate = rates[dice.place(rates.len())];
            pipeline.source.control("/_sim/faults", &json!({name: rate})).await;
            format!("{name} at {rate}")
        }
        5 => {
            pipeline.source.heal().await;
            "all is well".to_owned()
        }
        6 => {
            pipeline.deliver().await;
            "staged".to_owned()
        }
        7 => {
            pipeline.settle().await;
            "settled".to_owned()
        }
        8 => lasting_fault(pipeline, dice).await,
        9 => {
            let residue = dice.below(3);
            pipeline.lose_events(|key| key.bytes().map(u64::from).sum::<u64>() % 3 == residue);
            "events lost".to_owned()
        }
        10 => {
            let hours = [-30, 0, 50][dice.place(3)];
            pipeline.skew_clock(TimeDelta::hours(hours));
            format!("clock {hours} h ahead")
        }
        _ => fetch(pipeline, dice).await,
    }
}

/// Injects a fault that lasts until the next one: of single records, of the count, of the form of values, or of the
/// body of each response.
async fn lasting_fault(pipeline: &Pipeline, dice: &mut Dice) -> String {
    let faults = match dice.below(5) {
        0 => {
            let codes = ["THROTTLED", "INTERNAL_SERVER_ERROR", "UNAUTHENTICATED", "TEAPOT"];
            json!({"body_error": 0.3, "body_error_code": codes[dice.place(codes.len())]})
        }
        1 => json!({"records": {"count_cap": dice.below(40)}}),
        2 => json!({"records": {"text_numbers": true, "long_instants": true}}),
        3 => json!({"records": {"malformed_errors": true}}),
        _ => {
            let entities: Vec<_> = entity::fetched().collect();
            let entity = entities[dice.place(entities.len())];
            let truth = pipeline.source.truth(entity).await;
            let rows = truth["rows"].as_array().expect("rows");
            let ids: Vec<&Value> =
                (0..3).filter(|_| !rows.is_empty()).map(|_| &rows[dice.place(rows.len())]["id"]).collect();
            let kinds = ["unservable", "unanswered", "restricted"];
            json!({"records": {kinds[dice.place(kinds.len())]: ids}})
        }
    };
    pipeline.source.control("/_sim/faults", &faults).await;
    format!("faults {faults}")
}

/// Starts a run that may be killed at one of its writes or at another moment.
async fn fetch(pipeline: &Pipeline, dice: &mut Dice) -> String {
    let modes = [TICK, TICK, TICK, NIGHTLY, Mode::Full];
    let mode = &modes[dice.place(modes.len())];
    let entities: Vec<_> = entity::fetched().collect();
    let entity = entities[dice.place(entities.len())];
    let killed = match dice.below(3) {
        0 => None,
        1 => Some(Duration::from_millis(dice.below(40))),
        _ => {
            let after = u32::try_from(dice.below(8)).unwrap_or(0);
            pipeline.source.sink.hang(Some(Hang { after, is_written: dice.below(2) == 0 }));
            Some(Duration::from_millis(400))
        }
    };
    let run = pipeline.source.fetch(entity, mode.clone());
    let ended = match killed {
        None => Some(tokio::time::timeout(Duration::from_mins(2), run).await.expect("a run ends by itself")),
        Some(after) => tokio::time::timeout(after, run).await.ok(),
    };
    pipeline.source.sink.hang(None);
    release(&pipeline.source);
    let statuses = ended.map(|runs| runs.iter().map(|run| run.status).collect::<Vec<_>>());
    format!("{} {mode:?}, killed {killed:?}: {statuses:?}", entity.name)
}

/// Expires the lease of a killed run, as hours would.
fn release(source: &Source) {
    let ObjectStore::Memory(memory) = &*source.states else { panic!("in memory") };
    for (key, bytes) in memory.objects() {
        let mut object: Value = serde_json::from_slice(&bytes).expect("a state");
        let lease = object.pointer_mut("/state").and_then(|state| state.pointer_mut(&LEASES.concat()));
        if let Some(lease) = lease {
            *lease = json!("2020-01-01T00:00:00Z");
            memory.overwrite(&key, object.to_string().as_bytes());
        }
    }
}

/// Confirms withheld deletions: a small table quickly loses a large share.
async fn confirm(pipeline: &Pipeline) {
    for entity in entity::ALL {
        pipeline.mirror.value(&format!("select confirm_deletions('{}', 'test')", entity.name)).await;
    }
    pipeline.settle().await;
}
