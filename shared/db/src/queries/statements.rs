//! Statements of the read-only queries, assembled over all entities of the registry.

use model::entity::{self, Entity, Source};

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

fn facts(position: usize, entity: &Entity) -> String {
    let (name, table) = (entity.name, entity.staging_table);
    let listed_with = match entity.source {
        Source::Query(_) => name,
        Source::Nested { parent, .. } => parent,
    };
    // A V5 import says nothing of how fresh the mirror is.
    let import = protocol::request::ModeName::Import.as_str();
    format!(
        r"
        select {position} as position, '{name}' as entity,
            (select max(completed_at) from sync_status where sync_type = '{name}' and status = 'success'
                and mode <> '{import}') as last_success,
            (select p.staged_at from staged_pages p where p.entity = '{listed_with}' and not exists (
                    select from sync_status s where s.run_id = p.run_id and s.sync_type = p.entity and s.mode = '{import}'
                ) order by p.staged_at desc limit 1) as last_progress,
            (select status from sync_status where sync_type = '{name}' and status <> 'running' and mode <> '{import}'
                order by started_at desc limit 1) as last_status,
            (select count(*) from sync_status where sync_type = '{name}' and status = 'failed' and mode <> '{import}'
                and completed_at > coalesce((select max(completed_at) from sync_status
                    where sync_type = '{name}' and status = 'success' and mode <> '{import}'), '-infinity')) as failures_in_a_row,
            (select count(*) from {table} where not processed) as pending,
            -- A record waits since staging holds it, however old it says it is.
            (select floor(extract(epoch from now() - min(greatest(first_fetched_at, created_at))))::bigint
                from {table} where not processed) as oldest_pending_seconds,
            recent.* from (
                select count(*) as recent,
                    count(*) filter (where case when processed then processed_at <= first_fetched_at + interval '1 hour'
                        else first_fetched_at > now() - interval '1 hour' end) as on_time
                from {table} where first_fetched_at > now() - interval '24 hours'
            ) recent
        "
    )
}

/// Returns the query of the [`super::Overview`] as JSON. Takes `$1` the names of the entities, `$2` runs and `$3`
/// actions at most.
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
        facts = facts_of_all()
    )
}

/// Returns the query of the [`super::MonitorSnapshot`] as JSON. Takes `$1` the names of the entities, `$2` the least
/// number of records that makes a rate, and `$3` the kinds of actions.
pub(super) fn monitor_snapshot() -> String {
    format!(
        r"
        select jsonb_build_object(
            'entities', (select jsonb_agg(to_jsonb(e) - 'position' order by e.position) from ({facts}) e),
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
        ) as snapshot
        ",
        facts = facts_of_all(),
        // An operator watches the run of a V5 import: it raises no alert.
        import = protocol::request::ModeName::Import.as_str(),
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
