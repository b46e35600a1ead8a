//! The alerter behind Lambda: takes in what goes wrong, looks each minute, tells people.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use db::queries::Watch;
use db::{Db, SecretDb};
use lambda::{Queue, Secrets, Unit, aws_config, is_path_style, measure};
use lambda_runtime::{Error, LambdaEvent};
use model::local_day;
use object_store::{ObjectStore, S3ObjectStore, StateError};
use protocol::alert::{Class, Signal};
use protocol::health::health;
use protocol::message;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use tracing::{error, warn};

use crate::book::Book;
use crate::config::AlerterConfig;
use crate::event::{self, Task, Wish};
use crate::report;
use crate::sight::Sight;
use crate::telling::Ways;

/// Where the book is kept.
const BOOK: &str = "alerts/book.json";
/// Two who write at once: one reads again. So often, and somebody is stuck.
const TRIES: u32 = 10;
/// A database that fails to answer is asked once more after this pause before people are told.
const SECOND_LOOK: Duration = Duration::from_secs(2);
/// A database that takes longer is as good as out of reach: the look must end before the function's time does.
const LOOK_PATIENCE: Duration = Duration::from_secs(10);
/// Functions that cannot reach the database that we reach: so often within five minutes is no blip.
const BLIPS_MAX: usize = 3;
const BLIPS_KEPT: TimeDelta = TimeDelta::minutes(5);
/// Dead letters are put back by themselves, at most so often and so many: what is poison comes again.
const REDRIVE_PAUSE: TimeDelta = TimeDelta::hours(1);
const REDRIVE_MAX: usize = 200;

/// The alerter with its connections.
#[derive(Debug)]
pub struct Alerter {
    pub(crate) config: AlerterConfig,
    db: SecretDb,
    states: ObjectStore,
    pub(crate) secrets: Secrets,
    pub(crate) http: reqwest::Client,
    pub(crate) ses: aws_sdk_sesv2::Client,
    queues: Vec<(Queue, Queue, &'static str)>,
}

impl Alerter {
    /// The alerter that the environment describes.
    ///
    /// # Errors
    /// Names every setting that is missing or malformed.
    pub async fn from_env() -> Result<Self, Error> {
        let config = AlerterConfig::from_lookup(&|name| std::env::var(name).ok())?;
        let aws = aws_config().await;
        let s3 = aws_sdk_s3::config::Builder::from(&aws).force_path_style(is_path_style(&aws)).build();
        let client = aws_sdk_s3::Client::from_conf(s3);
        let secrets = Secrets::new(&aws);
        let queue = |url: &String| Queue::new(&aws, url.clone());
        Ok(Self {
            db: SecretDb::new(config.database.clone(), secrets.clone()),
            states: ObjectStore::S3(S3ObjectStore { client, bucket: config.raw_bucket.clone() }),
            secrets,
            // A webhook that sends us elsewhere is no webhook.
            http: reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?,
            ses: aws_sdk_sesv2::Client::new(&aws),
            queues: config.queues.iter().map(|(dead, own, name)| (queue(dead), queue(own), *name)).collect(),
            config,
        })
    }

    /// Serves one event. What was taken in is in the book before it is acknowledged.
    ///
    /// # Errors
    /// The event is none of those accepted, or the book could not be written: the event comes again.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<Value, Error> {
        let now = Utc::now();
        let wish =
            event::read(&event.payload, now).inspect_err(|bad| error!("The event is refused: {bad}"))?;
        let ways = match Box::pin(self.take_in(&wish, now)).await {
            Ok(ways) => ways,
            Err(unwritten) => {
                error!("The book of alerts cannot be kept: {unwritten}");
                if wish.message_ids.is_empty() {
                    return Err(unwritten.into());
                }
                return Ok(message::batch_failures(wish.message_ids.iter().map(String::as_str)));
            }
        };
        Box::pin(self.forward(&ways.channels, &wish.errors)).await;
        if wish.message_ids.is_empty() {
            return Ok(json!({ "signals": wish.signals.len(), "looked": wish.is_look }));
        }
        Ok(message::batch_failures([]))
    }

    /// Answers the ways to people, which are asked for once what goes wrong is written down.
    async fn take_in(&self, wish: &Wish, now: DateTime<Utc>) -> Result<Ways, StateError> {
        let (blips, signals): (Vec<&Signal>, Vec<&Signal>) =
            wish.signals.iter().partition(|signal| signal.class == Class::DatabaseUnreachable);
        let is_trial = wish.task == Some(Task::Test);
        if !signals.is_empty() || is_trial {
            let written = |book: &mut Book| {
                for signal in &signals {
                    book.raise(signal, now);
                }
                if is_trial {
                    book.say("🔔 Essai", "Cette voie fonctionne.", now);
                }
            };
            self.write(&written).await?;
        }
        let ways = self.ways().await;
        // Before the look, which may wait for a database that does not answer.
        Box::pin(self.tell(&ways)).await?;
        if wish.task == Some(Task::Redrive) {
            self.write(&|book: &mut Book| book.redriven_at = None).await?;
        }
        if wish.is_look {
            Box::pin(self.look(&blips, wish.task == Some(Task::Report))).await?;
            Box::pin(self.tell(&ways)).await?;
        }
        Ok(ways)
    }

    /// Changes the book. Who loses a race reads it again.
    pub(crate) async fn write<T>(&self, change: &(impl Fn(&mut Book) -> T + Sync)) -> Result<T, StateError> {
        let mut tries = 0;
        loop {
            let (mut book, unreadable) = self.states.load_or_replace::<Book>(BOOK).await?;
            if let Some(unreadable) = unreadable {
                error!("A new book of alerts is begun: {unreadable}");
            }
            let before = book.value.clone();
            let changed = change(&mut book.value);
            if book.value == before {
                return Ok(changed);
            }
            match self.states.save(&mut book).await {
                Ok(()) => return Ok(changed),
                Err(StateError::Taken { .. }) if tries < TRIES => {
                    tries += 1;
                    sleep(Duration::from_millis(20 * u64::from(tries))).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Looks at the database, the queues and the fetcher's state, and writes down what it sees.
    async fn look(&self, blips: &[&Signal], is_report: bool) -> Result<(), StateError> {
        let (database, dead_letters, fetched_at) =
            tokio::join!(self.watch(), self.dead_letters(), self.states.last_written("state/"));
        let now = Utc::now();
        let (database, database_trouble) = match database {
            Ok(watch) => (Some(watch), None),
            Err(trouble) => (None, Some(trouble)),
        };
        let fetched_at = fetched_at.inspect_err(|error| warn!("The fetcher's state is not seen: {error}"));
        let sight = Sight {
            at: now,
            database,
            database_trouble,
            dead_letters,
            fetched_at: fetched_at.ok().flatten(),
        };
        let conditions = sight.conditions(&self.config.judging);
        let seen = |book: &mut Book| {
            book.blips.extend(blips.iter().map(|blip| blip.at));
            // Before they are counted: what comes again after an outage is of the outage.
            book.blips.retain(|at| now - *at < BLIPS_KEPT);
            let is_unsteady = sight.database.is_some() && book.blips.len() >= BLIPS_MAX;
            if let Some(blip) = blips.last().filter(|_| is_unsteady) {
                book.raise(blip, now);
            }
            book.look(&sight, &conditions);
            if book.last_report.is_none() {
                book.last_report = Some(local_day::of(now));
            }
            let due = if is_report { Some(local_day::of(now)) } else { report::due(book, now) };
            due.map(|day| (day, book.clone()))
        };
        let due = self.write(&seen).await?;
        self.count(&sight, conditions.len());
        if sight.database.is_some() {
            self.redrive(&sight, now).await?;
        }
        if let Some((today, book)) = due {
            self.report(today, &book, now).await?;
        }
        Ok(())
    }

    /// The database, asked twice: a connection may break, and nobody need be called for that.
    async fn watch(&self) -> Result<Watch, String> {
        match self.watch_once().await {
            Ok(watch) => Ok(watch),
            Err(first) => {
                warn!("The database gives no answer, and is asked again: {first}");
                sleep(SECOND_LOOK).await;
                self.watch_once().await
            }
        }
    }

    async fn watch_once(&self) -> Result<Watch, String> {
        let watched = async {
            let db: &Db = self.db.get().await.map_err(|error| error.to_string())?;
            for run in db::runs::close_silent_runs(db).await.map_err(|error| error.to_string())? {
                warn!(run, "A run ended without a word, and is closed as failed");
            }
            db::queries::watch(db).await.map_err(|error| error.to_string())
        };
        timeout(LOOK_PATIENCE, watched)
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {} s", LOOK_PATIENCE.as_secs())))
    }

    async fn dead_letters(&self) -> Option<Vec<(&'static str, u64)>> {
        let mut depths = Vec::new();
        for (dead, _, name) in &self.queues {
            match dead.depth().await {
                Ok(depth) => depths.push((*name, depth)),
                Err(error) => {
                    warn!(queue = name, "{error}");
                    return None;
                }
            }
        }
        Some(depths)
    }

    /// Puts dead letters back once the database answers: what an outage had set aside goes on by itself.
    async fn redrive(&self, sight: &Sight, now: DateTime<Utc>) -> Result<(), StateError> {
        let is_needed = sight.dead_letters.iter().flatten().any(|(_, depth)| *depth > 0);
        if !is_needed {
            return Ok(());
        }
        let is_due = self
            .write(&|book: &mut Book| {
                let is_due = book.redriven_at.is_none_or(|at| now - at >= REDRIVE_PAUSE);
                if is_due {
                    book.redriven_at = Some(now);
                }
                is_due
            })
            .await?;
        if is_due {
            for (dead, own, name) in &self.queues {
                match dead.move_to(own, REDRIVE_MAX).await {
                    Ok(0) => {}
                    Ok(moved) => warn!(queue = name, moved, "{moved} dead letters of {name} are put back"),
                    Err(error) => warn!(queue = name, "Dead letters stay: {error}"),
                }
            }
        }
        Ok(())
    }

    /// Writes yesterday's report into the book, once; without a database it waits for the next look.
    async fn report(
        &self,
        today: chrono::NaiveDate,
        book: &Book,
        now: DateTime<Utc>,
    ) -> Result<(), StateError> {
        let Some((day, start, end)) = report::yesterday(today) else { return Ok(()) };
        let counted = async {
            let db = self.db.get().await.map_err(|error| error.to_string())?;
            db::queries::day(db, start, end).await.map_err(|error| error.to_string())
        };
        let facts =
            timeout(LOOK_PATIENCE, counted).await.unwrap_or_else(|_| Err("no answer in time".to_owned()));
        let facts = match facts {
            Ok(facts) => facts,
            Err(reason) => {
                warn!("The daily report waits for the database: {reason}");
                return Ok(());
            }
        };
        let (title, text) = report::report(day, &facts, book, now, self.config.judging.interval_seconds);
        let seen = book.last_report;
        self.write(&|book: &mut Book| {
            // Another invocation may have been quicker.
            if book.last_report == seen {
                book.last_report = Some(today);
                book.say(&title, &text, now);
            }
        })
        .await
    }

    /// The numbers of CloudWatch. That there are any at all is what its heartbeat alarm waits for.
    fn count(&self, sight: &Sight, conditions: usize) {
        let precise = |number: u64| f64::from(u32::try_from(number).unwrap_or(u32::MAX));
        let letters = sight.dead_letters.iter().flatten().map(|(_, depth)| *depth).sum();
        measure(
            &[],
            &[
                ("Heartbeat", Unit::Count, 1.0),
                ("Conditions", Unit::Count, precise(u64::try_from(conditions).unwrap_or(u64::MAX))),
                ("DeadLetters", Unit::Count, precise(letters)),
                ("DatabaseReachable", Unit::Count, if sight.database.is_some() { 1.0 } else { 0.0 }),
            ],
        );
        let Some(watch) = &sight.database else { return };
        let health = health(&watch.entities, sight.at, self.config.judging.interval_seconds);
        let mut oldest = 0;
        for facts in &watch.entities {
            let Some(state) = health.get(&facts.entity) else { continue };
            oldest = oldest.max(facts.oldest_pending_seconds.unwrap_or(0));
            measure(
                &[("entity", &facts.entity)],
                &[
                    ("Freshness", Unit::Percent, state.freshness),
                    ("Pending", Unit::Count, precise(u64::try_from(facts.pending).unwrap_or(0))),
                ],
            );
        }
        measure(&[], &[("OldestPending", Unit::Seconds, precise(u64::try_from(oldest).unwrap_or(0)))]);
    }
}
