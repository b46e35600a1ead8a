//! Statements of matching that are assembled from an entity of the registry.

use model::entity::{DuplicateIdRule, Entity};
use model::matching::Matching;

/// Returns the statements that match records of the entity, by name, for a check of their syntax.
pub(crate) fn assembled(entity: &Entity) -> Vec<(&'static str, String)> {
    let mut statements = vec![("changed_rows", changed_rows(entity)), ("living_ids", living_ids(entity))];
    statements.extend(entity.matching.as_ref().map(|matching| ("profiles", profiles(entity, matching))));
    if let (Some(rule), Some(by)) = (&entity.duplicate_ids, entity.partitioned_by) {
        statements.push(("has_foreign_ids", has_foreign_ids(entity, rule)));
        statements.push(("duplicate_ids", duplicate_ids(entity, rule, by)));
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

/// Returns the query that says if any id of the entity does not come from the source.
pub(super) fn has_foreign_ids(entity: &Entity, rule: &DuplicateIdRule) -> String {
    let (table, prefix, length) = (entity.table, rule.prefix, rule.prefix.len());
    format!("select exists (select from {table}_keys where left(id, {length}) <> '{prefix}')")
}

/// Returns the query of the rows of `$1` under a foreign id that say the same, on the same day, as a row of the source,
/// each with the first such row. Rows that were reported before are left out.
pub(super) fn duplicate_ids(entity: &Entity, rule: &DuplicateIdRule, by: &str) -> String {
    let (table, day, prefix, length) = (entity.table, rule.day, rule.prefix, rule.prefix.len());
    let texts: Vec<String> = rule.texts.iter().map(|text| format!("t.{text}")).collect();
    let text =
        format!("lower(regexp_replace(btrim(concat_ws(' ', {})), '\\s+', ' ', 'g'))", texts.join(", "));
    format!(
        r"
        with foreign_rows as materialized (
            select t.id, t.{day} as day, {text} as text
            from {table}_keys k
            join {table} t on t.id = k.id and t.{by} = k.{by}
            where left(k.id, {length}) <> '{prefix}' and t.deleted_at is null
                and not exists (
                    select from admin_actions a where a.kind = 'duplicate' and a.entity = $1 and a.subject = k.id
                )
        )
        select distinct on (f.id) f.id, t.id as same_as
        from foreign_rows f
        join {table} t on t.{day} = f.day and left(t.id, {length}) = '{prefix}' and t.deleted_at is null
            and {text} = f.text
        where f.text <> ''
        order by f.id, t.id
        "
    )
}
