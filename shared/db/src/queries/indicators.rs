//! Indicators in production: successful runs, latency, delay of alerts, completeness, read by one statement.

use model::local_day::ZONE;
use protocol::indicator::Indicators;
use sqlx::types::Json;

use crate::error::Error;
use crate::pool::Db;

/// Static statements of this file, by name.
pub(crate) const STATEMENTS: &[(&str, &str)] = &[("read_indicators", READ_INDICATORS)];

/// The last 24 hours come from the runs themselves, longer periods from the daily figures: at most 30 rows an entity,
/// however long the mirror has run. Takes `$1` the names of the entities and `$2` the time zone of the days.
const READ_INDICATORS: &str = r"
    with days as materialized (
        select m.*, (now() at time zone $2)::date - m.day as ago
        from performance_metrics m
        where m.day > (now() at time zone $2)::date - 30 and m.entity = any($1)
    ),
    runs as materialized (
        select s.sync_type as entity, s.status, s.records_timed, s.records_on_time, s.latency_histogram, s.latency_max_seconds
        from unnest($1::text[]) as n(entity)
        cross join lateral (
            select * from sync_status s
            where s.sync_type = n.entity and s.started_at > now() - interval '24 hours' and s.started_at <= now()
        ) s
        where s.status <> 'running' and s.mode <> 'import'
    ),
    counts as (
        select '24h' as period, entity, 1 as runs, (status = 'success')::int as runs_successful, records_timed,
            records_on_time, latency_histogram::bigint[] as histogram, latency_max_seconds
        from runs
        union all
        select p.period, d.entity, d.runs, d.runs_successful, d.records_timed, d.records_on_time, d.latency_histogram,
            d.latency_max_seconds
        from (values ('7d', 7), ('30d', 30)) as p(period, days) join days d on d.ago < p.days
    ),
    sums as (
        select period, entity, sum(runs)::bigint as runs, sum(runs_successful)::bigint as runs_successful,
            sum(records_timed)::bigint as records_timed, sum(records_on_time)::bigint as records_on_time,
            max(latency_max_seconds) as latency_max_seconds
        from counts group by 1, 2
    ),
    histograms as (
        select period, entity, jsonb_agg(count order by bucket) as histogram
        from (
            select c.period, c.entity, h.bucket, sum(h.count)::bigint as count
            from counts c cross join lateral unnest(c.histogram) with ordinality as h(count, bucket)
            group by 1, 2, 3
        ) b
        group by 1, 2
    ),
    delays as (
        select extract(epoch from delivered_at - fault_at)::float8 as seconds
        from alert_delays where delivered_at > now() - interval '30 days'
    )
    select jsonb_build_object(
        'entities', (
            select coalesce(jsonb_agg(to_jsonb(s) || jsonb_build_object('histogram', coalesce(h.histogram, '[]'))
                order by s.entity, s.period), '[]')
            from sums s left join histograms h on h.period = s.period and h.entity = s.entity
        ),
        'alerts', (
            select jsonb_build_object('alerts', count(*), 'delay', case when count(*) > 0 then jsonb_build_object(
                'p50', percentile_disc(0.5) within group (order by seconds),
                'p95', percentile_disc(0.95) within group (order by seconds),
                'max', max(seconds)) end)
            from delays
        ),
        'completeness', (
            select coalesce(jsonb_agg(to_jsonb(c)), '[]') from completeness c where c.entity = any($1)
        )
    ) as indicators
    ";

/// Returns the indicators of every entity.
///
/// # Errors
/// The database refused or was out of reach, or returned other JSON than expected.
pub async fn indicators(db: &Db) -> Result<Indicators, Error> {
    let names = model::entity::ALL.map(|entity| entity.name);
    let Json(indicators) = db
        .fetch_one_readonly("read the indicators", READ_INDICATORS, |query| {
            query.bind(names).bind(ZONE.name())
        })
        .await?;
    Ok(indicators)
}
