//! Command `gazelle-sim`: serves a simulated Gazelle on 127.0.0.1 until SIGTERM.

use std::{fs, io, path::PathBuf};

use chrono::{DateTime, Utc};
use clap::Parser;
use gazelle_sim::{SimConfig, serve};
use tokio::signal::unix::{SignalKind, signal};

/// Simulated Gazelle on 127.0.0.1, for tests.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// Port to listen on; 0 takes a free one
    #[arg(long, env = "SIM_PORT", default_value_t = 0)]
    port: u16,
    /// File to write the port to once the server listens
    #[arg(long, env = "SIM_PORT_FILE")]
    port_file: Option<PathBuf>,
    /// Seed from which all data is generated
    #[arg(long, env = "SIM_SEED", default_value_t = 1)]
    seed: u64,
    /// Number of users in the data
    #[arg(long, env = "SIM_USERS", default_value_t = 9)]
    users: usize,
    /// Number of clients in the data
    #[arg(long, env = "SIM_CLIENTS", default_value_t = 400)]
    clients: usize,
    /// Number of pianos in the data
    #[arg(long, env = "SIM_PIANOS", default_value_t = 600)]
    pianos: usize,
    /// Number of timeline entries in the data
    #[arg(long, env = "SIM_TIMELINE", default_value_t = 5000)]
    timeline: usize,
    /// Adds the oddities of real data: null ids, null nodes, unlisted references, new enum values
    #[arg(long, env = "SIM_ODDITIES", default_value_t = true, action = clap::ArgAction::Set)]
    oddities: bool,
    /// Current time of the data, RFC 3339; without it, today's midnight and real time
    #[arg(long, env = "SIM_NOW")]
    now: Option<DateTime<Utc>>,
    /// Value of x-gazelle-api-key that is accepted
    #[arg(long, env = "SIM_API_KEY", default_value = "sim-key")]
    api_key: String,
    /// Client id that OAuth requests must send
    #[arg(long, env = "SIM_CLIENT_ID", default_value = "sim-client")]
    client_id: String,
    /// Client secret that OAuth requests must send
    #[arg(long, env = "SIM_CLIENT_SECRET", default_value = "sim-secret")]
    client_secret: String,
    /// Refresh token that is valid at the start
    #[arg(long, env = "SIM_REFRESH_TOKEN", default_value = "sim-refresh-1")]
    refresh_token: String,
    /// Lifetime of an access token, in seconds
    #[arg(long, env = "SIM_TOKEN_TTL_S", default_value_t = 7200)]
    token_ttl_s: u64,
    /// Maximum page size; a larger `first` is reduced to it
    #[arg(long, env = "SIM_PAGE_SIZE_MAX", default_value_t = 200)]
    page_size_max: usize,
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let arguments = Arguments::parse();
    let config = SimConfig {
        seed: arguments.seed,
        users: arguments.users,
        clients: arguments.clients,
        pianos: arguments.pianos,
        timeline: arguments.timeline,
        oddities: arguments.oddities,
        now: arguments.now,
        api_key: arguments.api_key,
        client_id: arguments.client_id,
        client_secret: arguments.client_secret,
        refresh_token: arguments.refresh_token,
        token_ttl_s: arguments.token_ttl_s,
        page_size_max: arguments.page_size_max,
    };
    let mut terminate = signal(SignalKind::terminate())?;
    let sim = serve(config, arguments.port).await?;
    if let Some(path) = arguments.port_file {
        // Written to a temporary file and renamed, so that a waiting reader never sees half a port number.
        let temporary = path.with_extension("unfinished");
        fs::write(&temporary, sim.port.to_string())?;
        fs::rename(temporary, path)?;
    }
    eprintln!("listening on {}", sim.url);
    tokio::select! {
        _ = terminate.recv() => {}
        result = tokio::signal::ctrl_c() => result?,
    }
    sim.stop().await
}
