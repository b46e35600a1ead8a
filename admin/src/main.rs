//! `gazelle-admin`: what a person does with an installation from a terminal.

use std::process::ExitCode;

use admin::{Failure, authorise, doctor, import_v5, login, migrate};
use clap::{Parser, Subcommand, ValueEnum};
use db::schema::Login;

/// Administre une installation d'Assistant Gazelle.
#[derive(Parser)]
#[command(name = "gazelle-admin", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Met à jour le schéma de DATABASE_URL (connexion directe ou de session, rôle d'administration)
    Migrate,
    /// Donne un nouveau mot de passe au rôle des fonctions ou des lecteurs, par DATABASE_URL
    Login {
        /// app : les fonctions ; reader : les personnes qui lisent
        who: Who,
        /// Le secret où garder l'adresse ; sans lui, elle est écrite sur la sortie
        #[arg(long)]
        secret_id: Option<String>,
        /// hôte:port de cette adresse, si ce n'est pas celui de DATABASE_URL (un pooler)
        #[arg(long)]
        at: Option<String>,
    },
    /// Laisse un rôle lire les tables de production (par exemple authenticated)
    Expose {
        /// Le rôle
        role: String,
    },
    /// Reprend ce que `expose` a donné
    Withdraw {
        /// Le rôle
        role: String,
    },
    /// Autorise la lecture de Gazelle et garde la clé ou les jetons
    Authorise {
        /// Le secret où les garder
        #[arg(long, default_value = "gazelle/api")]
        secret_id: String,
        /// Une clé d'API, dans GAZELLE_API_KEY
        #[arg(long, conflicts_with_all = ["paste", "port"])]
        api_key: bool,
        /// Coller l'adresse de retour : le navigateur est sur une autre machine
        #[arg(long)]
        paste: bool,
        /// Le port où le navigateur revient sur cette machine ; 0 : n'importe lequel
        #[arg(long, default_value_t = 8765)]
        port: u16,
    },
    /// Reprend les tables de V5, là où elles sont : sans --apply, un rapport des différences, et rien n'est écrit
    ///
    /// DATABASE_URL : la base où sont V5 et V6 ; RAW_BUCKET : le dépôt des pages brutes (avec --apply).
    ImportV5 {
        /// Le schéma des tables de V5
        #[arg(long, default_value = "public")]
        v5_schema: String,
        /// Écrit les pages brutes, que la chaîne promeut comme toute autre source
        #[arg(long)]
        apply: bool,
    },
    /// Vérifie tout ce qu'une installation demande, et dit quoi faire
    Doctor,
}

#[derive(Clone, Copy, ValueEnum)]
enum Who {
    App,
    Reader,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse().command).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            eprintln!("✗ {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all is well.
async fn run(command: Command) -> Result<bool, Failure> {
    match command {
        Command::Migrate => migrate::run().await?,
        Command::Login { who, secret_id, at } => {
            let login = match who {
                Who::App => Login::App,
                Who::Reader => Login::Reader,
            };
            login::run(login, secret_id.as_deref(), at.as_deref()).await?;
        }
        Command::Expose { role } => login::expose(&role, true).await?,
        Command::Withdraw { role } => login::expose(&role, false).await?,
        Command::Authorise { secret_id, api_key, paste, port } => {
            let way = match (api_key, paste) {
                (true, _) => authorise::Way::ApiKey,
                (_, true) => authorise::Way::Paste,
                _ => authorise::Way::Callback(port),
            };
            Box::pin(authorise::run(way, &secret_id)).await?;
        }
        Command::ImportV5 { v5_schema, apply } => Box::pin(import_v5::run(&v5_schema, apply)).await?,
        Command::Doctor => return Box::pin(doctor::run()).await,
    }
    Ok(true)
}
