//! Statements of the V5 import on the mirror's own tables, assembled from an entity of the registry.

use model::column::Column;
use model::column::ColumnType;
use model::entity::Entity;

use crate::statements::promotion::merged;

/// Returns the statements of this file for an entity, by name, for a check of their syntax.
pub(crate) fn assembled(entity: &Entity) -> Vec<(&'static str, String)> {
    let mut statements = vec![
        ("already_newer", already_newer(entity)),
        ("compare_with_v5", compare(entity)),
        // Without a table of V5 that holds the entity.
        ("unknown_ids", unknown_ids(entity, "false")),
    ];
    statements.extend(backfill(entity).map(|sql| ("backfill_manual_columns", sql)));
    statements
}

/// Returns the query of those of the ids `$1` whose row was fetched after `$2`.
pub(super) fn already_newer(entity: &Entity) -> String {
    let (join, _) = join_rows(entity, "u");
    format!("select t.id from unnest($1::text[]) as u(id) {join} where t.synced_at > $2")
}

/// Returns the statement that fills empty manual columns; none where the entity has no manual columns. Takes `$1` the
/// instant at which V5 counts as fetched, `$2` staging ids, `$3` ids, then one list of texts per manual column.
pub(super) fn backfill(entity: &Entity) -> Option<String> {
    let manual: Vec<&Column> = manual_columns(entity).map(|(_, column)| column).collect();
    if manual.is_empty() {
        return None;
    }
    let each = |separator: &str, form: &dyn Fn(&Column) -> String| {
        manual.iter().map(|column| form(column)).collect::<Vec<_>>().join(separator)
    };
    let sets = each(", ", &|column| {
        let (old, new) = (format!("t.{}", column.name), given(column));
        format!("{} = case when {} then {new} else {old} end", column.name, is_empty(column, &old))
    });
    let parameters: String = (0..manual.len()).map(|index| format!(", ${}::text[]", index + 4)).collect();
    let aliases = each("", &|column| format!(", c_{}", column.name));
    let (join, in_partition) = entity.partitioned_by.map_or_else(Default::default, |by| {
        (format!("join {}_keys k on k.id = i.id", entity.table), format!("and t.{by} = k.{by}"))
    });
    Some(format!(
        r"
        update {table} t set {sets}, version = t.version + 1, updated_at = clock_timestamp()
        from unnest($2::uuid[], $3::text[]{parameters}) as i(staging_id, id{aliases})
        join {staging} s on s.id = i.staging_id and s.fetched_at = $1
        {join}
        where t.id = i.id {in_partition} and t.synced_at > s.fetched_at and ({is_backfilled})
        returning t.id
        ",
        table = entity.table,
        staging = entity.staging_table,
        is_backfilled = is_backfilled(entity),
    ))
}

/// Returns the query that compares records of V5 with the mirror. Takes `$1` the instant at which V5 counts as fetched,
/// `$2` ids, `$3` records as JSON, then one list of texts per column.
pub(super) fn compare(entity: &Entity) -> String {
    let each = |form: &dyn Fn(&Column) -> String| entity.columns.iter().map(form).collect::<Vec<_>>();
    let old = each(&|column| format!("t.{}", column.name)).join(", ");
    let new = each(&|column| merged(column, &given(column))).join(", ");
    let parameters: String =
        (0..entity.columns.len()).map(|index| format!(", ${}::text[]", index + 4)).collect();
    let aliases = each(&|column| format!(", c_{}", column.name)).concat();
    let says_else: Vec<String> = entity
        .columns
        .iter()
        .filter(|column| !column.path.is_empty())
        .map(|column| {
            let (name, given) = (column.name, given(column));
            format!("(i.c_{name} is not null and i.c_{name} <> '{{}}' and t.{name} is distinct from {given})")
        })
        .collect();
    let (_, rows) = join_rows(entity, "i");
    format!(
        r"
        select
            case
                when t.id is null or t.is_placeholder then 'new'
                when t.synced_at is null or t.synced_at <= $1 then
                    case when row({old}) is distinct from row({new}) or t.raw_data is distinct from i.raw::jsonb
                        then 'updated' else 'same' end
                when {says_else} then 'differs'
                else 'same'
            end as difference,
            coalesce(t.synced_at > $1 and not t.is_placeholder and ({is_backfilled}), false) as is_backfilled,
            -- Staging would refuse a record that is no `jsonb`: this finds it, whatever the row is compared with.
            i.raw::jsonb is null as is_null
        from unnest($2::text[], $3::text[]{parameters}) with ordinality as i(id, raw{aliases}, position)
        {rows}
        order by i.position
        ",
        says_else = says_else.join(" or "),
        is_backfilled = is_backfilled(entity),
    )
}

/// Returns the query of those of the ids `$1` of the entity `$2` that neither the mirror, nor an alias, nor V5 knows.
/// `is_in_v5` is the condition that a table of V5 holds `u.id`.
pub(super) fn unknown_ids(entity: &Entity, is_in_v5: &str) -> String {
    format!(
        r"
        select u.id from unnest($1::text[]) as u(id)
        where not exists (select from {} t where t.id = u.id)
            and not exists (select from aliases a where a.entity = $2 and a.alias = u.id)
            and not {is_in_v5}
        ",
        entity.table
    )
}

/// Returns the columns that people keep by hand, each with its index among the entity's columns.
pub(super) fn manual_columns(entity: &Entity) -> impl Iterator<Item = (usize, &Column)> {
    entity.columns.iter().enumerate().filter(|(_, column)| column.protected)
}

/// Returns the condition that a row `t` leaves a manual column empty that `i` gives; `false` without manual columns.
fn is_backfilled(entity: &Entity) -> String {
    let conditions: Vec<String> = manual_columns(entity)
        .map(|(_, column)| {
            let (old, new) = (format!("t.{}", column.name), given(column));
            format!("{} and not {}", is_empty(column, &old), is_empty(column, &new))
        })
        .collect();
    if conditions.is_empty() { "false".to_owned() } else { conditions.join(" or ") }
}

/// Returns the value that `i` gives for a column, cast to the column's type.
fn given(column: &Column) -> String {
    format!("i.c_{}::{}", column.name, column.column_type.sql_type())
}

fn is_empty(column: &Column, value: &str) -> String {
    match column.column_type {
        ColumnType::TextArray => format!("({value} = '{{}}')"),
        _ => format!("({value} is null)"),
    }
}

/// Returns the join of the rows `t` to ids, through the partition keys of a partitioned table, as an inner and as a left
/// join.
fn join_rows(entity: &Entity, ids: &str) -> (String, String) {
    let table = entity.table;
    entity.partitioned_by.map_or_else(
        || (format!("join {table} t on t.id = {ids}.id"), format!("left join {table} t on t.id = {ids}.id")),
        |by| {
            let keys = format!("join {table}_keys k on k.id = {ids}.id");
            let rows = format!("join {table} t on t.id = k.id and t.{by} = k.{by}");
            (format!("{keys} {rows}"), format!("left {keys} left {rows}"))
        },
    )
}
