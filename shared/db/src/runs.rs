//! `sync_status`: a row per run and entity, from the fetcher's manifest and the counts of staging and settling.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use model::entity::Entity;
use protocol::action::ActionKind;
use protocol::alert::lane_subject;
use protocol::lane::Lane;
use protocol::manifest::{Manifest, RunStatus};
use protocol::object_key::{self, RunId};
use protocol::raw_page::{Metadata, Node};
use protocol::request::ModeName;
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::actions::{self, NewAction, Resolver, ServedRecords};
use crate::error::{During as _, Error};
use crate::pool::{Db, Tx};
use crate::staging::page::PageNodes;
use crate::statements::staging;

/// Static statements of this file.
pub(crate) const STATEMENTS: &[(&str, &str)] = &[
    ("add_staged", ADD_STAGED),
    ("add_quarantined", ADD_QUARANTINED),
    ("record_manifest", RECORD_MANIFEST),
    ("close_runs", CLOSE_RUNS),
    ("close_silent_runs", CLOSE_SILENT_RUNS),
];

/// Reasons for failed records that the summary of a run names at most.
const REASONS_MAX: i64 = 3;

/// Runs that staging adds to, by their id.
pub(crate) type StagedRuns = BTreeMap<RunId, StagedRun>;

/// Counts that staging adds to one run.
pub(crate) struct StagedRun {
    run_id: RunId,
    mode: String,
    /// Time at which the oldest of the pages was fetched.
    started_at: DateTime<Utc>,
    pages: i32,
    /// Records of the entity in the pages.
    fetched: i32,
    /// Time at which the newest of the pages was fetched.
    listed_until: DateTime<Utc>,
    /// Records outside the window that was asked for, which the pages leave out.
    outside: i32,
    /// Records that became pending.
    pub(crate) staged: i32,
    /// Further copies, and records that staging held already.
    pub(crate) duplicates: i32,
    /// Records in damaged parts of the pages.
    damaged: i32,
    /// Records without a usable id.
    unidentified: i32,
}

impl StagedRun {
    /// Returns the runs of these pages; `nodes` are the records of one entity in each page. Damaged parts count for the
    /// entity that is listed alone, because what was nested in them is unknown.
    pub(crate) fn of_pages(
        pages: &[&PageNodes<'_>],
        nodes: &[&[Node<'_>]],
        counts_damage: bool,
    ) -> StagedRuns {
        let mut runs = StagedRuns::new();
        for (page, nodes) in pages.iter().zip(nodes) {
            let metadata = page.metadata;
            let run = runs.entry(metadata.run_id.clone()).or_insert_with(|| Self {
                run_id: metadata.run_id.clone(),
                mode: metadata.mode.clone(),
                started_at: page.fetched_at,
                pages: 0,
                fetched: 0,
                listed_until: page.fetched_at,
                outside: 0,
                staged: 0,
                duplicates: 0,
                damaged: 0,
                unidentified: 0,
            });
            let damaged = if counts_damage { page.damaged } else { 0 };
            let damaged = i32::try_from(damaged).unwrap_or(i32::MAX);
            let unidentified =
                nodes.iter().filter(|node| node.id.as_deref().unwrap_or_default().is_empty()).count();
            run.pages += 1;
            run.damaged = run.damaged.saturating_add(damaged);
            run.fetched = run.fetched.saturating_add(clamp(nodes.len())).saturating_add(damaged);
            run.outside = run.outside.saturating_add(i32::try_from(page.nodes.left_out).unwrap_or(i32::MAX));
            run.unidentified = run.unidentified.saturating_add(clamp(unidentified));
            run.started_at = run.started_at.min(page.fetched_at);
            run.listed_until = run.listed_until.max(page.fetched_at);
        }
        runs
    }
}

fn clamp(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

const ADD_STAGED: &str = r"
    insert into sync_status as s (run_id, sync_type, mode, started_at, pages_staged,
        records_fetched, records_outside, records_staged, records_duplicate, records_quarantined, records_unidentified,
        listed_until)
    select run_id, $1, mode, started_at, pages, fetched, outside, staged, duplicates, damaged, unidentified, listed_until
    from unnest($2::text[], $3::text[], $4::timestamptz[], $5::int[], $6::int[], $7::int[], $8::int[], $9::int[],
            $10::int[], $11::int[], $12::timestamptz[])
        as u(run_id, mode, started_at, pages, fetched, outside, staged, duplicates, damaged, unidentified, listed_until)
    order by run_id
    on conflict (run_id, sync_type) do update set
        pages_staged = s.pages_staged + excluded.pages_staged,
        records_fetched = s.records_fetched + excluded.records_fetched,
        records_outside = s.records_outside + excluded.records_outside,
        records_staged = s.records_staged + excluded.records_staged,
        records_duplicate = s.records_duplicate + excluded.records_duplicate,
        records_quarantined = s.records_quarantined + excluded.records_quarantined,
        records_unidentified = s.records_unidentified + excluded.records_unidentified,
        listed_until = greatest(s.listed_until, excluded.listed_until)
    ";

/// Adds the counts of staged records to the runs that fetched them.
pub(crate) async fn add_staged(
    tx: &mut Tx,
    entity: &Entity,
    runs: impl Iterator<Item = &StagedRun> + Clone,
) -> Result<(), Error> {
    let counts = |count: fn(&StagedRun) -> i32| runs.clone().map(count).collect::<Vec<_>>();
    tx.query(ADD_STAGED)
        .bind(entity.name)
        .bind(runs.clone().map(|run| run.run_id.to_string()).collect::<Vec<_>>())
        .bind(runs.clone().map(|run| run.mode.clone()).collect::<Vec<_>>())
        .bind(runs.clone().map(|run| run.started_at).collect::<Vec<_>>())
        .bind(counts(|run| run.pages))
        .bind(counts(|run| run.fetched))
        .bind(counts(|run| run.outside))
        .bind(counts(|run| run.staged))
        .bind(counts(|run| run.duplicates))
        .bind(counts(|run| run.damaged))
        .bind(counts(|run| run.unidentified))
        .bind(runs.clone().map(|run| run.listed_until).collect::<Vec<_>>())
        .execute(tx.connection())
        .await
        .during("add staged records to their runs")?;
    let ids: Vec<String> = runs.map(|run| run.run_id.to_string()).collect();
    close(tx, &[entity.name], &ids).await
}

const ADD_QUARANTINED: &str = r"
    with entered as (
        insert into staged_pages (source_key, entity, run_id, page, records)
        values ($1, $2, $3, $4, $5)
        on conflict (source_key) do nothing
        returning source_key
    )
    insert into sync_status as s (run_id, sync_type, mode, started_at, pages_staged, records_fetched,
        records_quarantined)
    select $3, sync_type, $6, least($7, clock_timestamp()), 1, records, records
    from (select sync_type, case when sync_type = $2 then $5 else 0 end as records
          from entered, unnest($8::text[]) as u(sync_type)) u
    order by sync_type <> $2, sync_type
    on conflict (run_id, sync_type) do update set
        pages_staged = s.pages_staged + 1,
        records_fetched = s.records_fetched + excluded.records_fetched,
        records_quarantined = s.records_quarantined + excluded.records_quarantined
    ";

/// Counts a page that cannot be taken apart: its records are quarantined, and its run goes on without it.
pub(crate) async fn add_quarantined(
    tx: &mut Tx,
    entity: &Entity,
    source_key: &str,
    metadata: &Metadata,
) -> Result<(), Error> {
    let names: Vec<&str> =
        std::iter::once(entity.name).chain(entity.children().map(|(child, _)| child.name)).collect();
    tx.query(ADD_QUARANTINED)
        .bind(source_key)
        .bind(entity.name)
        .bind(metadata.run_id.as_str())
        .bind(i32::try_from(metadata.page).unwrap_or(i32::MAX))
        .bind(i32::try_from(metadata.record_count).unwrap_or(i32::MAX))
        .bind(&metadata.mode)
        .bind(metadata.fetched_at)
        .bind(&names)
        .execute(tx.connection())
        .await
        .during("add a quarantined page to its run")?;
    close(tx, &names, &[metadata.run_id.to_string()]).await
}

const RECORD_MANIFEST: &str = r"
    insert into sync_status as s (run_id, sync_type, mode, started_at, fetch_status, pages_expected,
        source_count, error_summary, manifest_revision, pages_passed, records_passed, source_count_first,
        records_distinct, window_start, window_end, access_level, proves_absence, lane, fetch_ended_at)
    select $1, sync_type, $3, least($4, clock_timestamp()), $5, $6, case when sync_type = $8 then $7::bigint end,
        case when $9::text is not null then jsonb_build_object('fetch', $9::text) end, $10, $11,
        case when sync_type = $8 then $12 else 0 end, case when sync_type = $8 then $13::bigint end,
        case when sync_type = $8 then $14::bigint end, case when sync_type = $8 then $15::timestamptz end,
        case when sync_type = $8 then $16::timestamptz end, $17, case when sync_type = $8 then $18::boolean end,
        $19, least($20, clock_timestamp())
    from unnest($2::text[]) as u(sync_type)
    -- Parent before child, as staging does: in another order two transactions could wait for each other.
    order by sync_type <> $8, sync_type
    on conflict (run_id, sync_type) do update set
        mode = excluded.mode,
        started_at = excluded.started_at,
        fetch_status = excluded.fetch_status,
        pages_expected = excluded.pages_expected,
        source_count = coalesce(excluded.source_count, s.source_count),
        error_summary = excluded.error_summary,
        manifest_revision = excluded.manifest_revision,
        pages_passed = excluded.pages_passed,
        records_passed = excluded.records_passed,
        source_count_first = coalesce(excluded.source_count_first, s.source_count_first),
        records_distinct = excluded.records_distinct,
        window_start = excluded.window_start,
        window_end = excluded.window_end,
        access_level = coalesce(excluded.access_level, s.access_level),
        proves_absence = excluded.proves_absence,
        lane = coalesce(excluded.lane, s.lane),
        fetch_ended_at = excluded.fetch_ended_at,
        -- A failed run that was resumed gets a new status at its end.
        status = case when s.status = 'failed' then 'running' else s.status end,
        completed_at = case when s.status = 'failed' then null else s.completed_at end
    where s.manifest_revision < excluded.manifest_revision
    ";

/// Records the fetcher's manifest of a run, for the entity and those nested in it.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn record_manifest(db: &Db, entity: &Entity, manifest: &Manifest) -> Result<(), Error> {
    let names: Vec<&str> =
        std::iter::once(entity.name).chain(entity.children().map(|(child, _)| child.name)).collect();
    let ended = (manifest.status != RunStatus::Running).then(|| manifest.status.as_str());
    let complete_for = manifest.window.filter(|_| manifest.proves_absence);
    let mut tx = db.begin().await?;
    tx.query(RECORD_MANIFEST)
        .bind(manifest.run_id.as_str())
        .bind(&names)
        .bind(&manifest.mode)
        .bind(manifest.started_at)
        .bind(ended)
        .bind(i32::try_from(manifest.pages).unwrap_or(i32::MAX))
        .bind(manifest.total_count.and_then(|count| i64::try_from(count).ok()))
        .bind(entity.name)
        .bind(manifest.error.as_ref().map(|error| error.replace('\0', "")))
        .bind(i32::try_from(manifest.revision).unwrap_or(i32::MAX))
        .bind(i32::try_from(manifest.pages_passed).unwrap_or(i32::MAX))
        .bind(i32::try_from(manifest.records_passed).unwrap_or(i32::MAX))
        .bind(manifest.total_count_first.and_then(|count| i64::try_from(count).ok()))
        .bind(manifest.distinct.and_then(|count| i64::try_from(count).ok()))
        .bind(complete_for.map(|window| window.start))
        .bind(complete_for.and_then(|window| window.end))
        .bind(manifest.access_level.as_ref().map(|level| level.replace('\0', "")))
        // An import writes no listing of the source.
        .bind(ended.map(|_| manifest.proves_absence))
        .bind(manifest.lane.map(Lane::as_str))
        .bind(manifest.ended_at)
        .execute(tx.connection())
        .await
        .during("record a manifest")?;
    actions::resolve_quarantined(&mut tx, &object_key::manifest(entity.name, &manifest.run_id)).await?;
    update_actions(&mut tx, entity, manifest).await?;
    close(&mut tx, &names, &[manifest.run_id.to_string()]).await?;
    tx.commit().await
}

/// Opens an action where only a person can help the fetcher, and resolves it when a run has succeeded since. Any success
/// proves the credentials; a refused query is accepted again once its own lane succeeds, because lookups and listings
/// send different queries. Records that are not served have an action each.
async fn update_actions(tx: &mut Tx, entity: &Entity, manifest: &Manifest) -> Result<(), Error> {
    update_unserved(tx, entity, manifest).await?;
    let lane = manifest.lane.unwrap_or(Lane::Incremental);
    if let Some(kind) = manifest.action.filter(|kind| *kind != ActionKind::Unserved) {
        let reason = manifest.error.as_ref().map(|error| error.replace('\0', ""));
        let details = json!({ "reason": reason, "run_id": manifest.run_id.as_str() });
        let subject = match kind {
            ActionKind::Schema => lane_subject(entity.name, lane),
            _ => entity.name.to_owned(),
        };
        actions::open(tx, kind, entity.name, &[NewAction { subject: &subject, details }]).await
    } else if manifest.status == RunStatus::Success {
        actions::resolve_of_entity(tx, &[ActionKind::Credentials], entity, Resolver::Fetcher).await?;
        let subjects = [lane_subject(entity.name, lane)];
        actions::resolve(tx, ActionKind::Schema, entity, &subjects, Resolver::Fetcher).await
    } else {
        Ok(())
    }
}

/// Opens an action for each record that the run was not served, and resolves those of the records that it was served.
async fn update_unserved(tx: &mut Tx, entity: &Entity, manifest: &Manifest) -> Result<(), Error> {
    let lane: &str = match manifest.lane {
        Some(lane) => lane.as_str(),
        None => &manifest.mode,
    };
    let subjects: Vec<String> = manifest.unserved.iter().map(|unserved| unserved.subject(lane)).collect();
    let found: Vec<NewAction<'_>> = manifest
        .unserved
        .iter()
        .zip(&subjects)
        .map(|(unserved, subject)| NewAction {
            subject,
            details: json!({
                "lane": lane, "page": unserved.page, "position": unserved.position, "rest": unserved.rest,
                "reason": unserved.reason, "run_id": manifest.run_id.as_str(),
            }),
        })
        .collect();
    actions::open(tx, ActionKind::Unserved, entity.name, &found).await?;
    let has_read_all = matches!(manifest.status, RunStatus::Success | RunStatus::Partial)
        && lane != Lane::Verify.as_str()
        && manifest.mode != ModeName::Import.as_str();
    let served = ServedRecords {
        subjects_left: &subjects,
        ids: &manifest.served,
        lane: has_read_all.then_some(lane),
        is_full: has_read_all && lane == Lane::Full.as_str(),
    };
    actions::resolve_served(tx, entity, &served).await
}

/// Ends the runs whose equation has closed: fetched to the end, every page staged, no record pending. A failed fetch
/// ends its run at once; the records that it did store are still promoted. Writes the most frequent reasons for failed
/// records, each with its count, into the summary of the ended runs.
pub(crate) async fn close_runs(tx: &mut Tx, entity: &Entity, run_ids: &[String]) -> Result<(), Error> {
    close(tx, &[entity.name], run_ids).await?;
    tx.query(AssertSqlSafe(staging::explain_failures(entity)))
        .bind(run_ids)
        .bind(entity.name)
        .bind(REASONS_MAX)
        .execute(tx.connection())
        .await
        .during("explain the failures of runs")?;
    Ok(())
}

const CLOSE_RUNS: &str = r"
    update sync_status set
        completed_at = coalesce(completed_at, clock_timestamp()),
        status = case
            when fetch_status = 'failed' then 'failed'
            when fetch_status = 'partial' or records_failed > 0 or records_quarantined > 0 then 'partial'
            when records_fetched <> records_staged + records_duplicate + records_quarantined then 'partial'
            else 'success'
        end,
        error_rate = case when records_fetched = 0 then 0
            else 100.0 * (records_failed + records_quarantined) / records_fetched end,
        -- 100 if every record was settled within an hour of the beginning of the run.
        data_freshness_score = least(100, 100.0 * 3600
            / greatest(extract(epoch from clock_timestamp() - started_at), 1)),
        performance_metrics = jsonb_build_object(
            'seconds', round(extract(epoch from clock_timestamp() - started_at)::numeric, 3),
            'pages', pages_staged,
            'records_per_second', round((records_fetched
                / greatest(extract(epoch from clock_timestamp() - started_at), 0.001))::numeric, 1),
            -- From Gazelle's listing to the row, of what the run saw first; null where it brought nothing new.
            'latency_seconds', (
                select case when max(total) > 0 then jsonb_build_object(
                    'p50', min(bound) filter (where below >= 0.5 * total),
                    'p95', min(bound) filter (where below >= 0.95 * total),
                    'max', max(longest)) end
                from (
                    select least(0.0625 * 2 ^ ((bucket - 1) / 4.0), latency_max_seconds) as bound,
                        latency_max_seconds as longest,
                        sum(count) over (order by bucket) as below, sum(count) over () as total
                    from unnest(latency_histogram) with ordinality as h(count, bucket)
                ) buckets
            ),
            'records_timed', records_timed,
            'records_on_time', records_on_time
        )
    where run_id = any($1) and sync_type = any($2) and status = 'running' and fetch_status is not null
        and (fetch_status = 'failed' or (pages_staged >= pages_expected and records_pending = 0))
    ";

/// Ends the runs that are complete, and computes their status and their figures.
async fn close(tx: &mut Tx, sync_types: &[&str], run_ids: &[String]) -> Result<(), Error> {
    tx.query(CLOSE_RUNS)
        .bind(run_ids)
        .bind(sync_types)
        .execute(tx.connection())
        .await
        .during("close runs")?;
    Ok(())
}

const CLOSE_SILENT_RUNS: &str = r"
    update sync_status s set status = 'failed', completed_at = clock_timestamp(),
        error_summary = coalesce(s.error_summary, '{}') || jsonb_build_object('watchdog', 'the run ended without a word')
    where s.status = 'running' and s.fetch_status is null and s.started_at < now() - interval '1 hour'
        and not exists (
            select from staged_pages p
            where p.run_id = s.run_id and p.staged_at > now() - interval '30 minutes'
        )
    returning s.sync_type || ' ' || s.run_id
    ";

/// Closes runs that have gone silent: begun over an hour ago, never ended, no page staged for half an hour. Returns the
/// entity and the id of each, separated by a space. A run that goes on after all gets a new status at its end.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn close_silent_runs(db: &Db) -> Result<Vec<String>, Error> {
    let mut tx = db.begin().await?;
    let closed =
        tx.query_scalar(CLOSE_SILENT_RUNS).fetch_all(tx.connection()).await.during("close silent runs")?;
    tx.commit().await?;
    Ok(closed)
}
