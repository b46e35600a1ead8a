//! Counts what was asked of the simulated API.

use std::{
    collections::{BTreeMap, VecDeque},
    time::{Duration, Instant},
};

use serde::Serialize;

/// The counters since the start or the last reset. Only the GraphQL endpoint counts as requests.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Stats {
    requests: u64,
    by_operation: BTreeMap<String, u64>,
    by_root_field: BTreeMap<String, u64>,
    by_status: BTreeMap<String, u64>,
    max_per_second: usize,
    /// Access tokens handed out.
    pub(crate) tokens_issued: u64,
    /// Refresh tokens replaced.
    pub(crate) tokens_refreshed: u64,
    /// Token requests refused.
    pub(crate) tokens_refused: u64,
    #[serde(skip)]
    last_second: VecDeque<Instant>,
}

impl Stats {
    /// Counts a request at its arrival.
    pub(crate) fn arrived(&mut self, at: Instant) {
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

    /// Counts what a request asks.
    pub(crate) fn asked(&mut self, operation: String, root_fields: &[String]) {
        *self.by_operation.entry(operation).or_default() += 1;
        for field in root_fields {
            *self.by_root_field.entry(field.clone()).or_default() += 1;
        }
    }

    /// Counts how a request ended: an HTTP status, or `drop_connection`.
    pub(crate) fn ended(&mut self, outcome: &str) {
        *self.by_status.entry(outcome.to_owned()).or_default() += 1;
    }
}
