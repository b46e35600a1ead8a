//! Messages between the functions: SQS batches, S3 notifications, reconcile requests.
//!
//! Each message is read on its own: an invalid one never costs the others of its batch.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Message of an SQS batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Id for the report of failures; empty where the event has none.
    pub id: String,
    /// Body of the message, not parsed.
    pub body: String,
    /// Handle by which the next delivery is postponed; empty where the event has none.
    pub receipt_handle: String,
    /// Number of deliveries, this one included.
    pub receive_count: u32,
}

/// Error for an event that is not an SQS batch.
#[derive(Debug, thiserror::Error)]
#[error(
    "`Records` is missing or not a list; accepted: an SQS event {{\"Records\": [{{\"messageId\", \"body\"}}]}}"
)]
pub struct InvalidBatch;

/// Returns the messages of an SQS event.
///
/// # Errors
/// The event has no list `Records`.
pub fn batch(event: &Value) -> Result<Vec<Message>, InvalidBatch> {
    let records = event.get("Records").and_then(Value::as_array).ok_or(InvalidBatch)?;
    let text =
        |record: &Value, field| record.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(records
        .iter()
        .map(|record| Message {
            id: text(record, "messageId"),
            body: text(record, "body"),
            receipt_handle: text(record, "receiptHandle"),
            receive_count: record
                .pointer("/attributes/ApproximateReceiveCount")
                .and_then(|count| count.as_str()?.parse().ok())
                .unwrap_or(1),
        })
        .collect())
}

/// Returns the partial batch response with the messages to deliver again.
#[must_use]
pub fn batch_failures<'a>(ids: impl IntoIterator<Item = &'a str>) -> Value {
    // An empty identifier would fail the whole batch.
    let failures: Vec<Value> =
        ids.into_iter().filter(|id| !id.is_empty()).map(|id| json!({ "itemIdentifier": id })).collect();
    json!({ "batchItemFailures": failures })
}

/// Object named by an S3 notification.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectRef {
    /// Name of the bucket.
    pub bucket: String,
    /// Decoded key of the object.
    pub key: String,
}

/// Content of a notification.
#[derive(Debug, PartialEq, Eq)]
pub enum Notification {
    /// Objects that were created.
    Objects(Vec<ObjectRef>),
    /// Test event that S3 sends when the notification is set up.
    Test,
}

/// Error for a body that is not an S3 notification.
#[derive(Debug, thiserror::Error)]
pub enum InvalidNotification {
    /// The body is not JSON.
    #[error("the body is not JSON")]
    NotJson(#[source] serde_json::Error),
    /// A field of the notification is missing or empty.
    #[error("`{0}` is missing or not a text; accepted: an S3 notification")]
    Missing(&'static str),
}

/// Parses an S3 notification.
///
/// # Errors
/// The body is not JSON, or a record names no bucket or no key.
pub fn notification(body: &str) -> Result<Notification, InvalidNotification> {
    let body: Value = serde_json::from_str(body).map_err(InvalidNotification::NotJson)?;
    if body.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
        return Ok(Notification::Test);
    }
    let records =
        body.get("Records").and_then(Value::as_array).ok_or(InvalidNotification::Missing("Records"))?;
    records.iter().map(object_ref).collect::<Result<_, _>>().map(Notification::Objects)
}

fn object_ref(record: &Value) -> Result<ObjectRef, InvalidNotification> {
    let text = |pointer, name| {
        record
            .pointer(pointer)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
            .ok_or(InvalidNotification::Missing(name))
    };
    let bucket = text("/s3/bucket/name", "s3.bucket.name")?.to_owned();
    let key = decode_key(text("/s3/object/key", "s3.object.key")?);
    Ok(ObjectRef { bucket, key })
}

/// Decodes a key as S3 encodes it: first `+` to a space, then `%XX`.
fn decode_key(key: &str) -> String {
    percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// Encodes a key as S3 does in its notifications, so that [`notification`] decodes it to the same key.
#[must_use]
pub fn encode_key(key: &str) -> String {
    percent_encode(key.as_bytes(), KEY_ESCAPES).to_string().replace(' ', "+")
}

/// Bytes that S3 encodes in a key: all but letters, digits and the marks of a path. The space becomes a plus.
const KEY_ESCAPES: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b' ').remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Request to reconcile: records of an entity wait in staging. The work itself is read from the staging table, so a
/// request may be lost or repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReconcileRequest {
    /// Name of the entity whose staging table was written.
    pub entity: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn object_key_decodes_plus_before_percent() {
        let body = json!({"Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": "raw/a+b%2Bc%C3%A9.json"}}}]});
        let Ok(Notification::Objects(objects)) = notification(&body.to_string()) else { panic!() };
        assert_eq!(objects, [ObjectRef { bucket: "b".to_owned(), key: "raw/a b+cé.json".to_owned() }]);
    }

    #[test]
    fn encoded_key_decodes_to_itself() {
        for key in
            ["raw/clients/2026/01/31/r/page-00001.json", "raw/a+b c%2B%/é&\"\n\u{0}🎹?#=.json", "+", "%"]
        {
            let body =
                json!({"Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": encode_key(key)}}}]});
            let Ok(Notification::Objects(objects)) = notification(&body.to_string()) else { panic!("{key}") };
            assert_eq!(objects[0].key, key);
        }
    }

    #[test]
    fn invalid_notification_names_the_missing_field() {
        let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"}).to_string();
        assert!(matches!(notification(&test), Ok(Notification::Test)));
        let message =
            |body: &str| notification(body).map_or_else(|error| error.to_string(), |_| String::new());
        assert!(message("nope").starts_with("the body is not JSON"));
        assert!(message("{}").starts_with("`Records`"));
        assert!(message(r#"{"Records":[{"s3":{}}]}"#).starts_with("`s3.bucket.name`"));
    }

    #[test]
    fn batch_failures_omit_empty_identifiers() {
        assert_eq!(batch_failures(["", "m1"]), json!({"batchItemFailures": [{"itemIdentifier": "m1"}]}));
    }
}
