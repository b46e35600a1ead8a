//! Command line of `gazelle-admin`.

use std::error::Error as _;
use std::process::ExitCode;

use admin::authorise::AuthorisationMethod;
use admin::{AdminError, authorise, doctor, import_v5, login, migrate};
use clap::{Parser, Subcommand, ValueEnum};
use db::schema::Login;
use i18n::terminal::help;

#[derive(Parser)]
#[command(name = "gazelle-admin", version, about = help::ABOUT)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    #[command(about = help::MIGRATE)]
    Migrate,
    #[command(about = help::LOGIN)]
    Login {
        #[arg(help = help::LOGIN_ROLE)]
        role: LoginRole,
        #[arg(long, help = help::LOGIN_SECRET_ID)]
        secret_id: Option<String>,
        #[arg(long, help = help::LOGIN_AT)]
        at: Option<String>,
    },
    #[command(about = help::EXPOSE)]
    Expose {
        #[arg(help = help::EXPOSED_ROLE)]
        role: String,
    },
    #[command(about = help::WITHDRAW)]
    Withdraw {
        #[arg(help = help::EXPOSED_ROLE)]
        role: String,
    },
    #[command(about = help::AUTHORISE)]
    Authorise {
        #[arg(long, default_value = "gazelle/api", help = help::AUTHORISE_SECRET_ID)]
        secret_id: String,
        #[arg(long, conflicts_with_all = ["paste", "port"], help = help::AUTHORISE_API_KEY)]
        api_key: bool,
        #[arg(long, help = help::AUTHORISE_PASTE)]
        paste: bool,
        #[arg(long, default_value_t = 8765, help = help::AUTHORISE_PORT)]
        port: u16,
    },
    #[command(about = help::IMPORT_V5, long_about = help::IMPORT_V5_LONG)]
    ImportV5 {
        #[arg(long, default_value = "public", help = help::IMPORT_V5_SCHEMA)]
        v5_schema: String,
        #[arg(long, help = help::IMPORT_V5_APPLY)]
        apply: bool,
    },
    #[command(about = help::DOCTOR)]
    Doctor,
}

/// Database role on the command line.
#[derive(Clone, Copy, ValueEnum)]
enum LoginRole {
    App,
    Reader,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse().command).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            // The error's own text is French. Its sources are English, and stand on a line of their own.
            eprintln!("✗ {error}");
            if let Some(source) = error.source() {
                eprintln!("    {}", lambda::error_chain(source));
            }
            ExitCode::FAILURE
        }
    }
}

/// Runs a command; returns false if the doctor found a fault.
async fn run(command: Command) -> Result<bool, AdminError> {
    match command {
        Command::Migrate => migrate::run().await?,
        Command::Login { role, secret_id, at } => {
            let login = match role {
                LoginRole::App => Login::App,
                LoginRole::Reader => Login::Reader,
            };
            login::run(login, secret_id.as_deref(), at.as_deref()).await?;
        }
        Command::Expose { role } => login::expose(&role, true).await?,
        Command::Withdraw { role } => login::expose(&role, false).await?,
        Command::Authorise { secret_id, api_key, paste, port } => {
            let method = match (api_key, paste) {
                (true, _) => AuthorisationMethod::ApiKey,
                (_, true) => AuthorisationMethod::Paste,
                _ => AuthorisationMethod::Callback(port),
            };
            Box::pin(authorise::run(method, &secret_id)).await?;
        }
        Command::ImportV5 { v5_schema, apply } => Box::pin(import_v5::run(&v5_schema, apply)).await?,
        Command::Doctor => return Box::pin(doctor::run()).await,
    }
    Ok(true)
}
