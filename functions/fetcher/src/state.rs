//! What the runs of one lane of one entity remember between invocations.
//!
//! The lease saves a second invocation its work; the fence is that every write is conditional.

use chrono::{DateTime, TimeDelta, Utc};
use model::window::Window;
use protocol::object_key::RunId;
use protocol::request::Mode;
use serde::{Deserialize, Serialize};

/// A holder that has not written for so long is taken for dead: longer than all tries of one page.
pub(crate) const LEASE: TimeDelta = TimeDelta::seconds(180);
/// Requests of which a lane remembers that it has served them: a message that comes twice is one.
const SERVED_MAX: usize = 32;
/// What may wait its turn in one lane.
const ASKED_MAX: usize = 50;

/// What the runs of one lane remember.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LaneState {
    /// When the last run that stored every page had begun; in the lane of the frequent runs alone.
    pub watermark: Option<DateTime<Utc>>,
    /// A run that is not finished.
    pub checkpoint: Option<Checkpoint>,
    /// Who works on it now.
    pub lease: Option<Lease>,
    /// What waits its turn, in the order of asking.
    pub asked: Vec<Ask>,
    /// Requests that were taken up, the last one last.
    pub served: Vec<String>,
    /// The run begun last.
    pub last_run: Option<RunId>,
}

/// A request that waits its turn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// The request: the same one never runs twice.
    pub request_id: String,
    /// What it asks.
    pub mode: Mode,
    /// Which try it is, from 1: a full run whose source moved under it is tried again.
    pub attempt: u32,
}

/// Who works on a lane, and until when others keep off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The invocation.
    pub holder: String,
    /// Past this the holder is taken for dead.
    pub expires_at: DateTime<Utc>,
}

/// How far a run has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The run.
    pub run_id: RunId,
    /// What was asked.
    pub ask: Ask,
    /// The period fetched; none where the whole list is.
    pub window: Option<Window>,
    /// When its first invocation began.
    pub started_at: DateTime<Utc>,
    /// What comes next.
    pub next: Next,
    /// Pages read, in the order of the listing.
    pub page: u32,
    /// Pages stored.
    pub pages: u32,
    /// Elements in them, null ones included.
    pub records: u64,
    /// Pages read and not stored.
    pub pages_passed: u32,
    /// Elements on those.
    pub records_passed: u64,
    /// The source's own count, from the first page.
    pub total_count_first: Option<u64>,
    /// The source's own count, from the last page.
    pub total_count: Option<u64>,
    /// Messages of partial answers, shortened.
    pub source_errors: Option<String>,
    /// Records of which the source showed only the beginning of a list inside: asked for by id when the run ends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cut_short: Vec<String>,
    /// Manifests written.
    pub manifest_revision: u32,
    /// Invocations in a row that began without getting a page further.
    pub stalls: u32,
    /// Whether pages that hold what was stored before may be passed over in this run.
    pub may_pass_over: bool,
}

/// What a run does next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Next {
    /// Fetches the page after this cursor, or the first.
    Page(Option<String>),
    /// Asks for the ids from this place on.
    Ids(usize),
    /// Every page is stored: it only has to be closed.
    Close,
}

impl LaneState {
    /// Whether another invocation is at work here.
    #[must_use]
    pub fn is_held_against(&self, holder: &str, now: DateTime<Utc>) -> bool {
        self.lease.as_ref().is_some_and(|lease| {
            lease.holder != holder
                && lease.expires_at > now
                // A lease can end no later than if it were written now: one beyond that is a broken clock's.
                && lease.expires_at <= now + LEASE * 2
        })
    }

    /// Whether there is something to do that no frequent run asks for.
    #[must_use]
    pub fn has_work(&self) -> bool {
        self.checkpoint.is_some() || !self.asked.is_empty()
    }

    /// Writes a request down, unless it is known; answers whether it is new. None: too many wait.
    pub(crate) fn ask(&mut self, ask: Ask) -> Option<bool> {
        let is_known = self.served.contains(&ask.request_id)
            || self
                .asked
                .iter()
                .any(|waiting| waiting.request_id == ask.request_id || waiting.mode == ask.mode);
        if is_known {
            return Some(false);
        }
        if self.asked.len() >= ASKED_MAX {
            return None;
        }
        self.asked.push(ask);
        Some(true)
    }

    /// Takes the request that waits longest.
    pub(crate) fn take_ask(&mut self) -> Option<Ask> {
        if self.asked.is_empty() {
            return None;
        }
        let ask = self.asked.remove(0);
        self.served.push(ask.request_id.clone());
        if self.served.len() > SERVED_MAX {
            self.served.remove(0);
        }
        Some(ask)
    }
}
