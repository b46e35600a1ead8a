//! Performance: how long records take to their row, by run; daily figures of every entity; delays of alerts.

use chrono::{DateTime, Utc};
use model::entity::Entity;
use model::local_day::ZONE;
use sqlx::AssertSqlSafe;

use crate::error::{During as _, Error};
use crate::pool::{Db, Tx};
use crate::staging::{RecordOutcome, Settlement};

/// Static statements of this file, by name.
pub(crate) const STATEMENTS: &[(&str, &str)] = &[
    ("roll_up_performance", ROLL_UP),
    ("delete_old_performance", DELETE_OLD),
    ("delete_old_alert_delays", DELETE_OLD_ALERT_DELAYS),
    ("record_alert_delays", RECORD_ALERT_DELAYS),
];

/// Returns the assembled statements of this file for an entity, by name.
pub(crate) fn assembled(entity: &Entity) -> Vec<(&'static str, String)> {
    vec![("measure_latency", measure_latency(entity))]
}

/// Adds the latencies of settled records to their runs. Parameters: `$1` name of the entity, `$2` staging ids, `$3`
/// outcomes.
///
/// Only what a run has seen for the first time counts: no repair of a period, no import, no replay, no retry (its run
/// had ended before), and no initial load, which ends with the first run of that mode.
fn measure_latency(entity: &Entity) -> String {
    format!(
        r"
        with settled as (
            select s.run_id, u.outcome,
                greatest(extract(epoch from s.processed_at - s.first_fetched_at)::float8, 0) as seconds
            from unnest($2::uuid[], $3::text[]) as u(id, outcome)
            join {} s on s.id = u.id
        ),
        timed_runs as materialized (
            select r.run_id from sync_status r
            where r.sync_type = $1 and r.run_id in (select run_id from settled)
                and r.mode not in ('repair', 'import') and r.replayed_at is null
                and (r.completed_at is null or r.status = 'failed')
                and exists (
                    select from sync_status p
                    where p.sync_type = r.sync_type and p.mode = r.mode and p.started_at < r.started_at
                        and p.status in ('success', 'partial') and p.completed_at <= r.started_at
                )
        ),
        timed as materialized (
            select s.*, least(96, greatest(1, 1 + ceil(4 * ln(greatest(seconds, 0.0625) / 0.0625) / ln(2))))::int as bucket
            from settled s where s.run_id in (select run_id from timed_runs)
        ),
        promoted as (
            select run_id, array_agg(count order by bucket) as histogram
            from (
                select r.run_id, n.bucket, count(t.run_id)::int as count
                from timed_runs r
                -- No longer than need be: the counts of a day are unnested for each look at it.
                cross join generate_series(1, (select max(bucket) from timed where outcome = 'promoted')) as n(bucket)
                left join timed t on t.run_id = r.run_id and t.bucket = n.bucket and t.outcome = 'promoted'
                group by 1, 2
            ) b
            group by run_id
        ),
        figures as (
            select t.run_id, count(*)::int as records,
                (count(*) filter (where t.outcome = 'promoted' and t.seconds <= 3600))::int as on_time,
                max(t.seconds) filter (where t.outcome = 'promoted') as longest
            from timed t group by t.run_id
        )
        update sync_status s set
            records_timed = s.records_timed + f.records,
            records_on_time = s.records_on_time + f.on_time,
            latency_max_seconds = greatest(s.latency_max_seconds, f.longest),
            latency_histogram = case when f.longest is null then s.latency_histogram else (
                select array_agg(coalesce(u.old, 0) + coalesce(u.new, 0) order by u.bucket)
                from unnest(s.latency_histogram, p.histogram) with ordinality as u(old, new, bucket)
            ) end
        from figures f left join promoted p on p.run_id = f.run_id
        where s.sync_type = $1 and s.run_id = f.run_id
        ",
        entity.staging_table
    )
}

/// Measures how long promoted records took from Gazelle's listing to their row; a failed one is late.
///
/// # Errors
/// The database refused or was out of reach.
pub(crate) async fn measure(tx: &mut Tx, entity: &Entity, settlements: &[Settlement]) -> Result<(), Error> {
    let is_judged =
        |settled: &&Settlement| matches!(settled.outcome, RecordOutcome::Promoted | RecordOutcome::Failed);
    let judged: Vec<&Settlement> = settlements.iter().filter(is_judged).collect();
    if judged.is_empty() {
        return Ok(());
    }
    tx.query(AssertSqlSafe(measure_latency(entity)))
        .bind(entity.name)
        .bind(judged.iter().map(|settled| settled.staging_id).collect::<Vec<_>>())
        .bind(judged.iter().map(|settled| settled.outcome.as_str()).collect::<Vec<_>>())
        .execute(tx.connection())
        .await
        .during("measure latencies")?;
    Ok(())
}

/// Computes the daily figures of the last `$1` local days, in the zone `$2`, from their runs. Days of which runs are
/// pruned meanwhile keep what they had.
const ROLL_UP: &str = r"
    with runs as materialized (
        select (started_at at time zone $2)::date as day, sync_type as entity, status, records_timed, records_on_time,
            latency_histogram, latency_max_seconds
        from sync_status
        where started_at >= ((now() at time zone $2)::date - ($1 - 1))::timestamp at time zone $2
            and started_at <= now() + interval '1 hour' and status <> 'running' and mode <> 'import'
    ),
    buckets as (
        select r.day, r.entity, h.bucket, sum(h.count)::bigint as count
        from runs r cross join lateral unnest(r.latency_histogram) with ordinality as h(count, bucket)
        group by 1, 2, 3
    ),
    histograms as (
        select day, entity, array_agg(count order by bucket) as histogram from buckets group by 1, 2
    )
    insert into performance_metrics as m (day, entity, runs, runs_successful, runs_partial, runs_failed,
        records_timed, records_on_time, latency_histogram, latency_max_seconds)
    select r.day, r.entity, count(*), count(*) filter (where r.status = 'success'),
        count(*) filter (where r.status = 'partial'), count(*) filter (where r.status = 'failed'),
        sum(r.records_timed), sum(r.records_on_time), h.histogram, max(r.latency_max_seconds)
    from runs r left join histograms h on h.day = r.day and h.entity = r.entity
    group by r.day, r.entity, h.histogram
    order by r.entity, r.day
    on conflict (entity, day) do update set
        runs = excluded.runs, runs_successful = excluded.runs_successful, runs_partial = excluded.runs_partial,
        runs_failed = excluded.runs_failed, records_timed = excluded.records_timed,
        records_on_time = excluded.records_on_time, latency_histogram = excluded.latency_histogram,
        latency_max_seconds = excluded.latency_max_seconds, updated_at = now()
    where excluded.runs >= m.runs
        and (excluded.runs, excluded.runs_successful, excluded.runs_partial, excluded.records_timed, excluded.records_on_time)
            is distinct from (m.runs, m.runs_successful, m.runs_partial, m.records_timed, m.records_on_time)
    ";

/// Deletes daily figures older than `$1` days.
const DELETE_OLD: &str = "delete from performance_metrics where day < current_date - $1::int";

/// Deletes delays of alerts older than `$1` days.
const DELETE_OLD_ALERT_DELAYS: &str =
    "delete from alert_delays where delivered_at < now() - make_interval(days => $1::int)";

/// Days that daily figures are kept.
const KEPT_DAYS: i32 = 400;

/// Computes the daily figures of the last local days, today included, and deletes those that are too old.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn roll_up(db: &Db, days: u32) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    tx.query(ROLL_UP)
        .bind(i32::try_from(days).unwrap_or(i32::MAX))
        .bind(ZONE.name())
        .execute(tx.connection())
        .await
        .during("compute daily figures")?;
    for sql in [DELETE_OLD, DELETE_OLD_ALERT_DELAYS] {
        tx.query(sql).bind(KEPT_DAYS).execute(tx.connection()).await.during("delete old figures")?;
    }
    tx.commit().await
}

/// Delay of one alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertDelay {
    /// Class of the alert.
    pub class: &'static str,
    /// Subject of the alert.
    pub subject: String,
    /// Instant of the fault.
    pub fault_at: DateTime<Utc>,
    /// Instant at which a channel accepted the alert.
    pub delivered_at: DateTime<Utc>,
}

const RECORD_ALERT_DELAYS: &str = r"
    insert into alert_delays (class, subject, fault_at, delivered_at)
    select class, subject, fault_at, min(delivered_at)
    from unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[]) as u(class, subject, fault_at, delivered_at)
    group by 1, 2, 3
    on conflict (class, subject, fault_at) do nothing
    ";

/// Records delays of alerts; one that is recorded already stays as it is.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn record_alert_delays(db: &Db, delays: &[AlertDelay]) -> Result<(), Error> {
    if delays.is_empty() {
        return Ok(());
    }
    let mut tx = db.begin().await?;
    tx.query(RECORD_ALERT_DELAYS)
        .bind(delays.iter().map(|delay| delay.class).collect::<Vec<_>>())
        .bind(delays.iter().map(|delay| delay.subject.as_str()).collect::<Vec<_>>())
        .bind(delays.iter().map(|delay| delay.fault_at).collect::<Vec<_>>())
        .bind(delays.iter().map(|delay| delay.delivered_at).collect::<Vec<_>>())
        .execute(tx.connection())
        .await
        .during("record the delays of alerts")?;
    tx.commit().await
}
