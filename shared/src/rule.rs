//! Rules on the way from a record to its row: what is refused, what is repaired, what is derived. Whatever
//! no rule speaks of is kept as it is, values that we have never seen included.

use crate::row::{Column, Record, Rejection, Row};

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
    columns: &'static [Column],
    row: Row,
}

impl<'a> Draft<'a> {
    /// Reads the mapped columns of a record and applies the rules, in their order.
    ///
    /// # Errors
    /// The record is no object, has no id, is a wrapper, or a rule refuses it.
    pub fn run(record: Record<'a>, columns: &'static [Column], rules: &[Rule]) -> Result<Row, Rejection> {
        let mut draft = Self { record, columns, row: Row::read(record, columns)? };
        for rule in rules {
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
        self.row.get(self.columns, name)
    }

    /// The cell as a number.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<f64> {
        self.get(name)?.parse().ok()
    }

    /// Fills the column of that name.
    pub fn set(&mut self, name: &str, value: Option<String>) {
        self.row.set(self.columns, name, value);
    }

    /// Notes what was repaired. Never a customer's words: notes are read by whoever runs the pipeline.
    pub fn note(&mut self, note: impl Into<String>) {
        self.row.notes.push(note.into());
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
