//! What a simulation starts from.

use chrono::{DateTime, Utc};

/// The size, the secrets and the limits of a simulated Gazelle.
#[derive(Clone, Debug)]
pub struct SimConfig {
    /// The seed all data follows from.
    pub seed: u64,
    /// How many users `allUsers` lists.
    pub users: usize,
    /// `totalCount` of `allClients`.
    pub clients: usize,
    /// `totalCount` of `allPianos`.
    pub pianos: usize,
    /// `totalCount` of `allTimelineEntries`.
    pub timeline: usize,
    /// Whether the data holds null ids, null nodes, unlisted references, grown enums and huge notes.
    pub oddities: bool,
    /// The present of the data. Without it, today's midnight (UTC), and changes happen in real time;
    /// with it, each change happens at a moment that follows from the seed alone.
    pub now: Option<DateTime<Utc>>,
    /// The accepted value of `x-gazelle-api-key`.
    pub api_key: String,
    /// The OAuth client's id.
    pub client_id: String,
    /// The OAuth client's secret.
    pub client_secret: String,
    /// The first valid refresh token.
    pub refresh_token: String,
    /// How long an access token lives, in seconds.
    pub token_ttl_s: u64,
    /// A larger `first` is cut down to this: the real maximum is unknown.
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
