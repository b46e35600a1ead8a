//! `gazelle-admin`: what a person does with an installation from a terminal.

use admin::{Failure, migrate};
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
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    match Arguments::parse().command {
        Command::Migrate => migrate::run().await,
    }
}
