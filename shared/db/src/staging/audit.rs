//! What the bucket holds and the database does not know, and what shall be staged once more.

use model::entity::Entity;

use crate::pool::Db;

/// Those of the keys that neither the ledger of pages nor the quarantine names.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn unknown_pages(db: &Db, keys: &[String]) -> Result<Vec<String>, sqlx::Error> {
    let mut tx = db.begin().await?;
    let unknown = tx
        .query(
            r"
            select key from unnest($1::text[]) as u(key)
            where not exists (select from staged_pages p where p.source_key = u.key)
                and not exists (select from quarantine q where q.source_key = u.key)
            ",
        )
        .bind(keys)
        .fetch_all(tx.connection())
        .await?;
    tx.rollback().await?;
    unknown.iter().map(|row| sqlx::Row::try_get(row, 0)).collect()
}

/// Those of an entity's runs of which the database has heard neither the beginning nor the end.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn unheard_runs(db: &Db, entity: &Entity, run_ids: &[String]) -> Result<Vec<String>, sqlx::Error> {
    let mut tx = db.begin().await?;
    let unheard = tx
        .query(
            r"
            select run_id from unnest($2::text[]) as u(run_id)
            where not exists (
                select from sync_status s
                where s.run_id = u.run_id and s.sync_type = $1 and s.status <> 'running'
            )
            ",
        )
        .bind(entity.name)
        .bind(run_ids)
        .fetch_all(tx.connection())
        .await?;
    tx.rollback().await?;
    unheard.iter().map(|row| sqlx::Row::try_get(row, 0)).collect()
}

/// Has pages staged once more when they are announced again: the ledger forgets them, and the counts of
/// their runs begin anew.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn prepare_replay(db: &Db, keys: &[String]) -> Result<(), sqlx::Error> {
    let mut tx = db.begin().await?;
    tx.query(
        r"
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
            records_failed = 0
        from (select run_id, count(*)::int as pages from forgotten group by run_id) f
        where s.run_id = f.run_id
        ",
    )
    .bind(keys)
    .execute(tx.connection())
    .await?;
    tx.commit().await
}
