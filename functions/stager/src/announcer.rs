//! Announcements of objects to the stager's own queue, in the shape of S3's notifications.

use std::future::Future;

use protocol::message;
use serde_json::{Value, json};

use crate::error::StagerError;

/// Keys in one announcement.
const KEYS_PER_ANNOUNCEMENT: usize = 10;

/// Announcer of objects to the stager, in place of S3.
pub trait Announcer: Send + Sync {
    /// Announces these keys in one message.
    ///
    /// # Errors
    /// [`StagerError::Announce`].
    fn announce(&self, keys: &[String]) -> impl Future<Output = Result<(), StagerError>> + Send;
}

/// Announces these keys in as many messages as they need; returns the number of keys.
pub(crate) async fn announce_all(announcer: &impl Announcer, keys: &[String]) -> Result<usize, StagerError> {
    for chunk in keys.chunks(KEYS_PER_ANNOUNCEMENT) {
        announcer.announce(chunk).await?;
    }
    Ok(keys.len())
}

/// Returns the S3 notification of these keys.
#[must_use]
pub(crate) fn notification(bucket: &str, keys: &[String]) -> Value {
    let records: Vec<Value> = keys
        .iter()
        .map(|key| {
            let key = message::encode_key(key);
            json!({ "eventName": "ObjectCreated:Put", "s3": { "bucket": { "name": bucket }, "object": { "key": key } } })
        })
        .collect();
    json!({ "Records": records })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announcement_parses_as_an_s3_event() {
        let keys = ["raw/users/2025/12/01/x/page-00001.json", "raw/users/a+b%2B c/page-00001.json"]
            .map(str::to_owned);
        let body = notification("b", &keys).to_string();
        let Ok(message::Notification::Objects(objects)) = message::notification(&body) else {
            panic!("{body}")
        };
        let announced: Vec<_> = objects.iter().map(|object| (object.bucket.as_str(), &object.key)).collect();
        assert_eq!(announced, [("b", &keys[0]), ("b", &keys[1])]);
    }
}
