//! Error of a command: the text is French, for the person at the terminal; the sources are English.

use std::io;
use std::str::FromStr;

use db::InvalidDatabaseConfig;
use db::v5::V5Error;
use gazelle_client::ApiError;
use i18n::terminal::failure;
use object_store::StateError;
use protocol::secret::SecretError;
use protocol::settings::InvalidSettings;
use reqwest::{StatusCode, Url};

/// Error of parsing a URL.
type UrlError = <Url as FromStr>::Err;

/// Error that ends a command. The program prints its text on one line and the chain of its sources on the next.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Settings are missing or malformed.
    #[error("{}", failure::INVALID_SETTINGS)]
    Settings(#[from] InvalidSettings),
    /// `DATABASE_URL` or `DATABASE_SCHEMA` is not accepted.
    #[error("{}", failure::INVALID_DATABASE_CONFIG)]
    DatabaseConfig(#[from] InvalidDatabaseConfig),
    /// `DATABASE_URL` is no URL. The parser's error is left out, because it could show the password.
    #[error("{}", failure::UNREADABLE_DATABASE_URL)]
    UnreadableDatabaseUrl,
    /// `DATABASE_URL` names no host.
    #[error("{}", failure::DATABASE_URL_WITHOUT_HOST)]
    DatabaseUrlWithoutHost,
    /// `--at` is not of the form host:port.
    #[error("{}", failure::INVALID_AT)]
    InvalidAt,
    /// A migration failed; those before it stay applied.
    #[error("{}", failure::MIGRATION_FAILED)]
    Migrate(#[source] db::Error),
    /// The database did not accept the new password of a role.
    #[error("{}", failure::password_not_set(role))]
    SetPassword {
        /// Name of the role.
        role: &'static str,
        /// Error of the database.
        source: db::Error,
    },
    /// The database did not change the rights of a role.
    #[error("{}", failure::rights_not_changed(role))]
    Expose {
        /// Name of the role.
        role: String,
        /// Error of the database.
        source: db::Error,
    },
    /// A secret exists and could not be read, so that it cannot be completed.
    #[error("{}", failure::secret_not_read(secret_id))]
    ReadSecret {
        /// Id of the secret.
        secret_id: String,
        /// Error of the secret store.
        source: SecretError,
    },
    /// A secret could not be stored.
    #[error("{}", failure::secret_not_stored(secret_id))]
    StoreSecret {
        /// Id of the secret.
        secret_id: String,
        /// Error of the secret store.
        source: SecretError,
    },
    /// The client of the Gazelle API could not be set up.
    #[error("{}", failure::GAZELLE_CLIENT_FAILED)]
    GazelleClient(#[source] ApiError),
    /// Gazelle did not tell the access level of the user.
    #[error("{}", failure::NO_ACCESS_LEVEL)]
    AccessLevel(#[source] ApiError),
    /// Gazelle's response about the user is no JSON.
    #[error("{}", failure::NO_ACCESS_LEVEL)]
    UnreadableAccessLevel(#[source] serde_json::Error),
    /// The user sees only a part of the clients.
    #[error("{}", failure::partial_access(access_level, full_access))]
    PartialAccess {
        /// Access level of the user.
        access_level: String,
        /// Access level that is needed.
        full_access: &'static str,
    },
    /// The command cannot listen on this port.
    #[error("{}", failure::port_taken(*port))]
    Listen {
        /// Port of the callback.
        port: u16,
        /// Error of the operating system.
        source: io::Error,
    },
    /// The token URL is no URL.
    #[error("{}", failure::INVALID_TOKEN_URL)]
    TokenUrl(#[source] UrlError),
    /// The paste could not be read from the terminal.
    #[error("{}", failure::UNREADABLE_INPUT)]
    ReadInput(#[source] io::Error),
    /// The request for tokens got no response.
    #[error("{}", failure::TOKEN_REQUEST_FAILED)]
    RequestTokens(#[source] reqwest::Error),
    /// Gazelle refused the authorisation code.
    #[error("{}", failure::CODE_REFUSED)]
    CodeRefused(#[source] TokenRefusal),
    /// Gazelle's tokens could not be read. The parser's error is left out, because it could quote one.
    #[error("{}", failure::UNREADABLE_TOKENS)]
    UnreadableTokens,
    /// Gazelle gave no refresh token.
    #[error("{}", failure::NO_REFRESH_TOKEN)]
    NoRefreshToken,
    /// Nobody completed the authorisation in time.
    #[error("{}", failure::NO_CALLBACK)]
    NoCallback,
    /// The server of the callback ended before the browser returned.
    #[error("{}", failure::CALLBACK_LOST)]
    CallbackLost,
    /// The paste was empty.
    #[error("{}", failure::NOTHING_PASTED)]
    NothingPasted,
    /// The paste is neither an address nor a code.
    #[error("{}", failure::UNREADABLE_PASTE)]
    UnreadablePaste,
    /// The address belongs to another authorisation.
    #[error("{}", failure::FOREIGN_ADDRESS)]
    ForeignAddress,
    /// The address holds no code.
    #[error("{}", failure::ADDRESS_WITHOUT_CODE)]
    AddressWithoutCode,
    /// V5's tables cannot be read.
    #[error("{}", failure::V5_UNREADABLE)]
    OpenV5(#[source] V5Error),
    /// A statement of the import failed.
    #[error("{}", failure::IMPORT_DATABASE_FAILED)]
    ImportDatabase(#[source] db::Error),
    /// The bucket did not accept a raw page or a manifest.
    #[error("{}", failure::IMPORT_STORE_FAILED)]
    StorePage(#[source] StateError),
    /// A raw page or a manifest could not be encoded as JSON.
    #[error("{}", failure::page_not_encoded(entity))]
    EncodePage {
        /// Name of the entity.
        entity: &'static str,
        /// Error of the encoder.
        source: serde_json::Error,
    },
    /// The report could not be written to the output.
    #[error("{}", failure::OUTPUT_FAILED)]
    PrintReport(#[source] io::Error),
}

/// Refusal by Gazelle's token endpoint.
#[derive(Debug, thiserror::Error)]
#[error("the token endpoint responded {status}: {reason}")]
pub struct TokenRefusal {
    /// Status of the response.
    pub(crate) status: StatusCode,
    /// Error code of OAuth in the response.
    pub(crate) reason: String,
}
