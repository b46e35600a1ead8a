//! Rules on the way from a record to its row: what is refused, what is repaired, what is derived. Whatever
//! no rule speaks of is kept as it is, values that we have never seen included.

use serde_json::Value;

use crate::entity::Entity;
use crate::row::{self, Column, Kind, Record, Rejection, Row};

/// A rule, by its name.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// What it is called in the documentation.
    pub name: &'static str,
    /// What it does to a record. Pure.
    pub effect: Effect,
}

/// What a rule does to a record.
#[derive(Debug, Clone, Copy)]
pub enum Effect {
    /// Refuses it, with the reason.
    Refuses(fn(&Draft<'_>) -> Result<(), Rejection>),
    /// Changes what cannot be meant, with a note.
    Repairs(fn(&mut Draft<'_>)),
    /// Fills columns that the source does not have.
    Derives(fn(&mut Draft<'_>)),
}

impl Rule {
    /// A rule of that name.
    #[must_use]
    pub const fn new(name: &'static str, effect: Effect) -> Self {
        Self { name, effect }
    }
}

/// A row under way.
#[derive(Debug)]
pub struct Draft<'a> {
    /// The record.
    pub record: Record<'a>,
    entity: &'a Entity,
    row: Row,
}

/// An element of a list inside a record, under way.
#[derive(Debug)]
pub struct DraftLine<'a> {
    /// The element.
    pub raw: &'a Value,
    columns: &'static [Column],
    cells: &'a mut [Option<String>],
}

impl<'a> Draft<'a> {
    /// Reads the mapped columns of a record and applies the rules, in their order.
    ///
    /// # Errors
    /// The record is no object, has no id, is a wrapper, or a rule refuses it.
    pub fn run(record: Record<'a>, entity: &'a Entity) -> Result<Row, Rejection> {
        let row = Row::read(record, entity.columns, entity.parts)?;
        let mut draft = Self { record, entity, row };
        for rule in entity.rules {
            match rule.effect {
                Effect::Refuses(check) => check(&draft)?,
                Effect::Repairs(change) | Effect::Derives(change) => change(&mut draft),
            }
        }
        Ok(draft.row)
    }

    /// The cell of the column of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.row.get(self.entity.columns, name)
    }

    /// The cell as a number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<f64> {
        self.get(name)?.parse().ok()
    }

    /// Fills the column of that name.
    pub fn set(&mut self, name: &str, value: Option<String>) {
        self.row.set(self.entity.columns, name, value);
    }

    /// The elements of the list that fills that table, and whether these are all.
    pub fn lines(&mut self, table: &str) -> (Vec<DraftLine<'_>>, bool) {
        let parts = self.entity.parts.iter().zip(&mut self.row.parts);
        let Some((part, list)) = parts.into_iter().find(|(part, _)| part.table == table) else {
            return (Vec::new(), false);
        };
        let elements = row::elements(self.record.raw, part.field);
        let lines = list.lines.iter_mut().filter_map(|line| {
            let raw = elements.get(usize::try_from(line.line - 1).ok()?)?;
            Some(DraftLine { raw, columns: part.columns, cells: &mut line.cells })
        });
        (lines.collect(), list.is_whole)
    }

    /// The record's own cells, as those of an element.
    pub fn own(&mut self) -> DraftLine<'_> {
        DraftLine { raw: self.record.raw, columns: self.entity.columns, cells: &mut self.row.cells }
    }

    /// Notes what was repaired. Never a customer's words: notes are read by whoever runs the pipeline.
    pub fn note(&mut self, note: impl Into<String>) {
        self.row.notes.push(note.into());
    }
}

impl DraftLine<'_> {
    /// The cell of the column of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.cells.get(self.place(name)?)?.as_deref()
    }

    /// The cell as a whole number.
    #[must_use]
    pub fn whole_number(&self, name: &str) -> Option<i64> {
        self.get(name)?.parse().ok()
    }

    /// Fills the column of that name.
    pub fn set(&mut self, name: &str, value: Option<String>) {
        if let Some(cell) = self.place(name).and_then(|place| self.cells.get_mut(place)) {
            *cell = value;
        }
    }

    /// Changes every cell that holds an amount of money.
    pub fn each_amount(&mut self, change: impl Fn(i64) -> Option<String>) {
        for (column, cell) in self.columns.iter().zip(self.cells.iter_mut()) {
            if column.kind == Kind::Money {
                *cell = cell.as_deref().and_then(|minor| change(minor.parse().ok()?));
            }
        }
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }
}

/// A number with at most one decimal, as PostgreSQL reads it: `21`, `20.5`.
#[must_use]
pub fn number_text(value: f64) -> String {
    format!("{:.1}", value + 0.0).trim_end_matches(".0").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_written_with_one_decimal_where_it_has_one() {
        let written: Vec<String> = [21.0, 20.46, -0.0, 439.5].into_iter().map(number_text).collect();
        assert_eq!(written, ["21", "20.5", "0", "439.5"]);
    }
}
