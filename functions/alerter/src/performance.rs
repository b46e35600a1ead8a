//! Figures that the alerter writes to the database: delays of alerts, and the daily figures of every entity.

use chrono::{DateTime, Timelike as _, Utc};
use object_store::StateError;
use tokio::time::timeout;
use tracing::warn;

use crate::alert_delay::AlertDelay;
use crate::alert_store::AlertStore;
use crate::alerter::Alerter;
use crate::observe::{DATABASE_TIMEOUT, ObserveError};

/// Local days that are computed every minute: a run of yesterday may end today.
const RECENT_DAYS: u32 = 2;
/// Local days that are computed once an hour: a run that stood still may resume weeks later.
const ALL_DAYS: u32 = 31;

/// Writes the delays that no database holds yet, and the daily figures. Without a database both wait for the next
/// observation.
pub(crate) async fn record(alerter: &Alerter, now: DateTime<Utc>) -> Result<(), StateError> {
    let delays = alerter.update_store(&|store: &mut AlertStore| store.delays.clone()).await?;
    let rows: Vec<_> = delays.iter().map(row).collect();
    let days = if now.minute() == 0 { ALL_DAYS } else { RECENT_DAYS };
    let write = async {
        let db = alerter.db.get().await?;
        db::performance::record_alert_delays(db, &rows).await?;
        Ok::<(), ObserveError>(db::performance::roll_up(db, days).await?)
    };
    match timeout(DATABASE_TIMEOUT, write).await.unwrap_or(Err(ObserveError::Timeout)) {
        Ok(()) if delays.is_empty() => Ok(()),
        Ok(()) => {
            let forget = |store: &mut AlertStore| store.delays.retain(|delay| !delays.contains(delay));
            alerter.update_store(&forget).await
        }
        Err(error) => {
            warn!("Figures wait for the database: {}", lambda::error_chain(&error));
            Ok(())
        }
    }
}

fn row(delay: &AlertDelay) -> db::performance::AlertDelay {
    db::performance::AlertDelay {
        class: delay.class.as_str(),
        subject: delay.subject.clone(),
        fault_at: delay.fault_at,
        delivered_at: delay.delivered_at,
    }
}
