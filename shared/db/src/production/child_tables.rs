//! Child tables: the lists inside records, as they were when the record was fetched.

use std::collections::HashSet;

use model::entity::Entity;
use model::row::ChildRows;
use sqlx::AssertSqlSafe;

use crate::error::{During as _, Error};
use crate::pool::Tx;
use crate::production::candidate::{Candidate, ids, staging_ids};
use crate::statements::child_tables::{replace_rows, select_current};

/// Statements of an entity's child tables.
pub(crate) struct ChildTableStatements {
    /// Selects the candidates that are as new as their production row.
    select_current: String,
    /// Number of columns and statement of each child table.
    tables: Vec<(usize, String)>,
}

impl ChildTableStatements {
    /// Builds the statements of an entity; none if it has no child tables.
    pub(crate) fn new(entity: &Entity) -> Option<Self> {
        let tables: Vec<_> =
            entity.child_tables.iter().map(|table| (table.columns.len(), replace_rows(table))).collect();
        (!tables.is_empty()).then(|| Self { select_current: select_current(entity), tables })
    }

    /// Replaces the child rows of these records by those that the records hold. Unchanged records are included, because
    /// they may have been promoted before the child table existed. Child rows of a record of which production holds
    /// something newer stay.
    pub(crate) async fn write(&self, tx: &mut Tx, candidates: &[Candidate]) -> Result<(), Error> {
        let current: Vec<String> = tx
            .query_scalar(AssertSqlSafe(self.select_current.clone()))
            .bind(staging_ids(candidates))
            .bind(ids(candidates))
            .fetch_all(tx.connection())
            .await
            .during("select the records whose child rows are current")?;
        let current: HashSet<&str> = current.iter().map(String::as_str).collect();
        for (index, (columns, sql)) in self.tables.iter().enumerate() {
            let lists: Vec<(&str, &ChildRows)> = candidates
                .iter()
                .filter(|candidate| current.contains(candidate.row.id.as_str()))
                .filter_map(|candidate| {
                    Some((candidate.row.id.as_str(), candidate.row.child_rows.get(index)?))
                })
                .collect();
            let whole = || lists.iter().filter(|(_, list)| list.is_complete);
            let lines = || lists.iter().flat_map(|(id, list)| list.rows.iter().map(move |line| (*id, line)));
            let partial = || lists.iter().filter(|(_, list)| !list.is_complete);
            let query = tx
                .query(AssertSqlSafe(sql.clone()))
                .bind(whole().map(|(id, _)| *id).collect::<Vec<_>>())
                .bind(whole().map(|(_, list)| positions(list)).collect::<Vec<_>>())
                .bind(lines().map(|(id, _)| id).collect::<Vec<_>>())
                .bind(lines().map(|(_, line)| line.line).collect::<Vec<_>>())
                .bind(partial().map(|(id, _)| *id).collect::<Vec<_>>());
            let query = (0..*columns).fold(query, |query, column| {
                let cells = lines().map(|(_, line)| line.cells.get(column).and_then(Option::as_deref));
                query.bind(cells.collect::<Vec<_>>())
            });
            query.execute(tx.connection()).await.during("replace child rows")?;
        }
        Ok(())
    }
}

/// Returns the positions of a list's elements as a PostgreSQL array: `{1,2,3}`.
fn positions(list: &ChildRows) -> String {
    let positions: Vec<String> = list.rows.iter().map(|line| line.line.to_string()).collect();
    format!("{{{}}}", positions.join(","))
}
