//! Configuration of the database: its address, its schema, the pooler in front of it, and TLS.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::str::FromStr;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::{ConnectOptions as _, PgConnection};

use crate::error::{During as _, Error, InvalidDatabaseConfig};

/// Root certificate of Supabase's servers, as Supabase publishes it; valid until April 2031.
/// SHA-256 `807025ad50d4ed219d2c9c7d299c004f824eb00cf7f65afef607d07b72e6cafa`.
const SUPABASE_ROOT: &[u8] = include_bytes!("../../../../infra/certificates/supabase-root-2021.pem");

/// Loopback hosts, where TLS may be disabled.
const LOOPBACK_HOSTS: [&str; 4] = ["localhost", "127.0.0.1", "::1", "[::1]"];

/// Characters of a schema's name at most. PostgreSQL cuts identifiers at 63.
const SCHEMA_CHARACTERS_MAX: usize = 60;

/// Address of the database, its schema and the way to speak to it.
#[derive(Debug, Clone)]
pub struct DatabaseConfig {
    pub(super) options: PgConnectOptions,
    pub(super) schema: String,
    pub(super) mode: PoolMode,
    /// Digest of the address and of the trusted authorities. Two configurations are compared by it, so that the
    /// password need not be kept.
    pub(super) digest: u64,
}

/// Pooler between this program and the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PoolMode {
    /// A pooler that lends a server connection for a whole session.
    #[default]
    Session,
    /// A pooler that lends a server connection per transaction: no prepared statement may outlive it.
    Transaction,
    /// No pooler: the address is that of the server.
    Direct,
}

impl PoolMode {
    /// Modes by their words in the configuration.
    pub const WORDS: [(&'static str, Self); 3] =
        [("session", Self::Session), ("transaction", Self::Transaction), ("direct", Self::Direct)];

    /// Returns whether a session keeps its settings and prepared statements from one transaction to the next.
    #[must_use]
    pub const fn keeps_session(self) -> bool {
        matches!(self, Self::Session | Self::Direct)
    }
}

impl DatabaseConfig {
    /// Checks an address and a schema. The certificate and the name of the server are verified, whatever the address
    /// asks for: against `sslrootcert` if the address names one, else against Supabase's root. `sslmode=disable` is
    /// accepted for loopback hosts only.
    ///
    /// # Errors
    /// The address or the schema's name is refused.
    pub fn new(url: &str, schema: &str, mode: PoolMode) -> Result<Self, InvalidDatabaseConfig> {
        if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
            return Err(InvalidDatabaseConfig::Url);
        }
        let options = PgConnectOptions::from_str(url).map_err(|_| InvalidDatabaseConfig::Url)?;
        if !is_plain_schema(schema) {
            return Err(InvalidDatabaseConfig::Schema);
        }
        let options = verified(options, url.contains("sslrootcert="))?;
        let options = options.application_name("assistant-gazelle").disable_statement_logging();
        Ok(Self { options, schema: schema.to_owned(), mode, digest: digest(0, url) })
    }

    /// Trusts the authorities of a PEM text instead of Supabase's.
    ///
    /// # Errors
    /// The text holds no certificate.
    pub fn trusting(mut self, pem: &str) -> Result<Self, InvalidDatabaseConfig> {
        if !pem.contains("-----BEGIN CERTIFICATE-----") {
            return Err(InvalidDatabaseConfig::Certificate);
        }
        self.options = self.options.ssl_root_cert_from_pem(pem.as_bytes().to_vec());
        self.digest = digest(self.digest, pem);
        Ok(self)
    }

    /// Opens one connection outside any pool.
    ///
    /// # Errors
    /// The server is out of reach or refuses the login.
    pub async fn connect(&self) -> Result<PgConnection, Error> {
        self.options.connect().await.during("connect to the database")
    }

    /// Returns whether the server's certificate and name are verified, which is so everywhere but on loopback hosts.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        matches!(self.options.get_ssl_mode(), PgSslMode::VerifyFull)
    }

    /// Returns the name of the schema that holds the mirror.
    #[must_use]
    pub fn schema(&self) -> &str {
        &self.schema
    }
}

/// Requires full verification: `require` accepts any certificate, and `prefer` falls back to plain text.
fn verified(options: PgConnectOptions, names_root: bool) -> Result<PgConnectOptions, InvalidDatabaseConfig> {
    let is_loopback = options.get_socket().is_some() || LOOPBACK_HOSTS.contains(&options.get_host());
    match options.get_ssl_mode() {
        PgSslMode::Disable if is_loopback => Ok(options),
        PgSslMode::Disable => Err(InvalidDatabaseConfig::Plain),
        _ => {
            let options = options.ssl_mode(PgSslMode::VerifyFull);
            Ok(if names_root { options } else { options.ssl_root_cert_from_pem(SUPABASE_ROOT.to_vec()) })
        }
    }
}

fn digest(before: u64, text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    (before, text).hash(&mut hasher);
    hasher.finish()
}

/// Returns whether the text can name a schema: a plain identifier that is not reserved for the server.
pub(crate) fn is_plain_schema(schema: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let letter_first = schema.starts_with(|first: char| first.is_ascii_lowercase() || first == '_');
    schema.len() <= SCHEMA_CHARACTERS_MAX
        && letter_first
        && !schema.starts_with("pg_")
        && schema.bytes().all(plain)
}
