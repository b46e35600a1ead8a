//! Connections: configuration, pool, transactions, and the secret that holds the address.

mod address;
mod config;
mod connections;
mod secret_db;
mod tx;

pub use address::DatabaseSettings;
pub(crate) use config::is_plain_schema;
pub use config::{DatabaseConfig, PoolMode};
pub use connections::Db;
pub use secret_db::SecretDb;
pub use tx::Tx;

/// Returns the static statements of this room, each with its name.
pub(crate) fn statements() -> Vec<(&'static str, &'static str)> {
    tx::STATEMENTS.to_vec()
}
