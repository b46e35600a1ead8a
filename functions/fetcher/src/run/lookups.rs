//! Lookups of single records by id.

use protocol::lookup::{self, LookupResult};
use protocol::raw_page;
use protocol::request::{IDS_MAX, Mode};
use protocol::request_origin::truncated_records_request_id;

use super::active_run::ActiveRun;
use crate::error::FetchError;
use crate::job::Job;
use crate::raw_sink::RawSink;
use crate::request_queue::enqueue;
use crate::state::NextPosition;

/// Records looked up in one request: each may be as large as a piano with all its measurements.
const IDS_PER_PAGE: usize = 10;

impl<S: RawSink> ActiveRun<'_, S> {
    /// Looks up the next ids of the request, from index `first` on, and stores Gazelle's response.
    pub(super) async fn look_up_ids(&mut self, first: usize) -> Result<(), FetchError> {
        let entity = self.entity.name;
        let Mode::Verify { ids } = &self.checkpoint.request.mode else {
            return Err(FetchError::NoQuery { entity });
        };
        let chunk: Vec<String> = ids.iter().skip(first).take(IDS_PER_PAGE).cloned().collect();
        let end = first + chunk.len();
        let is_last = end >= ids.len();
        if !chunk.is_empty() {
            self.look_up_chunk(chunk).await?;
        }
        self.checkpoint.next = if is_last { NextPosition::Close } else { NextPosition::Ids(end) };
        self.save_state().await
    }

    async fn look_up_chunk(&mut self, ids: Vec<String>) -> Result<(), FetchError> {
        let entity = self.entity.name;
        let page = self.checkpoint.page + 1;
        let document = self.entity.lookup_document(ids.len()).ok_or(FetchError::NoQuery { entity })?;
        let body = self.context.api.look_up(&document, &ids).await?;
        let found = lookup::parse_lookup(&body, &ids).map_err(|source| FetchError::ReadPage {
            entity,
            page,
            source,
        })?;
        let unclear = found.results.iter().filter(|(_, result)| *result == LookupResult::Unclear).count();
        if unclear > 0 {
            self.note_source_errors(page, &format!("{unclear} ids without a clear answer"));
        }
        let truncated = raw_page::truncated_ids(self.entity, &found.elements).len();
        if truncated > 0 {
            self.note_source_errors(page, &format!("{truncated} records whose inner lists are truncated"));
        }
        let records = found.elements.len();
        self.save_page(page, None, Some(ids), records, &body).await?;
        self.checkpoint.page = page;
        self.checkpoint.pages += 1;
        self.checkpoint.records += if self.entity.query().is_some() { records as u64 } else { 0 };
        self.checkpoint.stalls = 0;
        Ok(())
    }

    /// Requests lookups of the records that this run has found truncated.
    pub(super) async fn enqueue_truncated(&mut self) -> Result<(), FetchError> {
        for (index, ids) in self.checkpoint.truncated.chunks(IDS_MAX).enumerate() {
            let job = Job {
                mode: Mode::Verify { ids: ids.to_vec() },
                request_id: truncated_records_request_id(&self.checkpoint.run_id, index),
                ..self.job.clone()
            };
            enqueue(self.context.states, &job).await?;
        }
        Ok(())
    }
}
