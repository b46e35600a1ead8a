//! One run of one entity: page after page from Gazelle to the sink, resumable at every page.

mod ending;

use std::collections::HashSet;
use std::fmt::Write as _;

use chrono::Utc;
use model::entity::{Entity, Shape, TimeFilter};
use protocol::lookup::{self, Answer};
use protocol::manifest::RunStatus;
use protocol::object_key;
use protocol::raw_page::{self, Listing, Metadata, RawPage};
use protocol::request::{IDS_MAX, Mode};
use serde_json::value::RawValue;
use tokio::time::{Duration, Instant};
use tracing::info;

use crate::fetch::{BegunRun, Job, OnPage, Parts, write_down};
use crate::fetch_error::{FetchError, PAGES_PER_RUN_MAX};
use crate::known_pages::KnownPages;
use crate::raw_sink::{RawSink, SinkError, Stored};
use crate::report::Report;
use crate::state::{Checkpoint, LaneState, Next};
use object_store::Object;

use crate::tally::Tally;

/// The API is private and bears no version of its own.
const API_VERSION: &str = "private";
const FETCHER_VERSION: &str = env!("CARGO_PKG_VERSION");
/// A run that stores nothing renews its lease this often.
const RENEW_AFTER: Duration = Duration::from_mins(1);
/// Records asked for in one request: each may be as large as a piano with all its measurements.
const IDS_PER_PAGE: usize = 10;

/// A run in the hands of this invocation.
pub(crate) struct Run<'a, S> {
    parts: Parts<'a, S>,
    job: &'a Job,
    entity: &'static Entity,
    lane: Object<LaneState>,
    checkpoint: Checkpoint,
    resumed_from_page: Option<u32>,
    known: Option<KnownPages>,
    query_sha256: String,
    /// Of a full run, what this invocation has seen.
    tally: Option<Tally>,
    distinct: Option<u64>,
    cursors: HashSet<String>,
    saved_at: Instant,
}

/// What a question for records that were cut short ends in: it stores nothing of which a listing showed something else.
const CUT_SHORT: &str = "-cut-short";

/// How an invocation leaves a run that did not break.
enum Outcome {
    /// The deadline is near.
    Paused,
    /// Every page is stored.
    Complete,
}

/// Whether the run lists everything, or everything of its period: what it lacks is gone.
fn is_complete(entity: &Entity, checkpoint: &Checkpoint) -> bool {
    let is_frequent = checkpoint.ask.mode == (Mode::Incremental { lookback_days: None });
    let proves_absence = entity.time_filter().is_some_and(TimeFilter::proves_absence);
    checkpoint.ask.mode == Mode::Full || is_frequent && proves_absence && checkpoint.window.is_some()
}

impl<'a, S: RawSink> Run<'a, S> {
    pub(crate) fn new(parts: Parts<'a, S>, job: &'a Job, entity: &'static Entity, begun: BegunRun) -> Self {
        let BegunRun { lane, checkpoint, resumed_from_page, known } = begun;
        Self {
            parts,
            job,
            entity,
            lane,
            tally: is_complete(entity, &checkpoint).then(Tally::default),
            checkpoint,
            resumed_from_page,
            known,
            query_sha256: crate::query_sha256(entity),
            distinct: None,
            cursors: HashSet::new(),
            saved_at: Instant::now(),
        }
    }

    /// Works until the end, the deadline or an error; answers what became of the run.
    pub(crate) async fn work(mut self, on_page: OnPage<'_>) -> Report {
        let outcome = self.walk(on_page).await;
        self.end(outcome).await
    }

    async fn walk(&mut self, on_page: OnPage<'_>) -> Result<Outcome, FetchError> {
        if !self.is_frequent() {
            self.save_manifest(RunStatus::Running, None, None).await?;
        } else if self.resumed_from_page.is_some() && self.tally.is_some() && self.checkpoint.pages_passed > 0
        {
            // What was on the pages passed over is not known any more.
            self.begin_again();
        }
        loop {
            let is_on_time = Instant::now() < self.job.deadline;
            match self.checkpoint.next.clone() {
                // What stood on its last pages is gone.
                Next::Close if self.is_shorter() => self.begin_again(),
                Next::Close => break,
                Next::Page(_) | Next::Ids(_) if !is_on_time => return Ok(Outcome::Paused),
                Next::Page(_) if self.checkpoint.page >= PAGES_PER_RUN_MAX => {
                    return Err(FetchError::Endless { entity: self.entity.name });
                }
                Next::Page(cursor) => self.fetch_page(cursor.as_deref()).await?,
                Next::Ids(first) => self.fetch_ids(first).await?,
            }
            on_page(&self.checkpoint);
        }
        self.count_distinct().await?;
        self.ask_for_cut_short().await?;
        Ok(Outcome::Complete)
    }

    /// Whether a listing that proves what is gone holds what it held before, and fewer pages of it.
    fn is_shorter(&self) -> bool {
        let is_passed_over = self.checkpoint.pages_passed > 0 && self.checkpoint.may_pass_over;
        self.tally.is_some() && is_passed_over && self.known.as_ref().is_some_and(KnownPages::were_more)
    }

    /// Reads the listing from its first page once more, and stores every page of it.
    fn begin_again(&mut self) {
        let checkpoint = &mut self.checkpoint;
        checkpoint.next = Next::Page(None);
        (checkpoint.page, checkpoint.pages_passed, checkpoint.records_passed) = (0, 0, 0);
        checkpoint.may_pass_over = false;
        // No page of it is stored yet.
        self.resumed_from_page = None;
        self.tally = self.tally.is_some().then(Tally::default);
        self.cursors.clear();
    }

    /// Writes down that the records that were cut short are to be asked for by id.
    async fn ask_for_cut_short(&mut self) -> Result<(), FetchError> {
        for (place, ids) in self.checkpoint.cut_short.chunks(IDS_MAX).enumerate() {
            let job = Job {
                mode: Mode::Verify { ids: ids.to_vec() },
                request_id: format!("{}-{place}{CUT_SHORT}", self.checkpoint.run_id),
                ..self.job.clone()
            };
            write_down(self.parts.states, &job).await?;
        }
        Ok(())
    }

    /// Fetches one page, stores it where it holds anything new, and moves the checkpoint behind it.
    async fn fetch_page(&mut self, cursor: Option<&str>) -> Result<(), FetchError> {
        let query = self.entity.query().ok_or(FetchError::NoQuery { entity: self.entity.name })?;
        let page = self.checkpoint.page + 1;
        let bounds = self.entity.time_filter().zip(self.checkpoint.window);
        let bounds = bounds.map(|(filter, window)| filter.variables(window)).unwrap_or_default();
        let body = self.parts.api.page(&query.document(), cursor, bounds).await?;
        let listing = self.listing(page, &body)?;
        let is_unchanged = self.known.as_mut().is_some_and(|known| known.is_unchanged(page, &listing));
        // A listing that proves what is gone is stored whole, or, where nothing is new, not at all.
        let is_whole = self.is_frequent() && self.tally.is_some();
        let may_pass_over = self.checkpoint.may_pass_over && !(is_whole && self.checkpoint.pages > 0);
        let is_passed_over = is_unchanged && may_pass_over;
        if is_passed_over || self.tally.is_none() && self.is_outside(&listing) {
            self.advance(page, cursor, &listing, false)?;
            if self.saved_at.elapsed() > RENEW_AFTER {
                self.save_state().await?;
            }
            return Ok(());
        }
        if is_whole && self.checkpoint.pages_passed > 0 {
            self.begin_again();
            return Ok(());
        }
        match self.store(page, cursor, None, listing.nodes.len(), &body).await? {
            None => self.advance(page, cursor, &listing, true)?,
            Some(stored) => {
                // The page as it was stored decides where to go on: ours may have shifted since.
                let stored: RawPage<'_> =
                    serde_json::from_str(&stored).map_err(|error| self.unsaved(page, error))?;
                let listing = self.listing(page, stored.payload.get())?;
                self.advance(page, cursor, &listing, true)?;
            }
        }
        self.save_state().await
    }

    /// Asks for some records by id and stores what the source says.
    async fn fetch_ids(&mut self, first: usize) -> Result<(), FetchError> {
        let Mode::Verify { ids } = &self.checkpoint.ask.mode else {
            return Err(FetchError::NoQuery { entity: self.entity.name });
        };
        let some: Vec<String> = ids.iter().skip(first).take(IDS_PER_PAGE).cloned().collect();
        let end = first + some.len();
        let is_last = end >= ids.len();
        if !some.is_empty() {
            let page = self.checkpoint.page + 1;
            let document = self
                .entity
                .by_id_document(some.len())
                .ok_or(FetchError::NoQuery { entity: self.entity.name })?;
            let body = self.parts.api.by_id(&document, &some).await?;
            let found = lookup::by_id(&body, &some).map_err(|source| self.unreadable(page, source))?;
            let unclear = found.answers.iter().filter(|(_, answer)| *answer == Answer::Unclear).count();
            if unclear > 0 {
                self.note_errors(page, &format!("{unclear} ids without a clear answer"));
            }
            let cut_short = raw_page::cut_short(self.entity, &found.elements).len();
            if cut_short > 0 {
                self.note_errors(
                    page,
                    &format!("{cut_short} records whose lists go on where the source stopped"),
                );
            }
            let records = found.elements.len();
            self.store(page, None, Some(some), records, &body).await?;
            self.checkpoint.page = page;
            self.checkpoint.pages += 1;
            self.checkpoint.records += if self.entity.query().is_some() { records as u64 } else { 0 };
            self.checkpoint.stalls = 0;
        }
        self.checkpoint.next = if is_last { Next::Close } else { Next::Ids(end) };
        self.save_state().await
    }

    /// Stores one page; answers the page that an earlier invocation stored in its place, if one did.
    async fn store(
        &self,
        page: u32,
        cursor: Option<&str>,
        asked: Option<Vec<String>>,
        records: usize,
        body: &str,
    ) -> Result<Option<String>, FetchError> {
        let entity = self.entity.name;
        let run_id = &self.checkpoint.run_id;
        let metadata = Metadata {
            schema_version: raw_page::SCHEMA_VERSION,
            entity: entity.to_owned(),
            mode: self.checkpoint.ask.mode.name().to_owned(),
            run_id: run_id.clone(),
            page,
            cursor: cursor.map(str::to_owned),
            fetched_at: Utc::now(),
            endpoint: self.parts.api.url().to_owned(),
            api_version: API_VERSION.to_owned(),
            query_sha256: self.query_sha256.clone(),
            window: self.checkpoint.window,
            asked,
            record_count: records as u64,
            fetcher_version: FETCHER_VERSION.to_owned(),
        };
        let payload: &RawValue = serde_json::from_str(body).map_err(|error| self.unsaved(page, error))?;
        let object =
            serde_json::to_vec(&RawPage { metadata, payload }).map_err(|error| self.unsaved(page, error))?;
        let stored = self.parts.sink.store_page(&object_key::raw_page(entity, run_id, page), object).await;
        match stored.map_err(|source| FetchError::SavePage { entity, page, source })? {
            Stored::New => {
                info!(entity, run.id = %run_id, page.number = page, records, "Saved page {page} of {entity}");
                Ok(None)
            }
            Stored::Before(bytes) => {
                info!(entity, run.id = %run_id, page.number = page, "Page {page} of {entity} was saved before");
                String::from_utf8(bytes).map(Some).map_err(|error| self.unsaved(page, error))
            }
        }
    }

    fn unsaved(&self, page: u32, error: impl std::error::Error) -> FetchError {
        FetchError::SavePage { entity: self.entity.name, page, source: SinkError(error.to_string()) }
    }

    fn unreadable(&self, page: u32, source: raw_page::UnreadablePage) -> FetchError {
        FetchError::Unreadable { entity: self.entity.name, page, source }
    }

    fn listing<'b>(&self, page: u32, body: &'b str) -> Result<Listing<'b>, FetchError> {
        let query = self.entity.query().ok_or(FetchError::NoQuery { entity: self.entity.name })?;
        raw_page::listing(query, body).map_err(|source| self.unreadable(page, source))
    }

    /// Whether nothing on the page is of the period: the source cannot be told where that ends.
    fn is_outside(&self, listing: &Listing<'_>) -> bool {
        let Some(window) = self.checkpoint.window.filter(|window| window.end.is_some()) else { return false };
        !listing.nodes.is_empty()
            && listing.errors.is_empty()
            && raw_page::nodes(self.entity, Some(window), &listing.nodes).own.is_empty()
    }

    fn advance(
        &mut self,
        page: u32,
        cursor: Option<&str>,
        listing: &Listing<'_>,
        is_stored: bool,
    ) -> Result<(), FetchError> {
        let entity = self.entity.name;
        if !listing.errors.is_empty() {
            self.note_errors(page, &listing.errors.join(", "));
        }
        let is_list = self.entity.query().is_some_and(|query| matches!(query.shape, Shape::List));
        let next = match &listing.page_info {
            _ if is_list => Next::Close,
            Some(info) if !info.has_next_page => Next::Close,
            info => {
                self.cursors.extend(cursor.map(str::to_owned));
                let end = info.as_ref().and_then(|info| info.end_cursor.clone());
                match end {
                    Some(end) if !self.cursors.contains(&end) => Next::Page(Some(end)),
                    _ => return Err(FetchError::Stuck { entity, page }),
                }
            }
        };
        if let Some(tally) = &mut self.tally {
            tally.add(listing);
        }
        let count = listing.nodes.len() as u64;
        let checkpoint = &mut self.checkpoint;
        if is_stored {
            checkpoint.cut_short.extend(raw_page::cut_short(self.entity, &listing.nodes));
            checkpoint.cut_short.sort_unstable();
            checkpoint.cut_short.dedup();
        }
        checkpoint.next = next;
        checkpoint.page = page;
        if is_stored {
            checkpoint.pages += 1;
            checkpoint.records += count;
        } else {
            checkpoint.pages_passed += 1;
            checkpoint.records_passed += count;
        }
        if page == 1 {
            checkpoint.total_count_first = listing.total_count;
        }
        checkpoint.total_count = listing.total_count.or(checkpoint.total_count);
        checkpoint.stalls = 0;
        Ok(())
    }

    fn note_errors(&mut self, page: u32, errors: &str) {
        let told = self.checkpoint.source_errors.get_or_insert_default();
        if told.len() < 300 {
            let _ = write!(told, "page {page}: {}; ", errors.chars().take(200).collect::<String>());
        }
    }

    /// Counts the different records of a full run; those of earlier invocations by reading their pages again.
    async fn count_distinct(&mut self) -> Result<(), FetchError> {
        let Some(mut tally) = self.tally.take() else { return Ok(()) };
        let earlier = self.resumed_from_page.map_or(0, |page| page - 1);
        let keys: Vec<(u32, String)> = (1..=earlier)
            .map(|page| (page, object_key::raw_page(self.entity.name, &self.checkpoint.run_id, page)))
            .collect();
        // Eight at a time: each costs a round trip, and each is held in memory.
        for some in keys.chunks(8) {
            let read = some.iter().map(|(_, key)| self.parts.sink.load_page(key));
            for ((page, _), bytes) in some.iter().zip(futures::future::join_all(read).await) {
                let bytes = bytes.map_err(|source| FetchError::SavePage {
                    entity: self.entity.name,
                    page: *page,
                    source,
                })?;
                let stored: RawPage<'_> =
                    serde_json::from_slice(&bytes).map_err(|error| self.unsaved(*page, error))?;
                tally.add(&self.listing(*page, stored.payload.get())?);
            }
        }
        self.distinct = Some(tally.distinct());
        Ok(())
    }
}
