//! The handler behind Lambda: records signals, observes the pipeline, delivers notices.

use chrono::{DateTime, Utc};
use lambda_runtime::{Error, LambdaEvent};
use object_store::StateError;
use protocol::alert::{AlertClass, Signal};
use protocol::message;
use protocol::refusal::refusal;
use serde_json::{Value, json};
use tracing::{error, warn};

use crate::alert_store::AlertStore;
use crate::alerter::Alerter;
use crate::event::{self, ParsedEvent, Task};
use crate::{daily_report, dispatch, observe, performance, redrive};

/// Serves one event. Its signals are in the alert store before it is acknowledged.
///
/// # Errors
/// The store could not be written, or log lines cannot be read: Lambda delivers the event again.
pub async fn handle(alerter: &Alerter, event: LambdaEvent<Value>) -> Result<Value, Error> {
    let now = Utc::now();
    let parsed = match event::parse(&event.payload, now) {
        Ok(parsed) => parsed,
        // Log lines that cannot be read are nobody's request: the failure queue keeps them.
        Err(invalid) if event.payload.get("awslogs").is_some() => {
            error!("The event is refused: {invalid}");
            return Err(invalid.into());
        }
        // An answer to the person who asked, and no incident.
        Err(invalid) => {
            warn!("The event is refused: {invalid}");
            return Ok(refusal(&invalid.to_string()));
        }
    };
    let notifiers = match Box::pin(serve(alerter, &parsed, now)).await {
        Ok(notifiers) => notifiers,
        Err(failed) => {
            let failed = lambda::error_chain(&failed);
            error!("The alert store cannot be written: {failed}");
            if parsed.message_ids.is_empty() {
                // Lambda shows the text of an error alone: it gets the whole chain.
                return Err(failed.into());
            }
            return Ok(message::batch_failures(parsed.message_ids.iter().map(String::as_str)));
        }
    };
    Box::pin(dispatch::forward_errors(&notifiers, &parsed.errors)).await;
    if parsed.message_ids.is_empty() {
        return Ok(json!({ "signals": parsed.signals.len(), "looked": parsed.is_observation_due }));
    }
    Ok(message::batch_failures([]))
}

/// Records the signals, delivers notices, observes where that is due. The channels are asked for only once the
/// signals are recorded.
async fn serve(
    alerter: &Alerter,
    parsed: &ParsedEvent,
    now: DateTime<Utc>,
) -> Result<dispatch::Notifiers, StateError> {
    let (transient, signals): (Vec<&Signal>, Vec<&Signal>) =
        parsed.signals.iter().partition(|signal| signal.class == AlertClass::DatabaseUnreachable);
    let is_trial = parsed.task == Some(Task::Test);
    if !signals.is_empty() || is_trial {
        let record = |store: &mut AlertStore| {
            for signal in &signals {
                store.raise(signal, now);
            }
            if is_trial {
                store.add_text(i18n::alert::TRIAL_TITLE, i18n::alert::TRIAL_TEXT, now);
            }
        };
        alerter.update_store(&record).await?;
    }
    let notifiers = dispatch::notifiers(alerter).await;
    // Before the observation, which may wait for a database that does not answer.
    Box::pin(dispatch::dispatch(alerter, &notifiers)).await?;
    if parsed.task == Some(Task::Redrive) {
        redrive::allow_now(alerter).await?;
    }
    if parsed.is_observation_due {
        let observation = Box::pin(observe::observe(alerter, &transient)).await?;
        if observation.snapshot.database.is_some() {
            redrive::redrive(alerter, &observation.snapshot, now).await?;
        }
        let has_database = observation.snapshot.database.is_some();
        let is_requested = parsed.task == Some(Task::Report);
        Box::pin(daily_report::write_if_due(alerter, &observation.store, is_requested)).await?;
        Box::pin(dispatch::dispatch(alerter, &notifiers)).await?;
        if has_database {
            // Last: no alert waits for figures.
            Box::pin(performance::record(alerter, now)).await?;
        }
    }
    Ok(notifiers)
}
