//! Statements of deletions that are assembled from an entity of the registry.

use chrono::{DateTime, TimeDelta, Utc};
use model::cell::instant_text;
use model::column::ChildTable;
use model::entity::{DeletionPolicy, Entity};
use protocol::action::ActionKind;
use protocol::v5_import;

use crate::actions::{Resolver, resolve_from_sql};

/// Condition that the mirror's own user, as far as it is known, sees every record: anyone but an administrator sees a
/// part of them, and is told null for the others.
const SEES_EVERYTHING: &str = "coalesce((
                    select access_level from sync_status where access_level is not null order by started_at desc limit 1
                ), 'ADMIN') = 'ADMIN'";

/// Records marked as deleted in one transaction at most.
pub(super) const MARKED_MAX: i64 = 5_000;

/// Period that a listing is complete for, and the column that dates the records.
#[derive(Debug, Clone, Copy)]
pub(super) struct Period {
    /// Column of the production table.
    pub(super) column: &'static str,
    /// First instant of the period.
    pub(super) start: DateTime<Utc>,
    /// First instant after the period.
    pub(super) end: DateTime<Utc>,
}

impl Period {
    /// Returns the condition that a row `t` lies within the period. The first and the last day are left out: it is
    /// unknown in which time zone the source reckons its days.
    fn condition(&self) -> String {
        let start = instant_text(self.start + TimeDelta::days(1));
        let end = instant_text(self.end - TimeDelta::days(1));
        format!("and t.{0} >= '{start}' and t.{0} < '{end}'", self.column)
    }
}

fn within(period: Option<&Period>) -> String {
    period.map(Period::condition).unwrap_or_default()
}

/// Returns the statements that sweep the entity and mark its records, by name, for a check of their syntax.
pub(crate) fn assembled(entity: &Entity) -> Vec<(&'static str, String)> {
    let mut periods = vec![None];
    periods.extend(entity.date_column().map(|column| {
        let end = DateTime::UNIX_EPOCH + TimeDelta::days(30);
        Some(Period { column, start: DateTime::UNIX_EPOCH, end })
    }));
    let mut statements = Vec::new();
    for period in periods.iter().map(Option::as_ref) {
        statements.extend([
            ("insert_missing", insert_missing(entity, period)),
            ("delete_present", delete_present(entity, period)),
            ("count_missing", count_missing(entity, period)),
        ]);
    }
    statements.extend(mark_deleted(entity).map(|sql| ("mark_deleted", sql)));
    statements
}

/// Returns the statement that records the rows which the listing of run `$2` of the entity `$1` lacks.
pub(super) fn insert_missing(entity: &Entity, period: Option<&Period>) -> String {
    let (table, staging) = (entity.table, entity.staging_table);
    let within = within(period);
    // Entries of V5 under ids of its own were never listed by the source.
    let not_of_v5 = entity.duplicate_ids.as_ref().map_or_else(String::new, |rule| {
        let (prefix, length) = (rule.prefix, rule.prefix.len());
        format!("and not (left(t.id, {length}) <> '{prefix}' and t.synced_at = '{}')", v5_import::FETCHED_AT)
    });
    // Complete listings of a period come every few minutes: a lookup may be under way, and a record that was found
    // although it is not listed need not be looked up each time. Such a listing proves nothing by itself either,
    // however often it comes.
    let (is_looked_up_again, increment) = if period.is_none() {
        ("true", 1)
    } else {
        ("m.answer = 'unclear' or m.asked_at < now() - interval '1 hour'", 0)
    };
    format!(
        r"
        with sweep as (
            select started_at from sync_status where run_id = $2 and sync_type = $1
        )
        insert into missing_records as m (entity, id, run_id, missing_since, times)
        select $1, t.id, $2, sweep.started_at, {increment}
        from sweep, {table} t
        -- A record that arrived after the listing began was seen since, by another run or by this one.
        where t.deleted_at is null and not t.is_placeholder
            and (t.synced_at is null or t.synced_at < sweep.started_at)
            {not_of_v5}
            {within}
            and not exists (select from {staging} s where s.gazelle_id = t.id and s.fetched_at >= sweep.started_at)
        on conflict (entity, id) do update set
            run_id = excluded.run_id,
            times = m.times + {increment},
            missing_since = case when {is_looked_up_again} then excluded.missing_since else m.missing_since end,
            asked_at = case when {is_looked_up_again} then null else m.asked_at end,
            -- A record that was found is no candidate until the source says otherwise.
            answer = case when m.answer is distinct from 'found' and ({is_looked_up_again}) then null else m.answer end
        "
    )
}

/// Returns the statement that forgets the missing records of `$1` which the listing of run `$2` holds. Records outside
/// the period stay: the listing says nothing of them.
pub(super) fn delete_present(entity: &Entity, period: Option<&Period>) -> String {
    let of_period = period.map_or_else(String::new, |period| {
        format!("and exists (select from {} t where t.id = m.id {})", entity.table, period.condition())
    });
    format!("delete from missing_records m where m.entity = $1 and m.run_id <> $2 {of_period}")
}

/// Returns the statement that counts the candidates for deletion of run `$2` of the entity `$1`, and the live rows.
/// A record that was found although it is not listed is no candidate.
pub(super) fn count_missing(entity: &Entity, period: Option<&Period>) -> String {
    format!(
        "select
            (select count(*) from missing_records m
             where m.entity = $1 and m.run_id = $2 and m.answer is distinct from 'found') as missing,
            (select count(*) from {} t where t.deleted_at is null and not t.is_placeholder {}) as live",
        entity.table,
        within(period)
    )
}

/// Returns the statement that marks the records of `$1` which are proven to be gone, listed in pages of `$2`; none
/// where a missing record of the entity proves nothing.
pub(super) fn mark_deleted(entity: &Entity) -> Option<String> {
    let proof = match entity.deletion_policy {
        DeletionPolicy::Never => return None,
        DeletionPolicy::TwoFullSyncs => "times >= 2 or confirmed_by is not null",
        // Silence is no proof, however long it lasts: only the source's own null, without an error, is one.
        DeletionPolicy::LookupById { .. } => "answer = 'gone'",
    };
    let (table, staging) = (entity.table, entity.staging_table);
    let (join, in_partition) = entity.partitioned_by.map_or_else(Default::default, |by| {
        (format!("join {table}_keys k on k.id = d.id"), format!("and t.{by} = k.{by}"))
    });
    Some(format!(
        r"
        with proven as (
            delete from missing_records m
            where m.entity = $1 and m.id in (
                select id from missing_records
                where entity = $1 and not withheld and ({proof}) and {SEES_EVERYTHING}
                limit {MARKED_MAX}
            )
            returning m.id, m.run_id, m.missing_since
        ),
        doomed as (
            select p.* from proven p
            where not exists (select from {staging} s where s.gazelle_id = p.id and s.fetched_at >= p.missing_since)
        ),
        marked as (
            update {staging} s set gone_since = d.missing_since from doomed d where s.gazelle_id = d.id
            returning s.id
        ),
        -- A record that is gone need not be corrected.
        healed as (
            {resolve}
        ),
        deleted as (
            update {table} t set
                deleted_at = clock_timestamp(),
                -- From then on Gazelle says that it is gone: no older page brings it back.
                synced_at = d.missing_since,
                source_key = format('runs/%s/%s.json', $2::text, d.run_id),
                version = t.version + 1,
                updated_at = clock_timestamp()
            from doomed d {join}
            where t.id = d.id {in_partition} and t.deleted_at is null
                and (t.synced_at is null or t.synced_at < d.missing_since)
            returning t.id, t.deleted_at
        )
        {children}
        select (select count(*) from deleted) as deleted, (select count(*) from proven) as proven
        ",
        children = mark_children(entity),
        resolve = resolve_from_sql(
            ActionKind::Failed,
            Resolver::Reconciler,
            "marked m",
            "a.entity = $1 and a.subject = m.id::text",
        ),
    ))
}

/// Returns the parts of the statement that mark the rows of child tables with their record.
fn mark_children(entity: &Entity) -> String {
    let mark = |ChildTable { table, parent, .. }: &ChildTable| {
        format!(
            ", deleted_{table} as (
                update {table} p set deleted_at = d.deleted_at, updated_at = clock_timestamp()
                from deleted d where p.{parent} = d.id
            )"
        )
    };
    entity.child_tables.iter().map(mark).collect()
}
