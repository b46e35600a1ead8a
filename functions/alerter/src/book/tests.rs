//! Of the book: one alert and one resolve, however often; nothing is lost, nothing is told twice.

use db::queries::{LastRun, OpenActions, Watch};
use protocol::health::EntityReport;

use super::*;
use crate::sight::Judging;

const JUDGING: Judging = Judging { interval_seconds: 120, error_rate_max: 5.0, is_scheduled: true };

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::minutes(minute)
}

fn failure(minute: i64) -> Signal {
    Signal::new(Class::SyncFailed, "clients", "HTTP 500", at(minute))
}

/// A mirror of one entity whose last run ended at a minute, well or badly.
fn watch(minute: i64, status: &str) -> Watch {
    let facts = EntityReport {
        entity: "clients".to_owned(),
        last_success: (status == "success").then(|| at(minute)),
        last_progress: Some(at(minute)),
        last_status: Some(status.to_owned()),
        failures_in_a_row: 0,
        pending: 0,
        oldest_pending_seconds: None,
        recent: 0,
        on_time: 0,
    };
    let last = LastRun {
        entity: "clients".to_owned(),
        status: status.to_owned(),
        completed_at: at(minute),
        error: Some("HTTP 500".to_owned()),
        error_rate: None,
    };
    Watch { entities: vec![facts], last_runs: vec![last], actions: Vec::new() }
}

fn sight(minute: i64, database: Option<Watch>) -> Sight {
    Sight {
        at: at(minute),
        database_trouble: database.is_none().then(|| "refused".to_owned()),
        database,
        dead_letters: Some(vec![("reconcile", 0)]),
        fetched_at: Some(at(minute)),
    }
}

fn look(book: &mut Book, sight: &Sight) {
    let conditions = sight.conditions(&JUDGING);
    book.look(sight, &conditions);
}

/// What was told, as words; the outbox is empty after.
fn told(book: &mut Book, minute: i64) -> Vec<(Kind, Class)> {
    let notices = book.claim(at(minute));
    book.told(&notices.iter().map(|notice| notice.id).collect::<Vec<_>>());
    notices.into_iter().filter_map(|notice| Some((notice.kind, notice.alert?.class))).collect()
}

#[test]
fn hundred_failures_are_one_alert_and_one_resolution() {
    let mut book = Book::default();
    let mut all = Vec::new();
    for minute in 0..100 {
        book.raise(&failure(minute), at(minute));
        look(&mut book, &sight(minute, Some(watch(minute, "failed"))));
        all.extend(told(&mut book, minute));
    }
    assert_eq!(book.open.values().next().map(|alert| alert.count), Some(100));
    for minute in 100..110 {
        look(&mut book, &sight(minute, Some(watch(minute, "success"))));
        all.extend(told(&mut book, minute));
    }
    assert_eq!(all, [(Kind::Raised, Class::SyncFailed), (Kind::Resolved, Class::SyncFailed)]);
    assert!(book.open.is_empty());
}

#[test]
fn success_before_the_failure_proves_nothing() {
    let mut book = Book::default();
    book.raise(&failure(5), at(5));
    look(&mut book, &sight(6, Some(watch(4, "success"))));
    assert_eq!(book.open.len(), 1, "the database has not heard of the failure yet");
    look(&mut book, &sight(8, Some(watch(7, "success"))));
    assert!(book.open.is_empty());
}

#[test]
fn flapping_alert_needs_longer_calm() {
    let mut book = Book::default();
    let mut notices = 0;
    for minute in 0..60 {
        // Fails at each even minute, succeeds at each odd one.
        if minute % 2 == 0 {
            book.raise(&failure(minute), at(minute));
        } else {
            look(&mut book, &sight(minute, Some(watch(minute, "success"))));
        }
        notices += told(&mut book, minute).len();
    }
    assert!(notices <= 4, "{notices} notices of one that is on and off for an hour");
}

#[test]
fn unreachable_database_resolves_no_alert() {
    let mut book = Book::default();
    book.raise(&failure(0), at(0));
    look(&mut book, &sight(1, None));
    let open: Vec<Class> = book.open.values().map(|alert| alert.class).collect();
    assert_eq!(open, [Class::DatabaseUnreachable, Class::SyncFailed]);
    look(&mut book, &sight(2, Some(watch(2, "success"))));
    assert!(book.open.is_empty(), "both are over: {:?}", book.open);
}

#[test]
fn growing_alert_is_repeated_at_intervals() {
    let mut book = Book::default();
    let mut all = Vec::new();
    for minute in 0..40 {
        let mut watch = watch(minute, "success");
        watch.actions.push(OpenActions {
            kind: "placeholder".to_owned(),
            entity: "users".to_owned(),
            open: minute + 1,
            newest: at(minute),
            subjects: vec![format!("usr_{minute}")],
        });
        look(&mut book, &sight(minute, Some(watch)));
        all.extend(told(&mut book, minute));
    }
    let placeholder = |kind| (kind, Class::Placeholder);
    assert_eq!(all, [placeholder(Kind::Raised), placeholder(Kind::Grown), placeholder(Kind::Grown)]);
    look(&mut book, &sight(41, Some(watch(41, "success"))));
    assert_eq!(told(&mut book, 41), [placeholder(Kind::Resolved)]);
}

#[test]
fn silent_schedule_is_alerted_within_two_minutes() {
    let silent = |seconds| {
        let mut sight = sight(100, Some(watch(99, "success")));
        sight.fetched_at = Some(at(100) - TimeDelta::seconds(seconds));
        sight.conditions(&JUDGING).iter().any(|condition| condition.class == Class::ScheduleSilent)
    };
    assert!(!silent(180) && silent(181) && silent(240));
    let paused = Judging { is_scheduled: false, ..JUDGING };
    let sight = Sight { fetched_at: Some(at(0)), ..sight(100, Some(watch(99, "success"))) };
    assert!(!sight.conditions(&paused).iter().any(|condition| condition.class == Class::ScheduleSilent));
}

#[test]
fn undelivered_notice_is_kept_claimed_one_skipped() {
    let mut book = Book::default();
    book.raise(&failure(0), at(0));
    let first = book.claim(at(0));
    assert_eq!((first.len(), book.claim(at(0)).len()), (1, 0), "two at once tell it once");
    book.give_back(&[first[0].id]);
    assert_eq!(book.claim(at(1)).len(), 1, "no channel took it");
    assert_eq!(book.claim(at(2)).len(), 1, "who claimed it has died");
    book.told(&[first[0].id]);
    assert!(book.outbox.is_empty());
}

#[test]
fn alert_store_round_trips() {
    let mut book = Book::default();
    book.raise(&failure(0), at(0));
    book.say("titre", "texte", at(0));
    let text = serde_json::to_string(&book).unwrap_or_default();
    assert_eq!(serde_json::from_str::<Book>(&text).ok(), Some(book));
    assert_eq!(serde_json::from_str::<Book>("{}").ok(), Some(Book::default()), "an older one");
}

#[test]
fn credentials_failure_is_one_alert() {
    let mut book = Book::default();
    book.raise(&Signal::new(Class::Credentials, "clients", "HTTP 401", at(0)), at(0));
    look(&mut book, &sight(1, Some(watch(0, "failed"))));
    assert_eq!(told(&mut book, 1), [(Kind::Raised, Class::Credentials)]);
    look(&mut book, &sight(3, Some(watch(2, "success"))));
    assert_eq!(told(&mut book, 3), [(Kind::Resolved, Class::Credentials)]);
}

#[test]
fn explained_staleness_is_not_alerted() {
    let sight = sight(1, Some(watch(1, "failed")));
    let stale = || Condition::state(Class::EntityStale, "clients", "vieux");
    let causes = [failure(0), Signal::new(Class::DatabaseUnreachable, "", "refused", at(0))];
    for cause in causes {
        let mut book = Book::default();
        book.raise(&cause, at(0));
        told(&mut book, 0);
        book.look(&sight, &[stale()]);
        let told = told(&mut book, 1);
        assert!(told.iter().all(|(_, class)| *class == cause.class), "{told:?}");
    }
    let mut book = Book::default();
    book.look(&sight, &[stale()]);
    assert_eq!(told(&mut book, 1), [(Kind::Raised, Class::EntityStale)]);
}

#[test]
fn removed_channel_closes_its_alert() {
    let mut book = Book::default();
    book.raise(&Signal::new(Class::Channel, "Slack", "HTTP 404", at(0)), at(0));
    told(&mut book, 0);
    book.forget_ways_but(&["Slack", "courriel"], at(1));
    assert_eq!(told(&mut book, 1), []);
    book.forget_ways_but(&["courriel"], at(2));
    assert_eq!(told(&mut book, 2), [(Kind::Resolved, Class::Channel)]);
}
