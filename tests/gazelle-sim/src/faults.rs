//! Fault injection: rates by kind of fault, drawn from the seed.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{record_faults::RecordFaults, rng::SeededRng};

/// Delay of a hanging response unless `hang_s` is set.
const HANG_DEFAULT_S: f64 = 120.0;
/// Upper bound for `hang_s`: a day.
const HANG_MAX_S: f64 = 86_400.0;

/// Rates (0 to 1) and settings of the faults; the default injects none.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct FaultConfig {
    status_429: f64,
    status_500: f64,
    hang: f64,
    drop_connection: f64,
    truncate: f64,
    invalid_json: f64,
    graphql_error: f64,
    undefined_field: f64,
    body_error: f64,
    null_nodes: f64,
    shift_pages: f64,
    lost_cursor: f64,
    circling_cursor: f64,
    token_status_500: f64,
    hang_s: Option<f64>,
    /// Code of the errors that `body_error` puts into a response of status 200; `THROTTLED` by default.
    pub(crate) body_error_code: Option<String>,
    /// Faults of records that last until they are removed.
    pub(crate) records: RecordFaults,
    /// Lifetime of tokens issued from now on.
    pub(crate) token_ttl_s: Option<u64>,
    /// Value of `Retry-After` in a 429.
    pub(crate) retry_after_s: Option<u64>,
    /// Sends `Retry-After` as an HTTP date.
    pub(crate) retry_after_http_date: bool,
    /// Issues a new refresh token on each refresh; true by default.
    pub(crate) rotate_refresh_token: Option<bool>,
    /// Root field that a request must select to be affected.
    root_field: Option<String>,
    /// Number of faults after which no more are injected.
    limit: Option<u64>,
}

/// Fault injected into one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Response is delayed by `hang_s`.
    Hang,
    /// Connection is closed without a response.
    DropConnection,
    Status429,
    /// Response is an HTML error page.
    Status500,
    /// Connection is closed during the response.
    Truncate,
    /// Response body is not valid JSON.
    InvalidJson,
    /// Response has errors and null or partial data.
    GraphqlError,
    /// Query is rejected because the schema lacks one of its fields.
    UndefinedField,
    /// Status is 200, and the body has an error and no data.
    BodyError,
}

impl Fault {
    /// Returns the name used in `/_sim/faults` and `/_sim/stats`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hang => "hang",
            Self::DropConnection => "drop_connection",
            Self::Status429 => "status_429",
            Self::Status500 => "status_500",
            Self::Truncate => "truncate",
            Self::InvalidJson => "invalid_json",
            Self::GraphqlError => "graphql_error",
            Self::UndefinedField => "undefined_field",
            Self::BodyError => "body_error",
        }
    }
}

/// Faults drawn for one request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RequestFaults {
    pub(crate) fault: Option<Fault>,
    pub(crate) page: PageFaults,
    /// Inserts an entry at the head of the timeline before the next page.
    pub(crate) shift_pages: bool,
}

/// Faults within the page of an otherwise correct response.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct PageFaults {
    /// Share of a page's nodes served as null, with the seed that selects them.
    pub(crate) null_nodes: Option<(f64, u64)>,
    /// Serves the page's nodes and edges as null, as after an error within them.
    pub(crate) null_page: bool,
    pub(crate) cursor: CursorFault,
}

/// Fault of the cursor that leads to the next page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CursorFault {
    #[default]
    None,
    /// Page reports a next page without a cursor.
    Lost,
    /// Cursor leads back to the first page.
    Circling,
}

/// Injector of the configured faults, with their counts.
pub(crate) struct FaultInjector {
    config: FaultConfig,
    rng: SeededRng,
    seed: u64,
    requests: u64,
    injected: u64,
    counts: BTreeMap<&'static str, u64>,
}

impl FaultInjector {
    /// Creates an injector; its draws depend on the seed.
    pub(crate) fn new(config: FaultConfig, seed: u64) -> Self {
        Self { config, rng: SeededRng::new(seed, 6), seed, requests: 0, injected: 0, counts: BTreeMap::new() }
    }

    /// Returns the current configuration.
    pub(crate) fn config(&self) -> &FaultConfig {
        &self.config
    }

    /// Returns the number of injected faults by name.
    pub(crate) fn counts(&self) -> &BTreeMap<&'static str, u64> {
        &self.counts
    }

    /// Returns the delay of a hanging response, in seconds.
    pub(crate) fn hang_s(&self) -> f64 {
        self.config.hang_s.unwrap_or(HANG_DEFAULT_S).clamp(0.0, HANG_MAX_S)
    }

    /// Draws the faults of a request for these root fields.
    pub(crate) fn draw(&mut self, root_fields: &[String]) -> RequestFaults {
        self.requests += 1;
        let rates = [
            (Fault::Hang, self.config.hang),
            (Fault::DropConnection, self.config.drop_connection),
            (Fault::Status429, self.config.status_429),
            (Fault::Status500, self.config.status_500),
            (Fault::Truncate, self.config.truncate),
            (Fault::InvalidJson, self.config.invalid_json),
            (Fault::GraphqlError, self.config.graphql_error),
        ];
        // Every rate is drawn every time, so that one fault's rate does not change the draws of another.
        let mut fault = None;
        for (candidate, rate) in rates {
            if self.rng.chance(rate) && fault.is_none() {
                fault = Some(candidate);
            }
        }
        let shift_pages = self.rng.chance(self.config.shift_pages);
        let null_page = self.rng.chance(0.5);
        let (lost, circling) =
            (self.rng.chance(self.config.lost_cursor), self.rng.chance(self.config.circling_cursor));
        let cursor = match (lost, circling) {
            (true, _) => CursorFault::Lost,
            (false, true) => CursorFault::Circling,
            (false, false) => CursorFault::None,
        };
        // Drawn only if configured, so that runs of earlier versions are reproduced.
        if self.config.undefined_field > 0.0 && self.rng.chance(self.config.undefined_field) {
            fault = fault.or(Some(Fault::UndefinedField));
        }
        if self.config.body_error > 0.0 && self.rng.chance(self.config.body_error) {
            fault = fault.or(Some(Fault::BodyError));
        }
        if self.is_exempt(root_fields) {
            return RequestFaults::default();
        }
        if let Some(fault) = fault {
            self.count(fault.name());
        }
        let null_nodes = (self.config.null_nodes > 0.0)
            .then_some((self.config.null_nodes, self.seed ^ (self.requests << 20)));
        let null_page = null_page && fault == Some(Fault::GraphqlError);
        RequestFaults { fault, page: PageFaults { null_nodes, null_page, cursor }, shift_pages }
    }

    /// Draws a failure of the token endpoint.
    pub(crate) fn draw_token_failure(&mut self) -> bool {
        let fails = self.rng.chance(self.config.token_status_500);
        if fails {
            self.count("token_status_500");
        }
        fails
    }

    fn is_exempt(&self, root_fields: &[String]) -> bool {
        self.config.limit.is_some_and(|limit| self.injected >= limit)
            || self.config.root_field.as_ref().is_some_and(|only| !root_fields.contains(only))
    }

    fn count(&mut self, name: &'static str) {
        self.injected += 1;
        *self.counts.entry(name).or_default() += 1;
    }
}
