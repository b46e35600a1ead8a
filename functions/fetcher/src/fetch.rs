//! Work of an invocation on one entity: the run that was requested, and those that wait in its lanes.
//!
//! Runs of one lane follow each other under a lease; runs of different lanes go on side by side.

use futures::future::join_all;
use lambda::error_chain;
use model::entity::{DeletionPolicy, Entity};
use protocol::lane::Lane;
use tokio::time::Instant;

use crate::error::FetchError;
use crate::job::{Job, OnPage, RunContext};
use crate::lane_claim::{Claim, claim_lane};
use crate::raw_sink::RawSink;
use crate::report::{ReportStatus, RunReport};
use crate::request_queue::enqueue;
use crate::run;

/// Attempts at a run whose source changes while it is listed, or whose cursor is given up.
pub const ATTEMPTS_MAX: u32 = 3;

/// Serves a job. An error of a run is in its report.
///
/// # Errors
/// [`FetchError::QueueFull`] or [`FetchError::State`]: the request could not be queued and would be lost.
pub async fn fetch<S: RawSink>(
    context: RunContext<'_, S>,
    job: &Job,
    on_page: OnPage<'_>,
) -> Result<Vec<RunReport>, FetchError> {
    let lane = job.mode.lane();
    let mut reports = if lane == Lane::Incremental {
        serve_tick(context, job, on_page).await
    } else {
        enqueue(context.states, job).await?;
        Box::pin(drain_lane(context, job, job.entity, lane, on_page)).await
    };
    reports.extend(Box::pin(look_up_truncated(context, job, on_page)).await);
    Ok(reports)
}

/// Begins an incremental run, and resumes the runs that earlier invocations have left in the other lanes.
async fn serve_tick<S: RawSink>(
    context: RunContext<'_, S>,
    job: &Job,
    on_page: OnPage<'_>,
) -> Vec<RunReport> {
    let children = job.entity.children().map(|(child, _)| child);
    let looked_up = children.filter(|child| child.deletion_policy != DeletionPolicy::Never);
    let mut lanes: Vec<(&'static Entity, Lane)> = Lane::ALL.map(|lane| (job.entity, lane)).to_vec();
    lanes.extend(looked_up.map(|child| (child, Lane::Verify)));
    let drained = lanes.into_iter().map(|(entity, lane)| drain_lane(context, job, entity, lane, on_page));
    join_all(drained).await.into_iter().flatten().collect()
}

/// Looks up at once the records that the runs of this invocation have found truncated.
async fn look_up_truncated<S: RawSink>(
    context: RunContext<'_, S>,
    job: &Job,
    on_page: OnPage<'_>,
) -> Vec<RunReport> {
    let may_be_truncated = job.entity.supports_lookup() && !job.entity.child_tables.is_empty();
    if may_be_truncated && Instant::now() < job.deadline {
        return drain_lane(context, job, job.entity, Lane::Verify, on_page).await;
    }
    Vec::new()
}

/// Works on the runs of a lane, one after the other, until none waits or the deadline is near.
async fn drain_lane<S: RawSink>(
    context: RunContext<'_, S>,
    job: &Job,
    entity: &'static Entity,
    lane: Lane,
    on_page: OnPage<'_>,
) -> Vec<RunReport> {
    let mut reports = Vec::new();
    loop {
        let claimed = match claim_lane(context.states, job, entity, lane, reports.is_empty()).await {
            Ok(Claim::Nothing) => break,
            Ok(Claim::Busy) => {
                if reports.is_empty() {
                    reports.extend(busy_report(job, entity, lane));
                }
                break;
            }
            Ok(Claim::Run(claimed)) => claimed,
            Err(error) => {
                let (mode, error) = (mode_word(job, lane), error_chain(&error));
                let report = RunReport::not_begun(entity, mode, lane, ReportStatus::Failed, error);
                tell(context, &report);
                reports.push(report);
                break;
            }
        };
        let report = run::work(context, job, entity, *claimed, on_page).await;
        let is_over = report.status.is_over();
        // At once: the runs of other lanes may go on for minutes.
        tell(context, &report);
        reports.push(report);
        if !is_over || Instant::now() >= job.deadline {
            break;
        }
    }
    reports
}

/// Hands a report to whoever waits for it.
fn tell<S>(context: RunContext<'_, S>, report: &RunReport) {
    if let Some(reports) = context.reports {
        // Whoever does not wait any more needs no report.
        let _ = reports.send(report.clone());
    }
}

/// Returns the mode of a job in its own lane; in any other the lane itself.
fn mode_word(job: &Job, lane: Lane) -> &'static str {
    if lane == job.mode.lane() { job.mode.name().as_str() } else { lane.as_str() }
}

/// Returns the report of a busy lane; none for a lane that the job did not request.
fn busy_report(job: &Job, entity: &'static Entity, lane: Lane) -> Option<RunReport> {
    // The next tick requests an incremental run again; the request for any other run waits in its lane.
    let status = if lane == Lane::Incremental { ReportStatus::Busy } else { ReportStatus::Queued };
    let is_requested = lane == Lane::Incremental || lane == job.mode.lane();
    let reason = "another invocation works on this lane".to_owned();
    is_requested.then(|| RunReport::not_begun(entity, mode_word(job, lane), lane, status, reason))
}
