//! Completeness of settled full runs: Gazelle's count against the rows here.

use db::Db;
use tracing::{error, info};

use crate::error::ReconcilerError;

/// Counts the records of every full run that is due.
///
/// # Errors
/// A statement failed. What was counted before stays so; the next reconcile request does the rest.
pub async fn check_completeness(db: &Db) -> Result<(), ReconcilerError> {
    let due = db::completeness::due_counts(db).await.map_err(ReconcilerError::FindFullRuns)?;
    for run in due {
        let counted = db::completeness::count(db, &run).await.map_err(ReconcilerError::CountFullRun)?;
        let Some(counted) = counted else { continue };
        let db::completeness::Counted { entity, run_id, source_count, gap } = &counted;
        if *gap == 0 {
            info!(
                entity,
                source_count,
                run.id = run_id,
                "All {source_count} records of {entity} are here or explained"
            );
        } else {
            error!(
                entity,
                source_count,
                gap,
                run.id = run_id,
                "{gap} of {source_count} records of {entity} are neither here nor explained"
            );
        }
    }
    Ok(())
}
