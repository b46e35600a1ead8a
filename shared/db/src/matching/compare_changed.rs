//! Comparison of changed rows with the other rows of their entity, batch by batch.

use chrono::{DateTime, Utc};
use model::entity::Entity;
use model::matching::Relation;
use sqlx::AssertSqlSafe;

use super::candidate_search::find_candidates;
use super::match_keys::replace_match_keys;
use super::predecessor::relink;
use super::probable_duplicate::propose_duplicates;
use super::profile::read_profiles;
use super::similar_pair::similar_pairs;
use super::statements;
use crate::error::{During as _, Error};
use crate::pool::{Db, Tx};

/// Rows compared in one transaction.
const BATCH_ROWS: i64 = 100;

/// Static statements of this file, by name.
pub(crate) const STATEMENTS: &[(&str, &str)] = &[("record_match_progress", RECORD_MATCH_PROGRESS)];

const RECORD_MATCH_PROGRESS: &str = r"
    insert into match_progress (entity, updated_at, id) values ($1, $2, $3)
    on conflict (entity) do update set updated_at = excluded.updated_at, id = excluded.id
    ";

/// Counts of one batch of [`match_changed`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MatchCounts {
    /// Rows compared; zero once every change was compared.
    pub rows: usize,
    /// Pairs proposed to a person as probable duplicates for the first time.
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

/// Compares the next rows of an entity that changed since they were last compared: proposes probable duplicates, or
/// links predecessors, as the entity's matching says. Call it until it returns no rows.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn match_changed(db: &Db, entity: &'static Entity) -> Result<MatchCounts, Error> {
    let Some(matching) = &entity.matching else { return Ok(MatchCounts::default()) };
    let mut tx = db.begin().await?;
    // Reconcilers of this entity wait meanwhile, so that every change up to now is visible.
    tx.lock_entity("reconcile", entity.table).await?;
    let changed = changed_rows(&mut tx, entity).await?;
    let Some(last) = changed.last() else {
        tx.rollback().await?;
        return Ok(MatchCounts::default());
    };
    let ids: Vec<&str> = changed.iter().map(|row| row.id.as_str()).collect();
    let profiles = read_profiles(&mut tx, entity, matching, &ids).await?;
    replace_match_keys(&mut tx, entity, matching, &ids, &profiles).await?;
    let mut counts = MatchCounts { rows: changed.len(), ..MatchCounts::default() };
    match matching.relation {
        Relation::None => (),
        Relation::ProbableDuplicate => {
            let candidates = find_candidates(&mut tx, entity, matching, &profiles).await?;
            let pairs = similar_pairs(matching, &profiles, &candidates);
            counts.proposed = propose_duplicates(&mut tx, entity, &pairs).await?;
        }
        Relation::Predecessor { since } => {
            counts.linked = relink(&mut tx, entity, matching, since, &ids, &profiles).await?;
        }
    }
    record_progress(&mut tx, entity, last).await?;
    tx.commit().await?;
    Ok(counts)
}

async fn changed_rows(tx: &mut Tx, entity: &Entity) -> Result<Vec<ChangedRow>, Error> {
    tx.query_as(AssertSqlSafe(statements::changed_rows(entity)))
        .bind(entity.name)
        .bind(BATCH_ROWS)
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
