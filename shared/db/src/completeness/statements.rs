//! Statements of the completeness check.

use model::entity::Entity;

/// Selects the newest settled full run of each entity `$1` that was not counted yet, or that counts differently now. A
/// gap is counted again every minute, until it closes; what failed or waits, every hour. Nothing is counted again a week
/// after the run: by then the archive may have taken what it saw.
pub(super) const SELECT_DUE: &str = r"
    select n.entity, s.run_id, s.run_state,
        c.run_id is not distinct from s.run_id as is_listed,
        (c.run_id, c.run_state) is not distinct from (s.run_id, s.run_state) as is_counted,
        coalesce(c.gap, 0) as gap, s.fetch_status = 'success' or coalesce(s.is_repeated, false) as is_confirmed
    from unnest($1::text[]) as n(entity)
    cross join lateral (
        select s.run_id, s.started_at, s.fetch_status,
            concat_ws(' ', s.completed_at, s.records_processed, s.records_unchanged, s.records_skipped, s.records_failed)
                as run_state,
            -- The listing before could not be proven either: the source does not just move.
            (select p.fetch_status <> 'success' from sync_status p
             where p.sync_type = n.entity and p.mode = 'full' and p.started_at < s.started_at
                and p.status in ('success', 'partial')
             order by p.started_at desc limit 1) as is_repeated
        from sync_status s
        where s.sync_type = n.entity and s.mode = 'full' and s.status in ('success', 'partial')
            -- Of a run that an older version staged it is not known what it listed.
            and s.listed_until is not null
        order by s.started_at desc limit 1
    ) s
    left join completeness c on c.entity = n.entity
    -- While the run that was counted is under way again, as after a replay, an older one is not taken for the newest.
    where (c.entity is null or s.started_at >= c.listed_at) and (
        (c.run_id, c.run_state) is distinct from (s.run_id, s.run_state)
        or s.started_at > now() - interval '7 days' and (
            c.gap <> 0 and c.counted_at < now() - interval '1 minute'
            or c.failed + c.waiting > 0 and c.counted_at < now() - interval '1 hour'
        )
    )
    ";

/// Lets the planner join table with table, as a count does once a week.
pub(super) const ALLOW_HASH_JOIN: &str = "select set_config('enable_hashjoin', 'on', true)";

/// Stores the count of an entity.
pub(super) const STORE: &str = r"
    insert into completeness (entity, run_id, listed_at, run_state, source_count, rows_present, skipped, failed, waiting,
        deleted, gap, is_confirmed, unexplained_ids, counted_at)
    values ($1, $2, (select started_at from sync_status where sync_type = $1 and run_id = $2), $3, $4, $5, $6, $7, $8,
        $9, $10, $11, $12, clock_timestamp())
    on conflict (entity) do update set
        run_id = excluded.run_id, listed_at = excluded.listed_at, run_state = excluded.run_state,
        source_count = excluded.source_count, rows_present = excluded.rows_present, skipped = excluded.skipped,
        failed = excluded.failed, waiting = excluded.waiting, deleted = excluded.deleted, gap = excluded.gap,
        is_confirmed = excluded.is_confirmed, unexplained_ids = excluded.unexplained_ids,
        counted_at = excluded.counted_at
    where completeness.listed_at <= excluded.listed_at
    ";

/// Forgets the records that an earlier run of the entity `$1` listed.
pub(super) const FORGET_LISTED: &str = "delete from listed_records where entity = $1";

/// Returns the statement that notes which records the full run `$2` of the entity `$1` listed. A record that staging saw
/// first after the last page was fetched, or that the listing lacked and a lookup found, was not listed.
pub(super) fn note_listed(entity: &Entity) -> String {
    format!(
        r"
        insert into listed_records (entity, id)
        select distinct $1::text, s.gazelle_id
        from sync_status r
        join {} s on s.fetched_at >= r.started_at
            and least(s.first_fetched_at, s.created_at) <= r.listed_until
        where r.sync_type = $1 and r.run_id = $2 and s.gazelle_id <> ''
            and not exists (
                select from missing_records m where m.entity = $1 and m.run_id = $2 and m.id = s.gazelle_id
            )
        on conflict (entity, id) do nothing
        ",
        entity.staging_table
    )
}

/// Returns the statement that adds the records which a page of the full run `$2` of the entity `$1` brought since it was
/// counted, as one does that a replay could read.
pub(super) fn add_listed(entity: &Entity) -> String {
    format!(
        r"
        insert into listed_records (entity, id)
        select distinct $1::text, s.gazelle_id from {} s where s.run_id = $2 and s.gazelle_id <> ''
        on conflict (entity, id) do nothing
        ",
        entity.staging_table
    )
}

/// Returns the statement that counts the records which the full run `$2` of the entity `$1` listed: the rows of them,
/// and what explains the others.
pub(super) fn count_listing(entity: &Entity) -> String {
    let (table, staging) = (entity.table, entity.staging_table);
    format!(
        r"
        with run as materialized (
            select s.* from sync_status s where s.sync_type = $1 and s.run_id = $2
        ),
        listed as materialized (
            select l.id from listed_records l where l.entity = $1
        ),
        without_row as materialized (
            select l.id from listed l
            where not exists (
                select from {table} t where t.id = l.id and t.deleted_at is null and not t.is_placeholder
            )
        ),
        causes as (
            select w.id, case
                when exists (select from {staging} s where s.gazelle_id = w.id and not s.processed) then 'waiting'
                when newest.outcome in ('skipped', 'failed') then newest.outcome
                when exists (select from {table} t where t.id = w.id and t.deleted_at >= r.started_at) then 'deleted'
            end as cause
            from without_row w
            cross join run r
            left join lateral (
                select s.outcome from {staging} s where s.gazelle_id = w.id
                order by s.fetched_at desc, s.source_key desc, s.content_hash desc limit 1
            ) newest on true
        )
        select r.source_count, r.source_count_first, r.records_distinct, r.fetch_status = 'success' as is_proven,
            r.records_unidentified::bigint as without_id, r.records_outside::bigint as outside,
            r.records_quarantined::bigint as quarantined,
            (select count(*) from listed) as listed,
            (select count(*) from causes) as without_row,
            (select count(*) from causes where cause = 'skipped') as skipped,
            (select count(*) from causes where cause = 'failed') as failed,
            (select count(*) from causes where cause = 'waiting') as waiting,
            (select count(*) from causes where cause = 'deleted') as deleted,
            array(select id from causes where cause is null order by id limit 5) as unexplained_ids
        from run r
        "
    )
}
