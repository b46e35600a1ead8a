//! What the alerter looks at each minute, in one statement; and yesterday, for the daily report.

use chrono::{DateTime, Utc};
use model::entity;
use protocol::alert::Class;
use protocol::health::EntityReport;
use protocol::v5_import;
use serde::{Deserialize, Serialize};
use sqlx::Row;

use crate::pool::Db;
use crate::queries::entity_facts::facts_sql;

/// Fewer records than this in an hour make no rate: one bad one of three is no trend.
const RATE_RECORDS_MIN: i64 = 20;

/// What there is to know of the mirror.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Watch {
    /// The facts of every entity.
    pub entities: Vec<EntityReport>,
    /// The last run of each entity that has ended.
    pub last_runs: Vec<LastRun>,
    /// What waits for a person, by kind and entity.
    pub actions: Vec<OpenActions>,
}

/// How an entity's last run ended, and how many records failed in the last hour.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LastRun {
    /// The entity.
    pub entity: String,
    /// How it ended.
    pub status: String,
    /// When.
    pub completed_at: DateTime<Utc>,
    /// Why, where it is no success.
    pub error: Option<String>,
    /// Percent of the records of the last hour that failed or are in quarantine; none where there were few.
    pub error_rate: Option<f64>,
}

/// Open actions of one kind and entity.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct OpenActions {
    /// The kind.
    pub kind: String,
    /// The entity; empty where there is none.
    pub entity: String,
    /// How many.
    pub open: i64,
    /// When the newest was opened.
    pub newest: DateTime<Utc>,
    /// What the newest are about: ids and keys.
    pub subjects: Vec<String>,
}

/// Kinds of actions that are alerts.
fn alerted_kinds() -> Vec<&'static str> {
    let kinds = ["credentials", "schema", "deletion_withheld", "quarantined", "failed", "placeholder"];
    kinds.into_iter().filter(|kind| Class::of_action(kind).is_some()).collect()
}

/// Looks at the mirror.
///
/// # Errors
/// The database refused or was out of reach, or answered something else.
pub async fn watch(db: &Db) -> Result<Watch, sqlx::Error> {
    let names: Vec<&'static str> = entity::ALL.iter().map(|entity| entity.name).collect();
    let sql = format!(
        r"
        select jsonb_build_object(
            'entities', (select jsonb_agg(to_jsonb(e) - 'place' order by e.place) from ({facts}) e),
            'last_runs', (
                select coalesce(jsonb_agg(r), '[]') from (
                    select n.entity, s.status, s.completed_at,
                        coalesce(s.error_summary ->> 'fetch', s.error_summary ->> 'watchdog', s.error_summary #>> '{{records,0,reason}}') as error,
                        (
                            select case when sum(h.records_fetched) >= $2
                                then 100.0 * sum(h.records_failed + h.records_quarantined) / sum(h.records_fetched) end
                            from sync_status h
                            where h.sync_type = n.entity and h.started_at > now() - interval '1 hour'
                        ) as error_rate
                    from unnest($1::text[]) as n(entity)
                    cross join lateral (
                        select * from sync_status s
                        where s.sync_type = n.entity and s.status <> 'running' and s.completed_at is not null
                            and s.mode <> '{import}'
                        order by s.started_at desc limit 1
                    ) s
                ) r
            ),
            'actions', (
                select coalesce(jsonb_agg(a), '[]') from (
                    select kind, entity, count(*) as open, max(created_at) as newest,
                        (array_agg(subject order by created_at desc))[1:3] as subjects
                    from admin_actions where resolved_at is null and kind = any($3)
                    group by kind, entity
                ) a
            )
        ) as watch
        ",
        facts = facts_sql(),
        // Who takes an older system over watches that run in person.
        import = v5_import::MODE,
    );
    let row =
        db.ask(sql, |query| query.bind(names.clone()).bind(RATE_RECORDS_MIN).bind(alerted_kinds())).await?;
    let watch: serde_json::Value = row.try_get("watch")?;
    serde_json::from_value(watch).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// Whether the alerter should look now: a person's help was asked for, or a run ended badly, in the last minutes.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn has_news(db: &Db) -> Result<bool, sqlx::Error> {
    let names: Vec<&'static str> = entity::ALL.iter().map(|entity| entity.name).collect();
    let sql = r"
            select exists (
                select from admin_actions
                where resolved_at is null and kind = any($1) and created_at > now() - interval '3 minutes'
            ) or exists (
                select from unnest($2::text[]) as n(entity)
                cross join lateral (
                    select from sync_status s
                    where s.sync_type = n.entity and s.started_at > now() - interval '1 day'
                        and s.completed_at > now() - interval '3 minutes' and s.status in ('failed', 'partial')
                    limit 1
                ) s
            ) as news
            ";
    let row = db.ask(sql.to_owned(), |query| query.bind(alerted_kinds()).bind(names.clone())).await?;
    row.try_get("news")
}

/// A day of the mirror.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Day {
    /// What each entity's runs did.
    pub entities: Vec<EntityDay>,
    /// Open actions, by kind.
    pub actions: Vec<ActionCount>,
    /// The slowest runs that ended that day.
    pub slowest: Vec<SlowRun>,
    /// The facts of every entity, now.
    pub facts: Vec<EntityReport>,
}

/// What one entity's runs of a day did.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EntityDay {
    /// The entity.
    pub entity: String,
    /// Runs begun.
    pub runs: i64,
    /// Runs that failed.
    pub failed_runs: i64,
    /// Rows written.
    pub promoted: i64,
    /// Records that failed or are in quarantine.
    pub failed: i64,
    /// Records never to become rows.
    pub skipped: i64,
    /// Records seen for the first time.
    pub new: i64,
}

/// Open actions of one kind.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ActionCount {
    /// The kind.
    pub kind: String,
    /// How many.
    pub open: i64,
}

/// A run that took long.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SlowRun {
    /// The entity.
    pub entity: String,
    /// incremental, lookback, full, repair, verify.
    pub mode: String,
    /// How long, in seconds.
    pub seconds: f64,
    /// Records on its pages.
    pub fetched: i64,
}

/// Sums up a day between two instants.
///
/// # Errors
/// The database refused or was out of reach, or answered something else.
pub async fn day(db: &Db, start: DateTime<Utc>, end: DateTime<Utc>) -> Result<Day, sqlx::Error> {
    let names: Vec<&'static str> = entity::ALL.iter().map(|entity| entity.name).collect();
    let new: Vec<String> = entity::ALL
        .into_iter()
        .enumerate()
        .map(|(place, entity)| {
            format!(
                "select '{}' as entity, {place} as place, (select count(*) from {} where created_at >= $2 \
                 and created_at < $3 and not is_placeholder) as new",
                entity.name, entity.table
            )
        })
        .collect();
    let sql = format!(
        r"
        select jsonb_build_object(
            'entities', (
                select coalesce(jsonb_agg(e), '[]') from (
                    select n.entity, (array_agg(n.new))[1] as new, count(s.id) as runs, count(s.id) filter (where s.status = 'failed') as failed_runs,
                        coalesce(sum(s.records_processed), 0) as promoted, coalesce(sum(s.records_skipped), 0) as skipped,
                        coalesce(sum(s.records_failed + s.records_quarantined), 0) as failed
                    from ({new}) n
                    left join sync_status s on s.sync_type = n.entity and s.started_at >= $2 and s.started_at < $3
                    group by n.entity, n.place
                    order by n.place
                ) e
            ),
            'actions', (
                select coalesce(jsonb_agg(a), '[]') from (
                    select kind, count(*) as open from admin_actions where resolved_at is null group by kind order by 2 desc, 1
                ) a
            ),
            'slowest', (
                select coalesce(jsonb_agg(r), '[]') from (
                    select sync_type as entity, mode, round(extract(epoch from completed_at - started_at)::numeric, 1) as seconds,
                        records_fetched as fetched
                    from sync_status
                    where sync_type = any($1) and started_at >= $2 and started_at < $3 and completed_at is not null
                    order by completed_at - started_at desc, started_at
                    limit 3
                ) r
            ),
            'facts', (select jsonb_agg(to_jsonb(f) - 'place' order by f.place) from ({facts}) f)
        ) as day
        ",
        facts = facts_sql(),
        new = new.join(" union all ")
    );
    let row = db.ask(sql, |query| query.bind(names.clone()).bind(start).bind(end)).await?;
    let day: serde_json::Value = row.try_get("day")?;
    serde_json::from_value(day).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
