//! Work of the stager and the reconciler in a process of their own, on raw pages in a folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use db::{DatabaseConfig, Db, PoolMode};
use model::entity::{self, Entity};
use serde_json::json;
use stager::StagerError;
use stager::raw_source::{ListedObject, RawSource, ReadObject};

use crate::dice::Dice;
use crate::pages::MemorySource;

/// Pages announced in one SQS batch.
const PAGES_PER_BATCH: usize = 10;

/// Folder in the place of a bucket.
#[derive(Debug)]
pub struct Folder(pub PathBuf);

impl RawSource for Folder {
    async fn read(&self, key: &str) -> Result<ReadObject, StagerError> {
        fs::read(self.0.join(key))
            .map(ReadObject::Bytes)
            .map_err(|error| StagerError::ReadObject { key: key.to_owned(), source: error.into() })
    }

    async fn list(&self, _prefix: &str, _after: Option<&str>) -> Result<Vec<ListedObject>, StagerError> {
        Ok(Vec::new())
    }
}

impl Folder {
    /// Writes the objects of a bucket into the folder.
    pub fn fill(&self, source: &MemorySource) {
        for key in source.keys() {
            let path = self.0.join(&key);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, source.get(&key).expect("an object")).expect("a page");
        }
    }

    /// Returns the keys of all objects, in order.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        let mut open = vec![self.0.clone()];
        while let Some(path) = open.pop() {
            for entry in fs::read_dir(&path).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    keys.push(path.strip_prefix(&self.0).expect("below").to_string_lossy().into_owned());
                }
            }
        }
        keys.sort();
        keys
    }
}

/// Returns the entity with the most records.
///
/// # Panics
/// The registry has no entity of this name.
#[must_use]
pub fn timeline() -> &'static Entity {
    entity::find("timeline").expect("an entity of the registry")
}

/// Opens the database of `DATABASE_URL` in this schema.
#[must_use]
pub fn config(schema: &str) -> DatabaseConfig {
    let url = std::env::var("DATABASE_URL")
        .expect("DATABASE_URL: a database whose schema of that name may be wiped");
    DatabaseConfig::new(&url, schema, PoolMode::Session).expect("an address")
}

/// Stages every object of a folder, ten at a time: in order, or shuffled by the seed.
pub async fn stage(schema: &str, folder: &Path, seed: Option<u64>) {
    let (db, source) = (Db::new(&config(schema)), Folder(folder.to_owned()));
    let mut keys = source.keys();
    if let Some(seed) = seed {
        Dice(seed).shuffle(&mut keys);
    }
    for batch in keys.chunks(PAGES_PER_BATCH) {
        let staged = stager::stage::stage(&db, &source, batch).await;
        assert!(staged.failed.is_empty(), "{:?}", staged.failed);
    }
}

/// Promotes an entity's records until none is pending and `is_over` returns true.
pub async fn reconcile(
    schema: &str,
    entity: &'static Entity,
    is_over: impl Fn() -> bool,
) -> reconciler::reconcile::Drained {
    let db = Db::new(&config(schema));
    let deadline = tokio::time::Instant::now() + Duration::from_hours(1);
    loop {
        // Asked first: what comes afterwards is drained after it.
        let is_last = is_over();
        let drained = reconciler::reconcile::drain(&db, entity, deadline).await.expect("a database");
        if is_last {
            return drained;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Returns a timeline entry of about 645 bytes; 79 % without a piano, 46 % without a user, over three years.
#[must_use]
pub fn record(number: usize) -> String {
    let day = chrono::DateTime::UNIX_EPOCH
        + chrono::TimeDelta::minutes(27_000_000 + i64::try_from(number * 15 % 1_500_000).unwrap_or(0));
    let reference = |kind: &str, of: usize, absent: bool| {
        if absent { json!(null) } else { json!({ "id": format!("{kind}_{:016}", number % of) }) }
    };
    json!({
        "id": format!("tme_{number:020x}"),
        "occurredAt": day.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        "type": "CONTACT_EMAIL_AUTOMATED",
        "summary": format!("Rappel d'accord envoyé au client, message {number}"),
        "comment": "Bonjour, votre piano devrait être accordé bientôt. ".repeat(4),
        "duration": null, "relatedType": null, "relatedId": null, "alertType": null,
        "emailStatus": "DELIVERED", "emailFailureReason": null, "smsStatus": null,
        "client": reference("cli", 4_000, false),
        "piano": reference("ins", 1_000, number % 100 < 79),
        "user": reference("usr", 9, number % 100 < 46),
        "appointment": null, "invoice": null, "estimate": null,
    })
    .to_string()
}
