//! Misbehaviour on request: how often which fault happens, drawn from the seed.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::{
    dice::Dice,
    graphql::{CursorFault, Spoil},
};

/// How long a hanging answer takes unless told.
const HANG_DEFAULT_S: f64 = 120.0;

/// The rates (0 to 1) and settings of the faults; without one, nothing goes wrong.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Faults {
    status_429: f64,
    status_500: f64,
    hang: f64,
    drop_connection: f64,
    truncate: f64,
    invalid_json: f64,
    graphql_error: f64,
    /// A field of the query is gone from the schema.
    undefined_field: f64,
    null_nodes: f64,
    shift_pages: f64,
    lost_cursor: f64,
    circling_cursor: f64,
    token_status_500: f64,
    hang_s: Option<f64>,
    /// The lifetime of the tokens issued from now on.
    pub(crate) token_ttl_s: Option<u64>,
    /// The wait that a 429 asks for.
    pub(crate) retry_after_s: Option<u64>,
    /// Whether a 429 says the wait as an HTTP date.
    pub(crate) retry_after_http_date: bool,
    /// Whether a refresh brings a new refresh token; true unless told.
    pub(crate) rotate_refresh_token: Option<bool>,
    /// Only requests with this root field suffer.
    root_field: Option<String>,
    /// After this many mishaps all is well again.
    limit: Option<u64>,
}

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mishap {
    /// The answer comes late.
    Hang,
    /// The connection closes without an answer.
    DropConnection,
    /// Too many requests.
    Status429,
    /// An HTML error page.
    Status500,
    /// The connection closes in the midst of the answer.
    Truncate,
    /// The answer is no JSON.
    InvalidJson,
    /// The answer has errors and null or partial data.
    GraphqlError,
    /// The query is refused: a field of it is gone from the schema.
    UndefinedField,
}

impl Mishap {
    /// The name in `/_sim/faults` and `/_sim/stats`.
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
        }
    }
}

/// What was drawn for one request.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fate {
    /// The mishap, if there is one.
    pub(crate) mishap: Option<Mishap>,
    /// What to spoil in the page.
    pub(crate) spoil: Spoil,
    /// Whether an entry appears at the head of the timeline before the next page.
    pub(crate) shift: bool,
}

/// The faults in force and what they did.
pub(crate) struct FaultState {
    faults: Faults,
    dice: Dice,
    seed: u64,
    requests: u64,
    mishaps: u64,
    counts: BTreeMap<&'static str, u64>,
}

impl FaultState {
    /// Faults in force from now on.
    pub(crate) fn new(faults: Faults, seed: u64) -> Self {
        Self { faults, dice: Dice::new(seed, 6), seed, requests: 0, mishaps: 0, counts: BTreeMap::new() }
    }

    /// The settings in force.
    pub(crate) fn settings(&self) -> &Faults {
        &self.faults
    }

    /// How often each mishap happened.
    pub(crate) fn counts(&self) -> &BTreeMap<&'static str, u64> {
        &self.counts
    }

    /// How long a hanging answer takes, in seconds.
    pub(crate) fn hang_s(&self) -> f64 {
        self.faults.hang_s.unwrap_or(HANG_DEFAULT_S).clamp(0.0, 86_400.0)
    }

    /// Draws what happens to a request for these root fields.
    pub(crate) fn draw(&mut self, root_fields: &[String]) -> Fate {
        self.requests += 1;
        let rates = [
            (Mishap::Hang, self.faults.hang),
            (Mishap::DropConnection, self.faults.drop_connection),
            (Mishap::Status429, self.faults.status_429),
            (Mishap::Status500, self.faults.status_500),
            (Mishap::Truncate, self.faults.truncate),
            (Mishap::InvalidJson, self.faults.invalid_json),
            (Mishap::GraphqlError, self.faults.graphql_error),
        ];
        // Every rate is drawn every time: the fate of a request does not depend on the other faults.
        let mut mishap = None;
        for (candidate, rate) in rates {
            if self.dice.chance(rate) && mishap.is_none() {
                mishap = Some(candidate);
            }
        }
        let shift = self.dice.chance(self.faults.shift_pages);
        let null_page = self.dice.chance(0.5);
        let (lost, circles) =
            (self.dice.chance(self.faults.lost_cursor), self.dice.chance(self.faults.circling_cursor));
        let cursor = match (lost, circles) {
            (true, _) => CursorFault::Lost,
            (false, true) => CursorFault::Circles,
            (false, false) => CursorFault::None,
        };
        // Drawn only where it is set: the fates of old seeds stay what they were.
        if self.faults.undefined_field > 0.0 && self.dice.chance(self.faults.undefined_field) {
            mishap = mishap.or(Some(Mishap::UndefinedField));
        }
        if self.is_spared(root_fields) {
            return Fate::default();
        }
        if let Some(mishap) = mishap {
            self.count(mishap.name());
        }
        let null_nodes = (self.faults.null_nodes > 0.0)
            .then_some((self.faults.null_nodes, self.seed ^ (self.requests << 20)));
        let null_page = null_page && mishap == Some(Mishap::GraphqlError);
        Fate { mishap, spoil: Spoil { null_nodes, null_page, cursor }, shift }
    }

    /// Draws whether the token endpoint fails.
    pub(crate) fn draw_token_failure(&mut self) -> bool {
        let fails = self.dice.chance(self.faults.token_status_500);
        if fails {
            self.count("token_status_500");
        }
        fails
    }

    fn is_spared(&self, root_fields: &[String]) -> bool {
        self.faults.limit.is_some_and(|limit| self.mishaps >= limit)
            || self.faults.root_field.as_ref().is_some_and(|only| !root_fields.contains(only))
    }

    fn count(&mut self, name: &'static str) {
        self.mishaps += 1;
        *self.counts.entry(name).or_default() += 1;
    }
}
