//! Lookups of single records by id.
//!
//! An id that is not answered costs the others nothing: it is looked up by itself, then again in later runs, and in the
//! end it is given up aloud.

use chrono::{TimeDelta, Utc};
use lambda::error_chain;
use protocol::lookup::{self, LookupResult};
use protocol::manifest::Unserved;
use protocol::raw_page::{self, Metadata};
use protocol::request::{IDS_MAX, Mode};
use protocol::request_origin::{RequestOrigin, truncated_records_request_id};
use serde::Deserialize;
use serde::de::IgnoredAny;
use tracing::{error, warn};

use super::active_run::ActiveRun;
use super::search::SEARCH_ATTEMPTS_MAX;
use crate::error::FetchError;
use crate::job::Job;
use crate::page_digests::record_digest;
use crate::raw_sink::RawSink;
use crate::request_queue::enqueue;
use crate::state::{NextPosition, QueuedRequest};

/// Records looked up in one request: each may be as large as a piano with all its measurements.
const IDS_PER_PAGE: usize = 10;
/// Runs that look up an id in vain, over half an hour, before it is given up.
const LOOKUP_RUNS_MAX: u32 = 5;
/// Pause before an id that was not answered is looked up again; it doubles with each further run.
const LOOKUP_PAUSE: TimeDelta = TimeDelta::minutes(2);
/// Characters kept of the reason for which an id was not answered.
const REASON_CHARACTERS_MAX: usize = 300;

impl<S: RawSink> ActiveRun<'_, S> {
    /// Looks up the next ids of the request, from index `first` on, and stores Gazelle's response.
    pub(super) async fn look_up_ids(&mut self, first: usize) -> Result<(), FetchError> {
        let entity = self.entity.name;
        let Mode::Verify { ids } = &self.checkpoint.request.mode else {
            return Err(FetchError::NoQuery { entity });
        };
        let suspects = self.checkpoint.suspects.unwrap_or(0);
        let length = if suspects > 0 { 1 } else { IDS_PER_PAGE };
        let chunk: Vec<String> = ids.iter().skip(first).take(length).cloned().collect();
        let end = first + chunk.len();
        let is_last = end >= ids.len();
        if !chunk.is_empty() {
            let is_doubtful = suspects > 0 || self.checkpoint.request.attempt > 1;
            let attempts_max = is_doubtful.then_some(SEARCH_ATTEMPTS_MAX);
            match self.look_up_chunk(&chunk, attempts_max).await {
                Ok(()) => {}
                Err(error) if error.concerns_data() && self.is_source_served().await => {
                    if let [id] = &chunk[..] {
                        self.note_unanswered(id, &error);
                    } else {
                        // One of them is at fault, and must not cost the others their answer.
                        self.checkpoint.suspects = u32::try_from(chunk.len()).ok();
                        return self.save_state().await;
                    }
                }
                Err(error) => return Err(error),
            }
        }
        self.checkpoint.suspects = Some(suspects.saturating_sub(1)).filter(|suspects| *suspects > 0);
        self.checkpoint.next = if is_last { NextPosition::Close } else { NextPosition::Ids(end) };
        self.checkpoint.stalls = 0;
        self.save_state().await
    }

    fn note_unanswered(&mut self, id: &str, error: &FetchError) {
        let reason = error_chain(error).chars().take(REASON_CHARACTERS_MAX).collect();
        let unserved = Unserved { id: Some(id.to_owned()), page: None, position: None, rest: false, reason };
        self.checkpoint.unserved.push(unserved);
    }

    async fn look_up_chunk(&mut self, ids: &[String], attempts_max: Option<u32>) -> Result<(), FetchError> {
        let entity = self.entity.name;
        let page = self.checkpoint.page + 1;
        let document = self.entity.lookup_document(ids.len()).ok_or(FetchError::NoQuery { entity })?;
        let body = self.context.api.look_up(&document, ids, attempts_max).await?;
        let found = lookup::parse_lookup(&body, ids).map_err(|source| FetchError::ReadPage {
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
        let page = self.save_lookup(page, ids, records, &body).await?;
        let is_clear = |(_, result): &&(String, LookupResult)| *result != LookupResult::Unclear;
        self.checkpoint.served.extend(found.results.iter().filter(is_clear).map(|(id, _)| id.clone()));
        self.looked_up.extend(found.elements.iter().filter_map(|element| {
            let id = raw_page::id_of_element(element)?;
            Some((id, record_digest(element.get())))
        }));
        self.checkpoint.page = page;
        self.checkpoint.pages += 1;
        self.checkpoint.records += if self.entity.query().is_some() { records as u64 } else { 0 };
        Ok(())
    }

    /// Stores the response of a lookup under the next page number from `page` on that holds no other ids: an invocation
    /// that was killed may have stored more ids, or fewer, than are looked up now. Returns the number.
    async fn save_lookup(
        &self,
        mut page: u32,
        ids: &[String],
        records: usize,
        body: &str,
    ) -> Result<u32, FetchError> {
        #[derive(Deserialize)]
        struct Stored {
            metadata: Metadata,
            #[serde(rename = "payload")]
            _payload: IgnoredAny,
        }
        let entity = self.entity.name;
        while let Some(stored) = self.save_page(page, None, Some(ids.to_vec()), records, body).await? {
            let stored: Stored = serde_json::from_slice(&stored)
                .map_err(|source| FetchError::DecodePage { entity, page, source })?;
            if stored.metadata.asked.as_deref() == Some(ids) {
                break;
            }
            page += 1;
        }
        Ok(page)
    }

    /// Returns the request that looks the unanswered ids of this run up again; none if there are none, or if they have
    /// been looked up often enough: then they stand in the manifest.
    pub(super) fn repeated_lookup(&mut self) -> Option<QueuedRequest> {
        let checkpoint = &mut self.checkpoint;
        if checkpoint.unserved.is_empty() || !matches!(checkpoint.request.mode, Mode::Verify { .. }) {
            return None;
        }
        let (entity, attempt) = (self.entity.name, checkpoint.request.attempt);
        let ids: Vec<String> =
            checkpoint.unserved.iter().filter_map(|unserved| unserved.id.clone()).collect();
        let list = ids.join(", ");
        if self.job.attempts_max == 1 || attempt >= LOOKUP_RUNS_MAX {
            error!(
                entity,
                ids = list,
                "Gave up the lookup of records of {entity} after {attempt} runs: {list}"
            );
            return None;
        }
        warn!(
            entity,
            ids = list,
            "Gazelle did not answer the lookup of {} records of {entity}: {list}",
            ids.len()
        );
        self.note_source_errors(self.checkpoint.page, &format!("{} ids are looked up again", ids.len()));
        self.checkpoint.unserved.clear();
        let pause = LOOKUP_PAUSE * 2_i32.saturating_pow(attempt.saturating_sub(1).min(8));
        Some(QueuedRequest {
            mode: Mode::Verify { ids },
            attempt: attempt + 1,
            not_before: Some(Utc::now() + pause),
            ..self.checkpoint.request.clone()
        })
    }

    /// Returns whether the run looks up records of which listings show only a part.
    pub(super) fn is_of_truncated_records(&self) -> bool {
        RequestOrigin::of(&self.checkpoint.request.request_id) == RequestOrigin::TruncatedRecords
    }

    /// Requests lookups of the records that this run has found truncated.
    pub(super) async fn enqueue_truncated(&mut self) -> Result<(), FetchError> {
        let mut queue_full = 0;
        for (index, ids) in self.checkpoint.truncated.chunks(IDS_MAX).enumerate() {
            let job = Job {
                mode: Mode::Verify { ids: ids.to_vec() },
                request_id: truncated_records_request_id(&self.checkpoint.run_id, index),
                ..self.job.clone()
            };
            match enqueue(self.context.states, &job).await {
                // The run itself must not wait for the queue. The next one stores these pages again, and asks again.
                Err(FetchError::QueueFull { .. }) => {
                    self.forgets_pages = true;
                    queue_full += ids.len();
                }
                result => result?,
            }
        }
        if queue_full > 0 {
            let page = self.checkpoint.page;
            self.note_source_errors(page, &format!("{queue_full} truncated records wait, the queue is full"));
        }
        Ok(())
    }
}
