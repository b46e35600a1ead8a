//! Lookups: missing records that the source is asked for by id, and its results.

use chrono::{DateTime, Utc};
use model::entity::{DeletionPolicy, Entity, TimeFilter};
use protocol::lookup::LookupResult;

use crate::error::{During as _, Error};
use crate::pool::{Db, Tx};

/// Full runs within half a day past which no further one is requested: a source that hides records at random would
/// keep the fetcher listing everything.
const RECENT_FULL_RUNS_MAX: i64 = 6;

/// Static statements of this file, by name.
pub(crate) const STATEMENTS: &[(&str, &str)] = &[
    ("pending_ids", PENDING_IDS),
    ("count_recent_full_runs", COUNT_RECENT_FULL_RUNS),
    ("mark_lookup_sent", MARK_LOOKUP_SENT),
    ("record_lookup_results", RECORD_LOOKUP_RESULTS),
];

const PENDING_IDS: &str = r"
    select id from missing_records
    where entity = $1 and (not withheld or is_unproven) and (answer is null or answer in ('found', 'unclear')) and (times = 1 or $2)
        and (asked_at is null or $2 and answer is distinct from 'found' and asked_at < now() - interval '1 day')
    order by id
    limit $3
    ";

const COUNT_RECENT_FULL_RUNS: &str = r"
    select count(*) from sync_status
    where sync_type = $1 and mode = 'full' and started_at > now() - interval '12 hours'
    ";

const MARK_LOOKUP_SENT: &str = r"
    update missing_records set asked_at = clock_timestamp()
    where entity = $1 and (not withheld or is_unproven) and ($2::text[] is null or id = any($2))
    ";

/// Takes `$1` the entity, `$2` ids, `$3` results, `$4` the instants they were fetched at, and `$5` true where complete
/// listings of a period come every few minutes.
const RECORD_LOOKUP_RESULTS: &str = r"
    with said as (
        select distinct on (id) id, answer, at
        from unnest($2::text[], $3::text[], $4::timestamptz[]) as u(id, answer, at)
        order by id, at desc
    ),
    noted as (
        update missing_records m set
            -- A record that was found and is now said to be gone becomes a candidate first: the next listing counts
            -- it among the missing ones, and it is looked up once more.
            answer = case when m.answer = 'found' and said.answer = 'gone' then 'unclear' else said.answer end,
            times = case when said.answer = 'found' then 0 else m.times end,
            confirmed_by = case when said.answer = 'found' then null else m.confirmed_by end
        from said
        -- A result from before the record went missing proves nothing.
        where m.entity = $1 and m.id = said.id and said.at >= m.missing_since and (said.answer <> 'found' or $5)
    )
    delete from missing_records m using said
    where m.entity = $1 and m.id = said.id and said.at >= m.missing_since and said.answer = 'found' and not $5
    ";

/// Request to the source that must precede the deletion of missing records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PendingLookup {
    /// No request: nothing is missing, or everything was asked.
    None,
    /// A lookup of these ids.
    ByIds(Vec<String>),
    /// A second complete listing of the entity.
    FullSync,
}

/// Returns the request that must be sent before missing records can be deleted, with `ids_max` ids at most.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn pending_lookup(db: &Db, entity: &Entity, ids_max: usize) -> Result<PendingLookup, Error> {
    let is_looked_up = matches!(entity.deletion_policy, DeletionPolicy::LookupById { .. });
    let mut tx = db.begin().await?;
    let ids: Vec<String> = tx
        .query_scalar(PENDING_IDS)
        .bind(entity.name)
        .bind(is_looked_up)
        .bind(i64::try_from(ids_max).unwrap_or(i64::MAX))
        .fetch_all(tx.connection())
        .await
        .during("list pending lookups")?;
    let full_runs: i64 = tx
        .query_scalar(COUNT_RECENT_FULL_RUNS)
        .bind(entity.name)
        .fetch_one(tx.connection())
        .await
        .during("count recent full runs")?;
    tx.rollback().await?;
    Ok(match entity.deletion_policy {
        _ if ids.is_empty() => PendingLookup::None,
        DeletionPolicy::LookupById { .. } => PendingLookup::ByIds(ids),
        DeletionPolicy::TwoFullSyncs if full_runs < RECENT_FULL_RUNS_MAX => PendingLookup::FullSync,
        DeletionPolicy::TwoFullSyncs | DeletionPolicy::Never => PendingLookup::None,
    })
}

/// Records that a request for missing records was sent.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn mark_lookup_sent(db: &Db, entity: &Entity, lookup: &PendingLookup) -> Result<(), Error> {
    let ids = match lookup {
        PendingLookup::None => return Ok(()),
        PendingLookup::ByIds(ids) => Some(ids),
        PendingLookup::FullSync => None,
    };
    let mut tx = db.begin().await?;
    tx.query(MARK_LOOKUP_SENT)
        .bind(entity.name)
        .bind(ids)
        .execute(tx.connection())
        .await
        .during("mark lookups as sent")?;
    tx.commit().await
}

/// Records the lookup results of missing records. A record that is there is missing no more; where complete listings
/// come every few minutes it is only left alone for a while.
pub(crate) async fn record_lookup_results(
    tx: &mut Tx,
    entity: &Entity,
    results: &[(DateTime<Utc>, &(String, LookupResult))],
) -> Result<(), Error> {
    if results.is_empty() {
        return Ok(());
    }
    tx.query(RECORD_LOOKUP_RESULTS)
        .bind(entity.name)
        .bind(results.iter().map(|(_, (id, _))| id.as_str()).collect::<Vec<_>>())
        .bind(results.iter().map(|(_, (_, result))| stored_value(*result)).collect::<Vec<_>>())
        .bind(results.iter().map(|(at, _)| *at).collect::<Vec<_>>())
        .bind(entity.time_filter().is_some_and(TimeFilter::proves_absence))
        .execute(tx.connection())
        .await
        .during("record lookup results")?;
    Ok(())
}

/// Returns the value of the column `missing_records.answer`.
const fn stored_value(result: LookupResult) -> &'static str {
    match result {
        LookupResult::Found => "found",
        LookupResult::Gone => "gone",
        LookupResult::Unclear => "unclear",
    }
}
