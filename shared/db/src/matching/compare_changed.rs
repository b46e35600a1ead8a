//! Comparison of changed rows with the other rows of their entity, batch by batch.

use chrono::{DateTime, Utc};
use model::entity::Entity;
use model::matching::Relation;
use sqlx::AssertSqlSafe;

use super::candidate_search::{find_candidates, mark_shared};
use super::duplicate_group::propose_groups;
use super::match_keys::replace_match_keys;
use super::predecessor::relink;
use super::probable_duplicate::save_pairs;
use super::profile::read_profiles;
use super::similar_pair::similar_pairs;
use super::statements;
use crate::error::{During as _, Error, is_data_error, is_timeout};
use crate::pool::{Db, Tx};

/// Rows compared in one transaction.
const BATCH_ROWS: i64 = 100;

/// Static statements of this file, by name.
pub(crate) const STATEMENTS: &[(&str, &str)] =
    &[("record_match_progress", RECORD_MATCH_PROGRESS), ("limit_comparison", LIMIT_COMPARISON)];

/// Reconcilers of the entity wait for a comparison, so none of its statements may take long.
const LIMIT_COMPARISON: &str = "select set_config('statement_timeout', '10s', true)";

const RECORD_MATCH_PROGRESS: &str = r"
    insert into match_progress (entity, updated_at, id) values ($1, $2, $3)
    on conflict (entity) do update set updated_at = excluded.updated_at, id = excluded.id
    ";

/// Counts of one batch of [`match_changed`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MatchCounts {
    /// Rows compared; zero once every change was compared.
    pub rows: usize,
    /// Groups of probable duplicates whose action was opened, once every change was compared.
    pub proposed: u64,
    /// Records whose predecessor is new or another one.
    pub linked: u64,
}

/// A row, and the moment of its last change.
#[derive(Debug, sqlx::FromRow)]
struct ChangedRow {
    updated_at: DateTime<Utc>,
    id: String,
}

/// Compares the next rows of an entity that changed since they were last compared: finds probable duplicates, or
/// links predecessors, as the entity's matching says. Call it until it returns no rows; the call that does proposes the
/// duplicates to a person, in groups.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn match_changed(db: &Db, entity: &'static Entity) -> Result<MatchCounts, Error> {
    let mut rows = BATCH_ROWS;
    loop {
        match match_some(db, entity, rows).await {
            // One row that takes too long must not hold back those after it for good: it is told in the log alone.
            Err(error) if rows > 1 && is_fault_of_rows(&error) => rows /= 10,
            Err(error) if is_fault_of_rows(&error) => {
                skip_one(db, entity).await?;
                return Err(error);
            }
            result => return result,
        }
    }
}

/// Returns whether the comparison failed because of the rows: it took too long, or the database refused their data.
fn is_fault_of_rows(error: &Error) -> bool {
    is_data_error(error) || is_timeout(error)
}

/// Passes over the next changed row, which could not be compared.
async fn skip_one(db: &Db, entity: &'static Entity) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    tx.lock_entity("reconcile", entity.table).await?;
    if let Some(row) = changed_rows(&mut tx, entity, 1).await?.first() {
        record_progress(&mut tx, entity, row).await?;
    }
    tx.commit().await
}

async fn match_some(db: &Db, entity: &'static Entity, rows: i64) -> Result<MatchCounts, Error> {
    let Some(matching) = &entity.matching else { return Ok(MatchCounts::default()) };
    let mut tx = db.begin().await?;
    // Reconcilers of this entity wait meanwhile, so that every change up to now is visible.
    tx.lock_entity("reconcile", entity.table).await?;
    tx.query(LIMIT_COMPARISON).execute(tx.connection()).await.during("limit a comparison")?;
    let changed = changed_rows(&mut tx, entity, rows).await?;
    let Some(last) = changed.last() else {
        let mut counts = MatchCounts::default();
        if let Relation::ProbableDuplicate(rule) = &matching.relation {
            counts.proposed = propose_groups(&mut tx, entity, matching, rule).await?;
        }
        tx.commit().await?;
        return Ok(counts);
    };
    record_progress(&mut tx, entity, last).await?;
    let ids: Vec<&str> = changed.iter().map(|row| row.id.as_str()).collect();
    let profiles = read_profiles(&mut tx, entity, matching, &ids).await?;
    replace_match_keys(&mut tx, entity, matching, &ids, &profiles).await?;
    let mut counts = MatchCounts { rows: changed.len(), ..MatchCounts::default() };
    match matching.relation {
        Relation::None => (),
        Relation::ProbableDuplicate(rule) => {
            let profiles = mark_shared(&mut tx, entity, matching, profiles).await?;
            let candidates = find_candidates(&mut tx, entity, matching, &profiles).await?;
            let pairs = similar_pairs(matching, &profiles, &candidates);
            save_pairs(&mut tx, entity, &rule, &ids, &pairs).await?;
        }
        Relation::Predecessor { since } => {
            counts.linked = relink(&mut tx, entity, matching, since, &ids, &profiles).await?;
        }
    }
    tx.commit().await?;
    Ok(counts)
}

async fn changed_rows(tx: &mut Tx, entity: &Entity, rows: i64) -> Result<Vec<ChangedRow>, Error> {
    tx.query_as(AssertSqlSafe(statements::changed_rows(entity)))
        .bind(entity.name)
        .bind(rows)
        .fetch_all(tx.connection())
        .await
        .during("list changed rows")
}

async fn record_progress(tx: &mut Tx, entity: &Entity, last: &ChangedRow) -> Result<(), Error> {
    tx.query(RECORD_MATCH_PROGRESS)
        .bind(entity.name)
        .bind(last.updated_at)
        .bind(&last.id)
        .execute(tx.connection())
        .await
        .during("record the progress of matching")?;
    Ok(())
}
