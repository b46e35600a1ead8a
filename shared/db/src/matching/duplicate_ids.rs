//! Duplicate ids: records that arrived under two ids, one of the source and one of V5. Reported once, never merged.

use std::collections::{BTreeSet, HashMap};

use chrono::NaiveDate;
use model::entity::Entity;
use protocol::action::ActionKind;
use serde_json::json;
use sqlx::AssertSqlSafe;

use super::statements;
use crate::actions::{NewAction, open_counted};
use crate::error::{During as _, Error};
use crate::pool::Db;

/// Static statements of this file, by name.
pub(crate) const STATEMENTS: &[(&str, &str)] = &[("limit_report", LIMIT_REPORT)];

/// A report takes the database a few seconds at most; it is repeated after the next change.
const LIMIT_REPORT: &str = "select set_config('statement_timeout', '5s', true)";

/// Rows under a foreign id that one report looks at.
const FOREIGN_ROWS_MAX: i64 = 5_000;

/// Row under a foreign id or one of the source: its day, and a digest of its text.
#[derive(Debug, sqlx::FromRow)]
struct TextOfDay {
    id: String,
    day: NaiveDate,
    digest: String,
}

/// Reports rows of another origin that say the same, on the same day, as a row of the source; returns how many were not
/// reported before.
///
/// # Errors
/// The database refused, took too long, or was out of reach. Nothing but the report is missing then.
pub async fn report_duplicate_ids(db: &Db, entity: &Entity) -> Result<u64, Error> {
    let (Some(rule), Some(by)) = (&entity.duplicate_ids, entity.partitioned_by) else { return Ok(0) };
    let mut tx = db.begin().await?;
    tx.query(LIMIT_REPORT).execute(tx.connection()).await.during("limit a report")?;
    let foreign: Vec<TextOfDay> = tx
        .query_as(AssertSqlSafe(statements::foreign_rows(entity, rule, by)))
        .bind(entity.name)
        .bind(FOREIGN_ROWS_MAX)
        .fetch_all(tx.connection())
        .await
        .during("find rows under foreign ids")?;
    if foreign.is_empty() {
        tx.rollback().await?;
        return Ok(0);
    }
    // The two are joined here: a planner that misjudges them compares each with each.
    let days: BTreeSet<NaiveDate> = foreign.iter().map(|row| row.day).collect();
    let own: Vec<TextOfDay> = tx
        .query_as(AssertSqlSafe(statements::rows_of_days(entity, rule, by)))
        .bind(days.into_iter().collect::<Vec<_>>())
        .fetch_all(tx.connection())
        .await
        .during("find the source's rows of the same days")?;
    let mut first_ids: HashMap<(NaiveDate, &str), &str> = HashMap::with_capacity(own.len());
    for row in &own {
        let id = first_ids.entry((row.day, &row.digest)).or_insert(&row.id);
        *id = row.id.as_str().min(id);
    }
    let actions: Vec<NewAction<'_>> = foreign
        .iter()
        .filter_map(|row| {
            let same_as = first_ids.get(&(row.day, row.digest.as_str()))?;
            Some(NewAction { subject: &row.id, details: json!({ "same_as": same_as }) })
        })
        .collect();
    let reported = open_counted(&mut tx, ActionKind::Duplicate, entity.name, &actions).await?;
    tx.commit().await?;
    Ok(reported)
}
