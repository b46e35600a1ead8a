//! Rules between a record and its row: they refuse a record, repair values and derive columns. Values that no rule
//! mentions are kept as they are, unknown ones included.

use serde_json::Value;

use crate::column::{ChildTable, Column, ColumnType, column_index};
use crate::fold::{is_invisible, without_invisible};
use crate::row::{self, Record, Rejection, Row};

/// Named rule of an entity.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Name in the documentation.
    pub name: &'static str,
    /// Effect on a record.
    pub effect: Effect,
}

/// Effect of a rule: a pure function on the row that is being built.
#[derive(Debug, Clone, Copy)]
pub enum Effect {
    /// Refuses the record, with the reason.
    Refuses(fn(&RowDraft<'_>) -> Result<(), Rejection>),
    /// Changes an impossible value, with a note.
    Repairs(fn(&mut RowDraft<'_>)),
    /// Fills columns that the source does not have.
    Derives(fn(&mut RowDraft<'_>)),
}

impl Rule {
    /// Returns the rule with that name and effect.
    #[must_use]
    pub const fn new(name: &'static str, effect: Effect) -> Self {
        Self { name, effect }
    }
}

/// Row that is being built from a record.
#[derive(Debug)]
pub struct RowDraft<'a> {
    /// Record of the source that becomes the row.
    pub record: Record<'a>,
    columns: &'static [Column],
    child_tables: &'static [ChildTable],
    row: Row,
}

/// Cells of a record, or of one element of a list inside it, that are being built.
#[derive(Debug)]
pub struct ChildRowDraft<'a> {
    /// JSON of the element, as the source sent it.
    pub raw: &'a Value,
    columns: &'static [Column],
    cells: &'a mut [Option<String>],
}

impl<'a> RowDraft<'a> {
    /// Reads the mapped columns of a record and applies the rules, in their order.
    ///
    /// # Errors
    /// The record is not an object, has no id, is a wrapper, or a rule refuses it.
    pub fn build(
        record: Record<'a>,
        columns: &'static [Column],
        child_tables: &'static [ChildTable],
        rules: &[Rule],
    ) -> Result<Row, Rejection> {
        let row = Row::read(record, columns, child_tables)?;
        let mut draft = Self { record, columns, child_tables, row };
        for rule in rules {
            match rule.effect {
                Effect::Refuses(check) => check(&draft)?,
                Effect::Repairs(change) | Effect::Derives(change) => change(&mut draft),
            }
        }
        Ok(draft.row)
    }

    /// Returns the cell of the column with that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.row.get(self.columns, name)
    }

    /// Returns the cell as a number; none where it is empty or not a number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<f64> {
        self.get(name)?.parse().ok()
    }

    /// Sets the cell of the column with that name.
    pub fn set(&mut self, name: &str, value: Option<String>) {
        self.row.set(self.columns, name, value);
    }

    /// Returns the rows of that child table, and whether the list is complete.
    pub fn child_rows(&mut self, table: &str) -> (Vec<ChildRowDraft<'_>>, bool) {
        let lists = self.child_tables.iter().zip(&mut self.row.child_rows);
        let Some((child_table, list)) = lists.into_iter().find(|(child_table, _)| child_table.table == table)
        else {
            return (Vec::new(), false);
        };
        let elements = row::elements(self.record.raw, child_table.field);
        let rows = list.rows.iter_mut().filter_map(|row| {
            let raw = elements.get(usize::try_from(row.line - 1).ok()?)?;
            Some(ChildRowDraft { raw, columns: child_table.columns, cells: &mut row.cells })
        });
        (rows.collect(), list.is_complete)
    }

    /// Returns the record's own cells in the form of an element's.
    pub fn own_cells(&mut self) -> ChildRowDraft<'_> {
        ChildRowDraft { raw: self.record.raw, columns: self.columns, cells: &mut self.row.cells }
    }

    /// Removes the characters that nobody sees from the texts of these columns, with a note. A text of which nothing is
    /// left becomes empty.
    pub fn remove_invisible(&mut self, columns: &[&str]) {
        let mut has_changed = false;
        for name in columns {
            let Some(text) = self.get(name).filter(|text| text.chars().any(is_invisible)) else { continue };
            let visible = without_invisible(text).trim().to_owned();
            self.set(name, Some(visible).filter(|text| !text.is_empty()));
            has_changed = true;
        }
        if has_changed {
            self.note("removed invisible characters from a name or an e-mail");
        }
    }

    /// Adds a note on a repair. Never quotes a customer's text, because operators read the notes.
    pub fn note(&mut self, note: impl Into<String>) {
        self.row.notes.push(note.into());
    }
}

impl ChildRowDraft<'_> {
    /// Returns the cell of the column with that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.cells.get(column_index(self.columns, name)?)?.as_deref()
    }

    /// Returns the cell as a whole number; none where it is empty or not a whole number.
    #[must_use]
    pub fn whole_number(&self, name: &str) -> Option<i64> {
        self.get(name)?.parse().ok()
    }

    /// Sets the cell of the column with that name.
    pub fn set(&mut self, name: &str, value: Option<String>) {
        if let Some(cell) = column_index(self.columns, name).and_then(|index| self.cells.get_mut(index)) {
            *cell = value;
        }
    }

    /// Converts every cell that holds an amount of money; `convert` takes minor units.
    pub fn convert_amounts(&mut self, convert: impl Fn(i64) -> Option<String>) {
        for (column, cell) in self.columns.iter().zip(self.cells.iter_mut()) {
            if column.column_type == ColumnType::Money {
                *cell = cell.as_deref().and_then(|minor| convert(minor.parse().ok()?));
            }
        }
    }
}
