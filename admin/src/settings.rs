//! The settings that several commands share, from the environment.

use aws_config::SdkConfig;
use db::{DatabaseConfig, PoolMode};
use object_store::{ObjectStore, S3ObjectStore};
use protocol::settings::Settings;

use crate::Failure;

/// Reads settings from the environment.
///
/// # Errors
/// Names every setting that is missing or malformed.
pub(crate) fn read<T>(take: impl FnOnce(&mut Settings<'_>) -> T) -> Result<T, Failure> {
    let lookup = |name: &str| std::env::var(name).ok();
    let mut settings = Settings::new(&lookup);
    let taken = take(&mut settings);
    Ok(settings.finish(taken)?)
}

/// `DATABASE_URL`, an administrator's address.
pub(crate) fn database_url(settings: &mut Settings<'_>) -> String {
    settings.required("DATABASE_URL", "an administrator's address, direct or through a session pooler")
}

/// `DATABASE_SCHEMA`, the schema of the mirror.
pub(crate) fn schema(settings: &mut Settings<'_>) -> String {
    settings.optional("DATABASE_SCHEMA", "gazelle".to_owned(), "the schema of the mirror")
}

/// The administrator's way to the database.
///
/// # Errors
/// A setting is missing or not accepted.
pub(crate) fn administrator() -> Result<DatabaseConfig, Failure> {
    let (url, schema) = read(|settings| (database_url(settings), schema(settings)))?;
    Ok(DatabaseConfig::new(&url, &schema, PoolMode::Direct)?)
}

/// A bucket, as the functions reach it.
pub(crate) fn bucket(aws: &SdkConfig, name: String) -> ObjectStore {
    let s3 = aws_sdk_s3::config::Builder::from(aws).force_path_style(lambda::is_path_style(aws)).build();
    ObjectStore::S3(S3ObjectStore { client: aws_sdk_s3::Client::from_conf(s3), bucket: name })
}
