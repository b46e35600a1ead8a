//! Drains an entity's staging table, batch after batch, until nothing waits or time is up.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use db::production::{Candidate, MadeUp, Verdict};
use db::staging::{Claimed, Deferral, FAULT_ATTEMPTS_MAX, Outcome, Settlement};
use db::{Db, Error, Tx};
use model::entity::Entity;
use protocol::object_key::trace_id;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::verdict::{Judged, judge};

/// Records per transaction: large enough that round trips do not count, small enough that one takes
/// about a second.
const BATCH_ROWS_MAX: u32 = 2_000;
/// JSON per transaction. A record of any size still comes alone.
const BATCH_BYTES_MAX: u32 = 8 * 1024 * 1024;

/// What draining did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drained {
    /// Rows written.
    pub promoted: u32,
    /// Rows that held it already.
    pub unchanged: u32,
    /// Records that never become rows, and older content.
    pub skipped: u32,
    /// Records that a person must look at.
    pub failed: u32,
    /// Whether nothing waits any more.
    pub is_empty: bool,
}

/// Promotes what waits in the entity's staging table until nothing does, or until the deadline.
///
/// # Errors
/// The database is in trouble. What was drained before stays so; the rest waits, untouched.
pub async fn drain(db: &Db, entity: &'static Entity, deadline: Instant) -> Result<Drained, Error> {
    let mut drained = Drained::default();
    while Instant::now() < deadline {
        let Some(settlements) = drain_batch(db, entity).await? else {
            drained.is_empty = true;
            break;
        };
        for settled in &settlements {
            let count = match settled.outcome {
                Outcome::Promoted => &mut drained.promoted,
                Outcome::Unchanged => &mut drained.unchanged,
                Outcome::Skipped | Outcome::Superseded => &mut drained.skipped,
                Outcome::Failed => &mut drained.failed,
            };
            *count += 1;
        }
    }
    while Instant::now() < deadline {
        let matched = db::matching::match_changed(db, entity).await?;
        if matched.rows == 0 {
            break;
        }
        info!(
            entity = entity.name,
            rows = matched.rows,
            proposed = matched.proposed,
            linked = matched.linked,
            "Compared {} of {} with the others",
            matched.rows,
            entity.name
        );
    }
    if drained.promoted > 0 {
        let twins = db::matching::report_twins(db, entity).await?;
        if twins > 0 {
            warn!(entity = entity.name, twins, "{twins} of {} are here under two ids", entity.name);
        }
    }
    Ok(drained)
}

/// One batch in one transaction: claimed, promoted and settled together, or not at all.
async fn drain_batch(db: &Db, entity: &'static Entity) -> Result<Option<Vec<Settlement>>, Error> {
    let mut tx = db.begin().await?;
    let claimed = db::staging::claim(&mut tx, entity, BATCH_ROWS_MAX, BATCH_BYTES_MAX).await?;
    if claimed.is_empty() {
        tx.rollback().await?;
        return Ok(None);
    }
    let Judgement { candidates, mut settlements, deferrals } = judge_all(entity, &claimed);
    // Their own transaction, on a connection of its own: this one holds no lock on the table yet.
    db::production::ensure_months(db, entity, partition_instants(entity, &candidates)).await?;
    let (heritage, fresh): (Vec<_>, Vec<_>) =
        candidates.into_iter().partition(|candidate| candidate.is_heritage);
    let mut made_up = Vec::new();
    let promoted = promote_round(&mut tx, entity, fresh, &mut made_up).await?;
    settlements.extend(promoted.into_iter().map(settlement(&claimed)));
    if !heritage.is_empty() {
        let promoted = promote_heritage(&mut tx, entity, heritage, &mut made_up).await?;
        settlements.extend(promoted.into_iter().map(settlement(&claimed)));
    }
    db::staging::settle(&mut tx, entity, &settlements).await?;
    db::staging::defer(&mut tx, entity, &deferrals).await?;
    tx.commit().await?;
    tell(entity, &settlements, &deferrals, &made_up);
    tell_runs(entity, &settlements);
    Ok(Some(settlements))
}

/// Candidates of distinct ids to their rows, with the placeholders that they need.
async fn promote_round(
    tx: &mut Tx,
    entity: &'static Entity,
    mut candidates: Vec<Candidate>,
    made_up: &mut Vec<MadeUp>,
) -> Result<Vec<(Candidate, Verdict)>, Error> {
    db::matching::resolve_references(tx, entity, &mut candidates).await?;
    made_up.extend(db::production::make_placeholders(tx, entity, &candidates).await?);
    let verdicts = db::production::promote(tx, entity, &candidates).await?;
    Ok(candidates.into_iter().zip(verdicts).collect())
}

/// What an older system knew: a row where there is none fresher; else no more than what that row leaves empty. Whom it
/// refers to does not count then, and nobody is made up for it.
async fn promote_heritage(
    tx: &mut Tx,
    entity: &'static Entity,
    candidates: Vec<Candidate>,
    made_up: &mut Vec<MadeUp>,
) -> Result<Vec<(Candidate, Verdict)>, Error> {
    let outdated = db::v5::outdated(tx, entity, &candidates).await?;
    let (outdated, current): (Vec<_>, Vec<_>) =
        candidates.into_iter().partition(|candidate| outdated.contains(&candidate.row.id));
    let mut promoted = promote_round(tx, entity, current, made_up).await?;
    let verdicts = db::v5::inherit(tx, entity, &outdated).await?;
    promoted.extend(outdated.into_iter().zip(verdicts));
    Ok(promoted)
}

/// What claimed records turned out to be.
struct Judgement {
    candidates: Vec<Candidate>,
    settlements: Vec<Settlement>,
    deferrals: Vec<Deferral>,
}

fn judge_all(entity: &Entity, claimed: &[Claimed]) -> Judgement {
    let mut candidates = Vec::with_capacity(claimed.len());
    let mut settlements = Vec::with_capacity(claimed.len());
    let mut deferrals = Vec::new();
    for claimed in claimed {
        let mut end = |outcome, error| {
            settlements.push(Settlement {
                staging_id: claimed.staging_id,
                run_id: claimed.run_id.clone(),
                outcome,
                error,
                note: None,
            });
        };
        match judge(entity, claimed) {
            Judged::Row(row, asked) => {
                candidates.push(Candidate {
                    staging_id: claimed.staging_id,
                    row,
                    asked,
                    is_heritage: claimed.is_heritage,
                });
            }
            Judged::Ended(outcome, error) => end(outcome, error),
            Judged::Faulted(error) if claimed.attempts + 1 < FAULT_ATTEMPTS_MAX => {
                deferrals.push(Deferral { staging_id: claimed.staging_id, error });
            }
            Judged::Faulted(error) => {
                end(Outcome::Failed, Some(format!("{error}, {FAULT_ATTEMPTS_MAX} times")));
            }
        }
    }
    Judgement { candidates, settlements, deferrals }
}

fn settlement(claimed: &[Claimed]) -> impl FnMut((Candidate, Verdict)) -> Settlement {
    let runs: std::collections::HashMap<_, _> =
        claimed.iter().map(|claimed| (claimed.staging_id, claimed.run_id.clone())).collect();
    move |(candidate, verdict)| {
        let (outcome, error) = match verdict {
            Verdict::Promoted => (Outcome::Promoted, None),
            Verdict::Unchanged => (Outcome::Unchanged, None),
            Verdict::Failed(reason) => (Outcome::Failed, Some(reason)),
        };
        Settlement {
            staging_id: candidate.staging_id,
            run_id: runs.get(&candidate.staging_id).cloned().unwrap_or_default(),
            outcome,
            error,
            note: (!candidate.row.notes.is_empty()).then(|| candidate.row.notes.join("; ")),
        }
    }
}

fn partition_instants<'a>(
    entity: &'a Entity,
    candidates: &'a [Candidate],
) -> impl Iterator<Item = DateTime<Utc>> + 'a {
    let by = entity.partitioned_by;
    candidates
        .iter()
        .filter_map(move |candidate| model::row::instant(candidate.row.get(entity.columns, by?)?))
}

/// A line for each run, so that one query of the logs follows its trace.
fn tell_runs(entity: &Entity, settlements: &[Settlement]) {
    let mut runs: BTreeMap<&str, usize> = BTreeMap::new();
    for settled in settlements {
        *runs.entry(&settled.run_id).or_default() += 1;
    }
    for (run_id, records) in runs {
        let trace_id = trace_id(run_id);
        info!(
            entity = entity.name,
            run.id = run_id,
            trace.id = trace_id,
            records,
            "Settled {records} records of a run"
        );
    }
}

fn tell(entity: &Entity, settlements: &[Settlement], deferrals: &[Deferral], made_up: &[MadeUp]) {
    let count = |outcome| settlements.iter().filter(|settled| settled.outcome == outcome).count();
    info!(
        entity = entity.name,
        records = settlements.len(),
        promoted = count(Outcome::Promoted),
        unchanged = count(Outcome::Unchanged),
        skipped = count(Outcome::Skipped),
        superseded = count(Outcome::Superseded),
        failed = count(Outcome::Failed),
        "Reconciled {} records of {}",
        settlements.len(),
        entity.name
    );
    for made in made_up {
        warn!(
            entity = made.entity,
            id = made.id,
            "Made up {} of {}: someone refers to it, no one has sent it",
            made.id,
            made.entity
        );
    }
    for deferral in deferrals {
        warn!(
            entity = entity.name,
            staging_id = %deferral.staging_id,
            reason = deferral.error,
            "A record of {} could not be handled, and is tried again",
            entity.name
        );
    }
    for failed in settlements.iter().filter(|settled| settled.outcome == Outcome::Failed) {
        warn!(entity = entity.name, staging_id = %failed.staging_id, reason = failed.error, "A record of {} failed", entity.name);
    }
}
