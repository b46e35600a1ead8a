//! Writes the rows of parts: the lists inside records, as they were when the record was fetched.

use std::collections::HashSet;

use model::entity::{Entity, Part};
use model::row::{Column, Lines};
use sqlx::{PgConnection, Row};

use crate::production::promote::{Candidate, statement};

/// The statements of an entity's parts.
pub(crate) struct Parts {
    /// Which candidates the production table holds nothing newer of.
    current: String,
    /// For each part its columns' number and its statement.
    parts: Vec<(usize, String)>,
}

impl Parts {
    /// The statements of an entity that has parts.
    pub(crate) fn new(entity: &Entity) -> Option<Self> {
        let parts: Vec<_> = entity.parts.iter().map(|part| (part.columns.len(), sql(part))).collect();
        (!parts.is_empty()).then(|| Self { current: current_sql(entity), parts })
    }

    /// Makes the rows of these records' parts what the records say. Of the unchanged ones, too: they may have been
    /// promoted before the part was known. Those of a record of which production holds something newer stay.
    pub(crate) async fn write(
        &self,
        connection: &mut PgConnection,
        persistent: bool,
        candidates: &[Candidate],
    ) -> Result<(), sqlx::Error> {
        let rows = statement(&self.current, persistent)
            .bind(candidates.iter().map(|candidate| candidate.staging_id).collect::<Vec<_>>())
            .bind(candidates.iter().map(|candidate| candidate.row.id.as_str()).collect::<Vec<_>>())
            .fetch_all(&mut *connection)
            .await?;
        let current: HashSet<&str> = rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        for (place, (columns, sql)) in self.parts.iter().enumerate() {
            let lists: Vec<(&str, &Lines)> = candidates
                .iter()
                .filter(|candidate| current.contains(candidate.row.id.as_str()))
                .filter_map(|candidate| Some((candidate.row.id.as_str(), candidate.row.parts.get(place)?)))
                .collect();
            let whole = || lists.iter().filter(|(_, list)| list.is_whole);
            let lines = || lists.iter().flat_map(|(id, list)| list.lines.iter().map(move |line| (*id, line)));
            let in_part = || lists.iter().filter(|(_, list)| !list.is_whole);
            let query = statement(sql, persistent)
                .bind(whole().map(|(id, _)| *id).collect::<Vec<_>>())
                .bind(whole().map(|(_, list)| places(list)).collect::<Vec<_>>())
                .bind(lines().map(|(id, _)| id).collect::<Vec<_>>())
                .bind(lines().map(|(_, line)| line.line).collect::<Vec<_>>())
                .bind(in_part().map(|(id, _)| *id).collect::<Vec<_>>());
            let query = (0..*columns).fold(query, |query, column| {
                let cells = lines().map(|(_, line)| line.cells.get(column).and_then(Option::as_deref));
                query.bind(cells.collect::<Vec<_>>())
            });
            query.execute(&mut *connection).await?;
        }
        Ok(())
    }
}

/// The places of a list's elements, as PostgreSQL writes an array: `{1,2,3}`.
fn places(list: &Lines) -> String {
    let places: Vec<String> = list.lines.iter().map(|line| line.line.to_string()).collect();
    format!("{{{}}}", places.join(","))
}

/// Takes `$1` staging ids and `$2` ids; answers the ids of which production holds nothing newer.
fn current_sql(entity: &Entity) -> String {
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

/// Takes, of whole lists, `$1` ids and `$2` the places that there are; of lines, `$3` ids and `$4` places; `$5` the ids of
/// lists known in part, whose other rows live with their record; then one list of texts per column.
fn sql(part: &Part) -> String {
    let Part { table, parent, columns, .. } = part;
    let each = |form: &dyn Fn(&Column) -> String| columns.iter().map(form).collect::<Vec<_>>().join(", ");
    let names = each(&|column| column.name.to_owned());
    let aliases = each(&|column| format!("c_{}", column.name));
    let values = each(&|column| format!("i.c_{}::{}", column.name, column.kind.sql_type()));
    let sets = each(&|column| format!("{0} = excluded.{0}", column.name));
    let old = each(&|column| format!("p.{}", column.name));
    let new = each(&|column| format!("excluded.{}", column.name));
    let parameters: String = (0..columns.len()).map(|place| format!(", ${}::text[]", place + 6)).collect();
    format!(
        r"
        with gone as (
            delete from {table} p using unnest($1::text[], $2::text[]) as w(id, places)
            where p.{parent} = w.id and p.line <> all(w.places::int[])
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
        where p.deleted_at is not null or row({old}) is distinct from row({new})
        "
    )
}
