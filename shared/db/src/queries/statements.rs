//! Statements of the read-only queries, assembled over all entities of the registry.

use model::entity::{self, DeletionPolicy, Entity, Source};
use protocol::action::ActionKind;
use protocol::health;
use protocol::request::ModeName;

/// Runs that a count looks at: more say nothing more, and a count must not read years of them.
const COUNTED_MAX: i64 = 100;

/// Returns the assembled queries, by name, for a check of their syntax.
pub(crate) fn assembled() -> Vec<(&'static str, String)> {
    vec![
        ("entity_facts", entity_facts()),
        ("overview", overview()),
        ("monitor_snapshot", monitor_snapshot()),
        ("daily_summary", daily_summary()),
    ]
}

/// Returns the query of the facts of every entity, as one JSON list in the registry's order.
pub(super) fn entity_facts() -> String {
    format!(
        "select jsonb_agg(to_jsonb(e) - 'position' order by e.position) as facts from ({}) e",
        facts_of_all()
    )
}

/// Returns the query of a row of facts per entity, with the entity's position in the registry.
fn facts_of_all() -> String {
    let facts: Vec<String> =
        entity::ALL.into_iter().enumerate().map(|(position, entity)| facts(position, entity)).collect();
    facts.join(" union all ")
}

/// Modes of the runs that the schedule begins, by which freshness is judged: a lookup, a repair or a V5 import says
/// nothing of how fresh the mirror is.
const SCHEDULED: &str = "s.mode in ('incremental', 'full')";

/// End of the fetch of a run `s`. A run of an older version has no such time: its completion stands for it, bounded,
/// because a replay moves it.
const FETCHED_AT: &str =
    "coalesce(s.fetch_ended_at, least(s.completed_at, s.started_at + interval '15 minutes'))";

/// Time since which a pending record `t` waits: since staging holds it, however old it says it is, or since a replay or
/// a retry asked for it again.
const WAITS_SINCE: &str = "greatest(t.first_fetched_at, t.created_at, t.requeued_at)";

fn facts(position: usize, entity: &Entity) -> String {
    let (name, table) = (entity.name, entity.staging_table);
    let listed_with = match entity.source {
        Source::Query(_) => name,
        Source::Nested { parent, .. } => parent,
    };
    // Nothing is compared with production where nothing is ever deleted.
    let swept = match entity.deletion_policy {
        DeletionPolicy::Never => "true",
        _ => "s.swept_at is not null",
    };
    let late_seconds = health::LATE_SECONDS;
    format!(
        r"
        select {position} as position, '{name}' as entity,
            success.fetched_at as last_success,
            (select {FETCHED_AT} from sync_status s where s.sync_type = '{name}' and s.status in ('success', 'partial')
                and {SCHEDULED} order by s.started_at desc limit 1) as last_fetch,
            -- A page that is staged long after its run began is replayed, or found by an audit.
            (select max(least(p.staged_at, s.started_at + interval '1 hour'))
                from sync_status s join staged_pages p on p.run_id = s.run_id and p.entity = s.sync_type
                where s.sync_type = '{listed_with}' and {SCHEDULED}
                    and s.started_at > now() - interval '2 hours') as last_progress,
            (select s.status from sync_status s where s.sync_type = '{name}' and s.status <> 'running' and {SCHEDULED}
                order by s.started_at desc limit 1) as last_status,
            (select count(*) from (select from sync_status s
                where s.sync_type = '{name}' and s.status = 'failed' and {SCHEDULED}
                    and s.started_at > coalesce(success.started_at, '-infinity')
                order by s.started_at limit {COUNTED_MAX}) f) as failures_in_a_row,
            waiting.*, recent.*,
            (select s.started_at from sync_status s where s.sync_type = '{name}' and {SCHEDULED}
                order by s.started_at limit 1) as first_run,
            sweep.started_at as last_sweep,
            (select count(*) from (select from sync_status s
                where s.sync_type = '{name}' and s.mode = 'full' and s.fetch_status = 'partial'
                    and s.started_at > coalesce(sweep.started_at, '-infinity')
                order by s.started_at limit {COUNTED_MAX}) u) as unproven_sweeps
        from (
            select count(*) as pending,
                floor(extract(epoch from now() - min({WAITS_SINCE})))::bigint as oldest_pending_seconds,
                count(*) filter (where {WAITS_SINCE} < now() - interval '{late_seconds} seconds') as late
            from {table} t where not t.processed
        ) waiting
        cross join (
            select count(*) as recent,
                count(*) filter (where case when t.processed
                    then t.outcome is distinct from 'failed'
                        and t.processed_at <= greatest(t.first_fetched_at, t.requeued_at) + interval '1 hour'
                    else {WAITS_SINCE} > now() - interval '1 hour' end) as on_time,
                count(*) filter (where t.outcome = 'failed') as failed
            from {table} t where t.first_fetched_at > now() - interval '24 hours'
        ) recent
        left join lateral (
            select s.started_at, {FETCHED_AT} as fetched_at from sync_status s
            where s.sync_type = '{name}' and s.status = 'success' and {SCHEDULED}
            order by s.started_at desc limit 1
        ) success on true
        left join lateral (
            select s.started_at from sync_status s
            where s.sync_type = '{name}' and s.mode = 'full' and s.fetch_status = 'success' and {swept}
            order by s.started_at desc limit 1
        ) sweep on true
        "
    )
}

/// Rank of an action by the gravity of its kind; one of a kind that this version does not know comes last.
const GRAVITY: &str = "coalesce(array_position($4::text[], kind), 2147483647)";

/// Returns the query of the [`super::Overview`] as JSON. Takes `$1` the names of the entities, `$2` runs and `$3` actions
/// of a kind at most, and `$4` the kinds of actions, the gravest first.
pub(super) fn overview() -> String {
    format!(
        r"
        select jsonb_build_object(
            'entities', (select jsonb_agg(to_jsonb(e) - 'position' order by e.position) from ({facts}) e),
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
                select coalesce(jsonb_agg(to_jsonb(a) - 'gravity' - 'position' order by a.gravity, a.kind, a.position), '[]')
                from (
                    select id, kind, entity, subject, created_at as since,
                        coalesce(details ->> 'reason', details ->> 'confirm', details ->> 'same_as') as detail,
                        {GRAVITY} as gravity,
                        row_number() over (partition by kind order by created_at desc, id) as position
                    from admin_actions where resolved_at is null
                ) a
                where a.position <= $3
            ),
            'action_groups', (
                select coalesce(jsonb_agg(to_jsonb(g) - 'gravity' order by g.gravity, g.kind), '[]') from (
                    select kind, count(*) as open, min(created_at) as oldest, {GRAVITY} as gravity
                    from admin_actions where resolved_at is null group by kind
                ) g
            ),
            'actions_open', (select count(*) from admin_actions where resolved_at is null),
            'quarantined', (select count(*) from quarantine where resolved_at is null)
        ) as overview
        ",
        facts = facts_of_all()
    )
}

/// Returns the query of the [`super::MonitorSnapshot`] as JSON. Takes `$1` the names of the entities, `$2` the least
/// number of records that makes a rate, `$3` the kinds of actions, `$4` the lanes, and `$5` ids of runs.
pub(super) fn monitor_snapshot() -> String {
    format!(
        r"
        select jsonb_build_object(
            'entities', (select jsonb_agg(to_jsonb(e) - 'position' order by e.position) from ({facts}) e),
            'lanes', ({lanes}),
            'error_rates', (
                select coalesce(jsonb_agg(r), '[]') from (
                    select h.sync_type as entity,
                        100.0 * sum(h.records_failed + h.records_quarantined) / sum(h.records_fetched) as percent
                    from sync_status h
                    where h.sync_type = any($1) and h.mode <> '{import}' and h.started_at > now() - interval '1 hour'
                    group by 1
                    having sum(h.records_fetched) >= $2
                ) r
            ),
            'actions', (
                select coalesce(jsonb_agg(a), '[]') from (
                    select kind, entity, count(*) as open, max(greatest(created_at, told_from)) as newest,
                        (array_agg(subject order by created_at desc))[1:3] as subjects
                    from admin_actions where resolved_at is null and kind = any($3) and told_from <= now()
                    -- Each lane whose query is refused has an alert of its own.
                    group by kind, entity, case when kind = '{schema}' then subject end
                ) a
            ),
            'newest_run', (
                select to_jsonb(r) from (
                    select s.run_id, s.started_at from sync_status s
                    where s.sync_type = any($1) and s.status in ('success', 'partial') and s.mode <> '{import}'
                        and s.pages_staged > 0 and s.started_at > now() - interval '1 day'
                    order by s.started_at desc limit 1
                ) r
            ),
            'unknown_runs', (
                select coalesce(jsonb_agg(u.run_id), '[]') from unnest($5::text[]) as u(run_id)
                where not exists (select from sync_status s where s.run_id = u.run_id)
            )
        ) as snapshot
        ",
        facts = facts_of_all(),
        lanes = lanes(),
        schema = ActionKind::Schema.as_str(),
        // An operator watches the run of a V5 import: it raises no alert.
        import = ModeName::Import.as_str(),
    )
}

/// Returns the query of the last run of each lane that has ended, as a JSON list. A run of an older fetcher names no
/// lane: its mode stands for it.
fn lanes() -> String {
    format!(
        r"
        select coalesce(jsonb_agg(r), '[]') from (
            select n.entity, l.lane, last.status, last.ended_at, last.error, success.fetched_at as last_success,
                partial.runs as partial_runs, partial.since as partial_since
            from unnest($1::text[]) as n(entity)
            cross join unnest($4::text[]) as l(lane)
            cross join lateral (
                select s.status, {FETCHED_AT} as ended_at,
                    coalesce(s.error_summary ->> 'fetch', s.error_summary ->> 'watchdog', s.error_summary #>> '{{records,0,reason}}') as error
                from sync_status s
                where s.sync_type = n.entity and coalesce(s.lane, s.mode) = l.lane and s.status <> 'running'
                    and s.completed_at is not null
                order by s.started_at desc limit 1
            ) last
            left join lateral (
                select s.started_at, {FETCHED_AT} as fetched_at from sync_status s
                where s.sync_type = n.entity and coalesce(s.lane, s.mode) = l.lane and s.status = 'success'
                order by s.started_at desc limit 1
            ) success on true
            left join lateral (
                select count(*) as runs, min(p.ended_at) as since from (
                    select {FETCHED_AT} as ended_at from sync_status s
                    where s.sync_type = n.entity and coalesce(s.lane, s.mode) = l.lane
                        and s.fetch_status = 'partial' and s.status = 'partial'
                        and s.started_at > coalesce(success.started_at, '-infinity')
                    order by s.started_at limit {COUNTED_MAX}
                ) p
            ) partial on true
        ) r
        "
    )
}

/// Returns the query of the [`super::DailySummary`] as JSON. Takes `$1` the names of the entities, and `$2` and `$3`
/// the instants at which the day begins and ends.
pub(super) fn daily_summary() -> String {
    let new: Vec<String> = entity::ALL
        .into_iter()
        .enumerate()
        .map(|(position, entity)| {
            format!(
                "select '{}' as entity, {position} as position, (select count(*) from {} where created_at >= $2 \
                 and created_at < $3 and not is_placeholder) as new",
                entity.name, entity.table
            )
        })
        .collect();
    format!(
        r"
        select jsonb_build_object(
            'entities', (
                select coalesce(jsonb_agg(e), '[]') from (
                    select n.entity, (array_agg(n.new))[1] as new, count(s.id) as runs, count(s.id) filter (where s.status = 'failed') as failed_runs,
                        coalesce(sum(s.records_processed), 0) as promoted, coalesce(sum(s.records_skipped), 0) as skipped,
                        coalesce(sum(s.records_failed + s.records_quarantined), 0) as failed
                    from ({new}) n
                    left join sync_status s on s.sync_type = n.entity and s.started_at >= $2 and s.started_at < $3
                    group by n.entity, n.position
                    order by n.position
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
            'facts', (select jsonb_agg(to_jsonb(f) - 'position' order by f.position) from ({facts}) f)
        ) as summary
        ",
        facts = facts_of_all(),
        new = new.join(" union all ")
    )
}
