//! Sweep: compares the newest complete listing of an entity with production and records the missing rows.

use chrono::{DateTime, Utc};
use model::entity::{self, DeletionPolicy, Entity};
use sqlx::AssertSqlSafe;

use super::lock::{listed_with, lock};
use super::statements::{self, Period};
use super::withhold::{self, SweepResult, exceeds_limit};
use crate::error::{During as _, Error};
use crate::pool::{Db, Tx};

/// Static statements of this file, by name.
pub(crate) const STATEMENTS: &[(&str, &str)] = &[
    ("entities_with_missing_records", ENTITIES_WITH_MISSING_RECORDS),
    ("claim_newest_listing", CLAIM_NEWEST_LISTING),
    ("allow_hash_join", ALLOW_HASH_JOIN),
    ("count_unidentified", COUNT_UNIDENTIFIED),
];

const ENTITIES_WITH_MISSING_RECORDS: &str = r"
    select distinct entity from missing_records
    union
    select distinct sync_type from sync_status
    where (mode = 'full' or window_start is not null) and coalesce(proves_absence, fetch_status = 'success') and swept_at is null
    ";

/// Marks the newest complete listing of `$1` as swept, and the older ones with it. One of the whole entity goes before
/// one of a period.
const CLAIM_NEWEST_LISTING: &str = r"
    update sync_status s set swept_at = clock_timestamp()
    from (
        select run_id, started_at, window_start, window_end from sync_status c
        where sync_type = $1 and (mode = 'full' or window_start is not null)
            and coalesce(proves_absence, fetch_status = 'success') and swept_at is null and pages_staged >= pages_expected
            -- Anyone but an administrator sees a part of the records.
            and coalesce(access_level, 'ADMIN') = 'ADMIN'
            and not exists (select from sync_status q where q.run_id = c.run_id and q.records_quarantined > 0)
        order by window_start is not null, started_at desc
        limit 1
    ) newest
    where s.sync_type = $1 and (s.mode = 'full' or s.window_start is not null)
        and (s.window_start is null) = (newest.window_start is null)
        and s.swept_at is null and s.started_at <= newest.started_at
    returning newest.run_id, newest.window_start, newest.window_end
    ";

/// Returns the elements of a listing that have no usable id, more than the least of the last listings of its kind had:
/// each of them may be a record that seems to be missing. Takes `$1` the entity, `$2` the run, `$3` true where every
/// incremental run lists the whole entity.
const COUNT_UNIDENTIFIED: &str = r"
    with counted as (
        select s.run_id, (
            select sum(q.records_unidentified) from sync_status q where q.run_id = s.run_id
        ) as unidentified
        from sync_status s, (select * from sync_status where sync_type = $1 and run_id = $2) listing
        where s.sync_type = $1 and (s.window_start is null) = (listing.window_start is null)
            and (s.mode = 'full' or s.mode = 'incremental' and ($3 or s.window_start is not null))
            and s.fetch_status = 'success' and s.pages_passed = 0 and s.pages_staged > 0
            and s.started_at <= listing.started_at and s.started_at > listing.started_at - interval '60 days'
        order by s.started_at desc
        limit 500
    )
    select (
        coalesce(max(unidentified) filter (where run_id = $2), 0) - coalesce(min(unidentified), 0)
    )::bigint as unidentified
    from counted
    ";

/// Lets the planner join table with table, as a sweep does once a week; batches join by index.
const ALLOW_HASH_JOIN: &str = "select set_config('enable_hashjoin', 'on', true)";

/// A complete listing: of the whole entity, or of a period where it has a window.
#[derive(Debug, sqlx::FromRow)]
struct Listing {
    run_id: String,
    window_start: Option<DateTime<Utc>>,
    window_end: Option<DateTime<Utc>>,
}

impl Listing {
    fn period(&self, entity: &Entity) -> Option<Period> {
        let (start, end) = self.window_start.zip(self.window_end)?;
        Some(Period { column: entity.date_column()?, start, end })
    }
}

/// Rows of an entity, as [`statements::count_missing`] counts them.
#[derive(Debug, sqlx::FromRow)]
struct SweepCounts {
    missing: i64,
    live: i64,
}

/// Returns the entities that have missing records, or a complete listing that was not swept yet.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn entities_with_missing_records(db: &Db) -> Result<Vec<&'static Entity>, Error> {
    let mut tx = db.begin().await?;
    let names: Vec<String> = tx
        .query_scalar(ENTITIES_WITH_MISSING_RECORDS)
        .fetch_all(tx.connection())
        .await
        .during("list the entities with missing records")?;
    tx.rollback().await?;
    let is_wanted = |entity: &&'static Entity| {
        entity.deletion_policy != DeletionPolicy::Never && names.iter().any(|name| name == entity.name)
    };
    Ok(entity::ALL.into_iter().filter(is_wanted).collect())
}

/// Records the rows that the newest complete listing lacks; returns none where every listing was swept. A listing is
/// complete once the fetcher has proven it so and every page of it is staged.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn process_sweep(
    db: &Db,
    entity: &'static Entity,
    share_max_percent: u32,
) -> Result<Option<SweepResult>, Error> {
    let mut tx = db.begin().await?;
    lock(&mut tx, entity).await?;
    let newest: Option<Listing> = tx
        .query_as(CLAIM_NEWEST_LISTING)
        .bind(entity.name)
        .fetch_optional(tx.connection())
        .await
        .during("claim a complete listing")?;
    let Some(listing) = newest else {
        tx.rollback().await?;
        return Ok(None);
    };
    let unidentified = count_unidentified(&mut tx, entity, &listing).await?;
    if unidentified > 0 && listing.window_start.is_some() {
        // Such listings come every few minutes: the next one, or that of everything, tells.
        tx.commit().await?;
        return Ok(Some(SweepResult { run_id: listing.run_id, unidentified, ..SweepResult::default() }));
    }
    let SweepCounts { missing, live } = record_missing(&mut tx, entity, &listing).await?;
    let is_withheld =
        missing > 0 && unidentified > 0 || exceeds_limit(entity, missing, live, share_max_percent);
    let result = SweepResult { run_id: listing.run_id, missing, live, unidentified, is_withheld };
    withhold::apply(&mut tx, entity, &result, share_max_percent).await?;
    tx.commit().await?;
    Ok(Some(result))
}

async fn count_unidentified(tx: &mut Tx, entity: &'static Entity, listing: &Listing) -> Result<i64, Error> {
    let lists_all = listed_with(entity).time_filter().is_none();
    tx.query_scalar(COUNT_UNIDENTIFIED)
        .bind(entity.name)
        .bind(&listing.run_id)
        .bind(lists_all)
        .fetch_one(tx.connection())
        .await
        .during("count unidentified elements of a listing")
}

async fn record_missing(tx: &mut Tx, entity: &Entity, listing: &Listing) -> Result<SweepCounts, Error> {
    tx.query(ALLOW_HASH_JOIN).execute(tx.connection()).await.during("set up a sweep")?;
    let period = listing.period(entity);
    for sql in [
        statements::insert_missing(entity, period.as_ref()),
        statements::delete_present(entity, period.as_ref()),
    ] {
        tx.query(AssertSqlSafe(sql))
            .bind(entity.name)
            .bind(&listing.run_id)
            .execute(tx.connection())
            .await
            .during("record missing records")?;
    }
    tx.query_as(AssertSqlSafe(statements::count_missing(entity, period.as_ref())))
        .bind(entity.name)
        .bind(&listing.run_id)
        .fetch_one(tx.connection())
        .await
        .during("count missing records")
}
