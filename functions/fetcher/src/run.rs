//! One run of one entity: page after page from Gazelle to the sink, resumable at every page.

mod active_run;
mod distinct;
mod ending;
mod listing;
mod lookups;
mod page_store;
mod persistence;
mod search;
mod search_back;

use model::entity::Entity;
use protocol::manifest::RunStatus;
use tokio::time::Instant;

use crate::error::{FetchError, PAGES_PER_RUN_MAX};
use crate::job::{Job, OnPage, RunContext};
use crate::lane_claim::ClaimedRun;
use crate::raw_sink::RawSink;
use crate::report::RunReport;
use crate::state::NextPosition;
use active_run::ActiveRun;
use ending::RunEnd;

/// Works on a run until its end, the deadline or an error; returns its report.
pub(crate) async fn work<S: RawSink>(
    context: RunContext<'_, S>,
    job: &Job,
    entity: &'static Entity,
    claimed: ClaimedRun,
    on_page: OnPage<'_>,
) -> RunReport {
    let mut run = ActiveRun::new(context, job, entity, claimed);
    let end = fetch_remaining(&mut run, on_page).await;
    run.close(end).await
}

async fn fetch_remaining<S: RawSink>(
    run: &mut ActiveRun<'_, S>,
    on_page: OnPage<'_>,
) -> Result<RunEnd, FetchError> {
    if !run.is_incremental() {
        run.save_manifest(RunStatus::Running, None, None).await?;
    } else if run.has_lost_passed_pages() {
        run.restart_listing();
    }
    loop {
        let is_on_time = Instant::now() < run.job.deadline;
        match run.checkpoint.next.clone() {
            // The records of the pages that are missing at its end are gone: this must be proven by a full listing.
            NextPosition::Close if run.has_shrunk() => run.restart_listing(),
            NextPosition::Close => break,
            NextPosition::Page(_) | NextPosition::Ids(_) if !is_on_time => return Ok(RunEnd::Paused),
            NextPosition::Page(_) if run.checkpoint.page >= PAGES_PER_RUN_MAX => {
                return Err(FetchError::Endless { entity: run.entity.name });
            }
            NextPosition::Page(cursor) => run.fetch_page(cursor.as_deref()).await?,
            NextPosition::Ids(first) => run.look_up_ids(first).await?,
        }
        on_page(&run.checkpoint);
    }
    run.count_distinct().await?;
    run.enqueue_truncated().await?;
    Ok(RunEnd::Complete)
}
