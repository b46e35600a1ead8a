//! Faults of the alert drill: cause, mend, and the words of the alert.

use std::time::Duration;

use chrono::Utc;
use serde_json::json;
use tokio::time::sleep;

use super::Drill;
use crate::function_process::{kill_idle, kill_running};
use crate::inbox::now;
use crate::stack::Stack;

/// Timeout of the health function, in seconds, while it waits for a locked table.
const SHORT_TIMEOUT_S: i32 = 3;
/// Seconds without a run of the fetcher after which its schedule counts as missed.
const SCHEDULE_S: f64 = 120.0;

const LOCK_AND_SLEEP: &str = "begin; lock table sync_status in access exclusive mode; select pg_sleep(5)";
const WITHHOLD: &str = "insert into admin_actions (kind, entity, subject, details)
    values ('deletion_withheld', 'clients', 'drill', '{}')";
const LOSE_ONE: &str = "insert into admin_actions (kind, entity, subject, details)
    values ('incomplete', 'clients', '+1 / 246', '{}')";
const FAIL_HALF: &str =
    "insert into sync_status (run_id, sync_type, mode, status, started_at, completed_at, fetch_status,
        records_fetched, records_staged, records_processed, records_failed)
    values ('drill-' || gen_random_uuid(), 'clients', 'incremental', 'partial', now() - interval '1 second', now(),
        'success', 1000000, 1000000, 500000, 500000)";
const PARTIAL_SWEEPS: &str = "insert into sync_status (run_id, sync_type, mode, lane, status, started_at, completed_at,
        fetch_status, fetch_ended_at, error_summary)
    select 'drill-' || gen_random_uuid(), 'users', 'full', 'full', 'partial', now() - interval '1 second' * n, now(),
        'partial', now(), '{\"fetch\": \"drill\"}' from generate_series(1, 2) n";
const FORGET_RUNS: &str = "delete from sync_status where run_id like 'drill-%'";
/// Moves the last success of the users a day back; no run makes it better.
const DAY_BACK: &str = "update sync_status set completed_at = completed_at - interval '1 day',
        fetch_ended_at = fetch_ended_at - interval '1 day'
    where sync_type = 'users' and status in ('success', 'partial');
    update staged_pages set staged_at = staged_at - interval '1 day' where entity = 'users'";
const DAY_FORTH: &str = "update sync_status set completed_at = completed_at + interval '1 day',
        fetch_ended_at = fetch_ended_at + interval '1 day'
    where sync_type = 'users' and status in ('success', 'partial') and completed_at < started_at;
    update staged_pages set staged_at = staged_at + interval '1 day'
    where entity = 'users' and staged_at < now() - interval '20 hours'";
/// Admits no new connections and ends the old ones: an outage as a pooler makes it.
const NO_CONNECTIONS: [&str; 2] = [
    "alter database {name} with allow_connections false",
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'",
];
const CONNECTIONS: [&str; 1] = ["alter database {name} with allow_connections true"];

#[derive(Debug, Clone, Copy)]
enum Kind {
    FailingFetch,
    UnknownField,
    WrongKey,
    Garbage,
    UnknownTechnician,
    NoDate,
    Withheld,
    Incomplete,
    ErrorRate,
    PartialSweeps,
    Crash,
    Timeout,
    Outage,
    DeadLetters,
    Stale,
    Silence,
}

/// Fault of the drill.
#[derive(Debug)]
pub struct Fault {
    /// Name of the fault: the class of its alert.
    pub name: &'static str,
    /// Words of its alert.
    pub words: &'static str,
    kind: Kind,
}

const fn fault(name: &'static str, words: &'static str, kind: Kind) -> Fault {
    Fault { name, words, kind }
}

/// Faults in the order of the drill; the last three wait for the observation of the minute.
pub const FAULTS: [Fault; 16] = [
    fault("sync_failed", "Synchronisation en échec", Kind::FailingFetch),
    fault("schema_changed", "Gazelle a changé", Kind::UnknownField),
    fault("credentials", "Autorisation refusée par Gazelle", Kind::WrongKey),
    fault("quarantined", "Donnée illisible mise de côté", Kind::Garbage),
    fault("placeholder", "Fiche inconnue", Kind::UnknownTechnician),
    fault("record_failed", "Enregistrement en échec", Kind::NoDate),
    fault("deletion_withheld", "Suppressions retenues", Kind::Withheld),
    fault("incomplete", "Le compte n'y est pas", Kind::Incomplete),
    fault("error_rate", "Trop d'enregistrements en échec", Kind::ErrorRate),
    fault("run_partial", "Exécutions incomplètes à répétition", Kind::PartialSweeps),
    fault("function_failed (crash)", "Une fonction s'est arrêtée", Kind::Crash),
    fault("function_failed (délai)", "Une fonction s'est arrêtée", Kind::Timeout),
    fault("database_unreachable", "La base de données ne répond pas", Kind::Outage),
    fault("dead_letters", "Messages mis de côté", Kind::DeadLetters),
    fault("entity_stale", "Données en retard", Kind::Stale),
    fault("schedule_silent", "Plus aucune récupération", Kind::Silence),
];

impl Fault {
    /// Causes the fault; returns its time, in seconds since 1970.
    pub async fn cause(&self, drill: &Drill) -> f64 {
        match self.kind {
            Kind::FailingFetch => {
                drill.source(&json!({"invalid_json": 1.0, "root_field": "allUsers"})).await;
                drill.fetch("users").await;
                // Timed from the end of the failed run: what it tries before may yet succeed.
                now()
            }
            Kind::UnknownField => {
                drill.source(&json!({"undefined_field": 1.0, "root_field": "allUsers"})).await;
                drill.fetch("users").await
            }
            Kind::WrongKey => {
                drill.set_key("wrong").await;
                kill_idle("FETCHER_FUNCTION");
                drill.fetch("users").await
            }
            Kind::Garbage => {
                let key = format!("raw/users/2025/01/01/{}/page-00001.json", new_id("drill-"));
                drill.put(&key, b"{ no JSON".to_vec()).await
            }
            Kind::UnknownTechnician => {
                let record = json!({"id": new_id("cli_"), "preferredTechnician": {"id": new_id("usr_")}});
                drill.page("clients", record).await
            }
            Kind::NoDate => {
                let record = json!({"id": new_id("tle_"), "type": "NOTE", "occurredAt": "soon"});
                drill.page("timeline", record).await
            }
            Kind::Withheld => drill.promote(WITHHOLD).await,
            Kind::Incomplete => drill.promote(LOSE_ONE).await,
            Kind::ErrorRate => drill.promote(FAIL_HALF).await,
            Kind::PartialSweeps => drill.promote(PARTIAL_SWEEPS).await,
            Kind::Crash => crash(drill).await,
            Kind::Timeout => time_out(drill).await,
            Kind::Outage => {
                drill.execute_outside(&NO_CONNECTIONS).await;
                drill.send("RECONCILE_QUEUE_URL").await
            }
            Kind::DeadLetters => drill.send("RECONCILE_DLQ_URL").await,
            Kind::Stale => drill.pause(DAY_BACK).await,
            Kind::Silence => {
                drill.pause("select 1").await;
                drill.fetch("users").await;
                // The schedule is missed two minutes after the fetcher was last at work.
                now() + SCHEDULE_S
            }
        }
    }

    /// Mends the fault.
    pub async fn mend(&self, drill: &Drill) {
        match self.kind {
            Kind::FailingFetch | Kind::UnknownField | Kind::WrongKey => drill.restore_source().await,
            Kind::Garbage => drill.close_actions("kind = 'quarantined'").await,
            Kind::UnknownTechnician => drill.close_actions("kind = 'placeholder'").await,
            Kind::NoDate => drill.close_actions("kind = 'failed'").await,
            Kind::Withheld => drill.close_actions("kind = 'deletion_withheld'").await,
            Kind::Incomplete => drill.close_actions("kind = 'incomplete'").await,
            Kind::ErrorRate | Kind::PartialSweeps => drill.sql(FORGET_RUNS).await,
            Kind::Crash | Kind::Timeout => drill.forget_failures().await,
            Kind::Outage => drill.execute_outside(&CONNECTIONS).await,
            Kind::DeadLetters => drill.purge_dead_letters().await,
            Kind::Stale => drill.resume(DAY_FORTH).await,
            Kind::Silence => drill.resume("select 1").await,
        }
    }
}

/// Kills a fetch that waits for its answer, in a lane of its own: its lease must not hold up the frequent runs.
async fn crash(drill: &Drill) -> f64 {
    drill.source(&json!({"hang": 1.0, "hang_s": 60.0})).await;
    tokio::spawn(async {
        let stack = Stack::connect().await;
        // It fails: its process is killed.
        let _ = stack.invoke("FETCHER_FUNCTION", &json!({"entity": "timeline", "lookback_days": 2})).await;
    });
    sleep(Duration::from_millis(1_500)).await;
    kill_running("FETCHER_FUNCTION").await;
    now()
}

/// Makes the health function wait for a locked table until its time is over.
async fn time_out(drill: &Drill) -> f64 {
    drill.stack.set_timeout("HEALTH_FUNCTION", SHORT_TIMEOUT_S).await;
    let mut connection = drill.stack.connection().await;
    tokio::spawn(async move {
        sqlx::raw_sql(LOCK_AND_SLEEP).execute(&mut connection).await.expect("a lock");
    });
    sleep(Duration::from_millis(500)).await;
    let begin = now();
    let request = json!({"rawPath": "/healthz", "requestContext": {"http": {"method": "GET"}}});
    drill.invoke("HEALTH_FUNCTION", &request).await;
    begin + f64::from(SHORT_TIMEOUT_S)
}

/// Returns an id that no record has yet: the current nanosecond.
fn new_id(prefix: &str) -> String {
    format!("{prefix}{:016x}", Utc::now().timestamp_nanos_opt().unwrap_or_default())
}
