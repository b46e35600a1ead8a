//! Drift of the source: columns that many records of a batch cannot be read in, as after a change of a type. Pure.

use std::collections::{BTreeMap, BTreeSet};

use db::follow_up::Drift;
use db::production::Candidate;
use model::column::Column;
use model::entity::Entity;
use model::row::Unreadable;

/// Records below which an unreadable column is the oddity of single records.
const RECORDS_MIN: usize = 10;
/// Share of a batch up to which it is, in percent.
const SHARE_MAX_PERCENT: usize = 5;

/// Columns of a batch whose type seems to have changed, or to be as it was again.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Drifts {
    /// Columns that many records cannot be read in.
    pub(crate) found: Vec<Drift>,
    /// Fields of open drifts that every record of the batch can be read in.
    pub(crate) healed: Vec<String>,
    /// Columns whose old values stay: those found, and those of drifts that are open.
    pub(crate) fields: BTreeSet<Unreadable>,
}

/// Records of a batch that hold a value in a column.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    read: usize,
    unreadable: usize,
}

/// Compares the columns of a batch with the fields of the drifts that are `open`.
pub(crate) fn find_drifts(entity: &Entity, candidates: &[Candidate], open: &[String]) -> Drifts {
    let mut drifts = Drifts::default();
    for (field, counts) in count(entity, candidates) {
        let name = name_of(entity, &field);
        let is_open = open.contains(&name);
        let unreadable = counts.unreadable;
        if unreadable >= RECORDS_MIN && unreadable * 100 > candidates.len() * SHARE_MAX_PERCENT {
            drifts.found.push(Drift { field: name, unreadable, records: candidates.len() });
            drifts.fields.insert(field);
        } else if is_open && unreadable > 0 {
            drifts.fields.insert(field);
        } else if is_open && counts.read >= RECORDS_MIN {
            drifts.healed.push(name);
        }
    }
    drifts
}

fn count(entity: &Entity, candidates: &[Candidate]) -> BTreeMap<Unreadable, Counts> {
    let mut counts: BTreeMap<Unreadable, Counts> = BTreeMap::new();
    let is_mapped = |column: &Column| !column.path.is_empty();
    for Candidate { row, .. } in candidates {
        for field in &row.unreadable {
            counts.entry(field.clone()).or_default().unreadable += 1;
        }
        let mut read = BTreeSet::new();
        for (index, (column, cell)) in entity.columns.iter().zip(&row.cells).enumerate() {
            if is_mapped(column) && cell.as_deref().is_some_and(|cell| cell != "{}") {
                read.insert(Unreadable::Column(index));
            }
        }
        for (table_index, (table, list)) in entity.child_tables.iter().zip(&row.child_rows).enumerate() {
            for (index, column) in table.columns.iter().enumerate() {
                let has_value = list.rows.iter().any(|row| row.cells.get(index).is_some_and(Option::is_some));
                if is_mapped(column) && has_value {
                    read.insert(Unreadable::ChildColumn(table_index, index));
                }
            }
        }
        for field in read.difference(&row.unreadable) {
            counts.entry(field.clone()).or_default().read += 1;
        }
    }
    counts
}

/// Returns the name of a field as the source has it.
fn name_of(entity: &Entity, field: &Unreadable) -> String {
    match field {
        Unreadable::Column(index) => {
            entity.columns.get(*index).map_or_else(String::new, |column| column.path.join("."))
        }
        Unreadable::ChildColumn(table, index) => {
            let Some(table) = entity.child_tables.get(*table) else { return String::new() };
            let path = table.columns.get(*index).map_or_else(String::new, |column| column.path.join("."));
            format!("{}.{path}", table.field)
        }
    }
}
