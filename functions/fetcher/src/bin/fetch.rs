//! `fetch`: one entity from Gazelle into one JSON file. Needs neither AWS nor a database.

use std::error::Error;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use clap::Parser;
use fetcher::fetch::{Job, Parts, fetch};
use fetcher::raw_sink::FileRawSink;
use fetcher::state::Checkpoint;
use gazelle_client::GazelleConfig;
use gazelle_client::{Authentication, Credentials, FixedTokenStore, Gazelle, TokenStore};
use indicatif::{ProgressBar, ProgressStyle};
use model::local_day;
use object_store::{MemoryObjectStore, ObjectStore};
use protocol::request::SyncRequest;
use protocol::settings::Settings;
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

/// Fetch one entity from Gazelle into one JSON file: a list of raw pages, byte for byte.
///
/// The key is read from GAZELLE_API_KEY; with GAZELLE_AUTH=oauth the tokens from GAZELLE_CLIENT_ID,
/// GAZELLE_CLIENT_SECRET and GAZELLE_REFRESH_TOKEN. GAZELLE_URL, PAGE_SIZE and REQUESTS_PER_SECOND
/// are obeyed as by the function.
#[derive(Parser)]
#[command(name = "fetch", version)]
struct Arguments {
    /// users, clients, pianos or timeline
    entity: String,
    /// The file to write
    #[arg(long)]
    output: PathBuf,
    /// First day, in Montréal's calendar (timeline only)
    #[arg(long)]
    start: Option<NaiveDate>,
    /// Last day, inclusive
    #[arg(long)]
    end: Option<NaiveDate>,
}

/// A command on a terminal has no deadline of its own.
const NO_DEADLINE: Duration = Duration::from_hours(24 * 365);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = Arguments::parse();
    if !std::io::stderr().is_terminal() {
        lambda::init_terminal_logging();
    }
    let mut payload = json!({ "entity": arguments.entity });
    match (arguments.start, arguments.end) {
        (None, None) => payload["mode"] = json!("full"),
        (start, end) => {
            payload["start"] = json!(start);
            payload["end"] = json!(end);
            payload["mode"] = json!("repair");
        }
    }
    let request = SyncRequest::parse(&payload, local_day::ZONE)?;
    // A command on a terminal starts anew each time.
    let states = Arc::new(ObjectStore::Memory(MemoryObjectStore::default()));
    let api = api(&states)?;
    let [entity] = request.entities()[..] else {
        return Err("`entity`: name one; accepted: users, clients, …".into());
    };
    let job = Job {
        entity,
        mode: request.mode,
        request_id: "fetch".to_owned(),
        lookback_days: 0,
        // One file holds one listing.
        attempts_max: 1,
        holder: "fetch".to_owned(),
        deadline: Instant::now() + NO_DEADLINE,
    };
    let sink = FileRawSink::create(&arguments.output)?;
    let bar = ProgressBar::new_spinner()
        .with_style(ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} ({per_sec}, encore {eta})")?);
    bar.set_message(entity.name);
    let progress = |checkpoint: &Checkpoint| {
        bar.set_length(checkpoint.total_count.unwrap_or(checkpoint.records));
        bar.set_position(checkpoint.records);
    };
    let parts = Parts { api: &api, sink: &sink, states: &states };
    let reports = fetch(parts, &job, &progress).await?;
    bar.finish_and_clear();
    let report = reports.into_iter().next().ok_or("no run")?;
    match report.status {
        "success" | "partial" => {
            sink.finish()?;
            eprintln!(
                "{} : {} enregistrements en {} pages → {}{}",
                report.entity,
                report.records,
                report.pages,
                arguments.output.display(),
                report.error.map(|error| format!(" (partiel : {error})")).unwrap_or_default()
            );
            Ok(())
        }
        _ => Err(report.error.unwrap_or_default().into()),
    }
}

fn api(states: &Arc<ObjectStore>) -> Result<Gazelle, Box<dyn Error>> {
    let lookup = |name: &str| std::env::var(name).ok();
    let mut settings = Settings::new(&lookup);
    let config = GazelleConfig::read(&mut settings);
    let store = match config.authentication {
        Authentication::ApiKey => {
            let key: String =
                settings.required("GAZELLE_API_KEY", "the key that Gazelle shows under your user");
            FixedTokenStore::with_key(&SecretString::from(key))
        }
        Authentication::OAuth => {
            let mut fields = Map::new();
            for (name, field, purpose) in [
                ("GAZELLE_CLIENT_ID", "client_id", "the OAuth application"),
                ("GAZELLE_CLIENT_SECRET", "client_secret", "the OAuth application's secret"),
                ("GAZELLE_REFRESH_TOKEN", "refresh_token", "the token from the last authorisation"),
            ] {
                fields.insert(field.to_owned(), Value::from(settings.required::<String>(name, purpose)));
            }
            FixedTokenStore::with_fields(fields)
        }
    };
    settings.finish(())?;
    let store = TokenStore::Fixed(store);
    let credentials =
        Credentials::new(config.authentication, store, config.token_url.clone(), Arc::clone(states));
    Ok(Gazelle::new(&config, credentials, Arc::clone(states))?)
}
