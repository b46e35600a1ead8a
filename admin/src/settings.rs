//! Settings that several commands share, from the environment.

use aws_config::SdkConfig;
use db::{DatabaseConfig, PoolMode};
use object_store::{ObjectStore, S3ObjectStore};
use protocol::settings::{InvalidSettings, Settings};

use crate::error::AdminError;

/// Reads settings from the environment.
///
/// # Errors
/// Names every setting that is missing or malformed.
pub(crate) fn read<T>(read_from: impl FnOnce(&mut Settings<'_>) -> T) -> Result<T, InvalidSettings> {
    let lookup = |name: &str| std::env::var(name).ok();
    let mut settings = Settings::new(&lookup);
    let values = read_from(&mut settings);
    settings.finish(values)
}

/// Reads `DATABASE_URL`, the address of an administrator.
pub(crate) fn database_url(settings: &mut Settings<'_>) -> String {
    settings.required("DATABASE_URL", "an administrator's address, direct or through a session pooler")
}

/// Reads `DATABASE_SCHEMA`, the schema of the mirror.
pub(crate) fn schema(settings: &mut Settings<'_>) -> String {
    settings.optional("DATABASE_SCHEMA", "gazelle".to_owned(), "the schema of the mirror")
}

/// Reads the administrator's database configuration.
///
/// # Errors
/// [`AdminError::Settings`] or [`AdminError::DatabaseConfig`].
pub(crate) fn administrator() -> Result<DatabaseConfig, AdminError> {
    let (url, schema) = read(|settings| (database_url(settings), schema(settings)))?;
    Ok(DatabaseConfig::new(&url, &schema, PoolMode::Direct)?)
}

/// Returns the bucket of this name, reached as the functions reach it.
pub(crate) fn bucket(aws: &SdkConfig, name: String) -> ObjectStore {
    let s3 = aws_sdk_s3::config::Builder::from(aws).force_path_style(lambda::is_path_style(aws)).build();
    ObjectStore::S3(S3ObjectStore { client: aws_sdk_s3::Client::from_conf(s3), bucket: name })
}
