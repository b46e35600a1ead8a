//! `gazelle-admin`: what a person does with an installation from a terminal.

use admin::{Failure, import_v5, migrate};
use clap::{Parser, Subcommand};

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
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    match Arguments::parse().command {
        Command::Migrate => migrate::run().await,
        Command::ImportV5 { v5_schema, apply } => import_v5::run(&v5_schema, apply).await,
    }
}
