//! What the dashboard shows, in one statement.

use chrono::{DateTime, Utc};
use model::entity;
use protocol::health::EntityReport;
use serde::{Deserialize, Serialize};
use sqlx::Row;
use uuid::Uuid;

use crate::pool::Db;
use crate::queries::entity_facts::facts_sql;

/// Runs that are shown.
const RUNS: i64 = 25;
/// Open actions that are shown; the others are counted.
const ACTIONS: i64 = 100;

/// The state of the mirror.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Overview {
    /// The facts of every entity.
    pub entities: Vec<EntityReport>,
    /// What was promoted and what failed, by entity and hour, over the last 24 hours.
    pub trend: Vec<Hour>,
    /// The last runs, newest first; of those that ended well and brought nothing only the last of each entity.
    pub runs: Vec<Run>,
    /// Open actions, oldest first.
    pub actions: Vec<Action>,
    /// How many actions are open.
    pub actions_open: i64,
    /// What is in quarantine.
    pub quarantined: i64,
}

/// An hour of one entity.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Hour {
    /// The entity.
    pub entity: String,
    /// Hours ago: 0 is the one that has not ended.
    pub ago: i32,
    /// Rows written.
    pub promoted: i64,
    /// Records that failed.
    pub failed: i64,
    /// Runs that failed.
    pub failed_runs: i64,
}

/// A run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    /// Its id.
    pub run_id: String,
    /// The entity.
    pub entity: String,
    /// incremental, lookback, full, repair, verify.
    pub mode: String,
    /// running, success, partial, failed.
    pub status: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When everything it brought was settled.
    pub completed_at: Option<DateTime<Utc>>,
    /// Records on its pages.
    pub fetched: i64,
    /// Those that production took.
    pub promoted: i64,
    /// Those that failed or are in quarantine.
    pub failed: i64,
    /// Those that wait.
    pub pending: i64,
    /// What went wrong, if anything did.
    pub error: Option<String>,
}

/// Something that a person must look at.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Action {
    /// Its id.
    pub id: Uuid,
    /// What kind.
    pub kind: String,
    /// The entity; empty where there is none.
    pub entity: String,
    /// What it is about: an id, a name, a key.
    pub subject: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// The reason or the command to give, where there is one.
    pub detail: Option<String>,
}

/// Reads the state of the mirror.
///
/// # Errors
/// The database refused or was out of reach, or answered something else.
pub async fn overview(db: &Db) -> Result<Overview, sqlx::Error> {
    let names: Vec<&'static str> = entity::ALL.iter().map(|entity| entity.name).collect();
    let sql = format!(
        r"
        select jsonb_build_object(
            'entities', (select jsonb_agg(to_jsonb(e) - 'place' order by e.place) from ({facts}) e),
            'trend', (
                select coalesce(jsonb_agg(h), '[]') from (
                    select sync_type as entity, floor(extract(epoch from now() - started_at) / 3600)::int as ago,
                        sum(records_processed) as promoted, sum(records_failed + records_quarantined) as failed,
                        count(*) filter (where status = 'failed') as failed_runs
                    from sync_status
                    where started_at > now() - interval '24 hours' and started_at <= now() and sync_type = any($1)
                    group by 1, 2
                ) h
            ),
            'runs', (
                select coalesce(jsonb_agg(r order by r.started_at desc), '[]') from (
                    select s.run_id, s.sync_type as entity, s.mode, s.status, s.started_at, s.completed_at,
                        s.records_fetched as fetched, s.records_processed as promoted,
                        s.records_failed + s.records_quarantined as failed, s.records_pending as pending,
                        coalesce(s.error_summary ->> 'fetch', s.error_summary ->> 'watchdog', s.error_summary #>> '{{records,0,reason}}') as error
                    from sync_status s
                    where s.sync_type = any($1) and s.started_at > now() - interval '7 days'
                        and (s.status <> 'success' or s.records_processed > 0 or s.records_failed > 0 or s.mode <> 'incremental')
                    order by s.started_at desc
                    limit $2
                ) r
            ),
            'actions', (
                select coalesce(jsonb_agg(a order by a.since), '[]') from (
                    select id, kind, entity, subject, created_at as since,
                        coalesce(details ->> 'reason', details ->> 'confirm', details ->> 'same_as') as detail
                    from admin_actions where resolved_at is null
                    order by created_at
                    limit $3
                ) a
            ),
            'actions_open', (select count(*) from admin_actions where resolved_at is null),
            'quarantined', (select count(*) from quarantine where resolved_at is null)
        ) as overview
        ",
        facts = facts_sql()
    );
    let row = db.ask(sql, |query| query.bind(names.clone()).bind(RUNS).bind(ACTIONS)).await?;
    let overview: serde_json::Value = row.try_get("overview")?;
    serde_json::from_value(overview).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
