//! Raw pages of a run, as they are stored.

use std::fmt::Write as _;

use chrono::Utc;
use protocol::object_key;
use protocol::raw_page::{self, Metadata, RawPage};
use serde_json::value::RawValue;
use tracing::info;

use super::active_run::{ActiveRun, FETCHER_VERSION};
use crate::error::FetchError;
use crate::raw_sink::{PageWrite, RawSink};

/// Version of the API, in raw pages: it is private and has none of its own.
const API_VERSION: &str = "private";
/// Length of a run's source errors, in bytes, from which no further one is added: they are read in an alert.
const SOURCE_ERRORS_BYTES_MAX: usize = 300;
/// Characters kept of the errors of one page: a message may quote a value.
const PAGE_ERRORS_CHARACTERS_MAX: usize = 200;

impl<S: RawSink> ActiveRun<'_, S> {
    /// Stores a page with the body of Gazelle's response. Returns the stored object if an earlier invocation stored
    /// this page; `asked` are the ids of a lookup.
    pub(super) async fn save_page(
        &self,
        page: u32,
        cursor: Option<&str>,
        asked: Option<Vec<String>>,
        records: usize,
        body: &str,
    ) -> Result<Option<Vec<u8>>, FetchError> {
        let entity = self.entity.name;
        let run_id = &self.checkpoint.run_id;
        let metadata = Metadata {
            schema_version: raw_page::SCHEMA_VERSION,
            entity: entity.to_owned(),
            mode: self.checkpoint.request.mode.name().as_str().to_owned(),
            run_id: run_id.clone(),
            page,
            cursor: cursor.map(str::to_owned),
            fetched_at: Utc::now(),
            endpoint: self.context.api.url().to_owned(),
            api_version: API_VERSION.to_owned(),
            query_sha256: self.query_sha256.clone(),
            window: self.checkpoint.window,
            asked,
            record_count: records as u64,
            fetcher_version: FETCHER_VERSION.to_owned(),
        };
        let encode_error = |source| FetchError::EncodePage { entity, page, source };
        let payload: &RawValue = serde_json::from_str(body).map_err(encode_error)?;
        let object = serde_json::to_vec(&RawPage { metadata, payload }).map_err(encode_error)?;
        let key = object_key::raw_page(entity, run_id, page);
        let written = self.context.sink.store_page(&key, object).await;
        match written.map_err(|source| FetchError::SavePage { entity, page, source })? {
            PageWrite::Created => {
                info!(entity, run.id = %run_id, page.number = page, records, "Saved page {page} of {entity}");
                Ok(None)
            }
            PageWrite::AlreadyStored(stored) => {
                info!(entity, run.id = %run_id, page.number = page, "Page {page} of {entity} was saved before");
                Ok(Some(stored))
            }
        }
    }

    /// Adds the errors of a partial response to those of the run, shortened.
    pub(super) fn note_source_errors(&mut self, page: u32, errors: &str) {
        let noted = self.checkpoint.source_errors.get_or_insert_default();
        if noted.len() < SOURCE_ERRORS_BYTES_MAX {
            let errors: String = errors.chars().take(PAGE_ERRORS_CHARACTERS_MAX).collect();
            let _ = write!(noted, "page {page}: {errors}; ");
        }
    }
}
