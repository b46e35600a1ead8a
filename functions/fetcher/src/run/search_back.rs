//! Way around a record that is not served and hides even its cursor: from the end of the listing back to the record
//! behind it.

use gazelle_client::PageRequest;
use protocol::listing::{self, PageInfo};

use super::active_run::ActiveRun;
use super::search::SEARCH_ATTEMPTS_MAX;
use crate::error::FetchError;
use crate::raw_sink::RawSink;
use crate::state::NextPosition;

/// Pages that are walked back at most: at five requests per second, less than a minute.
const PAGES_BACK_MAX: u64 = 200;

/// Position in a listing, seen from its end.
struct Behind {
    /// Number of records from the one behind the record at fault up to the position.
    records: u64,
    /// Cursor of the position; none for the end.
    before: Option<String>,
}

impl<S: RawSink> ActiveRun<'_, S> {
    /// Fetches the page behind the record at the run's position from the other side, and notes the record. Returns
    /// false if the way back leads nowhere.
    pub(super) async fn fetch_from_behind(
        &mut self,
        page: u32,
        error: &FetchError,
    ) -> Result<bool, FetchError> {
        let Some(Behind { records, before }) = self.walk_back().await else { return Ok(false) };
        if records == 0 {
            self.note_unserved(page, None, error);
            self.checkpoint.next = NextPosition::Close;
            self.save_state().await?;
            return Ok(true);
        }
        let selection = self.entity.query().map(|query| query.selection).unwrap_or_default();
        let Some(body) = self.request_back(selection, before.as_deref(), records).await else {
            return Ok(false);
        };
        let listing = self.listing(page, &body)?;
        // The listing has shifted, and the count from its end leads to another record.
        if listing.nodes.len() as u64 != records {
            return Ok(false);
        }
        let end_cursor = listing.page_info.and_then(|info| info.end_cursor);
        self.note_unserved(page, None, error);
        self.take_page(page, None, &body).await?;
        if self.checkpoint.page == page {
            let is_end = before.is_none();
            self.checkpoint.next = if is_end { NextPosition::Close } else { NextPosition::Page(end_cursor) };
            self.save_state().await?;
        }
        Ok(true)
    }

    /// Walks back until less than a page lies between the record at fault and the position.
    async fn walk_back(&self) -> Option<Behind> {
        let size = u64::from(self.context.api.page_size());
        // The last record may be the one at fault, and the count that the pages before it stated does not need it.
        let total = match self.checkpoint.total_count {
            Some(total) => total,
            None => self.outline_back(None, 1).await?.total,
        };
        let mut behind = Behind { records: total.checked_sub(self.records_before() + 1)?, before: None };
        if behind.records / size > PAGES_BACK_MAX {
            return None;
        }
        while behind.records > size {
            let outline = self.outline_back(behind.before.as_deref(), size).await?;
            behind.records = behind.records.checked_sub(outline.count).filter(|_| outline.count > 0)?;
            behind.before = Some(outline.info.start_cursor?);
        }
        Some(behind)
    }

    async fn outline_back(&self, before: Option<&str>, size: u64) -> Option<Outline> {
        let body = self.request_back("id", before, size).await?;
        let listing = listing::parse_listing(self.entity.query()?, &body).ok()?;
        Some(Outline {
            count: listing.nodes.len() as u64,
            total: listing.total_count?,
            info: listing.page_info?,
        })
    }

    /// Requests as many records before a cursor, or before the end; returns the body of the response.
    async fn request_back(&self, selection: &str, before: Option<&str>, records: u64) -> Option<String> {
        let document = self.entity.query()?.backward_document(selection)?;
        let page = PageRequest {
            cursor: before,
            first: u32::try_from(records).ok(),
            bounds: self.bounds(),
            attempts_max: Some(SEARCH_ATTEMPTS_MAX),
            is_position_alone: false,
        };
        self.context.api.fetch_page(&document, page).await.ok()
    }
}

/// Page from the end of a listing, without the content of its records.
struct Outline {
    count: u64,
    total: u64,
    info: PageInfo,
}
