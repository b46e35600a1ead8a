//! Completeness: for each entity, Gazelle's count at the newest settled full run equals the rows here and what is
//! explained. A gap opens an action, which closes with it.

mod balance;
mod statements;

use model::entity::{self, Entity, Source};
use protocol::action::ActionKind;
use serde_json::json;
use sqlx::{AssertSqlSafe, FromRow};

use crate::actions::{self, NewAction, Resolver};
use crate::error::{During as _, Error};
use crate::pool::{Db, Tx};
use balance::{Balance, ListingCounts};

/// Static statements of this room, by name.
pub(crate) const STATEMENTS: &[(&str, &str)] = &[
    ("select_due_counts", statements::SELECT_DUE),
    ("allow_hash_join_of_counts", statements::ALLOW_HASH_JOIN),
    ("store_completeness", statements::STORE),
    ("forget_listed_records", statements::FORGET_LISTED),
];

/// Returns the assembled statements of this room for an entity, by name.
pub(crate) fn assembled(entity: &Entity) -> Vec<(&'static str, String)> {
    vec![
        ("note_listed_records", statements::note_listed(entity)),
        ("add_listed_records", statements::add_listed(entity)),
        ("count_listing", statements::count_listing(entity)),
    ]
}

/// Full run whose records are to be counted.
#[derive(Debug, FromRow)]
pub struct DueCount {
    entity: String,
    run_id: String,
    /// Counts of the run that are taken into account.
    run_state: String,
    /// The records that the run listed are noted.
    is_listed: bool,
    /// The run was counted before, in this state.
    is_counted: bool,
    /// Gap of the count before; 0 where there was none.
    gap: i64,
    /// A gap is no passing movement of the source.
    is_confirmed: bool,
}

/// Result of a count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// Name of the entity.
    pub entity: &'static str,
    /// Id of the full run.
    pub run_id: String,
    /// Gazelle's count.
    pub source_count: i64,
    /// Records that nothing explains.
    pub gap: i64,
}

#[derive(FromRow)]
struct CountedListing {
    #[sqlx(flatten)]
    counts: ListingCounts,
    unexplained_ids: Vec<String>,
}

/// Returns the settled full runs whose records are to be counted: few, and mostly none.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn due_counts(db: &Db) -> Result<Vec<DueCount>, Error> {
    let names = entity::ALL.map(|entity| entity.name);
    let mut tx = db.begin().await?;
    let due = tx
        .query_as(statements::SELECT_DUE)
        .bind(names)
        .fetch_all(tx.connection())
        .await
        .during("select the full runs to count")?;
    tx.rollback().await?;
    Ok(due)
}

/// Counts the records of a full run, and opens or resolves the action about a gap; returns none for an entity that this
/// version does not know.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn count(db: &Db, due: &DueCount) -> Result<Option<Counted>, Error> {
    let Some(entity) = entity::find(&due.entity) else { return Ok(None) };
    let mut tx = db.begin().await?;
    tx.query(statements::ALLOW_HASH_JOIN).execute(tx.connection()).await.during("set up a count")?;
    note_listed(&mut tx, entity, due).await?;
    let CountedListing { counts, unexplained_ids } = tx
        .query_as(AssertSqlSafe(statements::count_listing(entity)))
        .bind(entity.name)
        .bind(&due.run_id)
        .fetch_one(tx.connection())
        .await
        .during("count the records of a full run")?;
    let balance = counts.balance(matches!(entity.source, Source::Nested { .. }));
    store(&mut tx, due, &balance, &unexplained_ids).await?;
    update_action(&mut tx, entity, due, &balance, &unexplained_ids).await?;
    tx.commit().await?;
    let Balance { source_count, gap, .. } = balance;
    Ok(Some(Counted { entity: entity.name, run_id: due.run_id.clone(), source_count, gap }))
}

/// Notes which records the run listed: once, soon after it was settled, because staging moves on.
async fn note_listed(tx: &mut Tx, entity: &Entity, due: &DueCount) -> Result<(), Error> {
    let sql = if due.is_listed {
        statements::add_listed(entity)
    } else {
        tx.query(statements::FORGET_LISTED)
            .bind(entity.name)
            .execute(tx.connection())
            .await
            .during("forget the records of an earlier listing")?;
        statements::note_listed(entity)
    };
    tx.query(AssertSqlSafe(sql))
        .bind(entity.name)
        .bind(&due.run_id)
        .execute(tx.connection())
        .await
        .during("note the records of a listing")?;
    Ok(())
}

async fn store(tx: &mut Tx, due: &DueCount, balance: &Balance, ids: &[String]) -> Result<(), Error> {
    tx.query(statements::STORE)
        .bind(&due.entity)
        .bind(&due.run_id)
        .bind(&due.run_state)
        .bind(balance.source_count)
        .bind(balance.rows_present)
        .bind(balance.skipped)
        .bind(balance.failed)
        .bind(balance.waiting)
        .bind(balance.deleted)
        .bind(balance.gap)
        .bind(due.is_confirmed)
        .bind(ids)
        .execute(tx.connection())
        .await
        .during("store a count")?;
    Ok(())
}

/// Resolves the action of a gap that has closed; opens one for a gap that a newly settled run shows, or that has changed.
/// An action that a person closed stays closed until then.
async fn update_action(
    tx: &mut Tx,
    entity: &Entity,
    due: &DueCount,
    balance: &Balance,
    ids: &[String],
) -> Result<(), Error> {
    let kinds = [ActionKind::Incomplete];
    if balance.gap == 0 {
        return actions::resolve_of_entity(tx, &kinds, entity, Resolver::Reconciler).await;
    }
    if !due.is_confirmed || due.is_counted && due.gap == balance.gap {
        return Ok(());
    }
    actions::resolve_of_entity(tx, &kinds, entity, Resolver::Reconciler).await?;
    let Balance { source_count, rows_present, skipped, failed, waiting, deleted, gap } = balance;
    let reason = format!(
        "{source_count} at the source = {rows_present} rows + {skipped} skipped + {failed} failed + {waiting} waiting \
         + {deleted} gone since + {gap} unexplained"
    );
    let details = json!({ "reason": reason, "run_id": due.run_id, "ids": ids });
    let subject = format!("{gap:+} / {source_count}");
    let action = NewAction { subject: &subject, details };
    actions::open_or_update(tx, ActionKind::Incomplete, entity.name, &action).await
}
