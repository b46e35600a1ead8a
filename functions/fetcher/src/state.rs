//! What an entity's runs remember between invocations: checkpoint, watermark, lease.
//!
//! Every write is conditional on the version that was read: of two who race, one wins and the other
//! stops. That is the fence; the lease only saves the loser its work.

use std::future::Future;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::DisplayErrorContext;
use aws_sdk_s3::primitives::ByteStream;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use shared::key::RunId;
use shared::request::Window;

use crate::raw_sink::is_precondition_failed;

/// The version of the state's shape.
pub const SCHEMA_VERSION: u32 = 1;

/// What an entity's runs remember.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// When the last run that brought everything had begun.
    pub watermark: Option<DateTime<Utc>>,
    /// A run that is not finished.
    pub checkpoint: Option<Checkpoint>,
    /// Who works on it now.
    pub lease: Option<Lease>,
}

impl Default for State {
    fn default() -> Self {
        Self { schema_version: SCHEMA_VERSION, watermark: None, checkpoint: None, lease: None }
    }
}

/// Who works on an entity, and until when others keep off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The invocation.
    pub holder: String,
    /// Past this the holder is taken for dead.
    pub expires_at: DateTime<Utc>,
}

/// How far a run has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The run.
    pub run_id: RunId,
    /// incremental, full or repair.
    pub mode: String,
    /// The period fetched; none where the whole list is.
    pub window: Option<Window>,
    /// When its first invocation began.
    pub started_at: DateTime<Utc>,
    /// What comes next.
    pub next: Next,
    /// Pages stored.
    pub pages: u32,
    /// Elements in them, null ones included.
    pub records: u64,
    /// The source's own count, from the last page.
    pub total_count: Option<u64>,
    /// Messages of partial answers, shortened.
    pub source_errors: Option<String>,
    /// Manifests written.
    pub manifest_revision: u32,
    /// Invocations in a row that began without storing a page.
    pub stalls: u32,
}

/// What a run does next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Next {
    /// Fetches the page after this cursor, or the first.
    Page(Option<String>),
    /// Every page is stored: it only has to be closed.
    Close,
}

/// A state as it was read, with what makes the next write conditional.
#[derive(Debug, Clone)]
pub struct Versioned {
    /// The state.
    pub state: State,
    /// The object's tag; none where there is no object yet.
    pub tag: Option<String>,
}

/// Why the state could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The store did not answer. This is not «no state».
    #[error("Could not reach the state of {entity}: {reason}")]
    Unreachable {
        /// The entity.
        entity: &'static str,
        /// What the store said.
        reason: String,
    },
    /// The object is not one of ours. It is never taken for «no state».
    #[error(
        "The state of {entity} cannot be read ({reason}). Restore an older version of the object, or delete it: \
         then the next run fetches everything anew, and nothing is lost"
    )]
    Malformed {
        /// The entity.
        entity: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// Another invocation wrote in between: this one stops.
    #[error("Another invocation has taken over {entity}")]
    Taken {
        /// The entity.
        entity: &'static str,
    },
}

/// Keeps the state of each entity.
pub trait StateStore: Send + Sync {
    /// Reads the state; the empty one where there is none yet.
    fn load(&self, entity: &'static str) -> impl Future<Output = Result<Versioned, StateError>> + Send;
    /// Writes it where nobody else has since; answers the new tag.
    fn save(
        &self,
        entity: &'static str,
        versioned: &Versioned,
    ) -> impl Future<Output = Result<String, StateError>> + Send;
}

/// Objects under `state/`.
#[derive(Debug, Clone)]
pub struct S3StateStore {
    client: Client,
    bucket: String,
}

impl S3StateStore {
    /// Those of that bucket.
    #[must_use]
    pub fn new(client: Client, bucket: String) -> Self {
        Self { client, bucket }
    }
}

impl StateStore for S3StateStore {
    async fn load(&self, entity: &'static str) -> Result<Versioned, StateError> {
        let unreachable = |reason| StateError::Unreachable { entity, reason };
        let object = match self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(shared::key::state(entity))
            .send()
            .await
        {
            Ok(object) => object,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(aws_sdk_s3::operation::get_object::GetObjectError::is_no_such_key) =>
            {
                return Ok(Versioned { state: State::default(), tag: None });
            }
            Err(error) => return Err(unreachable(DisplayErrorContext(&error).to_string())),
        };
        let tag = object.e_tag().map(str::to_owned);
        let bytes = object.body.collect().await.map_err(|error| unreachable(error.to_string()))?.to_vec();
        let malformed = |reason: String| StateError::Malformed { entity, reason };
        let state: State = serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
        if state.schema_version != SCHEMA_VERSION {
            return Err(malformed(format!(
                "schema_version {}; accepted: {SCHEMA_VERSION}",
                state.schema_version
            )));
        }
        Ok(Versioned { state, tag })
    }

    async fn save(&self, entity: &'static str, versioned: &Versioned) -> Result<String, StateError> {
        let unreachable = |reason| StateError::Unreachable { entity, reason };
        let body = serde_json::to_vec(&versioned.state).map_err(|error| unreachable(error.to_string()))?;
        let put = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(shared::key::state(entity))
            .body(ByteStream::from(body));
        let put = match &versioned.tag {
            Some(tag) => put.if_match(tag),
            None => put.if_none_match("*"),
        };
        match put.send().await {
            Ok(written) => Ok(written.e_tag().unwrap_or_default().to_owned()),
            Err(error) if is_precondition_failed(&error) => {
                // Our own first try may have won, its answer lost.
                let current = self.load(entity).await?;
                match current.tag {
                    Some(tag) if current.state == versioned.state => Ok(tag),
                    _ => Err(StateError::Taken { entity }),
                }
            }
            Err(error) => Err(unreachable(DisplayErrorContext(&error).to_string())),
        }
    }
}

/// Remembers nothing: a command on a terminal starts anew each time.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoStateStore;

impl StateStore for NoStateStore {
    async fn load(&self, _entity: &'static str) -> Result<Versioned, StateError> {
        Ok(Versioned { state: State::default(), tag: None })
    }

    async fn save(&self, _entity: &'static str, _versioned: &Versioned) -> Result<String, StateError> {
        Ok(String::new())
    }
}
