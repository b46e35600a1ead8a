//! Request counters of the simulated API.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use serde::Serialize;

/// Counters since the start or the last reset; `requests` counts the GraphQL endpoint only.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Stats {
    requests: u64,
    by_operation: BTreeMap<String, u64>,
    by_root_field: BTreeMap<String, u64>,
    by_status: BTreeMap<String, u64>,
    max_per_second: usize,
    /// Number of access tokens issued.
    pub(crate) tokens_issued: u64,
    /// Number of refresh tokens rotated.
    pub(crate) tokens_refreshed: u64,
    /// Number of token requests refused.
    pub(crate) tokens_refused: u64,
    #[serde(skip)]
    last_second: VecDeque<Instant>,
}

impl Stats {
    /// Counts a request on arrival.
    pub(crate) fn record_arrival(&mut self, at: Instant) {
        self.requests += 1;
        while self
            .last_second
            .front()
            .is_some_and(|first| at.duration_since(*first) >= Duration::from_secs(1))
        {
            self.last_second.pop_front();
        }
        self.last_second.push_back(at);
        self.max_per_second = self.max_per_second.max(self.last_second.len());
    }

    /// Counts the operation and the root fields of a request.
    pub(crate) fn record_operation(&mut self, operation: String, root_fields: &[String]) {
        *self.by_operation.entry(operation).or_default() += 1;
        for field in root_fields {
            *self.by_root_field.entry(field.clone()).or_default() += 1;
        }
    }

    /// Counts the outcome of a request: an HTTP status, or `drop_connection`.
    pub(crate) fn record_outcome(&mut self, outcome: &str) {
        *self.by_status.entry(outcome.to_owned()).or_default() += 1;
    }
}
