//! One run of one entity: page after page from Gazelle to the sink, resumable at every page.

use std::fmt::Write as _;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use shared::entity::{Entity, Query, Shape};
use shared::key::{self, RunId};
use shared::manifest::{self, Manifest, RunStatus};
use shared::raw_page::{self, Listing, Metadata, RawPage};
use shared::request::{Mode, Window};
use tokio::time::{Instant, sleep};
use tracing::info;

use crate::fetch_error::{FetchError, PAGES_PER_RUN_MAX};
use crate::gazelle::{ApiError, Gazelle};
use crate::raw_sink::{RawSink, SinkError, Stored};
use crate::report::Report;
use crate::state::{Checkpoint, Lease, Next, StateStore, Versioned};

/// A holder that has not stored a page for so long is taken for dead: longer than all tries of one page.
const LEASE: TimeDelta = TimeDelta::seconds(180);
/// A run that came no page further in so many invocations is given up: its cursor may be worth nothing.
const STALLS_MAX: u32 = 5;
/// The API is private and bears no version of its own.
const API_VERSION: &str = "private";
const FETCHER_VERSION: &str = env!("CARGO_PKG_VERSION");

/// What is to be done for one entity.
#[derive(Debug, Clone)]
pub struct Job {
    /// The entity.
    pub entity: &'static Entity,
    /// How far the run reaches.
    pub mode: Mode,
    /// How far an incremental run reaches behind its watermark, where the request does not say.
    pub lookback_days: u32,
    /// This invocation.
    pub holder: String,
    /// Makes the run's id differ from another's of the same millisecond.
    pub salt: u32,
    /// No page is begun after this.
    pub deadline: Instant,
}

/// A run in the hands of this invocation.
struct Run<'a, S, T> {
    api: &'a Gazelle,
    sink: &'a S,
    states: &'a T,
    job: &'a Job,
    query: &'a Query,
    versioned: Versioned,
    checkpoint: Checkpoint,
    resumed_from_page: Option<u32>,
}

/// Fetches an entity: first what an earlier invocation left unfinished, then what the job asks.
/// Errors are in the reports: one entity's never touch another's.
pub async fn fetch<S: RawSink, T: StateStore>(
    api: &Gazelle,
    sink: &S,
    states: &T,
    job: &Job,
    on_page: &(dyn Fn(&Checkpoint) + Sync),
) -> Vec<Report> {
    let mut reports = Vec::new();
    // Two at most: the unfinished run and the one asked for.
    for _ in 0..2 {
        let (mut report, mut covers) = fetch_one(api, sink, states, job, on_page).await;
        while report.status == BUSY && job.must_run() && Instant::now() + BUSY_PAUSE < job.deadline {
            sleep(BUSY_PAUSE).await;
            (report, covers) = fetch_one(api, sink, states, job, on_page).await;
        }
        let is_over = matches!(report.status, "success" | "partial");
        reports.push(report);
        if covers || !is_over {
            break;
        }
    }
    reports
}

/// The status of a run that did not begin because another invocation is at its entity.
pub const BUSY: &str = "busy";
const BUSY_PAUSE: Duration = Duration::from_secs(3);

impl Job {
    /// Whether no later tick asks for the same: a run that may not be passed over.
    #[must_use]
    pub fn must_run(&self) -> bool {
        !matches!(self.mode, Mode::Incremental { lookback_days: None })
    }
}

/// Works on one run; answers whether it was the one that the job asked for.
async fn fetch_one<S: RawSink, T: StateStore>(
    api: &Gazelle,
    sink: &S,
    states: &T,
    job: &Job,
    on_page: &(dyn Fn(&Checkpoint) + Sync),
) -> (Report, bool) {
    let entity = job.entity;
    let now = Utc::now();
    let Some(query) = entity.query() else {
        return (refused(job, now, "failed", "it has no query".to_owned()), true);
    };
    let mut versioned = match states.load(entity.name).await {
        Ok(versioned) => versioned,
        Err(error) => return (refused(job, now, "failed", error.to_string()), true),
    };
    if versioned
        .state
        .lease
        .as_ref()
        .is_some_and(|lease| lease.expires_at > now && lease.holder != job.holder)
    {
        return (refused(job, now, BUSY, "another invocation is at it".to_owned()), true);
    }
    let unfinished = versioned.state.checkpoint.take().filter(|checkpoint| checkpoint.stalls < STALLS_MAX);
    let resumed_from_page = unfinished.as_ref().map(|checkpoint| checkpoint.pages + 1);
    let mut checkpoint = unfinished.unwrap_or_else(|| begin(job, versioned.state.watermark, now));
    let covers = resumed_from_page.is_none() || is_asked(job, &checkpoint);
    checkpoint.stalls += 1;
    let mut run = Run { api, sink, states, job, query, versioned, checkpoint, resumed_from_page };
    let outcome = run.work(on_page).await;
    (run.end(outcome).await, covers)
}

fn begin(job: &Job, watermark: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Checkpoint {
    let window = match &job.mode {
        Mode::Full => None,
        Mode::Repair(window) => Some(*window),
        Mode::Incremental { lookback_days } => {
            let lookback = TimeDelta::days(i64::from(lookback_days.unwrap_or(job.lookback_days)));
            job.entity
                .time_filter()
                .and(watermark)
                .and_then(|watermark| watermark.checked_sub_signed(lookback))
                .map(|start| Window { start, end: None })
        }
    };
    Checkpoint {
        run_id: RunId::new(now, job.salt),
        mode: job.mode.name().to_owned(),
        window,
        started_at: now,
        next: Next::Page(None),
        pages: 0,
        records: 0,
        total_count: None,
        source_errors: None,
        manifest_revision: 0,
        stalls: 0,
    }
}

/// Whether an unfinished run is what the job asks for.
fn is_asked(job: &Job, checkpoint: &Checkpoint) -> bool {
    checkpoint.mode == job.mode.name()
        && match &job.mode {
            Mode::Repair(window) => checkpoint.window == Some(*window),
            Mode::Full => true,
            Mode::Incremental { lookback_days } => lookback_days.is_none(),
        }
}

/// How an invocation leaves a run that did not break.
enum Outcome {
    /// The deadline is near.
    Paused,
    /// Every page is stored.
    Complete,
}

impl<S: RawSink, T: StateStore> Run<'_, S, T> {
    async fn work(&mut self, on_page: &(dyn Fn(&Checkpoint) + Sync)) -> Result<Outcome, FetchError> {
        self.save_state().await?;
        self.save_manifest(RunStatus::Running, None, None).await?;
        let document = self.query.document();
        let query_sha256 = hexadecimal(&Sha256::digest(&document));
        let since = self.checkpoint.window.map(|window| window.start);
        while let Next::Page(cursor) = self.checkpoint.next.clone() {
            if Instant::now() >= self.job.deadline {
                return Ok(Outcome::Paused);
            }
            if self.checkpoint.pages >= PAGES_PER_RUN_MAX {
                return Err(FetchError::Endless { entity: self.job.entity.name });
            }
            let page = self.checkpoint.pages + 1;
            let body = self.api.page(&document, cursor.as_deref(), since).await?;
            self.store(page, cursor.as_deref(), &body, &query_sha256).await?;
            self.save_state().await?;
            on_page(&self.checkpoint);
        }
        Ok(Outcome::Complete)
    }

    /// Stores one page and moves the checkpoint behind it.
    async fn store(
        &mut self,
        page: u32,
        cursor: Option<&str>,
        body: &str,
        query_sha256: &str,
    ) -> Result<(), FetchError> {
        let entity = self.job.entity.name;
        let listing = self.listing(page, body)?;
        let metadata = Metadata {
            schema_version: raw_page::SCHEMA_VERSION,
            entity: entity.to_owned(),
            mode: self.checkpoint.mode.clone(),
            run_id: self.checkpoint.run_id.clone(),
            page,
            cursor: cursor.map(str::to_owned),
            fetched_at: Utc::now(),
            endpoint: self.api.url().to_owned(),
            api_version: API_VERSION.to_owned(),
            query_sha256: query_sha256.to_owned(),
            window: self.checkpoint.window,
            record_count: listing.nodes.len() as u64,
            fetcher_version: FETCHER_VERSION.to_owned(),
        };
        let key = key::raw_page(entity, &self.checkpoint.run_id, page);
        let save = |source| FetchError::SavePage { entity, page, source };
        let payload: &RawValue =
            serde_json::from_str(body).map_err(|error| save(SinkError(error.to_string())))?;
        let object = serde_json::to_vec(&RawPage { metadata, payload })
            .map_err(|error| save(SinkError(error.to_string())))?;
        match self.sink.store_page(&key, object).await.map_err(save)? {
            Stored::New => {
                info!(entity, run.id = %self.checkpoint.run_id, page.number = page, records = listing.nodes.len(),
                    "Saved page {page} of {entity}");
                self.advance(page, cursor, &listing)
            }
            Stored::Before(bytes) => {
                // The page as it was stored decides where to go on: ours may have shifted since.
                let text = String::from_utf8(bytes).map_err(|error| save(SinkError(error.to_string())))?;
                let stored: RawPage<'_> =
                    serde_json::from_str(&text).map_err(|error| save(SinkError(error.to_string())))?;
                info!(entity, run.id = %self.checkpoint.run_id, page.number = page, "Page {page} of {entity} was saved before");
                let listing = self.listing(page, stored.payload.get())?;
                self.advance(page, cursor, &listing)
            }
        }
    }

    fn listing<'b>(&self, page: u32, body: &'b str) -> Result<Listing<'b>, FetchError> {
        raw_page::listing(self.query, body).map_err(|source| FetchError::Unreadable {
            entity: self.job.entity.name,
            page,
            source,
        })
    }

    fn advance(&mut self, page: u32, cursor: Option<&str>, listing: &Listing<'_>) -> Result<(), FetchError> {
        let checkpoint = &mut self.checkpoint;
        if !listing.errors.is_empty() {
            let told = checkpoint.source_errors.get_or_insert_default();
            if told.len() < 300 {
                let _ = write!(
                    told,
                    "page {page}: {}; ",
                    listing.errors.join(", ").chars().take(200).collect::<String>()
                );
            }
        }
        let next = match (&self.query.shape, &listing.page_info) {
            (Shape::List, _) => Next::Close,
            (Shape::Connection { .. }, Some(info)) if !info.has_next_page => Next::Close,
            (Shape::Connection { .. }, info) => {
                let end = info.as_ref().and_then(|info| info.end_cursor.clone());
                if end.is_none() || end.as_deref() == cursor {
                    return Err(FetchError::Stuck { entity: self.job.entity.name, page });
                }
                Next::Page(end)
            }
        };
        checkpoint.next = next;
        checkpoint.pages = page;
        checkpoint.records += listing.nodes.len() as u64;
        checkpoint.total_count = listing.total_count.or(checkpoint.total_count);
        checkpoint.stalls = 0;
        Ok(())
    }

    /// Says how the run stands, to whoever reads manifests and state, and in a report.
    async fn end(mut self, outcome: Result<Outcome, FetchError>) -> Report {
        // Who has been overtaken writes nothing more: the run is in other hands.
        let is_overtaken = matches!(outcome, Err(FetchError::State(_)));
        // An outage says nothing against the cursor: the run resumes at its page however long it lasts.
        let is_cursor_in_doubt = matches!(
            outcome,
            Err(FetchError::Unreadable { .. }
                | FetchError::Stuck { .. }
                | FetchError::Api(ApiError::Schema { .. } | ApiError::NoData(_)))
        );
        let (mut status, mut error) = match outcome {
            Ok(Outcome::Paused) => (RunStatus::Running, None),
            Ok(Outcome::Complete) => self.judge(),
            Err(error) => (RunStatus::Failed, Some(error.to_string())),
        };
        if !is_cursor_in_doubt {
            self.checkpoint.stalls = 0;
        }
        let ended_at = Utc::now();
        if !is_overtaken && let Err(failed) = self.leave(status, ended_at, error.clone()).await {
            (status, error) = (RunStatus::Failed, Some(failed.to_string()));
        }
        let report = Report {
            run_id: Some(self.checkpoint.run_id.clone()),
            entity: self.job.entity.name,
            mode: self.checkpoint.mode.clone(),
            status: status.as_str(),
            pages: self.checkpoint.pages,
            records: self.checkpoint.records,
            resumed_from_page: self.resumed_from_page,
            started_at: self.checkpoint.started_at,
            ended_at,
            error,
        };
        report.tell();
        report
    }

    /// Writes the manifest, then the state: a kill in between leaves the checkpoint, and the run is
    /// closed once more.
    async fn leave(
        &mut self,
        status: RunStatus,
        ended_at: DateTime<Utc>,
        error: Option<String>,
    ) -> Result<(), FetchError> {
        // The fence: who has been overtaken in the meantime must not overwrite the other's manifest.
        self.save_state().await?;
        self.save_manifest(status, (status != RunStatus::Running).then_some(ended_at), error).await?;
        let is_over = matches!(status, RunStatus::Success | RunStatus::Partial);
        let state = &mut self.versioned.state;
        if is_over && self.checkpoint.mode != "repair" {
            state.watermark = Some(self.checkpoint.started_at);
        }
        state.checkpoint = (!is_over).then(|| self.checkpoint.clone());
        state.lease = None;
        self.states.save(self.job.entity.name, &self.versioned).await?;
        Ok(())
    }

    /// A run is a success only when what was listed is what the source counts.
    fn judge(&self) -> (RunStatus, Option<String>) {
        let Checkpoint { records, total_count, source_errors, .. } = &self.checkpoint;
        if let Some(errors) = source_errors {
            return (RunStatus::Partial, Some(format!("the source answered in part: {errors}")));
        }
        match total_count {
            Some(total) if total != records => {
                (RunStatus::Partial, Some(format!("the source counts {total} records, and listed {records}")))
            }
            _ => (RunStatus::Success, None),
        }
    }

    async fn save_state(&mut self) -> Result<(), FetchError> {
        let state = &mut self.versioned.state;
        state.checkpoint = Some(self.checkpoint.clone());
        state.lease = Some(Lease { holder: self.job.holder.clone(), expires_at: Utc::now() + LEASE });
        self.versioned.tag = Some(self.states.save(self.job.entity.name, &self.versioned).await?);
        Ok(())
    }

    async fn save_manifest(
        &mut self,
        status: RunStatus,
        ended_at: Option<DateTime<Utc>>,
        error: Option<String>,
    ) -> Result<(), FetchError> {
        let entity = self.job.entity.name;
        self.checkpoint.manifest_revision += 1;
        let checkpoint = &self.checkpoint;
        let manifest = Manifest {
            schema_version: manifest::SCHEMA_VERSION,
            run_id: checkpoint.run_id.clone(),
            entity: entity.to_owned(),
            mode: checkpoint.mode.clone(),
            window: checkpoint.window,
            status,
            started_at: checkpoint.started_at,
            ended_at,
            pages: checkpoint.pages,
            records: checkpoint.records,
            total_count: checkpoint.total_count,
            resumed_from_page: self.resumed_from_page,
            revision: checkpoint.manifest_revision,
            error,
            fetcher_version: FETCHER_VERSION.to_owned(),
        };
        let failed = |source| FetchError::SaveManifest { entity, source };
        let bytes = serde_json::to_vec(&manifest).map_err(|error| failed(SinkError(error.to_string())))?;
        self.sink.store_manifest(&key::manifest(entity, &checkpoint.run_id), bytes).await.map_err(failed)
    }
}

/// A run that did not begin.
fn refused(job: &Job, now: DateTime<Utc>, status: &'static str, error: String) -> Report {
    let report = Report {
        run_id: None,
        entity: job.entity.name,
        mode: job.mode.name().to_owned(),
        status,
        pages: 0,
        records: 0,
        resumed_from_page: None,
        started_at: now,
        ended_at: now,
        error: Some(error),
    };
    report.tell();
    report
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
