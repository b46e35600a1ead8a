//! Run in the hands of this invocation.

use std::collections::{BTreeMap, HashSet};

use chrono::Utc;
use model::entity::{self, Entity, Query, Shape, Source, TimeFilter};
use object_store::Object;
use protocol::lane::Lane;
use protocol::object_key::RunId;
use protocol::request::Mode;
use rand::RngExt;
use tokio::time::Instant;

use crate::digest::query_sha256;
use crate::distinct_ids::{DistinctCount, DistinctIds};
use crate::job::{Job, RunContext};
use crate::lane_claim::ClaimedRun;
use crate::page_digests::PageDigests;
use crate::state::{Checkpoint, LaneState, NextPosition};

/// Version of this project, in raw pages and manifests.
pub(super) const FETCHER_VERSION: &str = env!("CARGO_PKG_VERSION");

/// Run in the hands of this invocation.
pub(super) struct ActiveRun<'a, S> {
    pub(super) context: RunContext<'a, S>,
    pub(super) job: &'a Job,
    pub(super) entity: &'static Entity,
    /// State of the lane as this invocation wrote it last.
    pub(super) lane: Object<LaneState>,
    /// Progress of the run, which may be ahead of the one in `lane`.
    pub(super) checkpoint: Checkpoint,
    /// Page at which this invocation took over the run.
    pub(super) resumed_from_page: Option<u32>,
    pub(super) page_digests: Option<PageDigests>,
    pub(super) query_sha256: String,
    /// Ids that this invocation has seen; only of a run that lists everything.
    pub(super) distinct_ids: Option<DistinctIds>,
    /// Counts of the records of a run that lists everything, once they are known.
    pub(super) distinct_count: Option<DistinctCount>,
    /// Digests of the truncated records that this invocation has looked up.
    pub(super) looked_up: BTreeMap<String, String>,
    /// States that the run was resumed at a page that several invocations had requested in vain.
    pub(super) is_stuck: bool,
    /// States that truncated records wait for no lookup, because the queue is full: their pages must be stored again.
    pub(super) forgets_pages: bool,
    /// Cursors of the pages that this invocation has read: a cursor that comes again would be a loop.
    pub(super) seen_cursors: HashSet<String>,
    /// Time of the latest write of the state, which renewed the lease.
    pub(super) saved_at: Instant,
}

impl<'a, S> ActiveRun<'a, S> {
    pub(super) fn new(
        context: RunContext<'a, S>,
        job: &'a Job,
        entity: &'static Entity,
        claimed: ClaimedRun,
    ) -> Self {
        let ClaimedRun { lane, checkpoint, resumed_from_page, is_stuck, page_digests } = claimed;
        Self {
            context,
            job,
            entity,
            lane,
            distinct_ids: lists_everything(entity, &checkpoint).then(DistinctIds::default),
            checkpoint,
            resumed_from_page,
            page_digests,
            query_sha256: query_sha256(entity),
            distinct_count: None,
            looked_up: BTreeMap::new(),
            is_stuck,
            forgets_pages: false,
            seen_cursors: HashSet::new(),
            saved_at: Instant::now(),
        }
    }

    /// Returns whether the run belongs to the incremental lane.
    pub(super) fn is_incremental(&self) -> bool {
        self.checkpoint.request.mode.lane() == Lane::Incremental
    }

    /// Returns whether the run lists every record, or every record of its period.
    pub(super) fn lists_everything(&self) -> bool {
        lists_everything(self.entity, &self.checkpoint)
    }

    /// Returns whether the manifest may say that a record that this run has not listed is gone: it has stored every
    /// page, and the ids on them are as many as the records that Gazelle counts. An error in a field beside complete
    /// data takes nothing from that. An element without an id, a null one included, may be any record: the reconciler,
    /// which knows the earlier listings, judges them.
    pub(super) fn proves_absence(&self) -> bool {
        let Checkpoint { total_count_first, total_count, unserved, source_errors, pages_passed, .. } =
            &self.checkpoint;
        let Some(count) = self.distinct_count else { return false };
        let is_counted = match (total_count_first, total_count) {
            (Some(first), Some(last)) => *first == count.total() && *last == count.total(),
            // A plain list comes at once, without a count.
            _ => self.is_plain_list() && source_errors.is_none(),
        };
        self.lists_everything()
            && *pages_passed == 0
            && unserved.is_empty()
            && is_counted
            // An empty list beside an error is no list.
            && (count.identified > 0 || source_errors.is_none())
    }

    /// Returns the query by which to find out whether Gazelle serves anything: the entity's own, or its parent's.
    pub(super) fn probed_query(&self) -> Option<&'static Query> {
        match &self.entity.source {
            Source::Query(query) => Some(query),
            Source::Nested { parent, .. } => entity::find(parent).and_then(Entity::query),
        }
    }

    /// Returns whether the entity's query has no pages: its one response holds everything.
    pub(super) fn is_plain_list(&self) -> bool {
        self.entity.query().is_some_and(|query| matches!(query.shape, Shape::List))
    }

    /// Returns whether the run lists everything, has passed over pages, and was taken over by this invocation, which
    /// cannot know the records on those pages.
    pub(super) fn has_lost_passed_pages(&self) -> bool {
        self.resumed_from_page.is_some() && self.distinct_ids.is_some() && self.checkpoint.pages_passed > 0
    }

    /// Returns whether a listing of everything holds what it held before, and fewer pages of it.
    pub(super) fn has_shrunk(&self) -> bool {
        let is_passed_over = self.checkpoint.pages_passed > 0 && self.checkpoint.may_pass_over;
        self.distinct_ids.is_some()
            && is_passed_over
            && self.page_digests.as_ref().is_some_and(PageDigests::had_more_pages)
    }

    /// Begins anew with a run that serves the same request: the position of this one is worth nothing any more. What
    /// it has stored stays stored.
    pub(super) fn begin_anew(&mut self) {
        let former = &self.checkpoint;
        let run_id = RunId::new(Utc::now(), rand::rng().random());
        self.checkpoint = Checkpoint {
            window: former.window,
            searches: true,
            ..Checkpoint::new(run_id, former.request.clone(), former.started_at)
        };
        // The digests belong to the pages of a run that is not continued.
        self.page_digests = None;
        self.resumed_from_page = None;
        self.is_stuck = false;
        self.distinct_ids = self.lists_everything().then(DistinctIds::default);
        self.seen_cursors.clear();
    }

    /// Begins the listing once more at its first page, this time storing every page.
    pub(super) fn restart_listing(&mut self) {
        let checkpoint = &mut self.checkpoint;
        checkpoint.next = NextPosition::Page(None);
        (checkpoint.page, checkpoint.pages_passed, checkpoint.records_passed) = (0, 0, 0);
        (checkpoint.suspects, checkpoint.unserved) = (None, Vec::new());
        checkpoint.may_pass_over = false;
        // Every page of it is stored by this invocation.
        self.resumed_from_page = None;
        self.distinct_ids = self.distinct_ids.is_some().then(DistinctIds::default);
        self.seen_cursors.clear();
    }
}

/// Returns whether the run lists every record, or every record of its period: what it lacks is gone.
fn lists_everything(entity: &Entity, checkpoint: &Checkpoint) -> bool {
    let mode = &checkpoint.request.mode;
    let is_tick = *mode == (Mode::Incremental { lookback_days: None });
    let proves_absence = entity.time_filter().is_some_and(TimeFilter::proves_absence);
    *mode == Mode::Full || is_tick && proves_absence && checkpoint.window.is_some()
}
