//! Search for a record that Gazelle does not serve: the page is requested in halves down to it, and then passed over, so
//! that it costs itself alone.
//!
//! A search begins only if Gazelle serves the beginning of the listing: an outage is no property of a record.

use chrono::Utc;
use model::entity::Query;
use protocol::listing::{self, Listing};
use protocol::manifest::{RunStatus, Unserved};
use tracing::{error, warn};

use gazelle_client::PageRequest;
use lambda::error_chain;

use super::active_run::ActiveRun;
use crate::error::FetchError;
use crate::raw_sink::RawSink;
use crate::state::NextPosition;

/// Attempts at a page of a run that searches: it is requested again in smaller parts anyway.
pub(super) const SEARCH_ATTEMPTS_MAX: u32 = 2;
/// Attempts at a single record, after which it is passed over.
const RECORD_ATTEMPTS_MAX: u32 = 3;
/// Records that one run passes over: more are trouble of another kind, and the run fails as it would in an outage.
const UNSERVED_MAX: usize = 20;
/// Characters kept of the reason for which a record was not served.
const REASON_CHARACTERS_MAX: usize = 300;

/// Position behind a record that is not served.
struct Beyond {
    /// Id of the record, if Gazelle shows at least that.
    id: Option<String>,
    next: NextPosition,
}

impl<S: RawSink> ActiveRun<'_, S> {
    /// Returns the number of records to request at the run's position, and of attempts; none for the usual ones.
    pub(super) fn page_limits(&self) -> (Option<u32>, Option<u32>) {
        match self.checkpoint.suspects {
            Some(0 | 1) => (Some(1), Some(RECORD_ATTEMPTS_MAX)),
            Some(suspects) => (Some(suspects.div_ceil(2)), Some(SEARCH_ATTEMPTS_MAX)),
            None => (None, self.checkpoint.searches.then_some(SEARCH_ATTEMPTS_MAX)),
        }
    }

    /// Takes note that a page was served: the record at fault is among the rest of the suspects.
    pub(super) fn clear_suspects(&mut self, served: usize) {
        self.is_stuck = false;
        let served = u32::try_from(served).unwrap_or(u32::MAX).max(1);
        let rest = self.checkpoint.suspects.map(|suspects| suspects.saturating_sub(served));
        self.checkpoint.suspects = rest.filter(|rest| *rest > 0);
    }

    /// Goes on after a page that was not served: with a half of it, with the record behind the one at fault, or with a
    /// new run.
    ///
    /// # Errors
    /// The same `error` where the run has no permission to search, or Gazelle serves nothing at all; or
    /// [`FetchError::Unskippable`].
    pub(super) async fn search(
        &mut self,
        page: u32,
        cursor: Option<&str>,
        error: FetchError,
    ) -> Result<(), FetchError> {
        if !self.checkpoint.searches || !error.concerns_data() || self.is_plain_list() {
            return Err(error);
        }
        let requested = self.page_limits().0.unwrap_or_else(|| self.context.api.page_size());
        if self.checkpoint.suspects.is_none() && !self.is_source_served().await {
            return Err(error);
        }
        if self.is_stuck && self.is_incremental() && cursor.is_some() {
            // The first page shows what is new, and the cursor may have been worth nothing since a deployment.
            return self.restart_run(&error).await;
        }
        if requested > 1 {
            self.checkpoint.suspects = Some(requested);
            return self.save_state().await;
        }
        self.pass_over_record(page, cursor, error).await
    }

    /// Passes over the one record at the run's position, and notes it for the manifest.
    async fn pass_over_record(
        &mut self,
        page: u32,
        cursor: Option<&str>,
        error: FetchError,
    ) -> Result<(), FetchError> {
        if self.checkpoint.unserved.len() >= UNSERVED_MAX {
            return Err(error);
        }
        let entity = self.entity.name;
        let Some(Beyond { id, next }) = self.position_beyond(cursor).await else {
            if !self.is_source_served().await {
                return Err(error);
            }
            if self.fetch_from_behind(page, &error).await? {
                return Ok(());
            }
            return self.give_up_position(page, error).await;
        };
        if let NextPosition::Page(Some(next)) = &next
            && self.seen_cursors.contains(next)
        {
            return Err(FetchError::Stuck { entity, page });
        }
        self.note_unserved(page, id, &error);
        self.checkpoint.next = next;
        self.save_state().await
    }

    /// Notes the record at the run's position as one that is not served; the search for it is over.
    pub(super) fn note_unserved(&mut self, page: u32, id: Option<String>, error: &FetchError) {
        let entity = self.entity.name;
        let unserved = self.unserved_here(page, id, false, error);
        let subject = unserved.subject(self.checkpoint.request.mode.lane().as_str());
        error!(entity, run.id = %self.checkpoint.run_id, subject, "Gazelle does not serve {subject} of {entity}; the run goes on behind it");
        self.checkpoint.unserved.push(unserved);
        self.checkpoint.suspects = None;
        self.checkpoint.stalls = 0;
        self.is_stuck = false;
    }

    /// Returns the number of records before the run's position.
    pub(super) fn records_before(&self) -> u64 {
        let checkpoint = &self.checkpoint;
        checkpoint.records + checkpoint.records_passed + checkpoint.unserved.len() as u64
    }

    /// Begins anew where no cursor behind the record at fault is known, because the cursor before it may be at fault;
    /// in the end gives the rest of the listing up.
    async fn give_up_position(&mut self, page: u32, error: FetchError) -> Result<(), FetchError> {
        let is_again = self.checkpoint.request.attempt < self.job.attempts_max;
        if !self.is_incremental() && is_again && page > 1 {
            self.checkpoint.request.attempt += 1;
            return self.restart_run(&error).await;
        }
        let unserved = self.unserved_here(page, None, true, &error);
        self.checkpoint.unserved.push(unserved);
        Err(FetchError::Unskippable { entity: self.entity.name, page, source: Box::new(error) })
    }

    fn unserved_here(&self, page: u32, id: Option<String>, rest: bool, error: &FetchError) -> Unserved {
        let reason = error_chain(error).chars().take(REASON_CHARACTERS_MAX).collect();
        Unserved { id, page: Some(page), position: Some(self.records_before() + 1), rest, reason }
    }

    /// Closes the run as failed, and begins anew at the first page with another one for the same request.
    async fn restart_run(&mut self, error: &FetchError) -> Result<(), FetchError> {
        let (entity, mode) = (self.entity.name, self.checkpoint.request.mode.name().as_str());
        warn!(
            entity,
            mode,
            "The {mode} run of {entity} begins anew at its first page: {}",
            error_chain(error)
        );
        self.save_manifest(RunStatus::Failed, Some(Utc::now()), Some((error_chain(error), None))).await?;
        self.begin_anew();
        if self.is_incremental() {
            return self.save_state().await;
        }
        self.save_manifest(RunStatus::Running, None, None).await
    }

    /// Returns whether Gazelle serves anything of this listing: else no single record is at fault.
    pub(super) async fn is_source_served(&self) -> bool {
        let Some(query) = self.probed_query() else { return false };
        self.request_outline(query, "id", None).await.is_some()
    }

    /// Returns the position behind the record at `cursor`, from a request for its id, or for the position alone: a
    /// field of the record may be at fault.
    async fn position_beyond(&self, cursor: Option<&str>) -> Option<Beyond> {
        let query = self.entity.query()?;
        for selection in ["id", ""] {
            let Some(body) = self.request_outline(query, selection, cursor).await else { continue };
            let Ok(listing) = listing::parse_listing(query, &body) else { continue };
            if let Some(next) = next_of(&listing, cursor) {
                return Some(Beyond { id: listing.ids().next().flatten(), next });
            }
        }
        None
    }

    /// Requests the first record behind `cursor` with another selection; returns the body of the response.
    async fn request_outline(&self, query: &Query, selection: &str, cursor: Option<&str>) -> Option<String> {
        let document = query.outline_document(selection)?;
        let page = PageRequest {
            cursor,
            first: Some(1),
            bounds: self.bounds(),
            attempts_max: Some(SEARCH_ATTEMPTS_MAX),
            is_position_alone: selection.is_empty(),
        };
        self.context.api.fetch_page(&document, page).await.ok()
    }
}

/// Returns the position behind the one record of an outline; none if it leads nowhere.
fn next_of(listing: &Listing<'_>, cursor: Option<&str>) -> Option<NextPosition> {
    let info = listing.page_info.as_ref()?;
    if !info.has_next_page {
        return Some(NextPosition::Close);
    }
    let end = info.end_cursor.as_deref().filter(|end| Some(*end) != cursor)?;
    Some(NextPosition::Page(Some(end.to_owned())))
}
