//! Count of the distinct records that a run has listed.

use futures::future::join_all;
use protocol::object_key;
use protocol::raw_page::RawPage;

use super::active_run::ActiveRun;
use crate::error::FetchError;
use crate::raw_sink::RawSink;

/// Stored pages that are read at once: each costs a round trip, and each is held in memory.
const PAGES_READ_AT_ONCE: usize = 8;

impl<S: RawSink> ActiveRun<'_, S> {
    /// Counts the distinct records of a run that lists everything; those of earlier invocations from their stored
    /// pages. Does nothing for any other run.
    pub(super) async fn count_distinct(&mut self) -> Result<(), FetchError> {
        let Some(mut distinct_ids) = self.distinct_ids.take() else { return Ok(()) };
        let entity = self.entity.name;
        let earlier = self.resumed_from_page.map_or(0, |page| page - 1);
        let keys: Vec<(u32, String)> = (1..=earlier)
            .map(|page| (page, object_key::raw_page(entity, &self.checkpoint.run_id, page)))
            .collect();
        for chunk in keys.chunks(PAGES_READ_AT_ONCE) {
            let reads = chunk.iter().map(|(_, key)| self.context.sink.load_page(key));
            for ((page, _), bytes) in chunk.iter().zip(join_all(reads).await) {
                let page = *page;
                let bytes = bytes.map_err(|source| FetchError::LoadPage { entity, page, source })?;
                let stored: RawPage<'_> = serde_json::from_slice(&bytes)
                    .map_err(|source| FetchError::DecodePage { entity, page, source })?;
                distinct_ids.add(&self.listing(page, stored.payload.get())?);
            }
        }
        self.distinct_count = Some(distinct_ids.count());
        Ok(())
    }
}
