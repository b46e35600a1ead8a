//! Statements on the staging tables, between the arrival of a record and its settlement.

use model::entity::Entity;
use protocol::action::ActionKind;

use crate::actions::{Resolver, resolve_from_sql};

/// Returns every assembled statement of this file for an entity, each with its name.
pub(crate) fn assembled(entity: &Entity) -> Vec<(&'static str, String)> {
    vec![
        ("enter_pages", enter_pages()),
        ("find_existing", find_existing(entity)),
        ("insert_records", insert_records(entity)),
        ("update_last_seen", update_last_seen(entity)),
        ("claim_records", claim_records(entity)),
        ("settle_records", settle_records(entity)),
        ("defer_records", defer_records(entity)),
        ("retry_failed_records", retry_failed_records(entity)),
        ("explain_failures", explain_failures(entity)),
    ]
}

/// Enters pages in the ledger, and returns those that were not in it, each with whether its replay was requested.
/// Parameters: `$1` name of the entity, `$2` object keys, `$3` run ids, `$4` page numbers, `$5` numbers of records.
pub(crate) fn enter_pages() -> String {
    let resolve =
        resolve_from_sql(ActionKind::Quarantined, Resolver::Stager, "readable r", "a.subject = r.source_key");
    format!(
        r"
        with entered as (
            insert into staged_pages (source_key, entity, run_id, page, records)
            select source_key, $1, run_id, page, records
            from unnest($2::text[], $3::text[], $4::int[], $5::int[]) as u(source_key, run_id, page, records)
            on conflict (source_key) do nothing
            returning source_key
        ),
        replayed as (
            delete from replayed_pages where source_key in (select source_key from entered)
            returning source_key
        ),
        -- A page in quarantine that is entered now can be read now.
        readable as (
            update quarantine q set resolved_at = now()
            from entered e
            where q.source_key = e.source_key and q.resolved_at is null
            returning q.source_key
        ),
        resolved as (
            {resolve}
        )
        select source_key, exists (select from replayed r where r.source_key = e.source_key) as is_replayed
        from entered e
        "
    )
}

/// Selects and locks the staging rows that hold these records already. Parameters: `$1` ids, `$2` content hashes, `$3`
/// times at which the records were fetched, `$4` object keys.
pub(crate) fn find_existing(entity: &Entity) -> String {
    let table = entity.staging_table;
    // What replaced the content may have left staging for the archive: production knows.
    let newer = "(t.synced_at, t.source_key) > (s.fetched_at, s.source_key) and t.synced_at <= u.fetched_at";
    let production = entity.table;
    let is_replaced = entity.partitioned_by.map_or_else(
        || format!("exists (select from {production} t where t.id = s.gazelle_id and {newer})"),
        |by| {
            format!(
                "exists (select from {production}_keys k join {production} t on t.id = k.id and t.{by} = k.{by} \
                 where k.id = s.gazelle_id and {newer})"
            )
        },
    );
    format!(
        r"
        select u.ord - 1 as index, s.id, s.processed, s.run_id,
            s.processed
            and s.gazelle_id <> ''
            and (s.fetched_at, s.source_key) < (u.fetched_at, u.source_key)
            and (s.gone_since <= u.fetched_at or {is_replaced} or exists (
                select from {table} o
                where o.gazelle_id = s.gazelle_id and o.id <> s.id
                    and (o.fetched_at, o.source_key, o.content_hash) > (s.fetched_at, s.source_key, s.content_hash)
                    and (o.fetched_at, o.source_key, o.content_hash) < (u.fetched_at, u.source_key, s.content_hash)
            )) is true as revive
        from unnest($1::text[], $2::bytea[], $3::timestamptz[], $4::text[])
            with ordinality as u(gazelle_id, content_hash, fetched_at, source_key, ord)
        join {table} s on s.gazelle_id = u.gazelle_id and s.content_hash = u.content_hash
        order by s.id
        for update of s
        "
    )
}

/// Note on a record whose page said that it was fetched in the future.
const FUTURE_NOTE: &str = "the page was dated in the future; it counts as fetched when it was staged";

/// Inserts new records. Parameters: `$1` ids, `$2` parents' ids, `$3` content hashes, `$4` records as JSON, `$5` times
/// at which they were fetched, `$6` run ids, `$7` object keys, `$8` how often each was seen, `$9` true where the page's clock
/// was ahead.
pub(crate) fn insert_records(entity: &Entity) -> String {
    format!(
        r"
        insert into {} (gazelle_id, parent_id, content_hash, raw_data, raw_bytes, fetched_at,
            first_fetched_at, run_id, source_key, times_seen, note)
        select gazelle_id, parent_id, content_hash, raw_data::jsonb, length(raw_data), fetched_at,
            fetched_at, run_id, source_key, times_seen, case when is_from_the_future then '{FUTURE_NOTE}' end
        from unnest($1::text[], $2::text[], $3::bytea[], $4::text[], $5::timestamptz[], $6::text[], $7::text[], $8::int[],
                $9::boolean[])
            as u(gazelle_id, parent_id, content_hash, raw_data, fetched_at, run_id, source_key, times_seen, is_from_the_future)
        ",
        entity.staging_table
    )
}

/// Counts records that staging holds already, moves the time at which they were last seen forward, and makes pending
/// again those that are to be promoted anew. Parameters: `$1` staging ids, `$2` how often each was seen, `$3` times at
/// which they were fetched, `$4` object keys, `$5` run ids, `$6` whether they become pending again.
pub(crate) fn update_last_seen(entity: &Entity) -> String {
    format!(
        r"
        update {} s set
            times_seen = s.times_seen + u.times_seen,
            fetched_at = case when u.newer then u.fetched_at else s.fetched_at end,
            source_key = case when u.newer then u.source_key else s.source_key end,
            -- A record that becomes pending again is as fresh as the page that brought it.
            first_fetched_at = case when u.revive and u.newer then u.fetched_at else s.first_fetched_at end,
            run_id = case when u.revive then u.run_id else s.run_id end,
            gone_since = case when u.revive and u.fetched_at >= s.gone_since then null else s.gone_since end,
            processed = s.processed and not u.revive,
            outcome = case when u.revive then null else s.outcome end,
            processed_at = case when u.revive then null else s.processed_at end,
            processing_attempts = case when u.revive then 0 else s.processing_attempts end,
            next_attempt_at = case when u.revive then now() else s.next_attempt_at end,
            requeued_at = case when u.revive then case when u.newer then null else now() end else s.requeued_at end
        from (
            select u.*, (k.fetched_at, k.source_key) < (u.fetched_at, u.source_key) as newer
            from unnest($1::uuid[], $2::int[], $3::timestamptz[], $4::text[], $5::text[], $6::boolean[])
                as u(id, times_seen, fetched_at, source_key, run_id, revive)
            join {} k on k.id = u.id
        ) u
        where s.id = u.id
        ",
        entity.staging_table, entity.staging_table
    )
}

/// Claims the oldest pending records, of each id the newest content alone. Parameters: `$1` rows at most, `$2` bytes of JSON at most, `$3` the time that
/// records of the V5 import carry as fetched.
pub(crate) fn claim_records(entity: &Entity) -> String {
    let table = entity.staging_table;
    format!(
        r"
        with picked as materialized (
            select p.id, p.gazelle_id, p.parent_id, p.content_hash, p.run_id, p.first_fetched_at, p.fetched_at, p.source_key,
                p.raw_bytes, p.processing_attempts
            from {table} p
            where not p.processed and p.next_attempt_at <= now()
                -- Newer content goes first; should it fail, this one is still here.
                and (p.gazelle_id = '' or not exists (
                    select from {table} o
                    where o.gazelle_id = p.gazelle_id and o.id <> p.id and not o.processed
                        and (o.fetched_at, o.source_key, o.content_hash) > (p.fetched_at, p.source_key, p.content_hash)
                        and (p.fetched_at <> $3 or o.fetched_at = $3)
                ))
            order by p.first_fetched_at, p.id
            limit $1
            for update skip locked
        ),
        sized as (
            select p.*, sum(raw_bytes) over (order by first_fetched_at, id) - raw_bytes as bytes_before
            from picked p
        ),
        ranked as (
            select p.*, p.gazelle_id <> '' and exists (
                select from {table} o
                where o.gazelle_id = p.gazelle_id and o.id <> p.id
                    -- Content that failed replaces nothing.
                    and o.outcome is distinct from 'failed'
                    and (o.fetched_at, o.source_key, o.content_hash) > (p.fetched_at, p.source_key, p.content_hash)
                    -- An imported record may still fill columns that a fresher one leaves empty.
                    and (p.fetched_at <> $3 or o.fetched_at = $3)
            ) as superseded
            from sized p
            where bytes_before < $2
        )
        select p.id as staging_id, p.parent_id, p.run_id, p.first_fetched_at as fetched_at, p.processing_attempts, p.fetched_at = $3 as is_v5_import,
            case when not p.superseded then (select s.raw_data::text from {table} s where s.id = p.id) end as raw
        from ranked p
        order by p.first_fetched_at, p.id
        "
    )
}

/// Settles claimed records. Parameters: `$1` staging ids, `$2` outcomes, `$3` errors, `$4` notes.
pub(crate) fn settle_records(entity: &Entity) -> String {
    format!(
        r"
        update {} s set
            processed = true,
            outcome = u.outcome,
            last_error = u.error,
            -- What staging noted stays.
            note = nullif(concat_ws('; ', case when s.note like '{FUTURE_NOTE}%' then '{FUTURE_NOTE}' end, u.note), ''),
            processing_attempts = s.processing_attempts + 1,
            processed_at = clock_timestamp()
        from unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) as u(id, outcome, error, note)
        where s.id = u.id
        ",
        entity.staging_table
    )
}

/// Defers records: by a minute after the first attempt, by five after the second. Parameters: `$1` staging ids, `$2`
/// errors.
pub(crate) fn defer_records(entity: &Entity) -> String {
    format!(
        r"
        update {} s set
            processing_attempts = s.processing_attempts + 1,
            last_error = u.error,
            next_attempt_at = clock_timestamp() + interval '1 minute' * 5 ^ s.processing_attempts
        from unnest($1::uuid[], $2::text[]) as u(id, error)
        where s.id = u.id
        ",
        entity.staging_table
    )
}

/// Makes every failed record pending again, resolves its action, and returns how many there are. Parameter: `$1` name
/// of the entity.
pub(crate) fn retry_failed_records(entity: &Entity) -> String {
    let resolve = resolve_from_sql(
        ActionKind::Failed,
        Resolver::Retry,
        "retried r",
        "a.entity = $1 and a.subject = r.id::text",
    );
    format!(
        r"
        with retried as (
            update {} set processed = false, outcome = null, processed_at = null, processing_attempts = 0,
                next_attempt_at = now(), requeued_at = now()
            where processed and outcome = 'failed'
            returning id, run_id
        ),
        resolved as (
            {resolve}
        ),
        -- The run waits for the record again, as for any record that is staged and not settled.
        reopened as (
            update sync_status s set
                records_failed = s.records_failed - r.records,
                -- The time of completion stays: old records that pass now do not make the mirror fresh.
                status = 'running'
            from (select run_id, count(*)::int as records from retried group by run_id) r
            where s.run_id = r.run_id and s.sync_type = $1 and s.records_failed >= r.records
        )
        select count(*) from retried
        ",
        entity.staging_table
    )
}

/// Writes the most frequent reasons for failed records into the summary of runs that have ended. Parameters: `$1` run
/// ids, `$2` name of the entity, `$3` reasons at most.
pub(crate) fn explain_failures(entity: &Entity) -> String {
    format!(
        r"
        with failing as (
            select run_id from sync_status
            where run_id = any($1) and sync_type = $2 and status <> 'running' and records_failed > 0
        ),
        reasons as (
            select t.run_id, left(t.last_error, 300) as reason, count(*) as count,
                row_number() over (partition by t.run_id order by count(*) desc, left(t.last_error, 300)) as rank
            from {table} t
            where t.outcome = 'failed' and t.run_id in (select run_id from failing)
            group by 1, 2
        )
        update sync_status s set error_summary = coalesce(s.error_summary, '{{}}') || jsonb_build_object('records', (
            select jsonb_agg(jsonb_build_object('reason', r.reason, 'count', r.count) order by r.rank)
            from reasons r where r.run_id = s.run_id and r.rank <= $3
        ))
        from failing f where s.run_id = f.run_id and s.sync_type = $2
        ",
        table = entity.staging_table
    )
}
