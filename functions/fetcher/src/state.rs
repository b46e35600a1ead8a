//! State of one lane of one entity, which its runs keep between invocations.
//!
//! The lease keeps two invocations from doing the same work; the fence is that every write is conditional. The field
//! names in JSON are those of every earlier version, so that its objects can still be read; a field that this version
//! does not know is ignored.

use chrono::{DateTime, TimeDelta, Utc};
use model::window::Window;
use protocol::manifest::Unserved;
use protocol::object_key::RunId;
use protocol::request::{IDS_MAX, Mode};
use protocol::request_origin::RequestOrigin;
use serde::{Deserialize, Serialize};

/// Duration of a lease, longer than one page with all its attempts: a holder that has not written for so long is dead.
pub(crate) const LEASE: TimeDelta = TimeDelta::seconds(180);
/// Served requests that a lane remembers, so that a request that is delivered twice runs once.
const SERVED_MAX: usize = 32;
/// Requests that may wait in one lane: more come from a loop or a mistake.
const QUEUED_MAX: usize = 50;

/// State of one lane of one entity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneState {
    /// Time at which the last completed run began; in the incremental lane only.
    pub watermark: Option<DateTime<Utc>>,
    /// Progress of the unfinished run; none if the last one is over.
    pub checkpoint: Option<Checkpoint>,
    /// Lease of the invocation that works on the lane.
    pub lease: Option<Lease>,
    /// Requests that wait, in the order of their arrival.
    #[serde(rename = "asked")]
    pub queued: Vec<QueuedRequest>,
    /// Ids of the requests that were taken from the queue, the latest last.
    pub served: Vec<String>,
    /// Run that began last.
    pub last_run: Option<RunId>,
    /// States that the last run met a record that Gazelle did not serve: the next one searches for it at once.
    #[serde(default, skip_serializing_if = "is_false")]
    pub searches: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

/// Request that waits in a lane, or that a run serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuedRequest {
    /// Id of the request: the same one never runs twice.
    pub request_id: String,
    /// Mode of the run: the records that it fetches.
    pub mode: Mode,
    /// Number of the attempt, from 1: a full run whose source changes while it is listed is tried again.
    pub attempt: u32,
    /// Time before which the request is not served: a lookup without an answer is repeated later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<DateTime<Utc>>,
}

impl QueuedRequest {
    /// Returns whether the request may be served now.
    fn is_due(&self, now: DateTime<Utc>) -> bool {
        self.not_before.is_none_or(|at| at <= now)
    }
}

/// Right of one invocation to work on a lane.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Name of the invocation.
    pub holder: String,
    /// Time from which the holder is taken for dead.
    pub expires_at: DateTime<Utc>,
}

/// Progress of an unfinished run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Id of the run.
    pub run_id: RunId,
    /// Request that the run serves.
    #[serde(rename = "ask")]
    pub request: QueuedRequest,
    /// Period that is fetched; none for the whole list.
    pub window: Option<Window>,
    /// Time at which the run's first invocation began.
    pub started_at: DateTime<Utc>,
    /// Position at which the run goes on.
    pub next: NextPosition,
    /// Number of pages read.
    pub page: u32,
    /// Number of pages stored.
    pub pages: u32,
    /// Number of elements on the stored pages, null ones included.
    pub records: u64,
    /// Number of pages read and not stored.
    pub pages_passed: u32,
    /// Number of elements on the pages that were not stored.
    pub records_passed: u64,
    /// Gazelle's own count of the records, from the first page.
    pub total_count_first: Option<u64>,
    /// Gazelle's own count of the records, from the last page.
    pub total_count: Option<u64>,
    /// Messages of partial responses, shortened.
    pub source_errors: Option<String>,
    /// Ids of the records of which a page shows only the beginning of an inner list: they are looked up by id when
    /// the run ends.
    #[serde(rename = "cut_short", default, skip_serializing_if = "Vec::is_empty")]
    pub truncated: Vec<String>,
    /// Number of writes of the manifest.
    pub manifest_revision: u32,
    /// Invocations in a row that began and got no page further, whatever the reason.
    pub stalls: u32,
    /// Permission to pass over pages that hold what was stored before.
    pub may_pass_over: bool,
    /// Permission to search a page that is not served for the record at fault.
    #[serde(default, skip_serializing_if = "is_false")]
    pub searches: bool,
    /// Number of records from the position on among which one is not served, or of ids to look up one by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspects: Option<u32>,
    /// Records that Gazelle did not serve; of a run of lookups those without an answer so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unserved: Vec<Unserved>,
    /// Ids that a run of lookups has got a clear answer for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub served: Vec<String>,
}

/// Position at which a run goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NextPosition {
    /// The page after this cursor, or the first page.
    Page(Option<String>),
    /// The lookup of the request's ids from this index on.
    Ids(usize),
    /// The end: every page is stored, and the run has to be closed.
    Close,
}

/// Result of adding a request to a lane's queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Enqueued {
    /// The request waits now.
    Added,
    /// The request was served before, or one that asks the same waits already.
    AlreadyKnown,
    /// Too many requests wait.
    QueueFull,
}

impl Checkpoint {
    /// Creates the progress of a run that has not begun, at the beginning of a listing.
    pub(crate) fn new(run_id: RunId, request: QueuedRequest, started_at: DateTime<Utc>) -> Self {
        Self {
            run_id,
            request,
            window: None,
            started_at,
            next: NextPosition::Page(None),
            page: 0,
            pages: 0,
            records: 0,
            pages_passed: 0,
            records_passed: 0,
            total_count_first: None,
            total_count: None,
            source_errors: None,
            truncated: Vec::new(),
            manifest_revision: 0,
            stalls: 0,
            may_pass_over: false,
            searches: false,
            suspects: None,
            unserved: Vec::new(),
            served: Vec::new(),
        }
    }
}

impl LaneState {
    /// Returns whether an invocation other than `holder` works on the lane.
    #[must_use]
    pub fn is_held_against(&self, holder: &str, now: DateTime<Utc>) -> bool {
        self.lease.as_ref().is_some_and(|lease| {
            lease.holder != holder
                && lease.expires_at > now
                // A lease ends no later than one that is written now; a later end comes from a broken clock.
                && lease.expires_at <= now + LEASE * 2
        })
    }

    /// Returns whether the lane has an unfinished run, or a request that may be served now.
    #[must_use]
    pub fn has_work(&self, now: DateTime<Utc>) -> bool {
        self.checkpoint.is_some() || self.queued.iter().any(|request| request.is_due(now))
    }

    /// Returns the unfinished run and the number of its stored pages, if they may hold another content of the records
    /// than the incremental runs know. Lookups of truncated records are compared by themselves.
    pub(crate) fn unfinished_pages(&self) -> Option<(&RunId, u32)> {
        let checkpoint = self.checkpoint.as_ref().filter(|checkpoint| checkpoint.pages > 0)?;
        let origin = RequestOrigin::of(&checkpoint.request.request_id);
        (origin != RequestOrigin::TruncatedRecords).then_some((&checkpoint.run_id, checkpoint.pages))
    }

    /// Adds a request to the queue, unless it is known.
    pub(crate) fn enqueue(&mut self, request: QueuedRequest) -> Enqueued {
        let is_known = self.served.contains(&request.request_id)
            || self
                .queued
                .iter()
                .any(|queued| queued.request_id == request.request_id || queued.mode == request.mode);
        if is_known {
            return Enqueued::AlreadyKnown;
        }
        if self.queued.len() < QUEUED_MAX {
            self.queued.push(request);
            return Enqueued::Added;
        }
        if let Mode::Verify { ids } = request.mode
            && self.merge_lookups(&ids)
        {
            self.remember_served(request.request_id);
            return Enqueued::Added;
        }
        Enqueued::QueueFull
    }

    /// Adds ids to the lookups that wait; does nothing and returns false if they have no room for all of them.
    fn merge_lookups(&mut self, ids: &[String]) -> bool {
        let is_known = |id: &&String| {
            self.queued.iter().any(|queued| matches!(&queued.mode, Mode::Verify { ids } if ids.contains(id)))
        };
        let mut new: Vec<String> = ids.iter().filter(|id| !is_known(id)).cloned().collect();
        let rooms =
            self.queued.iter().filter(|queued| queued.attempt == 1).map(|queued| match &queued.mode {
                Mode::Verify { ids } => IDS_MAX.saturating_sub(ids.len()),
                _ => 0,
            });
        if rooms.sum::<usize>() < new.len() {
            return false;
        }
        for queued in self.queued.iter_mut().filter(|queued| queued.attempt == 1) {
            if let Mode::Verify { ids } = &mut queued.mode {
                let room = IDS_MAX.saturating_sub(ids.len()).min(new.len());
                ids.extend(new.drain(..room));
            }
        }
        true
    }

    /// Takes the request that has waited longest of those that may be served now; it counts as served.
    pub(crate) fn dequeue(&mut self, now: DateTime<Utc>) -> Option<QueuedRequest> {
        let index = self.queued.iter().position(|request| request.is_due(now))?;
        let request = self.queued.remove(index);
        self.remember_served(request.request_id.clone());
        Some(request)
    }

    fn remember_served(&mut self, request_id: String) {
        self.served.push(request_id);
        if self.served.len() > SERVED_MAX {
            self.served.remove(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// State object as version 6.0.0 wrote it before its Rust names changed.
    fn former_state() -> Value {
        json!({
            "watermark": "2026-01-31T12:00:00Z",
            "checkpoint": {
                "run_id": "20260131T120000000Z-00000009",
                "ask": { "request_id": "tick-1", "mode": { "incremental": { "lookback_days": null } }, "attempt": 1 },
                "window": { "start": "2026-01-30T05:00:00Z", "end": null },
                "started_at": "2026-01-31T12:00:00Z",
                "next": { "page": "cursor-2" },
                "page": 2,
                "pages": 1,
                "records": 50,
                "pages_passed": 1,
                "records_passed": 50,
                "total_count_first": 600,
                "total_count": 601,
                "source_errors": "page 1: a message; ",
                "cut_short": ["pno_1"],
                "manifest_revision": 3,
                "stalls": 1,
                "may_pass_over": true
            },
            "lease": { "holder": "invocation-1", "expires_at": "2026-01-31T12:03:00Z" },
            "asked": [
                { "request_id": "weekly", "mode": "full", "attempt": 2 },
                {
                    "request_id": "by-hand",
                    "mode": { "repair": { "start": "2025-12-01T05:00:00Z", "end": "2026-01-01T05:00:00Z" } },
                    "attempt": 1
                },
                {
                    "request_id": "20260131T110000000Z-00000008-0-cut-short",
                    "mode": { "verify": { "ids": ["cli_1", "cli_2"] } },
                    "attempt": 1
                }
            ],
            "served": ["yesterday"],
            "last_run": "20260131T120000000Z-00000009"
        })
    }

    fn lookup(request_id: &str, ids: impl IntoIterator<Item = usize>) -> QueuedRequest {
        let mode = Mode::Verify { ids: ids.into_iter().map(|id| id.to_string()).collect() };
        QueuedRequest { request_id: request_id.to_owned(), mode, attempt: 1, not_before: None }
    }

    #[test]
    fn full_queue_merges_lookups_and_loses_no_id() {
        let mut state = LaneState::default();
        for request in 0..QUEUED_MAX {
            assert_eq!(state.enqueue(lookup(&format!("r{request}"), [request])), Enqueued::Added);
        }
        assert_eq!(state.enqueue(lookup("more", 1_000..1_400)), Enqueued::Added);
        assert_eq!(state.enqueue(lookup("more", 1_000..1_400)), Enqueued::AlreadyKnown);
        let count = |state: &LaneState| -> usize {
            let of = |request: &QueuedRequest| match &request.mode {
                Mode::Verify { ids } => ids.len(),
                _ => 0,
            };
            state.queued.iter().map(of).sum()
        };
        assert_eq!((state.queued.len(), count(&state)), (QUEUED_MAX, QUEUED_MAX + 400));
        for request in 0..60 {
            let begin = 10_000 + request * IDS_MAX;
            let before = count(&state);
            match state.enqueue(lookup(&format!("bulk{request}"), begin..begin + IDS_MAX)) {
                Enqueued::Added => assert_eq!(count(&state), before + IDS_MAX),
                Enqueued::QueueFull => assert_eq!(count(&state), before, "nothing was taken"),
                Enqueued::AlreadyKnown => panic!(),
            }
        }
        assert!(count(&state) <= QUEUED_MAX * IDS_MAX);
    }

    #[test]
    fn request_that_is_not_due_lets_the_others_pass() {
        let now = DateTime::UNIX_EPOCH;
        let mut state = LaneState::default();
        let later = QueuedRequest { not_before: Some(now + TimeDelta::minutes(2)), ..lookup("later", [1]) };
        state.queued = vec![later, lookup("now", [2])];
        assert_eq!(state.dequeue(now).map(|request| request.request_id).as_deref(), Some("now"));
        assert!(!state.has_work(now) && state.dequeue(now).is_none());
        assert!(state.has_work(now + TimeDelta::minutes(2)));
    }

    #[test]
    fn field_of_a_later_version_is_ignored() {
        let mut former = former_state();
        former["of_a_later_version"] = json!([1]);
        former["checkpoint"]["of_a_later_version"] = json!({ "a": 1 });
        let state: Option<LaneState> = serde_json::from_value(former).ok();
        assert!(state.is_some_and(|state| state.checkpoint.is_some() && state.queued.len() == 3));
    }

    #[test]
    fn state_of_the_former_version_is_read_and_written_unchanged() {
        let former = former_state();
        let state: LaneState = serde_json::from_value(former.clone()).unwrap_or_default();
        let checkpoint = state.checkpoint.as_ref().map(|checkpoint| (&checkpoint.next, checkpoint.page));
        assert_eq!(checkpoint, Some((&NextPosition::Page(Some("cursor-2".to_owned())), 2)));
        assert_eq!(state.queued.iter().map(|request| request.attempt).collect::<Vec<_>>(), [2, 1, 1]);
        assert_eq!(serde_json::to_value(&state).ok(), Some(former));
        for (next, written) in [
            (NextPosition::Page(None), json!({ "page": null })),
            (NextPosition::Ids(10), json!({ "ids": 10 })),
            (NextPosition::Close, json!("close")),
        ] {
            assert_eq!(serde_json::to_value(next).ok(), Some(written));
        }
    }
}
