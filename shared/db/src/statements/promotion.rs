//! Statements that write production tables.

use model::column::Column;
use model::column::ColumnType;
use model::entity::{self, Entity};

/// Condition of an update: a row of the table is never replaced by something older than itself.
const NOT_OLDER: &str = "(t.synced_at is null or (t.synced_at, t.source_key) <= (i.synced_at, i.source_key))";

/// Returns every assembled statement of this file for an entity, each with its name.
pub(crate) fn assembled(entity: &Entity) -> Vec<(&'static str, String)> {
    let mut statements =
        vec![("upsert_rows", upsert(entity)), ("select_old_cells", select_old_cells(entity))];
    if is_referenced(entity) {
        statements.push(("insert_placeholders", insert_placeholders(entity)));
    }
    if let Some((_, by)) = partition_key(entity) {
        statements.push(("record_partition_keys", record_partition_keys(entity, by)));
        statements.push(("move_rows", move_rows(entity, by)));
    }
    statements
}

/// Returns whether a column of some entity, or of a child table, refers to this one.
fn is_referenced(target: &Entity) -> bool {
    entity::ALL
        .into_iter()
        .flat_map(|entity| {
            entity.columns.iter().chain(entity.child_tables.iter().flat_map(|table| table.columns))
        })
        .any(|column| column.references == Some(target.name))
}

/// Returns the partition key of a partitioned table, with its index among the columns.
pub(crate) fn partition_key(entity: &Entity) -> Option<(usize, &Column)> {
    let by = entity.partitioned_by?;
    entity.columns.iter().enumerate().find(|(_, column)| column.name == by)
}

/// Records the partition keys of ids that have none. Parameters: `$1` ids, `$2` keys.
pub(crate) fn record_partition_keys(entity: &Entity, by: &Column) -> String {
    let (by, kind) = (by.name, by.column_type.sql_type());
    format!(
        r"
        insert into {}_keys (id, {by})
        select id, at::{kind} from unnest($1::text[], $2::text[]) as u(id, at)
        order by id
        on conflict (id) do nothing
        ",
        entity.table
    )
}

/// Moves rows whose partition key changed, before the upsert looks for them in the new partition. Parameters: `$1` ids,
/// `$2` keys, `$3` staging ids.
pub(crate) fn move_rows(entity: &Entity, by: &Column) -> String {
    let (table, by, kind) = (entity.table, by.name, by.column_type.sql_type());
    format!(
        r"
        with i as (
            select u.id, u.at::{kind} as new_key, k.{by} as old_key, s.fetched_at as synced_at, s.source_key
            from unnest($1::text[], $2::text[], $3::uuid[]) as u(id, at, staging_id)
            join {table}_keys k on k.id = u.id
            join {} s on s.id = u.staging_id
            where k.{by} <> u.at::{kind}
        ),
        moved as (
            update {table} t set {by} = i.new_key
            from i
            where t.id = i.id and t.{by} = i.old_key and {NOT_OLDER}
            returning t.id, t.{by}
        )
        update {table}_keys k set {by} = moved.{by} from moved where k.id = moved.id
        ",
        entity.staging_table
    )
}

/// Inserts new rows, updates those that differ, leaves the others untouched, and returns the ids of the rows that
/// changed. Parameters: `$1` staging ids, `$2` ids, then one list of texts per column. The raw record, its object key
/// and the time at which it was fetched come from the staging table, so that they never leave the database.
pub(crate) fn upsert(entity: &Entity) -> String {
    let table = entity.table;
    let each =
        |form: &dyn Fn(&Column) -> String| entity.columns.iter().map(form).collect::<Vec<_>>().join(", ");
    let names = each(&|column| column.name.to_owned());
    let merged = |column: &Column| merged(column, &format!("excluded.{}", column.name));
    let sets = each(&|column| format!("{} = {}", column.name, merged(column)));
    let old = each(&|column| format!("t.{}", column.name));
    let new = each(&merged);
    let aliases = each(&|column| format!("c_{}", column.name));
    let values = each(&|column| format!("i.c_{}::{}", column.name, column.column_type.sql_type()));
    let parameters: String =
        (0..entity.columns.len()).map(|index| format!(", ${}::text[]", index + 3)).collect();
    let (join_keys, target) = entity.partitioned_by.map_or_else(
        || (String::new(), "id".to_owned()),
        // An id whose row was not moved kept it because the row is newer.
        |by| {
            (
                format!("join {table}_keys k on k.id = i.id and k.{by} = i.c_{by}::timestamptz"),
                format!("id, {by}"),
            )
        },
    );
    let not_older = NOT_OLDER.replace("i.", "excluded.");
    format!(
        r"
        insert into {table} as t (id, {names}, raw_data, synced_at, source_key, updated_at)
        -- Not the start of the transaction: a reader that follows the changes in their order must miss none.
        select i.id, {values}, s.raw_data, s.fetched_at, s.source_key, clock_timestamp()
        from unnest($1::uuid[], $2::text[]{parameters}) as i(staging_id, id, {aliases})
        join {staging} s on s.id = i.staging_id
        {join_keys}
        order by i.id
        on conflict ({target}) do update set
            {sets},
            raw_data = excluded.raw_data,
            synced_at = excluded.synced_at,
            source_key = excluded.source_key,
            is_placeholder = false,
            deleted_at = null,
            version = t.version + 1,
            updated_at = clock_timestamp()
        where {not_older} and (
            t.is_placeholder
            or t.deleted_at is not null
            or row({old}) is distinct from row({new})
            or t.raw_data is distinct from excluded.raw_data
        )
        returning t.id
        ",
        staging = entity.staging_table
    )
}

/// Selects the values of the ids `$1` that are records, in the order of the entity's columns, as texts.
pub(crate) fn select_old_cells(entity: &Entity) -> String {
    let table = entity.table;
    let cells: Vec<String> = entity.columns.iter().map(|column| format!("t.{}::text", column.name)).collect();
    let rows = entity.partitioned_by.map_or_else(
        || format!("{table} t"),
        |by| format!("{table}_keys k join {table} t on t.id = k.id and t.{by} = k.{by}"),
    );
    format!(
        "select t.id, array[{}] as cells from {rows} where t.id = any($1) and not t.is_placeholder",
        cells.join(", ")
    )
}

/// Returns the SQL of a column's merged value: the new one, or the old one where people keep the column by hand and the
/// new value is empty.
pub(crate) fn merged(column: &Column, new: &str) -> String {
    let name = column.name;
    if !column.protected {
        return new.to_owned();
    }
    match column.column_type {
        ColumnType::TextArray => format!("case when {new} = '{{}}' then t.{name} else {new} end"),
        _ => format!("coalesce({new}, t.{name})"),
    }
}

/// Inserts placeholders for ids that have no row, and returns the ids that are new. Parameters: `$1` ids, then one
/// template per placeholder column, in which `{id}` stands for the id.
pub(crate) fn insert_placeholders(target: &Entity) -> String {
    let columns: String = target.placeholder.iter().map(|(column, _)| format!(", {column}")).collect();
    let values: String = (0..target.placeholder.len())
        .map(|index| format!(", replace(${}, '{{id}}', u.id)", index + 2))
        .collect();
    let table = target.table;
    format!(
        r"
        insert into {table} (id, is_placeholder{columns})
        select u.id, true{values}
        from unnest($1::text[]) as u(id)
        where not exists (select from {table} t where t.id = u.id)
        order by u.id
        on conflict (id) do nothing
        returning id
        "
    )
}
