//! One staged record's way to a row, or to the reason why it becomes none. Pure.

use std::panic::{AssertUnwindSafe, catch_unwind};

use db::staging::{Claimed, Outcome};
use model::entity::Entity;
use model::matching::{Asked, asked};
use model::row::{Record, Row};
use serde_json::Value;

/// What a claimed record turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub enum Judged {
    /// A row to promote, and references that name someone without a usable id.
    Row(Row, Vec<Asked>),
    /// No row, now and for good: how it ends, and why.
    Ended(Outcome, Option<String>),
    /// Our own code gave way: to be tried again, some times.
    Faulted(String),
}

/// Judges one record. A panic in a transform costs that record alone.
#[must_use]
pub fn judge(entity: &Entity, claimed: &Claimed) -> Judged {
    let Some(raw) = &claimed.raw else { return Judged::Ended(Outcome::Superseded, None) };
    let raw: Value = match serde_json::from_str(raw) {
        Ok(raw) => raw,
        // PostgreSQL holds it as JSON: it is nested deeper than we follow.
        Err(error) => {
            return Judged::Ended(Outcome::Failed, Some(format!("the record cannot be read: {error}")));
        }
    };
    let record = Record { raw: &raw, parent_id: claimed.parent_id.as_deref() };
    let judged = catch_unwind(AssertUnwindSafe(|| {
        entity.transform(record).map(|row| {
            let asked = asked(entity, record, &row);
            (row, asked)
        })
    }));
    match judged {
        Ok(Ok((row, asked))) => Judged::Row(row, asked),
        Ok(Err(rejection)) => {
            let outcome = if rejection.is_ordinary() { Outcome::Skipped } else { Outcome::Failed };
            Judged::Ended(outcome, Some(rejection.to_string()))
        }
        // What the panic says may hold a customer's words.
        Err(_) => Judged::Faulted("the transform panicked".to_owned()),
    }
}
