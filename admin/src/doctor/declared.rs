//! Checks of settings that the deployment declares: each is compared with what is really there. Settings that are not
//! given are not checked.

use aws_config::SdkConfig;
use aws_sdk_sesv2::Client as Ses;
use aws_sdk_sesv2::operation::get_email_identity::GetEmailIdentityError;
use chrono::{DateTime, Utc};
use i18n::terminal::doctor as text;
use lambda::Secrets;
use model::local_day::ZONE;
use object_store::ObjectStore;
use protocol::lane::Lane;
use protocol::settings::Settings;
use reqwest::Url;
use serde_json::Value;

use crate::doctor::report::{CheckOutcome, CheckReport};

/// Intervals after which a schedule counts as silent; Scheduler starts a task up to a minute late.
const INTERVALS_MAX: i64 = 2;
/// Minutes between two runs where the deployment does not say.
const INTERVAL_MINUTES: i64 = 2;

/// Settings as the deployment declares them.
pub(super) struct Declared {
    timezone: Option<String>,
    schedules_state: Option<String>,
    interval_minutes: i64,
    email_from: Option<String>,
    alarm_email: Option<String>,
}

impl Declared {
    /// Reads the settings that are given.
    pub(super) fn read(settings: &mut Settings<'_>) -> Self {
        Self {
            timezone: settings.text("TIMEZONE"),
            schedules_state: settings.text("SCHEDULES_STATE"),
            interval_minutes: settings.optional(
                "SYNC_INTERVAL_MINUTES",
                INTERVAL_MINUTES,
                "minutes between two runs",
            ),
            email_from: settings.text("ALERT_EMAIL_FROM"),
            alarm_email: settings.text("ALARM_EMAIL"),
        }
    }
}

/// Checks the declared settings.
pub(super) async fn check(
    report: &mut CheckReport,
    declared: &Declared,
    aws: &SdkConfig,
    bucket: Option<&ObjectStore>,
) {
    if let Some(timezone) = &declared.timezone {
        report.add(text::TIMEZONE, check_timezone(timezone));
    }
    if let (Some(state), Some(bucket)) = (&declared.schedules_state, bucket) {
        report.add(text::SCHEDULES, check_schedules(state, declared.interval_minutes, bucket).await);
    }
    // An alerter that has stopped cannot say so: only the alarms do.
    if declared.schedules_state.is_some() && declared.alarm_email.is_none() {
        report.add(text::ALARMS, CheckOutcome::Skipped(text::NO_ALARM_EMAIL.to_owned()));
    }
    if let Some(address) = &declared.email_from {
        report.add(text::EMAIL, check_sender(&Ses::new(aws), address).await);
    }
}

/// Checks the addresses in the alerts secret, those that it holds; a secret that cannot be read has a line already.
pub(super) async fn check_addresses(report: &mut CheckReport, secrets: &Secrets, id: &str) {
    let Ok(fields) = secrets.read(id, "…").await else { return };
    for (field, is_accepted) in
        [("slack_webhook_url", is_webhook as fn(&str) -> bool), ("sentry_dsn", is_dsn)]
    {
        let Some(address) = fields.get(field).and_then(Value::as_str).filter(|text| !text.is_empty()) else {
            continue;
        };
        if !is_accepted(address) {
            report.add(id, CheckOutcome::failed(text::unusable_field(field), text::CHECK_FIELD));
        }
    }
}

fn check_timezone(name: &str) -> CheckOutcome {
    // The firm's zone stands beside it for its type.
    match name.parse().map(|zone| [ZONE, zone]) {
        Ok([_, zone]) => CheckOutcome::Passed(zone.name().to_owned()),
        Err(_) => CheckOutcome::failed(text::UNKNOWN_TIMEZONE, text::CHECK_TIMEZONE),
    }
}

async fn check_schedules(state: &str, interval_minutes: i64, bucket: &ObjectStore) -> CheckOutcome {
    if state != "ENABLED" {
        return CheckOutcome::Passed(text::SCHEDULES_PAUSED.to_owned());
    }
    match bucket.last_written_of("state/", &format!("/{}.json", Lane::Incremental)).await {
        Ok(last) => judge_schedules(last, interval_minutes, Utc::now()),
        Err(error) => CheckOutcome::error(text::UNREADABLE, &error, text::CHECK_BUCKET),
    }
}

/// Judges enabled schedules by the last run that one of them began.
fn judge_schedules(last: Option<DateTime<Utc>>, interval_minutes: i64, now: DateTime<Utc>) -> CheckOutcome {
    let Some(last) = last else {
        return CheckOutcome::Passed(text::SCHEDULES_AWAITED.to_owned());
    };
    let minutes = (now - last).num_minutes();
    if minutes > INTERVALS_MAX * interval_minutes + 1 {
        CheckOutcome::failed(text::schedules_silent(minutes), text::CHECK_SCHEDULES)
    } else {
        CheckOutcome::Passed(text::schedules_fire(minutes))
    }
}

/// Checks that SES has verified the sender, by its address or its domain.
async fn check_sender(ses: &Ses, address: &str) -> CheckOutcome {
    let domain = address.rsplit('@').next().unwrap_or_default();
    let mut refusal = None;
    for identity in [address, domain] {
        match ses.get_email_identity().email_identity(identity).send().await {
            Ok(found) if found.verified_for_sending_status() => {
                return CheckOutcome::Passed(text::verified_sender(identity));
            }
            Ok(_) => {}
            Err(error)
                if error.as_service_error().is_some_and(GetEmailIdentityError::is_not_found_exception) => {}
            Err(error) => refusal = Some(error),
        }
    }
    match refusal {
        Some(error) => CheckOutcome::error(text::UNREADABLE, &error, text::CHECK_SES),
        None => CheckOutcome::failed(text::unverified_sender(address), text::verify_sender(address)),
    }
}

/// Accepts what the alerter accepts: HTTPS, or loopback hosts.
fn is_webhook(address: &str) -> bool {
    Url::parse(address).is_ok_and(|url| is_reachable_safely(&url))
}

fn is_dsn(address: &str) -> bool {
    Url::parse(address).is_ok_and(|url| {
        is_reachable_safely(&url) && !url.username().is_empty() && !url.path().trim_matches('/').is_empty()
    })
}

fn is_reachable_safely(url: &Url) -> bool {
    url.scheme() == "https" || matches!(url.host_str(), Some("127.0.0.1" | "localhost"))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn silent_schedule_and_unknown_zone_are_found() {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let judged = |minutes| judge_schedules(Some(now - TimeDelta::minutes(minutes)), 2, now);
        assert!(
            matches!(judged(5), CheckOutcome::Passed(_)) && matches!(judged(6), CheckOutcome::Failed { .. })
        );
        assert!(
            matches!(judge_schedules(None, 2, now), CheckOutcome::Passed(_)),
            "it has just been deployed"
        );
        assert!(matches!(check_timezone("Mars/Base"), CheckOutcome::Failed { .. }));
        assert_eq!(check_timezone("America/Toronto"), CheckOutcome::Passed("America/Toronto".to_owned()));
    }

    #[test]
    fn unusable_channel_addresses_are_found() {
        assert!(is_webhook("https://hooks.slack.com/services/T/B/x") && is_webhook("http://127.0.0.1:1/x"));
        assert!(!is_webhook("http://hooks.slack.com/services/T/B/x") && !is_webhook("T/B/x"));
        assert!(is_dsn("https://key@o1.ingest.sentry.io/42") && !is_dsn("https://o1.ingest.sentry.io/42"));
        assert!(!is_dsn("https://key@o1.ingest.sentry.io") && !is_dsn("key"));
    }
}
