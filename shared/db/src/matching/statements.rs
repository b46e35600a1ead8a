//! Statements of matching that are assembled from an entity of the registry.

use model::entity::{DuplicateIdRule, Entity};
use model::matching::Matching;

/// Returns the statements that match records of the entity, by name, for a check of their syntax.
pub(crate) fn assembled(entity: &Entity) -> Vec<(&'static str, String)> {
    let mut statements = vec![
        ("changed_rows", changed_rows(entity)),
        ("living_ids", living_ids(entity)),
        ("find_candidates", find_candidates(entity)),
    ];
    statements.extend(entity.matching.as_ref().map(|matching| ("profiles", profiles(entity, matching))));
    if let (Some(rule), Some(by)) = (&entity.duplicate_ids, entity.partitioned_by) {
        statements.push(("foreign_rows", foreign_rows(entity, rule, by)));
        statements.push(("rows_of_days", rows_of_days(entity, rule, by)));
    }
    statements
}

/// Returns the query of the next `$2` rows of the entity `$1` that changed since they were last compared.
pub(super) fn changed_rows(entity: &Entity) -> String {
    format!(
        r"
        select t.updated_at, t.id from {} t
        where (t.updated_at, t.id) > (
            select coalesce(max(p.updated_at), '-infinity'), coalesce(max(p.id), '') from match_progress p where p.entity = $1
        )
        order by t.updated_at, t.id
        limit $2
        ",
        entity.table
    )
}

/// Records with one trigram beyond which it is common, however many records there are: comparing with more of them takes
/// longer than it helps.
const TRIGRAM_RECORDS_MAX: i64 = 1_000;

/// Returns the query of the candidates of profiles. Takes `$1` the entity, `$2` positions of profiles, `$3` kinds and
/// `$4` values of their keys, `$5` the kind of trigrams, `$6` candidates at most, `$7` the least number of records that
/// makes a trigram common and `$8` the number of records beyond which an exact key is.
pub(super) fn find_candidates(entity: &Entity) -> String {
    format!(
        r"
        with given as materialized (
            select * from unnest($2::int[], $3::text[], $4::text[]) as u(position, kind, value)
        ),
        -- A trigram that every twentieth name holds tells no record from another, and would join everything with
        -- everything; so would the phone of a reception.
        distinctive as materialized (
            select d.kind, d.value
            from (
                select distinct kind, value, case when kind = $5 then t.most else $8 end as most
                from given, (select least({TRIGRAM_RECORDS_MAX}, greatest($7, count(*) / 20)) as most from {}) t
            ) d
            where d.most >= (
                select count(*) from (
                    select from match_keys k
                    where k.entity = $1 and k.kind = d.kind and k.value = d.value
                    limit d.most + 1
                ) c
            )
        ),
        asked as (
            select g.*, ceil(count(*) filter (where g.kind = $5) over (partition by g.position) / 2.0) as needed
            from given g
            join distinctive d on d.kind = g.kind and d.value = g.value
        )
        select position, id from (
            select a.position, k.id,
                row_number() over (
                    partition by a.position
                    order by bool_or(a.kind <> $5) desc, count(*) desc, k.id
                ) as rank
            from asked a
            join match_keys k on k.entity = $1 and k.kind = a.kind and k.value = a.value
            group by a.position, k.id, a.needed
            having bool_or(a.kind <> $5) or count(*) >= a.needed
        ) ranked
        where rank <= $6
        order by position, rank
        ",
        entity.table
    )
}

/// Returns the query of those of the ids `$1` that are records: neither placeholders nor deleted.
pub(super) fn living_ids(entity: &Entity) -> String {
    format!(
        "select id from {} where id = any($1) and not is_placeholder and deleted_at is null",
        entity.table
    )
}

/// Returns the query of the columns that matching reads, for those of the ids `$1` that are records.
pub(super) fn profiles(entity: &Entity, matching: &Matching) -> String {
    let columns: String = matching.columns.iter().map(|column| format!(", {column}::text")).collect();
    format!(
        "select id{columns} from {} where id = any($1) and not is_placeholder and deleted_at is null",
        entity.table
    )
}

/// Returns the SQL of a digest of a row's texts without spaces and case; null for a row without a text.
fn digest(rule: &DuplicateIdRule) -> String {
    let texts: Vec<String> = rule.texts.iter().map(|text| format!("t.{text}")).collect();
    // Thirty times as fast as a regular expression.
    let text = format!(
        r"translate(lower(concat_ws('', {})), E' \t\n\r\f\u000b\u00a0\u202f\u3000', '')",
        texts.join(", ")
    );
    format!("md5(nullif({text}, ''))")
}

/// Returns the query of the rows of `$1` under a foreign id that have a day and a text, `$2` at most. Rows that were
/// reported before are left out.
pub(super) fn foreign_rows(entity: &Entity, rule: &DuplicateIdRule, by: &str) -> String {
    let (table, day, prefix, length) = (entity.table, rule.day, rule.prefix, rule.prefix.len());
    let digest = digest(rule);
    // Each key looks its row up: in a plain join the planner may read the table first, and digest all of it.
    format!(
        r"
        with k as materialized (
            select k.id, k.{by} from {table}_keys k
            where left(k.id, {length}) <> '{prefix}' and not exists (
                select from admin_actions a where a.kind = 'duplicate' and a.entity = $1 and a.subject = k.id
            )
            limit $2
        )
        select t.id, t.day, t.digest
        from k cross join lateral (
            select t.id, t.deleted_at, t.{day} as day, {digest} as digest
            from {table} t where t.id = k.id and t.{by} = k.{by}
            limit 1
        ) t
        where t.deleted_at is null and t.day is not null and t.digest is not null
        "
    )
}

/// Returns the query of the source's rows of the days `$1`. A day of the firm begins and ends within a day of the same
/// day in UTC, so that one or two partitions are read for it.
pub(super) fn rows_of_days(entity: &Entity, rule: &DuplicateIdRule, by: &str) -> String {
    let (table, day, prefix, length) = (entity.table, rule.day, rule.prefix, rule.prefix.len());
    let digest = digest(rule);
    // `offset 0` keeps the days outside: in a plain join the planner may compare each row with each day.
    format!(
        r"
        select t.id, t.day, t.digest
        from unnest($1::date[]) as d(day)
        cross join lateral (
            select t.id, t.{day} as day, coalesce({digest}, '') as digest
            from {table} t
            where t.{day} = d.day and t.{by} >= (d.day - 1)::timestamptz and t.{by} < (d.day + 2)::timestamptz
                and left(t.id, {length}) = '{prefix}' and t.deleted_at is null
            offset 0
        ) t
        "
    )
}
