//! Messages between the functions: SQS batches, S3 notifications, the reconcile bell.
//!
//! Read leniently: one bad message never costs its neighbours.

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// One message of an SQS batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The id by which a failure is reported; empty where the event has none.
    pub id: String,
    /// The body, unread.
    pub body: String,
    /// By which this delivery is put off; empty where the event has none.
    pub receipt_handle: String,
    /// How often it has been delivered, this time included.
    pub receive_count: u32,
}

/// Why an event is no SQS batch.
#[derive(Debug, thiserror::Error)]
#[error(
    "`Records` is missing or no list; accepted: an SQS event {{\"Records\": [{{\"messageId\", \"body\"}}]}}"
)]
pub struct NotABatch;

/// The messages of an SQS event.
///
/// # Errors
/// The event is no SQS batch at all.
pub fn batch(event: &Value) -> Result<Vec<Message>, NotABatch> {
    let records = event.get("Records").and_then(Value::as_array).ok_or(NotABatch)?;
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

/// The partial batch answer: the messages to deliver again.
#[must_use]
pub fn batch_failures<'a>(ids: impl IntoIterator<Item = &'a str>) -> Value {
    // An empty identifier would fail the whole batch.
    let failures: Vec<Value> =
        ids.into_iter().filter(|id| !id.is_empty()).map(|id| json!({ "itemIdentifier": id })).collect();
    json!({ "batchItemFailures": failures })
}

/// An object that S3 announces.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectRef {
    /// The bucket.
    pub bucket: String,
    /// The key, decoded.
    pub key: String,
}

/// What the body of a notification says.
#[derive(Debug, PartialEq, Eq)]
pub enum Notification {
    /// Objects were created.
    Objects(Vec<ObjectRef>),
    /// S3 tries out the queue: nothing to do.
    Test,
}

/// Why a body is no notification.
#[derive(Debug, thiserror::Error)]
pub enum BadNotification {
    /// The body is no JSON.
    #[error("the body is no JSON: {0}")]
    NotJson(serde_json::Error),
    /// A field is missing.
    #[error("`{0}` is missing or no text; accepted: an S3 notification")]
    Missing(&'static str),
}

/// Reads an S3 notification.
///
/// # Errors
/// The body is no JSON, or a record names no bucket or no key.
pub fn notification(body: &str) -> Result<Notification, BadNotification> {
    let body: Value = serde_json::from_str(body).map_err(BadNotification::NotJson)?;
    if body.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
        return Ok(Notification::Test);
    }
    let records = body.get("Records").and_then(Value::as_array).ok_or(BadNotification::Missing("Records"))?;
    records.iter().map(object_ref).collect::<Result<_, _>>().map(Notification::Objects)
}

fn object_ref(record: &Value) -> Result<ObjectRef, BadNotification> {
    let text = |pointer, name| {
        record
            .pointer(pointer)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
            .ok_or(BadNotification::Missing(name))
    };
    let bucket = text("/s3/bucket/name", "s3.bucket.name")?.to_owned();
    let key = decoded(text("/s3/object/key", "s3.object.key")?);
    Ok(ObjectRef { bucket, key })
}

/// Undoes S3's encoding of keys: `+` is a space, then `%XX`.
fn decoded(key: &str) -> String {
    percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned()
}

/// The bell: records of an entity wait in staging. What to do is read there, never here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bell {
    /// The entity whose staging table was written.
    pub entity: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_decoded_plus_first() {
        let body = json!({"Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": "raw/a+b%2Bc%C3%A9.json"}}}]});
        let Ok(Notification::Objects(objects)) = notification(&body.to_string()) else { panic!() };
        assert_eq!(objects, [ObjectRef { bucket: "b".to_owned(), key: "raw/a b+cé.json".to_owned() }]);
    }

    #[test]
    fn a_test_event_asks_for_nothing_and_a_bad_body_says_what_is_missing() {
        let test = json!({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b"}).to_string();
        assert!(matches!(notification(&test), Ok(Notification::Test)));
        let message =
            |body: &str| notification(body).map_or_else(|error| error.to_string(), |_| String::new());
        assert!(message("nope").starts_with("the body is no JSON"));
        assert!(message("{}").starts_with("`Records`"));
        assert!(message(r#"{"Records":[{"s3":{}}]}"#).starts_with("`s3.bucket.name`"));
    }

    #[test]
    fn an_empty_identifier_never_reaches_the_answer() {
        assert_eq!(batch_failures(["", "m1"]), json!({"batchItemFailures": [{"itemIdentifier": "m1"}]}));
    }
}
