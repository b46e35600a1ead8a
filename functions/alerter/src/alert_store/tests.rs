//! Tests of the alert store: one alert and one resolution, nothing lost, nothing delivered twice.

use db::queries::{KnownRun, LaneFacts, MonitorSnapshot, OpenActions};
use protocol::health::EntityFacts;
use protocol::lane::Lane;
use protocol::manifest::RunStatus;

use super::*;
use crate::snapshot::{ScheduleSign, Thresholds};

const THRESHOLDS: Thresholds = Thresholds { interval_seconds: 120, error_rate_max: 5.0, is_scheduled: true };

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(minute)
}

fn failure(minute: i64) -> Signal {
    Signal::new(AlertClass::SyncFailed, "clients", "HTTP 500", at(minute))
}

/// Returns the facts of a lane of one entity whose last run ended at that minute with that status.
fn lane(lane: Lane, minute: i64, status: RunStatus) -> LaneFacts {
    let is_partial = status == RunStatus::Partial;
    LaneFacts {
        entity: "clients".to_owned(),
        lane,
        status,
        ended_at: at(minute),
        error: (status != RunStatus::Success).then(|| "HTTP 500".to_owned()),
        last_success: (status == RunStatus::Success).then(|| at(minute)),
        partial_runs: i64::from(is_partial),
        partial_since: is_partial.then(|| at(minute)),
    }
}

/// Returns the observation of one entity whose last run ended at that minute with that status.
fn watch(minute: i64, status: RunStatus) -> MonitorSnapshot {
    let facts = EntityFacts {
        entity: "clients".to_owned(),
        last_success: (status == RunStatus::Success).then(|| at(minute)),
        last_fetch: Some(at(minute)),
        last_progress: Some(at(minute)),
        last_status: Some(status),
        ..EntityFacts::default()
    };
    let lanes = vec![lane(Lane::Incremental, minute, status)];
    MonitorSnapshot { entities: vec![facts], lanes, ..MonitorSnapshot::default() }
}

fn snapshot(minute: i64, database: Option<MonitorSnapshot>) -> Snapshot {
    Snapshot {
        at: at(minute),
        database_error: database.is_none().then(|| "refused".to_owned()),
        database,
        dead_letters: Some(vec![("reconcile", 0)]),
        schedule: Some(ScheduleSign::FetchedAt(at(minute))),
        ..Snapshot::default()
    }
}

/// Returns the classes and subjects of the conditions that hold.
fn holding(snapshot: &Snapshot) -> Vec<(AlertClass, String)> {
    let conditions = snapshot.conditions(&THRESHOLDS);
    conditions.into_iter().map(|condition| (condition.class, condition.subject)).collect()
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
    let with = |schedule| Snapshot { schedule, ..snapshot(100, Some(watch(99, RunStatus::Success))) };
    let silent = |seconds| {
        let sign = ScheduleSign::FetchedAt(at(100) - TimeDelta::seconds(seconds));
        !holding(&with(Some(sign))).is_empty()
    };
    assert!(!silent(180) && silent(181) && silent(240));
    let paused = Thresholds { is_scheduled: false, ..THRESHOLDS };
    let stopped = with(Some(ScheduleSign::FetchedAt(at(0))));
    assert_eq!(stopped.conditions(&paused), []);
}

#[test]
fn schedule_that_never_fired_is_alerted() {
    let mut store = AlertStore::default();
    store.memory.record(None, at(0));
    let never = |minute, memory: &Memory| Snapshot {
        schedule: Some(ScheduleSign::Never),
        memory: memory.clone(),
        ..snapshot(minute, Some(MonitorSnapshot::default()))
    };
    assert_eq!(holding(&never(3, &store.memory)), [], "it may fire yet");
    let silent = (AlertClass::ScheduleSilent, String::new());
    let snapshot_later = never(4, &store.memory);
    assert_eq!(holding(&snapshot_later), [silent]);
    apply(&mut store, &snapshot_later);
    let unknown = Snapshot { schedule: None, ..never(5, &store.memory) };
    assert_eq!(holding(&unknown), [], "a bucket that gives no answer says nothing");
    apply(&mut store, &unknown);
    assert_eq!(store.open.len(), 1, "and proves nothing");
    apply(&mut store, &snapshot(6, Some(MonitorSnapshot::default())));
    assert!(store.open.is_empty(), "it has fired");
}

#[test]
fn entity_that_never_syncs_is_alerted() {
    let mut store = AlertStore::default();
    let mut unsynced = watch(0, RunStatus::Success);
    unsynced.entities = vec![EntityFacts { entity: "clients".to_owned(), ..EntityFacts::default() }];
    unsynced.lanes.clear();
    store.memory.record(Some(&unsynced), at(0));
    let after =
        |minute| Snapshot { memory: store.memory.clone(), ..snapshot(minute, Some(unsynced.clone())) };
    assert_eq!(holding(&after(60)), []);
    assert_eq!(holding(&after(61)), [(AlertClass::EntityStale, "clients".to_owned())]);
    store.memory.record(Some(&watch(62, RunStatus::Success)), at(62));
    assert!(store.memory.unsynced_since.is_empty());
}

#[test]
fn failed_lane_is_resolved_by_its_own_success() {
    let mut store = AlertStore::default();
    let mut watch_of = watch(1, RunStatus::Success);
    watch_of.lanes.push(lane(Lane::Full, 1, RunStatus::Failed));
    apply(&mut store, &snapshot(2, Some(watch_of)));
    assert_eq!(deliver(&mut store, 2), [(NoticeKind::Raised, AlertClass::SyncFailed)]);
    assert_eq!(store.open.keys().collect::<Vec<_>>(), ["sync_failed/clients/full"]);
    for minute in 4..20 {
        // The full run is taken up again, and has not ended: its lane knows no other.
        apply(&mut store, &snapshot(minute, Some(watch(minute, RunStatus::Success))));
    }
    assert_eq!(deliver(&mut store, 20), [], "a tick says nothing of a full run");
    let mut watch_of = watch(21, RunStatus::Success);
    watch_of.lanes.push(lane(Lane::Full, 21, RunStatus::Success));
    apply(&mut store, &snapshot(22, Some(watch_of)));
    assert_eq!(deliver(&mut store, 22), [(NoticeKind::Resolved, AlertClass::SyncFailed)]);
}

#[test]
fn failure_observed_late_is_as_old_as_its_run() {
    let mut store = AlertStore::default();
    let mut failed = watch(9, RunStatus::Success);
    failed.lanes.push(lane(Lane::Full, 1, RunStatus::Failed));
    apply(&mut store, &snapshot(10, Some(failed)));
    let mut healed = watch(11, RunStatus::Success);
    healed.lanes.push(lane(Lane::Full, 5, RunStatus::Success));
    apply(&mut store, &snapshot(12, Some(healed)));
    assert!(store.open.is_empty(), "it succeeded after the failure, before the observation");
}

#[test]
fn partial_full_runs_are_alerted() {
    let partial = |minute, runs| {
        let mut watch_of = watch(minute, RunStatus::Success);
        watch_of.lanes.push(LaneFacts { partial_runs: runs, ..lane(Lane::Full, 1, RunStatus::Partial) });
        snapshot(minute, Some(watch_of))
    };
    let alert = (AlertClass::RunPartial, "clients/full".to_owned());
    assert_eq!(holding(&partial(2, 1)), [], "it is listed once more at once");
    assert_eq!(holding(&partial(2, 2)), std::slice::from_ref(&alert), "twice in a row");
    assert_eq!(holding(&partial(61, 1)), [alert], "nothing has proven it since");
    let mut store = AlertStore::default();
    apply(&mut store, &partial(2, 2));
    apply(&mut store, &snapshot(3, Some(watch(3, RunStatus::Success))));
    assert!(store.open.is_empty());
}

#[test]
fn overdue_sweep_is_alerted() {
    let with = |sweep: Option<i64>, since| {
        let mut watch_of = watch(0, RunStatus::Success);
        watch_of.entities[0].last_sweep = sweep.map(|days| at(0) - TimeDelta::days(days));
        let memory = Memory { watched_since: Some(at(0) - TimeDelta::days(since)), ..Memory::default() };
        holding(&Snapshot { memory, ..snapshot(0, Some(watch_of)) })
    };
    let overdue = [(AlertClass::SweepOverdue, "clients".to_owned())];
    assert_eq!((with(Some(7), 100), with(None, 7)), (Vec::new(), Vec::new()));
    assert_eq!((with(Some(9), 100), with(None, 9)), (overdue.to_vec(), overdue.to_vec()));
}

#[test]
fn restored_database_is_alerted_until_repaired() {
    let mut store = AlertStore::default();
    let known = |hour: i64| KnownRun { run_id: format!("run-{hour}"), started_at: at(hour * 60) };
    let observe = |store: &mut AlertStore, hour: i64, unknown: &[&str]| {
        let mut watch_of = watch(hour * 60, RunStatus::Success);
        watch_of.newest_run = Some(known(hour));
        watch_of.unknown_runs = unknown.iter().map(|run| (*run).to_owned()).collect();
        let snapshot = Snapshot { memory: store.memory.clone(), ..snapshot(hour * 60, Some(watch_of)) };
        apply(store, &snapshot);
        store.memory.record(snapshot.database.as_ref(), snapshot.at);
        deliver(store, hour * 60)
    };
    for hour in 0..=96 {
        assert_eq!(observe(&mut store, hour, &[]), []);
    }
    assert_eq!(store.memory.known_runs().len(), 17, "one each six hours");
    let lost = ["run-12", "run-18"];
    assert_eq!(observe(&mut store, 97, &lost), [(NoticeKind::Raised, AlertClass::DatabaseRestored)]);
    let detail = store.open.values().map(|alert| alert.detail.clone()).collect::<String>();
    assert!(detail.contains(r#"{"task": "audit", "days": 5}"#), "{detail}");
    // A missing run is remembered however old it grows.
    assert_eq!(observe(&mut store, 190, &lost), []);
    assert_eq!(observe(&mut store, 191, &[]), [(NoticeKind::Resolved, AlertClass::DatabaseRestored)]);
}

#[test]
fn alert_of_a_later_version_costs_itself_alone() {
    let mut store = AlertStore::default();
    store.raise(&failure(0), at(0));
    let text = serde_json::to_string(&store).unwrap_or_default();
    let later = text.replace("\"open\":{", r#""open":{"of_tomorrow/":{"class":"of_tomorrow"},"#);
    assert_eq!(serde_json::from_str::<AlertStore>(&later).ok(), Some(store));
}

#[test]
fn drift_of_the_source_is_alerted() {
    let mut drifted = watch(1, RunStatus::Success);
    drifted.actions.push(OpenActions {
        kind: "drift".to_owned(),
        entity: "clients".to_owned(),
        open: 1,
        newest: at(1),
        subjects: vec!["total".to_owned()],
    });
    assert_eq!(holding(&snapshot(1, Some(drifted))), [(AlertClass::SourceDrift, "clients".to_owned())]);
}

#[test]
fn former_alert_store_is_read() {
    let former = r#"{"open":{"sync_failed/clients":{"class":"sync_failed","subject":"clients","detail":"HTTP 500",
        "since":"2024-10-04T00:00:00Z","last":"2024-10-04T00:00:00Z","count":3,"flaps":0,"newest":null,"size":0,
        "told_at":"2024-10-04T00:00:00Z"}},"outbox":[],"closed":{},"blips":[],"last_report":null,
        "redriven_at":null,"next_id":7}"#;
    let mut store: AlertStore = serde_json::from_str(former).unwrap_or_default();
    assert_eq!((store.open.len(), &store.memory), (1, &Memory::default()));
    apply(&mut store, &snapshot(1, Some(watch(1, RunStatus::Success))));
    assert!(store.open.is_empty(), "it is of the incremental lane");
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
fn delay_lasts_from_the_fault_to_the_acceptance() {
    let mut store = AlertStore::default();
    store.raise(&failure(0), at(1));
    // A failed run that only the observation finds; an action; a state whose beginning nobody knows.
    let event = Condition {
        newest: Some(at(2)),
        is_event: true,
        ..Condition::state(AlertClass::SyncFailed, "pianos", "HTTP 500")
    };
    let state = Condition::state(AlertClass::EntityStale, "users", "vieux");
    store.apply(&snapshot(3, Some(watch(3, RunStatus::Success))), &[event, state]);
    let ids: Vec<u64> = store.claim(at(3)).iter().map(|notice| notice.id).collect();
    store.record_delivery(&ids, at(4));
    let minutes = |delay: &AlertDelay| (delay.delivered_at - delay.fault_at).num_minutes();
    let delays: Vec<_> = store.delays.iter().map(|delay| (delay.subject.as_str(), minutes(delay))).collect();
    assert!(delays.contains(&("clients", 4)) && delays.contains(&("pianos", 2)), "{delays:?}");
    assert!(delays.contains(&("users", 2)), "counted from the observation before: {delays:?}");
    assert_eq!(delays.len(), 3, "neither the resolved one nor a text: {delays:?}");
    for minute in 10..300 {
        store.raise(&Signal::new(AlertClass::Quarantined, &minute.to_string(), "", at(minute)), at(minute));
        let ids: Vec<u64> = store.claim(at(minute)).iter().map(|notice| notice.id).collect();
        store.record_delivery(&ids, at(minute));
    }
    assert_eq!(store.delays.len(), DELAYS_MAX, "the object stays small");
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
