//! Old values that stay: those of columns that many records of a batch cannot be read in.

use std::collections::{BTreeSet, HashMap};

use model::column::Column;
use model::entity::Entity;
use model::row::Unreadable;
use sqlx::AssertSqlSafe;

use crate::error::{During as _, Error};
use crate::pool::Tx;
use crate::production::candidate::Candidate;
use crate::statements::promotion;

/// Row of a production table, as text.
#[derive(Debug, sqlx::FromRow)]
struct OldRow {
    id: String,
    cells: Vec<Option<String>>,
}

/// Fills the cells of these fields that could not be read with the values that production holds, and with them what the
/// record's rules derive from such fields. Of a list inside a record with such a field, the rows that production holds
/// stay as they are.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn keep_old_values(
    tx: &mut Tx,
    entity: &Entity,
    candidates: &mut [Candidate],
    fields: &BTreeSet<Unreadable>,
) -> Result<(), Error> {
    let is_affected = |candidate: &&Candidate| !candidate.row.unreadable.is_disjoint(fields);
    let ids: Vec<&str> =
        candidates.iter().filter(is_affected).map(|candidate| candidate.row.id.as_str()).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let old: Vec<OldRow> = tx
        .query_as(AssertSqlSafe(promotion::select_old_cells(entity)))
        .bind(&ids)
        .fetch_all(tx.connection())
        .await
        .during("read the old values of unreadable columns")?;
    let old: HashMap<String, Vec<Option<String>>> = old.into_iter().map(|row| (row.id, row.cells)).collect();
    for candidate in candidates {
        if let Some(cells) = old.get(&candidate.row.id) {
            keep(entity.columns, candidate, cells, fields);
        }
    }
    Ok(())
}

fn keep(
    columns: &[Column],
    candidate: &mut Candidate,
    old: &[Option<String>],
    fields: &BTreeSet<Unreadable>,
) {
    let row = &mut candidate.row;
    let kept: Vec<Unreadable> = row.unreadable.intersection(fields).cloned().collect();
    let is_column = |field: &Unreadable| matches!(field, Unreadable::Column(_));
    for (index, (cell, column)) in row.cells.iter_mut().zip(columns).enumerate() {
        let is_derived = column.path.is_empty() && cell.is_none() && kept.iter().any(is_column);
        if is_derived || kept.contains(&Unreadable::Column(index)) {
            *cell = old.get(index).cloned().flatten();
        }
    }
    for (index, list) in row.child_rows.iter_mut().enumerate() {
        let is_list =
            |field: &Unreadable| matches!(field, Unreadable::ChildColumn(table, _) if *table == index);
        if kept.iter().any(is_list) {
            list.rows.clear();
            list.is_complete = false;
        }
    }
}
