//! Keys of the objects in the bucket: raw pages, run manifests, state.

use std::fmt;

use chrono::{DateTime, NaiveDateTime, Utc};

use crate::lane::Lane;

/// Id of one run of one entity; ids sort by the instant at which the run began.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct RunId(String);

impl RunId {
    /// Returns a new id from the start and a random number, so that two runs of the same millisecond differ.
    #[must_use]
    pub fn new(started_at: DateTime<Utc>, salt: u32) -> Self {
        Self(format!("{}-{salt:08x}", started_at.format("%Y%m%dT%H%M%S%3fZ")))
    }

    /// Returns the id as it stands in keys and tables.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the trace id of the run, see [`trace_id`].
    #[must_use]
    pub fn trace_id(&self) -> String {
        trace_id(&self.0)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns the trace id of a run: 32 hexadecimal digits that begin with the second of its start, as OpenTelemetry and
/// X-Ray require. It follows from the run id, so that no message has to carry it.
#[must_use]
pub fn trace_id(run_id: &str) -> String {
    let (moment, salt) = run_id.split_once('-').unwrap_or((run_id, ""));
    let started_at = NaiveDateTime::parse_from_str(moment, "%Y%m%dT%H%M%S%3fZ").unwrap_or_default().and_utc();
    let salt = u32::from_str_radix(salt, 16).unwrap_or_default();
    format!("{:08x}{:016x}{salt:08x}", started_at.timestamp(), started_at.timestamp_subsec_millis())
}

/// Returns the key of a raw page. Keys sort by run and page.
#[must_use]
pub fn raw_page(entity: &str, run_id: &RunId, page: u32) -> String {
    let id = run_id.as_str();
    // The date comes from the run id, so that a run keeps its prefix past midnight.
    let day = (id.get(0..4).unwrap_or("0000"), id.get(4..6).unwrap_or("00"), id.get(6..8).unwrap_or("00"));
    format!("raw/{entity}/{}/{}/{}/{id}/page-{page:05}.json", day.0, day.1, day.2)
}

/// Returns the key of a run's manifest.
#[must_use]
pub fn manifest(entity: &str, run_id: &RunId) -> String {
    format!("runs/{entity}/{run_id}.json")
}

/// Returns the key of the state of an entity's lane: checkpoint, watermark, lease.
#[must_use]
pub fn state(entity: &str, lane: Lane) -> String {
    format!("state/{entity}/{lane}.json")
}

/// Returns the key of the digests of an entity's pages, as they were stored last.
#[must_use]
pub fn page_digests(entity: &str) -> String {
    format!("state/{entity}/pages.json")
}

/// Returns the key of a state that all invocations share: `pace`, `token`.
#[must_use]
pub fn common_state(name: &str) -> String {
    format!("state/{name}.json")
}

/// Kind of an object that the stager reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    /// Raw page, see [`crate::raw_page`].
    RawPage,
    /// Manifest of a run, see [`crate::manifest`].
    Manifest,
}

/// Returns the kind of the object with that key; none for a key that the stager does not read.
#[must_use]
pub fn object_kind(key: &str) -> Option<ObjectKind> {
    // The database holds keys, and no text with NUL; the fetcher writes none with any control character.
    let (prefix, rest) = key.split_once('/').filter(|_| !key.contains(char::is_control))?;
    let file = rest.rsplit('/').next()?;
    match prefix {
        "raw" if file.starts_with("page-") && file.ends_with(".json") => Some(ObjectKind::RawPage),
        "runs" if file.ends_with(".json") => Some(ObjectKind::Manifest),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn keys_sort_by_run_and_page() {
        let at = |second| Utc.with_ymd_and_hms(2026, 1, 31, 23, 59, second).single().unwrap_or_default();
        let (first, second) = (RunId::new(at(1), 9), RunId::new(at(2), 1));
        let key = raw_page("timeline", &first, 2);
        assert_eq!(key, "raw/timeline/2026/01/31/20260131T235901000Z-00000009/page-00002.json");
        assert!(key < raw_page("timeline", &first, 10));
        assert!(key < raw_page("timeline", &second, 1));
        assert_eq!(object_kind(&key), Some(ObjectKind::RawPage));
        assert_eq!(object_kind(&manifest("timeline", &first)), Some(ObjectKind::Manifest));
        assert_eq!(object_kind(&state("timeline", Lane::Full)), None);
    }

    #[test]
    fn trace_id_is_unique_and_begins_with_the_start() {
        let at = Utc.with_ymd_and_hms(2026, 1, 31, 23, 59, 1).single().unwrap_or_default();
        let (one, other) = (RunId::new(at, 9).trace_id(), RunId::new(at, 10).trace_id());
        assert_eq!(one, "697e97450000000000000000_00000009".replace('_', ""));
        assert_ne!(one, other);
        assert_eq!(trace_id("nonsense").len(), 32);
    }
}
