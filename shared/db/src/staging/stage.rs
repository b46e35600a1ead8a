//! Loads raw pages into an entity's staging table: everything, once, without losing a byte.

use std::collections::HashMap;

use model::entity::Entity;
use model::row::WRAPPER_KEY;
use protocol::raw_page::{Metadata, Node, Nodes};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};
use uuid::Uuid;

use crate::deletion::sweep;
use crate::error::{is_data_error, reason};
use crate::pool::{Db, Tx};
use crate::production::promote::PARTS;
use crate::runs::{self, StagedRun};
use crate::staging::last_seen::{Sighting, fetched_at, sightings, source_keys};

/// A raw page, taken apart.
#[derive(Debug)]
pub struct PageNodes<'a> {
    /// The object's key.
    pub source_key: &'a str,
    /// What was asked and when.
    pub metadata: &'a Metadata,
    /// Its records.
    pub nodes: Nodes<'a>,
}

/// What staging did with some pages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StagedCounts {
    /// Pages staged now; the others had been before.
    pub pages: u32,
    /// Rows that wait for the reconciler because of these pages.
    pub staged: u32,
    /// Records that staging had already.
    pub duplicates: u32,
    /// Records that `jsonb` refused and that were wrapped.
    pub wrapped: u32,
}

/// Stages pages of one entity, those of its nested entities included, in one transaction.
///
/// A page that was staged before is passed over, so that any redelivery is harmless. Stagers of one
/// entity take turns: whether a record is news depends on what the others have just written.
///
/// # Errors
/// The database refused or was out of reach; nothing was staged then.
pub async fn stage(
    db: &Db,
    entity: &'static Entity,
    pages: &[PageNodes<'_>],
) -> Result<StagedCounts, sqlx::Error> {
    let mut tx = db.begin().await?;
    tx.take_turn("stage", entity.staging_table).await?;
    let new = enter_pages(&mut tx, entity, pages).await?;
    let pages: Vec<&PageNodes<'_>> = pages.iter().filter(|page| new.contains_key(page.source_key)).collect();
    let mut counts =
        StagedCounts { pages: u32::try_from(pages.len()).unwrap_or(u32::MAX), ..StagedCounts::default() };
    if pages.is_empty() {
        tx.rollback().await?;
        return Ok(counts);
    }
    let replayed: Vec<bool> =
        pages.iter().map(|page| new.get(page.source_key).copied().unwrap_or_default()).collect();
    let own: Vec<&[Node<'_>]> = pages.iter().map(|page| page.nodes.own.as_slice()).collect();
    stage_nodes(&mut tx, entity, &pages, &replayed, &own, &mut counts).await?;
    for (place, (child, _)) in entity.children().enumerate() {
        let nested: Vec<&[Node<'_>]> = pages
            .iter()
            .map(|page| page.nodes.children.get(place).map_or(&[][..], |(_, nodes)| nodes))
            .collect();
        stage_nodes(&mut tx, child, &pages, &replayed, &nested, &mut counts).await?;
    }
    let answers: Vec<_> = pages
        .iter()
        .flat_map(|page| page.nodes.answers.iter().map(|answer| (page.metadata.fetched_at, answer)))
        .collect();
    sweep::record_answers(&mut tx, entity, &answers).await?;
    tx.commit().await?;
    Ok(counts)
}

/// Enters the pages in the ledger; answers those that were not in it, each with whether a person wants it
/// promoted once more: what such a page holds is news, known or not.
async fn enter_pages<'a>(
    tx: &mut Tx,
    entity: &Entity,
    pages: &'a [PageNodes<'a>],
) -> Result<HashMap<String, bool>, sqlx::Error> {
    let records = |page: &PageNodes<'_>| i32::try_from(page.nodes.own.len()).unwrap_or(i32::MAX);
    let rows = tx
        .query(
            r"
            with entered as (
                insert into staged_pages (source_key, entity, run_id, page, records)
                select source_key, $1, run_id, page, records
                from unnest($2::text[], $3::text[], $4::int[], $5::int[]) as u(source_key, run_id, page, records)
                on conflict (source_key) do nothing
                returning source_key
            ),
            replayed as (
                delete from replayed_pages where source_key in (select source_key from entered)
                returning source_key
            ),
            -- What could not be read before can be read now.
            readable as (
                update quarantine q set resolved_at = now()
                from entered e
                where q.source_key = e.source_key and q.resolved_at is null
                returning q.source_key
            ),
            answered as (
                update admin_actions a set resolved_at = now(), resolved_by = 'stager'
                from readable r
                where a.kind = 'quarantined' and a.subject = r.source_key and a.resolved_at is null
            )
            select source_key, exists (select from replayed r where r.source_key = e.source_key)
            from entered e
            ",
        )
        .bind(entity.name)
        .bind(pages.iter().map(|page| page.source_key).collect::<Vec<_>>())
        .bind(pages.iter().map(|page| page.metadata.run_id.as_str()).collect::<Vec<_>>())
        .bind(
            pages
                .iter()
                .map(|page| i32::try_from(page.metadata.page).unwrap_or(i32::MAX))
                .collect::<Vec<_>>(),
        )
        .bind(pages.iter().map(records).collect::<Vec<_>>())
        .fetch_all(tx.connection())
        .await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

async fn stage_nodes(
    tx: &mut Tx,
    entity: &'static Entity,
    pages: &[&PageNodes<'_>],
    replayed: &[bool],
    nodes: &[&[Node<'_>]],
    counts: &mut StagedCounts,
) -> Result<(), sqlx::Error> {
    let sightings = sightings(pages, nodes);
    let known = known(tx, entity, pages, replayed, &sightings).await?;
    let mut runs = StagedRun::of_pages(pages, nodes);
    let mut new = Vec::new();
    let mut again = Vec::new();
    for (place, sighting) in sightings.iter().enumerate() {
        let is_news = match known.get(&place) {
            None => {
                new.push(sighting);
                true
            }
            Some(known) => {
                again.push((sighting, known));
                known.revive
            }
        };
        // Each copy counts for the run that fetched it, so that every run's equation closes.
        if let Some(run) = runs.get_mut(&pages[sighting.page].metadata.run_id) {
            run.staged += i32::from(is_news);
            run.duplicates += i32::from(!is_news);
        }
        for other in &sighting.others {
            if let Some(run) = runs.get_mut(&pages[*other].metadata.run_id) {
                run.duplicates += 1;
            }
        }
        counts.staged += u32::from(is_news);
        counts.duplicates += u32::from(!is_news) + u32::try_from(sighting.others.len()).unwrap_or_default();
    }
    counts.wrapped += insert_isolating(tx, entity, pages, &new).await?;
    see_again(tx, entity, pages, &again).await?;
    runs::add_staged(tx, entity, runs.values()).await
}

/// A staging row that holds a sighted record already.
struct Known {
    id: Uuid,
    /// It was settled, and then replaced by other content, found to be gone, or asked for by a person: it
    /// is news again.
    revive: bool,
    /// It is counted already.
    is_replayed: bool,
}

/// The rows that hold these records already, by their place among the sightings. Locks them.
async fn known(
    tx: &mut Tx,
    entity: &Entity,
    pages: &[&PageNodes<'_>],
    replayed: &[bool],
    sightings: &[Sighting<'_>],
) -> Result<HashMap<usize, Known>, sqlx::Error> {
    let table = entity.staging_table;
    let sql = format!(
        r"
        select u.ord - 1 as place, s.id, s.processed, s.run_id,
            s.processed
            and s.gazelle_id <> ''
            and (s.fetched_at, s.source_key) < (u.fetched_at, u.source_key)
            and (s.gone_since <= u.fetched_at or exists (
                select from {table} o
                where o.gazelle_id = s.gazelle_id and o.id <> s.id
                    and (o.fetched_at, o.source_key, o.content_hash) > (s.fetched_at, s.source_key, s.content_hash)
                    and (o.fetched_at, o.source_key, o.content_hash) < (u.fetched_at, u.source_key, s.content_hash)
            )) is true as revive
        from unnest($1::text[], $2::bytea[], $3::timestamptz[], $4::text[])
            with ordinality as u(gazelle_id, content_hash, fetched_at, source_key, ord)
        join {table} s on s.gazelle_id = u.gazelle_id and s.content_hash = u.content_hash
        order by s.id
        for update of s
        "
    );
    let rows = tx
        .query(AssertSqlSafe(sql))
        .bind(sightings.iter().map(|seen| seen.node.id.as_deref().unwrap_or_default()).collect::<Vec<_>>())
        .bind(sightings.iter().map(|seen| seen.hash.to_vec()).collect::<Vec<_>>())
        .bind(fetched_at(pages, sightings.iter()))
        .bind(source_keys(pages, sightings.iter()))
        .fetch_all(tx.connection())
        .await?;
    rows.iter()
        .map(|row| {
            let place: i64 = row.try_get("place")?;
            let place = usize::try_from(place).unwrap_or(usize::MAX);
            let page = sightings.get(place).map_or(0, |seen| seen.page);
            let is_replayed = replayed.get(page).is_some_and(|replayed| *replayed);
            // One that still waits for the same run is counted with it anew: the replay began its counts anew.
            let run_id: &str = row.try_get("run_id")?;
            let is_of_its_run = pages.get(page).is_some_and(|page| page.metadata.run_id.as_str() == run_id);
            let is_counted_anew = is_replayed && (is_of_its_run || row.try_get("processed")?);
            let revive = row.try_get("revive")? || is_counted_anew;
            Ok((place, Known { id: row.try_get("id")?, revive, is_replayed }))
        })
        .collect()
}

/// Inserts new records; parts the batch around one that `jsonb` refuses until it stands alone, and
/// wraps that one. Answers how many were wrapped.
async fn insert_isolating(
    tx: &mut Tx,
    entity: &Entity,
    pages: &[&PageNodes<'_>],
    sightings: &[&Sighting<'_>],
) -> Result<u32, sqlx::Error> {
    let sql = insert_sql(entity);
    let mut wrapped = 0;
    let mut open = vec![sightings];
    while let Some(part) = open.pop() {
        let Some(first) = part.first() else { continue };
        let jsons: Vec<&str> = part.iter().map(|seen| seen.node.json).collect();
        let query = tx.query(AssertSqlSafe(sql.clone()));
        let mut savepoint = tx.connection().begin().await?;
        match insert(query, &mut savepoint, pages, part, &jsons).await {
            Ok(()) => savepoint.commit().await?,
            Err(error) if is_data_error(&error) => {
                savepoint.rollback().await?;
                if part.len() > 1 {
                    open.extend(part.chunks(part.len().div_ceil(PARTS)).rev());
                    continue;
                }
                let wrapper =
                    json!({ WRAPPER_KEY: { "reason": reason(&error), "json": first.node.json } }).to_string();
                let query = tx.query(AssertSqlSafe(sql.clone()));
                insert(query, tx.connection(), pages, part, &[&wrapper]).await?;
                wrapped += 1;
            }
            Err(error) => {
                savepoint.rollback().await?;
                return Err(error);
            }
        }
    }
    Ok(wrapped)
}

fn insert_sql(entity: &Entity) -> String {
    format!(
        r"
        insert into {} (gazelle_id, parent_id, content_hash, raw_data, raw_bytes, fetched_at,
            first_fetched_at, run_id, source_key, times_seen)
        select gazelle_id, parent_id, content_hash, raw_data::jsonb, length(raw_data), fetched_at,
            fetched_at, run_id, source_key, times_seen
        from unnest($1::text[], $2::text[], $3::bytea[], $4::text[], $5::timestamptz[], $6::text[], $7::text[], $8::int[])
            as u(gazelle_id, parent_id, content_hash, raw_data, fetched_at, run_id, source_key, times_seen)
        ",
        entity.staging_table
    )
}

async fn insert(
    query: sqlx::query::Query<'_, sqlx::Postgres, sqlx::postgres::PgArguments>,
    connection: &mut PgConnection,
    pages: &[&PageNodes<'_>],
    sightings: &[&Sighting<'_>],
    jsons: &[&str],
) -> Result<(), sqlx::Error> {
    let all = || sightings.iter().copied();
    query
        .bind(all().map(|seen| seen.node.id.clone().unwrap_or_default()).collect::<Vec<_>>())
        .bind(all().map(|seen| seen.node.parent_id.clone()).collect::<Vec<_>>())
        .bind(all().map(|seen| seen.hash.to_vec()).collect::<Vec<_>>())
        .bind(jsons.iter().map(|json| (*json).to_owned()).collect::<Vec<_>>())
        .bind(fetched_at(pages, all()))
        .bind(all().map(|seen| pages[seen.page].metadata.run_id.to_string()).collect::<Vec<_>>())
        .bind(all().map(|seen| pages[seen.page].source_key.to_owned()).collect::<Vec<_>>())
        .bind(all().map(Sighting::times).collect::<Vec<_>>())
        .execute(connection)
        .await?;
    Ok(())
}

/// Counts records that staging had already and moves their last sighting forward.
async fn see_again(
    tx: &mut Tx,
    entity: &Entity,
    pages: &[&PageNodes<'_>],
    again: &[(&Sighting<'_>, &Known)],
) -> Result<(), sqlx::Error> {
    if again.is_empty() {
        return Ok(());
    }
    let sql = format!(
        r"
        update {} s set
            times_seen = s.times_seen + u.times_seen,
            fetched_at = case when u.newer then u.fetched_at else s.fetched_at end,
            source_key = case when u.newer then u.source_key else s.source_key end,
            -- What is news again is as fresh as the page that brought it.
            first_fetched_at = case when u.revive and u.newer then u.fetched_at else s.first_fetched_at end,
            run_id = case when u.revive then u.run_id else s.run_id end,
            gone_since = case when u.revive and u.fetched_at >= s.gone_since then null else s.gone_since end,
            processed = s.processed and not u.revive,
            outcome = case when u.revive then null else s.outcome end,
            processed_at = case when u.revive then null else s.processed_at end,
            processing_attempts = case when u.revive then 0 else s.processing_attempts end,
            next_attempt_at = case when u.revive then now() else s.next_attempt_at end
        from (
            select u.*, (k.fetched_at, k.source_key) < (u.fetched_at, u.source_key) as newer
            from unnest($1::uuid[], $2::int[], $3::timestamptz[], $4::text[], $5::text[], $6::boolean[])
                as u(id, times_seen, fetched_at, source_key, run_id, revive)
            join {} k on k.id = u.id
        ) u
        where s.id = u.id
        ",
        entity.staging_table, entity.staging_table
    );
    let sightings = || again.iter().map(|(seen, _)| *seen);
    tx.query(AssertSqlSafe(sql))
        .bind(again.iter().map(|(_, known)| known.id).collect::<Vec<_>>())
        .bind(
            again
                .iter()
                .map(|(seen, known)| if known.is_replayed { 0 } else { seen.times() })
                .collect::<Vec<_>>(),
        )
        .bind(fetched_at(pages, sightings()))
        .bind(source_keys(pages, sightings()))
        .bind(sightings().map(|seen| pages[seen.page].metadata.run_id.as_str()).collect::<Vec<_>>())
        .bind(again.iter().map(|(_, known)| known.revive).collect::<Vec<_>>())
        .execute(tx.connection())
        .await?;
    Ok(())
}
