//! Audit of the bucket against the database, and preparation of a replay.

use model::entity::Entity;

use crate::error::{During as _, Error};
use crate::pool::Db;

/// Static statements of this file.
pub(crate) const STATEMENTS: &[(&str, &str)] = &[
    ("select_unknown_pages", SELECT_UNKNOWN_PAGES),
    ("select_unheard_runs", SELECT_UNHEARD_RUNS),
    ("prepare_replay", PREPARE_REPLAY),
];

const SELECT_UNKNOWN_PAGES: &str = r"
    select key from unnest($1::text[]) as u(key)
    where not exists (select from staged_pages p where p.source_key = u.key)
        and not exists (select from quarantine q where q.source_key = u.key)
    ";

/// Returns those of the object keys that neither the ledger of staged pages nor the quarantine holds.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn unknown_pages(db: &Db, keys: &[String]) -> Result<Vec<String>, Error> {
    let mut tx = db.begin().await?;
    let unknown = tx
        .query_scalar(SELECT_UNKNOWN_PAGES)
        .bind(keys)
        .fetch_all(tx.connection())
        .await
        .during("select unknown pages")?;
    tx.rollback().await?;
    Ok(unknown)
}

const SELECT_UNHEARD_RUNS: &str = r"
    select run_id from unnest($2::text[]) as u(run_id)
    where not exists (
        select from sync_status s
        where s.run_id = u.run_id and s.sync_type = $1 and s.status <> 'running'
    )
    ";

/// Returns those of an entity's runs that the database does not know, or whose end it does not know.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn unheard_runs(db: &Db, entity: &Entity, run_ids: &[String]) -> Result<Vec<String>, Error> {
    let mut tx = db.begin().await?;
    let unheard = tx
        .query_scalar(SELECT_UNHEARD_RUNS)
        .bind(entity.name)
        .bind(run_ids)
        .fetch_all(tx.connection())
        .await
        .during("select runs without an end")?;
    tx.rollback().await?;
    Ok(unheard)
}

const PREPARE_REPLAY: &str = r"
    with wanted as (
        insert into replayed_pages (source_key) select unnest($1::text[])
        on conflict (source_key) do nothing
    ),
    forgotten as (
        delete from staged_pages where source_key = any($1) returning run_id, source_key
    )
    update sync_status s set
        status = 'running', completed_at = null,
        pages_staged = s.pages_staged - least(f.pages, s.pages_staged),
        records_fetched = 0, records_staged = 0, records_duplicate = 0, records_quarantined = 0,
        records_outside = 0, records_processed = 0, records_unchanged = 0, records_skipped = 0,
        records_failed = 0, records_unidentified = 0, replayed_at = clock_timestamp()
    from (select run_id, count(*)::int as pages from forgotten group by run_id) f
    where s.run_id = f.run_id
    ";

/// Removes pages from the ledger, so that they are staged once more when they are announced again, and starts the counts
/// of their runs anew.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn prepare_replay(db: &Db, keys: &[String]) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    tx.query(PREPARE_REPLAY).bind(keys).execute(tx.connection()).await.during("prepare a replay")?;
    tx.commit().await
}
