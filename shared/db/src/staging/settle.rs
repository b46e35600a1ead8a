//! Settlement of claimed records: outcomes, counts of their runs, and actions about failures.

use std::collections::BTreeMap;

use model::entity::Entity;
use protocol::action::ActionKind;
use serde_json::json;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::actions::{self, NewAction, Resolver};
use crate::error::{During as _, Error};
use crate::follow_up;
use crate::performance;
use crate::pool::Tx;
use crate::runs;
use crate::statements::staging;

/// Static statements of this file.
pub(crate) const STATEMENTS: &[(&str, &str)] = &[("count_settled", COUNT_SETTLED)];

/// Outcome of a staged record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordOutcome {
    /// Production was changed by it.
    Promoted,
    /// Production held it already.
    Unchanged,
    /// It can never become a row; the reason is kept.
    Skipped,
    /// Newer content of the same id is staged.
    Superseded,
    /// It should have become a row and did not; a person has to look at it.
    Failed,
}

impl RecordOutcome {
    /// Returns the value of the column `outcome`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Promoted => "promoted",
            Self::Unchanged => "unchanged",
            Self::Skipped => "skipped",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
        }
    }
}

/// Settlement of one claimed record.
#[derive(Debug)]
pub struct Settlement {
    /// Id of the staging row.
    pub staging_id: Uuid,
    /// Run that made the record pending.
    pub run_id: String,
    /// Outcome of the record.
    pub outcome: RecordOutcome,
    /// Reason why it was skipped or failed.
    pub error: Option<String>,
    /// Fields that were left empty.
    pub note: Option<String>,
}

/// Settles claimed records and counts them in their runs.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn settle(tx: &mut Tx, entity: &Entity, settlements: &[Settlement]) -> Result<(), Error> {
    tx.query(AssertSqlSafe(staging::settle_records(entity)))
        .bind(settlements.iter().map(|settled| settled.staging_id).collect::<Vec<_>>())
        .bind(settlements.iter().map(|settled| settled.outcome.as_str()).collect::<Vec<_>>())
        .bind(settlements.iter().map(|settled| settled.error.as_deref()).collect::<Vec<_>>())
        .bind(settlements.iter().map(|settled| settled.note.as_deref()).collect::<Vec<_>>())
        .execute(tx.connection())
        .await
        .during("settle records")?;
    // Before the counts, which may close a run: then its latency belongs to its figures.
    performance::measure(tx, entity, settlements).await?;
    count(tx, entity, settlements).await?;
    report_failures(tx, entity, settlements).await
}

/// Counts of settled records of one run, as `sync_status` has them.
#[derive(Debug, Clone, Copy, Default)]
struct SettledCounts {
    promoted: i32,
    unchanged: i32,
    skipped: i32,
    failed: i32,
}

impl SettledCounts {
    fn add(&mut self, outcome: RecordOutcome) {
        let count = match outcome {
            RecordOutcome::Promoted => &mut self.promoted,
            RecordOutcome::Unchanged => &mut self.unchanged,
            RecordOutcome::Skipped | RecordOutcome::Superseded => &mut self.skipped,
            RecordOutcome::Failed => &mut self.failed,
        };
        *count += 1;
    }
}

const COUNT_SETTLED: &str = r"
    update sync_status s set
        records_processed = s.records_processed + u.promoted,
        records_unchanged = s.records_unchanged + u.unchanged,
        records_skipped = s.records_skipped + u.skipped,
        records_failed = s.records_failed + u.failed
    from unnest($2::text[], $3::int[], $4::int[], $5::int[], $6::int[])
        as u(run_id, promoted, unchanged, skipped, failed)
    where s.run_id = u.run_id and s.sync_type = $1
    ";

/// Adds the settled records to the counts of their runs, and closes the runs that have no pending record left.
async fn count(tx: &mut Tx, entity: &Entity, settlements: &[Settlement]) -> Result<(), Error> {
    let mut counts: BTreeMap<&str, SettledCounts> = BTreeMap::new();
    for settled in settlements {
        counts.entry(&settled.run_id).or_default().add(settled.outcome);
    }
    let each = |count: fn(&SettledCounts) -> i32| counts.values().map(count).collect::<Vec<_>>();
    let run_ids: Vec<String> = counts.keys().map(|run_id| (*run_id).to_owned()).collect();
    tx.query(COUNT_SETTLED)
        .bind(entity.name)
        .bind(&run_ids)
        .bind(each(|counts| counts.promoted))
        .bind(each(|counts| counts.unchanged))
        .bind(each(|counts| counts.skipped))
        .bind(each(|counts| counts.failed))
        .execute(tx.connection())
        .await
        .during("count settled records")?;
    runs::close_runs(tx, entity, &run_ids).await
}

/// Opens an action for each record that failed, and resolves those of records and placeholders that are sound now.
async fn report_failures(tx: &mut Tx, entity: &Entity, settlements: &[Settlement]) -> Result<(), Error> {
    let (failed, sound): (Vec<&Settlement>, Vec<&Settlement>) =
        settlements.iter().partition(|settled| settled.outcome == RecordOutcome::Failed);
    let subject = |settled: &&Settlement| settled.staging_id.to_string();
    let failed: Vec<(String, &Settlement)> =
        failed.into_iter().map(|settled| (settled.staging_id.to_string(), settled)).collect();
    let actions: Vec<NewAction<'_>> = failed
        .iter()
        .map(|(subject, settled)| NewAction { subject, details: json!({ "reason": settled.error }) })
        .collect();
    actions::open(tx, ActionKind::Failed, entity.name, &actions).await?;
    let sound: Vec<String> = sound.iter().map(subject).collect();
    actions::resolve(tx, ActionKind::Failed, entity, &sound, Resolver::Reconciler).await?;
    let newer = settlements.iter().filter(|settled| settled.outcome != RecordOutcome::Superseded);
    let newer: Vec<Uuid> = newer.map(|settled| settled.staging_id).collect();
    follow_up::resolve_outdated_failures(tx, entity, &newer).await?;
    if !entity.placeholder.is_empty() {
        actions::resolve_filled_placeholders(tx, entity).await?;
    }
    Ok(())
}
