//! Audit of the bucket: announces objects that the database does not know, because their notification was lost.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use db::Db;
use model::entity::{self, Entity};
use protocol::object_key::{ObjectKind, object_kind};

use crate::announcer::{Announcer, announce_all};
use crate::error::StagerError;
use crate::progress::Progress;
use crate::raw_source::{ListedObject, RawSource, raw_prefix};
use crate::task_result::TaskResult;

/// Age from which an object is audited: a younger one may still be on its way through the queue.
const AUDIT_AGE_MIN: TimeDelta = TimeDelta::minutes(15);

/// Audit with its connections and its progress.
struct Audit<'a, S, A> {
    db: &'a Db,
    source: &'a S,
    announcer: &'a A,
    /// Latest writing of an object that is audited, in seconds since 1970.
    written_until: i64,
    progress: Progress<'a>,
}

/// Part of an audit: the objects under one prefix.
#[derive(Clone, Copy)]
struct Part {
    entity: &'static Entity,
    day: NaiveDate,
    kind: ObjectKind,
}

impl Part {
    fn prefix(self) -> String {
        match self.kind {
            ObjectKind::RawPage => raw_prefix(self.entity, self.day),
            ObjectKind::Manifest => format!("runs/{}/{}", self.entity.name, self.day.format("%Y%m%d")),
        }
    }
}

/// Audits the raw pages and the manifests of the `days` days up to `until`, included. The position is the number of the
/// part, and the last key of it that was examined.
pub(crate) async fn audit(
    db: &Db,
    source: &impl RawSource,
    announcer: &impl Announcer,
    (days, until): (u64, NaiveDate),
    now: DateTime<Utc>,
    progress: Progress<'_>,
) -> Result<TaskResult, StagerError> {
    let written_until = (now - AUDIT_AGE_MIN).timestamp();
    let (number, after) = progress.position().split_once(' ').unwrap_or_default();
    let (first, mut after) =
        (number.parse().unwrap_or(0), Some(after.to_owned()).filter(|key| !key.is_empty()));
    let mut audit = Audit { db, source, announcer, written_until, progress };
    for (number, part) in parts(days, until).into_iter().enumerate().skip(first) {
        if number > first && audit.progress.pause(&format!("{number} "), part.day).await? {
            break;
        }
        if !audit.announce_unknown(number, part, after.take()).await? {
            break;
        }
    }
    audit.progress.finish().await
}

/// Returns the parts of an audit, today's first, so that what was lost last is found first.
fn parts(days: u64, until: NaiveDate) -> Vec<Part> {
    let days = (0..days).map_while(|back| until.checked_sub_days(Days::new(back)));
    let parts = days.flat_map(|day| {
        entity::ALL.into_iter().flat_map(move |entity| {
            [ObjectKind::RawPage, ObjectKind::Manifest].map(|kind| Part { entity, day, kind })
        })
    });
    parts.collect()
}

impl<S: RawSource, A: Announcer> Audit<'_, S, A> {
    /// Announces the objects of a part that the database does not know. Returns whether there is time to go on.
    async fn announce_unknown(
        &mut self,
        number: usize,
        part: Part,
        mut after: Option<String>,
    ) -> Result<bool, StagerError> {
        let prefix = part.prefix();
        loop {
            let listed = self.source.list(&prefix, after.as_deref()).await?;
            let Some(last) = listed.last().map(|object| object.key.clone()) else { return Ok(true) };
            self.progress.result.objects += listed.len();
            let due: Vec<ListedObject> =
                listed.into_iter().filter(|object| self.is_due(object)).filter(is_readable).collect();
            let unknown = match part.kind {
                ObjectKind::RawPage => self.unknown_pages(due).await?,
                ObjectKind::Manifest => self.unknown_manifests(part.entity, &due).await?,
            };
            self.progress.result.announced += announce_all(self.announcer, &unknown).await?;
            if !self.progress.advance(format!("{number} {last}"), part.day).await? {
                return Ok(false);
            }
            after = Some(last);
        }
    }

    async fn unknown_pages(&self, due: Vec<ListedObject>) -> Result<Vec<String>, StagerError> {
        let keys: Vec<String> = due.into_iter().map(|object| object.key).collect();
        db::staging::unknown_pages(self.db, &keys).await.map_err(|source| StagerError::Database {
            operation: "find raw pages that were never staged",
            source,
        })
    }

    async fn unknown_manifests(
        &self,
        entity: &Entity,
        due: &[ListedObject],
    ) -> Result<Vec<String>, StagerError> {
        let run_ids: Vec<String> = due.iter().filter_map(run_id).collect();
        let unknown = db::staging::unheard_runs(self.db, entity, &run_ids).await.map_err(|source| {
            StagerError::Database { operation: "find runs whose manifest was never recorded", source }
        })?;
        Ok(unknown.iter().map(|run_id| format!("runs/{}/{run_id}.json", entity.name)).collect())
    }

    fn is_due(&self, object: &ListedObject) -> bool {
        object.written_at <= self.written_until
    }
}

/// Reports whether the stager reads objects of that key.
fn is_readable(object: &ListedObject) -> bool {
    object_kind(&object.key).is_some()
}

/// Returns the run id in the key of a manifest.
fn run_id(object: &ListedObject) -> Option<String> {
    object.key.rsplit('/').next()?.strip_suffix(".json").map(str::to_owned)
}
