//! Command `fetch`: copies one entity from Gazelle into one JSON file, without AWS or a database.

use std::error::Error;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use chrono::NaiveDate;
use clap::Parser;
use fetcher::fetch::fetch;
use fetcher::job::{Job, RunContext};
use fetcher::raw_sink::FileRawSink;
use fetcher::state::Checkpoint;
use gazelle_client::{Authentication, Credentials, FixedTokenStore, Gazelle, GazelleConfig, TokenStore};
use i18n::terminal::fetch as texts;
use indicatif::{ProgressBar, ProgressStyle};
use model::local_day;
use object_store::{MemoryObjectStore, ObjectStore};
use protocol::request::SyncRequest;
use protocol::settings::Settings;
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

/// Arguments of the command.
#[derive(Parser)]
#[command(name = "fetch", version, about = texts::ABOUT, long_about = texts::LONG_ABOUT)]
struct Arguments {
    #[arg(help = texts::ENTITY)]
    entity: String,
    #[arg(long, help = texts::OUTPUT)]
    output: PathBuf,
    #[arg(long, help = texts::START)]
    start: Option<NaiveDate>,
    #[arg(long, help = texts::END)]
    end: Option<NaiveDate>,
}

/// Deadline of a command on a terminal, which has none of its own: a year.
const NO_DEADLINE: Duration = Duration::from_hours(24 * 365);

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // The progress bar replaces the log on a terminal.
    if !std::io::stderr().is_terminal() {
        lambda::init_terminal_logging();
    }
    match run(&arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("✗ {}", lambda::error_chain(error.as_ref()));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let request = SyncRequest::parse(&payload(arguments), local_day::ZONE)?;
    let [entity] = request.entities()[..] else {
        return Err("invalid `entity`; expected a single one, such as clients".into());
    };
    // No state is kept: each call of the command starts anew.
    let states = Arc::new(ObjectStore::Memory(MemoryObjectStore::default()));
    let api = api(&states)?;
    let job = Job {
        entity,
        mode: request.mode,
        request_id: "fetch".to_owned(),
        lookback_days: 0,
        // A second attempt would add its pages to those of the first.
        attempts_max: 1,
        holder: "fetch".to_owned(),
        deadline: Instant::now() + NO_DEADLINE,
    };
    let sink = FileRawSink::create(&arguments.output)?;
    let bar = ProgressBar::new_spinner().with_style(ProgressStyle::with_template(texts::PROGRESS)?);
    bar.set_message(entity.name);
    let progress = |checkpoint: &Checkpoint| {
        bar.set_length(checkpoint.total_count.unwrap_or(checkpoint.records));
        bar.set_position(checkpoint.records);
    };
    let context = RunContext { api: &api, sink: &sink, states: &states, reports: None };
    let reports = Box::pin(fetch(context, &job, &progress)).await?;
    bar.finish_and_clear();
    let report = reports.into_iter().next().ok_or("no run has begun")?;
    if !report.status.is_over() {
        return Err(report.error.unwrap_or_default().into());
    }
    sink.finish()?;
    let file = arguments.output.display().to_string();
    eprintln!("{}", texts::summary(report.entity, report.records, report.pages, &file));
    // The reason is in English, as the logs are: it has a line of its own.
    if let Some(reason) = report.error {
        eprintln!("{}\n{reason}", texts::PARTIAL);
    }
    Ok(())
}

fn payload(arguments: &Arguments) -> Value {
    match (arguments.start, arguments.end) {
        (None, None) => json!({ "entity": arguments.entity, "mode": "full" }),
        (start, end) => json!({ "entity": arguments.entity, "mode": "repair", "start": start, "end": end }),
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
                ("GAZELLE_REFRESH_TOKEN", "refresh_token", "the refresh token of the last authorisation"),
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
