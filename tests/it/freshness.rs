//! Facts that health and alerts are judged by, on a real database: what is late now, the fetch's own time, lanes, sweeps.

use chrono::{TimeDelta, Utc};
use db::queries::MonitorSnapshot;
use pipeline_tests::mirror::{Mirror, entity};
use pipeline_tests::pages::{HandRun, MemorySource};
use protocol::action::ActionKind;
use protocol::health::{EntityFacts, HealthStatus, assess};
use protocol::lane::Lane;
use protocol::manifest::RunStatus;
use serde_json::json;
use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::staging::record;

/// A tick of the clients that succeeded a minute ago.
const TICK: &str = "insert into sync_status (run_id, sync_type, mode, lane, status, fetch_status, started_at, completed_at,
        fetch_ended_at)
    values ('tick', 'clients', 'incremental', 'incremental', 'success', 'success', now() - interval '1 minute',
        now() - interval '50 seconds', now() - interval '55 seconds')";

async fn execute(mirror: &Mirror, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut mirror.connection().await).await.expect(sql);
}

/// Inserts staged clients that were fetched so long ago, with these values for processed, processed_at and outcome.
async fn stage(mirror: &Mirror, count: u32, age: &str, values: &str) {
    let sql = format!(
        "insert into stg_clients (raw_data, gazelle_id, content_hash, raw_bytes, run_id, source_key,
            first_fetched_at, created_at, processed, processed_at, outcome)
        select '{{}}', 'cli_' || n, sha256(n::text::bytea), 2, 'tick', 'page', now() - interval '{age}',
            now() - interval '{age}', {values}
        from generate_series(1, {count}) n"
    );
    execute(mirror, &sql).await;
}

async fn facts(mirror: &Mirror, name: &str) -> EntityFacts {
    let all = db::queries::entity_facts(&mirror.db).await.expect("the database is there");
    all.into_iter().find(|facts| facts.entity == name).expect("an entity")
}

async fn health(mirror: &Mirror) -> (HealthStatus, f64) {
    let facts = facts(mirror, "clients").await;
    let health = assess(&[facts], Utc::now(), 120).remove("clients").expect("an entity");
    (health.status, health.freshness)
}

async fn monitor(mirror: &Mirror, known: &[&str]) -> MonitorSnapshot {
    let known: Vec<String> = known.iter().map(|run| (*run).to_owned()).collect();
    db::queries::monitor_snapshot(&mirror.db, &known).await.expect("the database is there")
}

#[sqlx::test(migrations = false)]
async fn records_that_wait_or_failed_are_not_fresh(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    assert_eq!(health(&mirror).await, (HealthStatus::Unknown, 0.0), "nothing was ever synced");
    execute(&mirror, TICK).await;
    assert_eq!(health(&mirror).await, (HealthStatus::Healthy, 100.0));
    for (count, age, status) in
        [(5, "3 days", HealthStatus::Unhealthy), (5, "25 hours", HealthStatus::Unhealthy)]
    {
        stage(&mirror, count, age, "false, null, null").await;
        let (found, freshness) = health(&mirror).await;
        assert!(found == status && freshness < 100.0, "{age}: {found:?} {freshness}");
        let late = facts(&mirror, "clients").await;
        assert!(late.late == 5 && late.oldest_pending_seconds > Some(24 * 3_600), "{late:?}");
        execute(&mirror, "truncate stg_clients").await;
    }
    stage(&mirror, 100, "30 minutes", "true, now(), 'failed'").await;
    assert_eq!(health(&mirror).await, (HealthStatus::Unhealthy, 0.0), "100 of 100 failed");
    assert_eq!(facts(&mirror, "clients").await.on_time, 0);
}

#[sqlx::test(migrations = false)]
async fn past_delay_and_replay_leave_health_green(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    execute(&mirror, TICK).await;
    stage(&mirror, 1, "125 minutes", "true, now() - interval '1 hour', 'promoted'").await;
    assert_eq!(health(&mirror).await, (HealthStatus::Healthy, 100.0), "it was late, and is not any more");
    assert_eq!(facts(&mirror, "clients").await.on_time, 0, "which the share of the day says");
    execute(&mirror, "truncate stg_clients").await;
    // A replay makes old records pending again: they wait since it asked for them.
    stage(&mirror, 9, "5 hours", "false, null, null").await;
    execute(&mirror, "update stg_clients set requeued_at = now() - interval '1 minute'").await;
    assert_eq!(health(&mirror).await, (HealthStatus::Healthy, 100.0));
    let waiting = facts(&mirror, "clients").await;
    assert!(waiting.late == 0 && waiting.oldest_pending_seconds < Some(120), "{waiting:?}");
    execute(&mirror, "update stg_clients set processed = true, processed_at = now(), outcome = 'promoted'")
        .await;
    assert_eq!(
        (health(&mirror).await.0, facts(&mirror, "clients").await.on_time),
        (HealthStatus::Healthy, 9)
    );
}

#[sqlx::test(migrations = false)]
async fn replay_does_not_revive_a_dead_fetcher(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let source = MemorySource::default();
    let mut run = HandRun::started(entity("clients"), Utc::now() - TimeDelta::hours(5), 1);
    let key = run.page(&source, &[record("cli_1")]);
    run.end(&source, RunStatus::Success);
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    mirror.reconcile().await;
    let before = facts(&mirror, "clients").await;
    assert!(before.last_fetch.is_some_and(|at| Utc::now() - at > TimeDelta::hours(4)), "{before:?}");
    assert_eq!(health(&mirror).await.0, HealthStatus::Unhealthy);
    db::staging::prepare_replay(&mirror.db, &[key]).await.expect("the database is there");
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    let waiting = facts(&mirror, "clients").await;
    assert!(waiting.pending == 1 && waiting.late == 0, "it waits since the replay: {waiting:?}");
    mirror.reconcile().await;
    let after = facts(&mirror, "clients").await;
    assert_eq!((after.last_fetch, after.last_success), (before.last_fetch, before.last_success));
    assert_eq!(health(&mirror).await.0, HealthStatus::Unhealthy, "the fetcher is dead all the same");
}

#[sqlx::test(migrations = false)]
async fn partial_fetches_are_no_staleness(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    execute(
        &mirror,
        "insert into sync_status (run_id, sync_type, mode, lane, status, fetch_status, started_at, completed_at,
            fetch_ended_at)
        select 'tick-' || n, 'clients', 'incremental', 'incremental', 'partial', 'partial',
            now() - interval '2 minutes' * n, now(), now() - interval '2 minutes' * n from generate_series(0, 120) n",
    )
    .await;
    assert_eq!(health(&mirror).await, (HealthStatus::Degraded, 100.0), "the data is fresh");
    let lanes = monitor(&mirror, &[]).await.lanes;
    let lane = lanes.iter().find(|facts| facts.lane == Lane::Incremental).expect("a lane");
    assert!(lane.partial_runs == 100 && lane.last_success.is_none(), "{lane:?}");
    assert!(lane.partial_since.is_some_and(|since| Utc::now() - since > TimeDelta::hours(3)), "{lane:?}");
}

#[sqlx::test(migrations = false)]
async fn failed_full_run_survives_later_ticks(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    execute(
        &mirror,
        "insert into sync_status (run_id, sync_type, mode, lane, status, fetch_status, started_at, completed_at,
            fetch_ended_at, swept_at)
        values ('full-1', 'clients', 'full', 'full', 'success', 'success', now() - interval '9 days', now() - interval '9 days',
                now() - interval '9 days', now() - interval '9 days'),
            ('full-2', 'clients', 'full', 'full', 'partial', 'partial', now() - interval '2 days', now() - interval '2 days',
                now() - interval '2 days', null),
            ('full-3', 'clients', 'full', 'full', 'failed', 'failed', now() - interval '1 day', now() - interval '1 day',
                now() - interval '1 day', null),
            ('late', 'clients', 'incremental', 'lookback', 'failed', 'failed', now() - interval '3 hours', now(),
                now() - interval '3 hours', null)",
    )
    .await;
    execute(&mirror, TICK).await;
    let lanes = monitor(&mirror, &[]).await.lanes;
    let status = |lane| lanes.iter().find(|facts| facts.lane == lane).map(|facts| facts.status);
    assert_eq!(status(Lane::Full), Some(RunStatus::Failed));
    assert_eq!(status(Lane::Lookback), Some(RunStatus::Failed));
    assert_eq!(status(Lane::Incremental), Some(RunStatus::Success));
    assert_eq!(status(Lane::Verify), None);
    let facts = facts(&mirror, "clients").await;
    assert!(facts.last_sweep.is_some_and(|sweep| Utc::now() - sweep > TimeDelta::days(8)), "{facts:?}");
    assert_eq!((facts.unproven_sweeps, facts.last_status), (1, Some(RunStatus::Success)));
    assert_eq!(health(&mirror).await.0, HealthStatus::Degraded, "its last proof is too old");
}

#[sqlx::test(migrations = false)]
async fn manifest_records_lane_and_end_of_fetch(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let source = MemorySource::default();
    let mut run = HandRun::new(entity("users"), 0);
    run.page(&source, &[record("usr_1")]);
    run.end(&source, RunStatus::Success);
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    let recorded =
        "select lane, fetch_ended_at - started_at = interval '1 minute' as is_end from sync_status";
    assert_eq!(mirror.rows(recorded).await, [json!({"lane": "full", "is_end": true})]);
}

#[sqlx::test(migrations = false)]
async fn grave_actions_are_never_hidden(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    execute(
        &mirror,
        "insert into admin_actions (kind, entity, subject, created_at)
        select 'probable_duplicate', 'clients', 'pair ' || n, now() - interval '1 day' - interval '1 minute' * n
        from generate_series(1, 2078) n;
        insert into admin_actions (kind, entity, subject) values ('deletion_withheld', 'pianos', 'pianos'),
            ('credentials', 'clients', 'clients'), ('a_kind_of_tomorrow', '', 'x')",
    )
    .await;
    let overview = db::queries::overview(&mirror.db).await.expect("the database is there");
    let kinds: Vec<&str> = overview.actions.iter().map(|action| action.kind.as_str()).collect();
    assert_eq!(kinds[..3], ["credentials", "deletion_withheld", "probable_duplicate"]);
    assert_eq!((kinds.len(), kinds.last()), (23, Some(&"a_kind_of_tomorrow")));
    assert_eq!(overview.actions[2].subject, "pair 1", "the newest of its kind");
    let groups: Vec<_> =
        overview.action_groups.iter().map(|group| (group.kind.as_str(), group.open)).collect();
    let expected = [
        ("credentials", 1),
        ("deletion_withheld", 1),
        ("probable_duplicate", 2_078),
        ("a_kind_of_tomorrow", 1),
    ];
    assert_eq!((groups, overview.actions_open), (expected.to_vec(), 2_081));
    let mut by_gravity = ActionKind::ALL.to_vec();
    by_gravity.sort_by_key(|kind| kind.gravity());
    assert_eq!(by_gravity.first(), Some(&ActionKind::Credentials));
}

#[sqlx::test(migrations = false)]
async fn restored_database_lacks_runs_it_knew(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    execute(&mirror, TICK).await;
    execute(&mirror, "update sync_status set pages_staged = 1").await;
    let before = monitor(&mirror, &["tick", "lost"]).await;
    assert_eq!(before.newest_run.map(|run| run.run_id).as_deref(), Some("tick"));
    assert_eq!(before.unknown_runs, ["lost"]);
}

#[sqlx::test(migrations = false)]
async fn refused_lookup_is_not_healed_by_a_tick(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    execute(
        &mirror,
        "insert into admin_actions (kind, entity, subject) values ('schema', 'clients', 'clients/verify'),
            ('schema', 'clients', 'clients'), ('credentials', 'clients', 'clients')",
    )
    .await;
    let actions = monitor(&mirror, &[]).await.actions;
    assert_eq!(
        actions.iter().filter(|actions| actions.kind == "schema").count(),
        2,
        "one alert for each lane"
    );
    let source = MemorySource::default();
    let run = HandRun::new(entity("clients"), 0);
    run.end(&source, RunStatus::Success);
    assert_eq!(mirror.stage(&source).await, Vec::<String>::new());
    let open = "select kind, subject from admin_actions where resolved_at is null order by subject";
    let left = [
        json!({"kind": "schema", "subject": "clients"}),
        json!({"kind": "schema", "subject": "clients/verify"}),
    ];
    assert_eq!(mirror.rows(open).await, left, "a full run proves the credentials alone");
}
