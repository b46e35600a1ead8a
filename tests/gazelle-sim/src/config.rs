//! Configuration of a simulation.

use chrono::{DateTime, Utc};

/// Size of the data, credentials and limits of a simulated Gazelle.
#[derive(Clone, Debug)]
pub struct SimConfig {
    /// Seed from which all data is generated.
    pub seed: u64,
    /// Number of users in `allUsers`.
    pub users: usize,
    /// Value of `totalCount` in `allClients`.
    pub clients: usize,
    /// Value of `totalCount` in `allPianos`.
    pub pianos: usize,
    /// Value of `totalCount` in `allTimelineEntries`.
    pub timeline: usize,
    /// Adds null ids, null nodes, unlisted references, new enum values and huge notes to the data.
    pub oddities: bool,
    /// Current time of the data. With it, the time of each change depends on the seed alone; without it,
    /// the data starts at today's midnight (UTC) and changes happen in real time.
    pub now: Option<DateTime<Utc>>,
    /// Value of `x-gazelle-api-key` that is accepted.
    pub api_key: String,
    /// Client id that OAuth requests must send.
    pub client_id: String,
    /// Client secret that OAuth requests must send.
    pub client_secret: String,
    /// Refresh token that is valid at the start.
    pub refresh_token: String,
    /// Lifetime of an access token, in seconds.
    pub token_ttl_s: u64,
    /// Maximum page size; a larger `first` is reduced to it. The real maximum is unknown.
    pub page_size_max: usize,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            users: 9,
            clients: 400,
            pianos: 600,
            timeline: 5000,
            oddities: true,
            now: None,
            api_key: "sim-key".into(),
            client_id: "sim-client".into(),
            client_secret: "sim-secret".into(),
            refresh_token: "sim-refresh-1".into(),
            token_ttl_s: 7200,
            page_size_max: 200,
        }
    }
}
