//! Database whose address is kept in a secret: found when first needed.

use std::sync::Arc;

use protocol::secret::ReadSecret;
use tokio::sync::OnceCell;

use crate::error::ConnectError;
use crate::pool::address::{Address, DatabaseSettings};
use crate::pool::config::DatabaseConfig;
use crate::pool::connections::Db;

/// Database whose address is read from a secret when it is first needed.
#[derive(Debug)]
pub struct SecretDb {
    address: Arc<Address>,
    db: OnceCell<Db>,
}

impl SecretDb {
    /// Creates the database that the settings name; reads nothing yet.
    #[must_use]
    pub fn new(settings: DatabaseSettings, secrets: impl ReadSecret + 'static) -> Self {
        Self { address: Arc::new(Address::new(settings, secrets)), db: OnceCell::new() }
    }

    /// Reads the configuration that the secret holds now.
    ///
    /// # Errors
    /// The secret cannot be read or used.
    pub async fn config(&self) -> Result<DatabaseConfig, ConnectError> {
        self.address.read().await
    }

    /// Returns the pool, which does not connect yet. An address that does not serve is read anew, once per attempt.
    ///
    /// # Errors
    /// The secret cannot be read or used.
    pub async fn get(&self) -> Result<&Db, ConnectError> {
        self.db
            .get_or_try_init(|| async {
                Ok(Db::new(&self.address.read().await?).with_address(Arc::clone(&self.address)))
            })
            .await
    }
}
