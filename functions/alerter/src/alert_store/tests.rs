//! Tests of the alert store: one alert and one resolution, nothing lost, nothing delivered twice.

use db::queries::{LastRun, MonitorSnapshot, OpenActions};
use protocol::health::EntityFacts;
use protocol::manifest::RunStatus;

use super::*;
use crate::snapshot::Thresholds;

const THRESHOLDS: Thresholds = Thresholds { interval_seconds: 120, error_rate_max: 5.0, is_scheduled: true };

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(minute)
}

fn failure(minute: i64) -> Signal {
    Signal::new(AlertClass::SyncFailed, "clients", "HTTP 500", at(minute))
}

/// Returns the observation of one entity whose last run ended at that minute with that status.
fn watch(minute: i64, status: RunStatus) -> MonitorSnapshot {
    let facts = EntityFacts {
        entity: "clients".to_owned(),
        last_success: (status == RunStatus::Success).then(|| at(minute)),
        last_progress: Some(at(minute)),
        last_status: Some(status),
        failures_in_a_row: 0,
        pending: 0,
        oldest_pending_seconds: None,
        recent: 0,
        on_time: 0,
    };
    let last = LastRun {
        entity: "clients".to_owned(),
        status,
        completed_at: at(minute),
        error: Some("HTTP 500".to_owned()),
        error_rate: None,
    };
    MonitorSnapshot { entities: vec![facts], last_runs: vec![last], actions: Vec::new() }
}

fn snapshot(minute: i64, database: Option<MonitorSnapshot>) -> Snapshot {
    Snapshot {
        at: at(minute),
        database_error: database.is_none().then(|| "refused".to_owned()),
        database,
        dead_letters: Some(vec![("reconcile", 0)]),
        fetched_at: Some(at(minute)),
    }
}

fn apply(store: &mut AlertStore, snapshot: &Snapshot) {
    let conditions = snapshot.conditions(&THRESHOLDS);
    store.apply(snapshot, &conditions);
}

/// Delivers every notice; returns kind and class of each.
fn deliver(store: &mut AlertStore, minute: i64) -> Vec<(NoticeKind, AlertClass)> {
    let notices = store.claim(at(minute));
    store.remove_delivered(&notices.iter().map(|notice| notice.id).collect::<Vec<_>>());
    notices.into_iter().filter_map(|notice| Some((notice.kind, notice.alert?.class))).collect()
}

#[test]
fn hundred_failures_are_one_alert_and_one_resolution() {
    let mut store = AlertStore::default();
    let mut all = Vec::new();
    for minute in 0..100 {
        store.raise(&failure(minute), at(minute));
        apply(&mut store, &snapshot(minute, Some(watch(minute, RunStatus::Failed))));
        all.extend(deliver(&mut store, minute));
    }
    assert_eq!(store.open.values().next().map(|alert| alert.count), Some(100));
    for minute in 100..110 {
        apply(&mut store, &snapshot(minute, Some(watch(minute, RunStatus::Success))));
        all.extend(deliver(&mut store, minute));
    }
    assert_eq!(
        all,
        [(NoticeKind::Raised, AlertClass::SyncFailed), (NoticeKind::Resolved, AlertClass::SyncFailed)]
    );
    assert!(store.open.is_empty());
}

#[test]
fn success_before_the_failure_proves_nothing() {
    let mut store = AlertStore::default();
    store.raise(&failure(5), at(5));
    apply(&mut store, &snapshot(6, Some(watch(4, RunStatus::Success))));
    assert_eq!(store.open.len(), 1, "the database has not heard of the failure yet");
    apply(&mut store, &snapshot(8, Some(watch(7, RunStatus::Success))));
    assert!(store.open.is_empty());
}

#[test]
fn flapping_alert_needs_longer_calm() {
    let mut store = AlertStore::default();
    let mut notices = 0;
    for minute in 0..60 {
        // Fails at each even minute, succeeds at each odd one.
        if minute % 2 == 0 {
            store.raise(&failure(minute), at(minute));
        } else {
            apply(&mut store, &snapshot(minute, Some(watch(minute, RunStatus::Success))));
        }
        notices += deliver(&mut store, minute).len();
    }
    assert!(notices <= 4, "{notices} notices of one that is on and off for an hour");
}

#[test]
fn unreachable_database_resolves_no_alert() {
    let mut store = AlertStore::default();
    store.raise(&failure(0), at(0));
    apply(&mut store, &snapshot(1, None));
    let open: Vec<AlertClass> = store.open.values().map(|alert| alert.class).collect();
    assert_eq!(open, [AlertClass::DatabaseUnreachable, AlertClass::SyncFailed]);
    apply(&mut store, &snapshot(2, Some(watch(2, RunStatus::Success))));
    assert!(store.open.is_empty(), "both are over: {:?}", store.open);
}

#[test]
fn growing_alert_is_repeated_at_intervals() {
    let mut store = AlertStore::default();
    let mut all = Vec::new();
    for minute in 0..40 {
        let mut watch = watch(minute, RunStatus::Success);
        watch.actions.push(OpenActions {
            kind: "placeholder".to_owned(),
            entity: "users".to_owned(),
            open: minute + 1,
            newest: at(minute),
            subjects: vec![format!("usr_{minute}")],
        });
        apply(&mut store, &snapshot(minute, Some(watch)));
        all.extend(deliver(&mut store, minute));
    }
    let placeholder = |kind| (kind, AlertClass::Placeholder);
    assert_eq!(
        all,
        [placeholder(NoticeKind::Raised), placeholder(NoticeKind::Grown), placeholder(NoticeKind::Grown)]
    );
    apply(&mut store, &snapshot(41, Some(watch(41, RunStatus::Success))));
    assert_eq!(deliver(&mut store, 41), [placeholder(NoticeKind::Resolved)]);
}

#[test]
fn silent_schedule_is_alerted_within_two_minutes() {
    let silent = |seconds| {
        let mut snapshot = snapshot(100, Some(watch(99, RunStatus::Success)));
        snapshot.fetched_at = Some(at(100) - TimeDelta::seconds(seconds));
        snapshot.conditions(&THRESHOLDS).iter().any(|condition| condition.class == AlertClass::ScheduleSilent)
    };
    assert!(!silent(180) && silent(181) && silent(240));
    let paused = Thresholds { is_scheduled: false, ..THRESHOLDS };
    let snapshot = Snapshot { fetched_at: Some(at(0)), ..snapshot(100, Some(watch(99, RunStatus::Success))) };
    assert!(
        !snapshot.conditions(&paused).iter().any(|condition| condition.class == AlertClass::ScheduleSilent)
    );
}

#[test]
fn undelivered_notice_is_kept_claimed_one_skipped() {
    let mut store = AlertStore::default();
    store.raise(&failure(0), at(0));
    let first = store.claim(at(0));
    assert_eq!((first.len(), store.claim(at(0)).len()), (1, 0), "two at once tell it once");
    store.release(&[first[0].id]);
    assert_eq!(store.claim(at(1)).len(), 1, "no channel took it");
    assert_eq!(store.claim(at(2)).len(), 1, "who claimed it has died");
    store.remove_delivered(&[first[0].id]);
    assert!(store.outbox.is_empty());
}

#[test]
fn alert_store_round_trips() {
    let mut store = AlertStore::default();
    store.raise(&failure(0), at(0));
    store.add_text("titre", "texte", at(0));
    let text = serde_json::to_string(&store).unwrap_or_default();
    assert_eq!(serde_json::from_str::<AlertStore>(&text).ok(), Some(store));
    assert_eq!(serde_json::from_str::<AlertStore>("{}").ok(), Some(AlertStore::default()), "an older one");
}

#[test]
fn credentials_failure_is_one_alert() {
    let mut store = AlertStore::default();
    store.raise(&Signal::new(AlertClass::Credentials, "clients", "HTTP 401", at(0)), at(0));
    apply(&mut store, &snapshot(1, Some(watch(0, RunStatus::Failed))));
    assert_eq!(deliver(&mut store, 1), [(NoticeKind::Raised, AlertClass::Credentials)]);
    apply(&mut store, &snapshot(3, Some(watch(2, RunStatus::Success))));
    assert_eq!(deliver(&mut store, 3), [(NoticeKind::Resolved, AlertClass::Credentials)]);
}

#[test]
fn explained_staleness_is_not_alerted() {
    let snapshot = snapshot(1, Some(watch(1, RunStatus::Failed)));
    let stale = || Condition::state(AlertClass::EntityStale, "clients", "vieux");
    let causes = [failure(0), Signal::new(AlertClass::DatabaseUnreachable, "", "refused", at(0))];
    for cause in causes {
        let mut store = AlertStore::default();
        store.raise(&cause, at(0));
        deliver(&mut store, 0);
        store.apply(&snapshot, &[stale()]);
        let delivered = deliver(&mut store, 1);
        assert!(delivered.iter().all(|(_, class)| *class == cause.class), "{delivered:?}");
    }
    let mut store = AlertStore::default();
    store.apply(&snapshot, &[stale()]);
    assert_eq!(deliver(&mut store, 1), [(NoticeKind::Raised, AlertClass::EntityStale)]);
}

#[test]
fn removed_channel_closes_its_alert() {
    let mut store = AlertStore::default();
    store.raise(&Signal::new(AlertClass::Channel, "Slack", "HTTP 404", at(0)), at(0));
    deliver(&mut store, 0);
    store.resolve_removed_channels(&["Slack", "courriel"], at(1));
    assert_eq!(deliver(&mut store, 1), []);
    store.resolve_removed_channels(&["courriel"], at(2));
    assert_eq!(deliver(&mut store, 2), [(NoticeKind::Resolved, AlertClass::Channel)]);
}
