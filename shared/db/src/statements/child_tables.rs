//! Statements that write child tables.

use model::column::ChildTable;
use model::column::Column;
use model::entity::Entity;

/// Returns every assembled statement of this file for an entity, each with its name.
pub(crate) fn assembled(entity: &Entity) -> Vec<(&'static str, String)> {
    if entity.child_tables.is_empty() {
        return Vec::new();
    }
    let tables = entity.child_tables.iter().map(|table| ("replace_child_rows", replace_rows(table)));
    std::iter::once(("select_current_candidates", select_current(entity))).chain(tables).collect()
}

/// Selects the ids of which production holds nothing newer. Parameters: `$1` staging ids, `$2` ids.
pub(crate) fn select_current(entity: &Entity) -> String {
    format!(
        r"
        select u.id
        from unnest($1::uuid[], $2::text[]) as u(staging_id, id)
        join {} s on s.id = u.staging_id
        join {} t on t.id = u.id
        where (t.synced_at, t.source_key) <= (s.fetched_at, s.source_key)
        ",
        entity.staging_table, entity.table
    )
}

/// Replaces the rows of a child table by those of the records. Parameters: of complete lists, `$1` ids and `$2` arrays
/// of the positions that exist; of elements, `$3` ids and `$4` positions; `$5` ids of lists that are known in part only,
/// whose other rows live as long as their record; then one list of texts per column.
pub(crate) fn replace_rows(child_table: &ChildTable) -> String {
    let ChildTable { table, parent, columns, .. } = child_table;
    let each = |form: &dyn Fn(&Column) -> String| columns.iter().map(form).collect::<Vec<_>>().join(", ");
    let names = each(&|column| column.name.to_owned());
    let aliases = each(&|column| format!("c_{}", column.name));
    let values = each(&|column| format!("i.c_{}::{}", column.name, column.column_type.sql_type()));
    // An element in which nothing has a value says nothing of the row that is there.
    let given = format!("num_nonnulls({}) > 0", each(&|column| format!("excluded.{}", column.name)));
    let sets =
        each(&|column| format!("{0} = case when {given} then excluded.{0} else p.{0} end", column.name));
    let old = each(&|column| format!("p.{}", column.name));
    let new = each(&|column| format!("excluded.{}", column.name));
    let parameters: String = (0..columns.len()).map(|index| format!(", ${}::text[]", index + 6)).collect();
    format!(
        r"
        with gone as (
            delete from {table} p using unnest($1::text[], $2::text[]) as w(id, positions)
            where p.{parent} = w.id and p.line <> all(w.positions::int[])
        ),
        back as (
            update {table} p set deleted_at = null, updated_at = clock_timestamp()
            where p.{parent} = any($5::text[]) and p.deleted_at is not null
                and (p.{parent}, p.line) not in (select * from unnest($3::text[], $4::int[]))
        )
        insert into {table} as p ({parent}, line, {names}, updated_at)
        select i.id, i.line, {values}, clock_timestamp()
        from unnest($3::text[], $4::int[]{parameters}) as i(id, line, {aliases})
        order by i.id, i.line
        on conflict ({parent}, line) do update set
            {sets},
            deleted_at = null,
            updated_at = clock_timestamp()
        where p.deleted_at is not null or {given} and row({old}) is distinct from row({new})
        "
    )
}
