//! Pages of a listing: fetches the next one, stores it if it holds anything new, and moves the checkpoint behind it.

use gazelle_client::PageRequest;
use model::entity::Query;
use protocol::listing::{self, Listing};
use protocol::raw_page::{self, RawPage};
use tokio::time::Duration;

use super::active_run::ActiveRun;
use crate::error::FetchError;
use crate::page_digests::PageDigests;
use crate::raw_sink::RawSink;
use crate::state::NextPosition;

/// Time after which a run that stores no page renews its lease: a third of the lease.
const RENEW_AFTER: Duration = Duration::from_mins(1);

impl<S: RawSink> ActiveRun<'_, S> {
    /// Fetches the page after `cursor`, or the first. A page that is not served is searched for the record at fault, if
    /// several invocations have requested it in vain.
    pub(super) async fn fetch_page(&mut self, cursor: Option<&str>) -> Result<(), FetchError> {
        let page = self.checkpoint.page + 1;
        let (first, attempts_max) = self.page_limits();
        let request =
            PageRequest { cursor, first, bounds: self.bounds(), attempts_max, is_position_alone: false };
        let document = self.query()?.document();
        let served = self.context.api.fetch_page(&document, request).await.map_err(FetchError::from);
        let served = served.and_then(|body| self.listing(page, &body).map(|_| ()).map(|()| body));
        match served {
            Ok(body) => self.take_page(page, cursor, &body).await,
            Err(error) => Box::pin(self.search(page, cursor, error)).await,
        }
    }

    /// Returns the variables that limit the listing to the run's period.
    pub(super) fn bounds(&self) -> Vec<(&'static str, String)> {
        let bounds = self.entity.time_filter().zip(self.checkpoint.window);
        bounds.map(|(filter, window)| filter.variables(window)).unwrap_or_default()
    }

    /// Stores a page if it holds anything new, and moves the checkpoint behind it.
    pub(super) async fn take_page(
        &mut self,
        page: u32,
        cursor: Option<&str>,
        body: &str,
    ) -> Result<(), FetchError> {
        let listing = self.listing(page, body)?;
        let digests: Option<&mut PageDigests> = self.page_digests.as_mut();
        let is_unchanged = digests.is_some_and(|digests| digests.is_unchanged(page, &listing));
        // A tick's listing of everything is stored as a whole, or, if nothing is new, not at all.
        let is_all_or_nothing = self.is_incremental() && self.lists_everything();
        let may_pass_over =
            self.checkpoint.may_pass_over && !(is_all_or_nothing && self.checkpoint.pages > 0);
        let is_passed_over = is_unchanged && may_pass_over;
        if is_passed_over || self.distinct_ids.is_none() && self.is_outside_window(&listing) {
            self.advance(page, cursor, &listing, false)?;
            if self.saved_at.elapsed() > RENEW_AFTER {
                self.save_state().await?;
            }
            return Ok(());
        }
        if is_all_or_nothing && self.checkpoint.pages_passed > 0 {
            self.restart_listing();
            return Ok(());
        }
        match self.save_page(page, cursor, None, listing.nodes.len(), body).await? {
            None => self.advance(page, cursor, &listing, true)?,
            Some(stored) => {
                // The stored page decides where the run goes on: the listing may have shifted since.
                let entity = self.entity.name;
                let stored: RawPage<'_> = serde_json::from_slice(&stored)
                    .map_err(|source| FetchError::DecodePage { entity, page, source })?;
                let listing = self.listing(page, stored.payload.get())?;
                self.advance(page, cursor, &listing, true)?;
            }
        }
        self.save_state().await
    }

    /// Reads the listing in the body of a response.
    pub(super) fn listing<'b>(&self, page: u32, body: &'b str) -> Result<Listing<'b>, FetchError> {
        let entity = self.entity.name;
        listing::parse_listing(self.query()?, body).map_err(|source| FetchError::ReadPage {
            entity,
            page,
            source,
        })
    }

    fn query(&self) -> Result<&'static Query, FetchError> {
        self.entity.query().ok_or(FetchError::NoQuery { entity: self.entity.name })
    }

    /// Returns whether no record of the page lies in the period: Gazelle's query has no upper bound.
    fn is_outside_window(&self, listing: &Listing<'_>) -> bool {
        let Some(window) = self.checkpoint.window.filter(|window| window.end.is_some()) else { return false };
        !listing.nodes.is_empty()
            && listing.errors.is_empty()
            && raw_page::nodes(self.entity, Some(window), &listing.nodes).own.is_empty()
    }

    /// Moves the checkpoint behind a page.
    fn advance(
        &mut self,
        page: u32,
        cursor: Option<&str>,
        listing: &Listing<'_>,
        is_stored: bool,
    ) -> Result<(), FetchError> {
        if !listing.errors.is_empty() {
            self.note_source_errors(page, &listing.errors.join(", "));
        }
        let next = self.next_position(page, cursor, listing)?;
        if let Some(distinct_ids) = &mut self.distinct_ids {
            distinct_ids.add(listing);
        }
        let count = listing.nodes.len() as u64;
        let checkpoint = &mut self.checkpoint;
        if is_stored {
            checkpoint.truncated.extend(raw_page::truncated_ids(self.entity, &listing.nodes));
            checkpoint.truncated.sort_unstable();
            checkpoint.truncated.dedup();
            checkpoint.pages += 1;
            checkpoint.records += count;
        } else {
            checkpoint.pages_passed += 1;
            checkpoint.records_passed += count;
        }
        checkpoint.next = next;
        checkpoint.page = page;
        if page == 1 {
            checkpoint.total_count_first = listing.total_count;
        }
        checkpoint.total_count = listing.total_count.or(checkpoint.total_count);
        checkpoint.stalls = 0;
        self.clear_suspects(listing.nodes.len());
        Ok(())
    }

    fn next_position(
        &mut self,
        page: u32,
        cursor: Option<&str>,
        listing: &Listing<'_>,
    ) -> Result<NextPosition, FetchError> {
        if self.is_plain_list() || listing.page_info.as_ref().is_some_and(|info| !info.has_next_page) {
            return Ok(NextPosition::Close);
        }
        self.seen_cursors.extend(cursor.map(str::to_owned));
        let end_cursor = listing.page_info.as_ref().and_then(|info| info.end_cursor.clone());
        match end_cursor {
            Some(end) if !self.seen_cursors.contains(&end) => Ok(NextPosition::Page(Some(end))),
            _ => Err(FetchError::Stuck { entity: self.entity.name, page }),
        }
    }
}
