//! Statements that move settled staging rows to the archive and back.

use model::entity::Entity;

/// Returns every assembled statement of this file for an entity, each with its name.
pub(crate) fn assembled(entity: &Entity) -> Vec<(&'static str, String)> {
    vec![
        ("select_archivable", select_archivable(entity)),
        ("delete_archived", delete_archived(entity)),
        // The real lists of columns are read from the catalog.
        ("restore_archived", restore_archived(entity, "id, raw_data", "r.id, coalesce(r.raw_data, 'null')")),
    ]
}

/// Selects the oldest settled rows of one day. Failed ones stay, because a person has to look at them. Parameters: `$1`
/// time before which they were last seen, `$2` rows at most, `$3` bytes of JSON at most, `$4` name of the entity.
pub(crate) fn select_archivable(entity: &Entity) -> String {
    format!(
        r"
        with old as (
            select s.id, s.times_seen, s.fetched_at, s.raw_bytes
            from {table} s
            where s.processed and s.outcome <> 'failed' and s.fetched_at < $1 and s.first_fetched_at < $1
                -- The deletion of a missing record depends on whether staging saw it again.
                and not exists (select from missing_records m where m.entity = $4 and m.id = s.gazelle_id)
            order by s.fetched_at, s.id
            limit $2
        ),
        sized as (
            select o.*, (o.fetched_at at time zone 'UTC')::date as day,
                sum(o.raw_bytes) over (order by o.fetched_at, o.id) - o.raw_bytes as bytes_before
            from old o
        )
        select z.id, z.times_seen, z.day, to_jsonb(s)::text as line
        from sized z join {table} s on s.id = z.id
        where z.bytes_before < $3 and z.day = (select min(day) from sized)
        order by z.fetched_at, z.id
        ",
        table = entity.staging_table
    )
}

/// Deletes archived rows that were not seen again since, and passes on to production when their content was last seen.
/// Returns how many were deleted. Parameters: `$1` staging ids, `$2` how often each had been seen.
pub(crate) fn delete_archived(entity: &Entity) -> String {
    format!(
        r"
        with gone as (
            delete from {} s using unnest($1::uuid[], $2::int[]) as u(id, times_seen)
            where s.id = u.id and s.times_seen = u.times_seen and s.processed
            returning s.gazelle_id, s.raw_data, s.fetched_at, s.source_key
        ),
        seen as (
            update {} t set synced_at = gone.fetched_at, source_key = gone.source_key
            from gone
            where t.id = gone.gazelle_id and (t.synced_at, t.source_key) < (gone.fetched_at, gone.source_key)
                and t.raw_data = gone.raw_data
        )
        select count(*) from gone
        ",
        entity.staging_table, entity.table
    )
}

/// Inserts archived rows, except those whose content staging holds. `names` and `values` are lists of the table's
/// columns and of what is read for each from the archived row `r`. Parameter: `$1` archived rows as JSON.
pub(crate) fn restore_archived(entity: &Entity, names: &str, values: &str) -> String {
    let table = entity.staging_table;
    format!(
        r"
        insert into {table} ({names})
        select {values} from unnest($1::text[]) as u(line), jsonb_populate_record(null::{table}, u.line::jsonb) as r
        on conflict do nothing
        "
    )
}
