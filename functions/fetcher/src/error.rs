//! Error of a run or of a request to the fetcher.

use gazelle_client::{ApiError, TokenError};
use object_store::StateError;
use protocol::action::ActionKind;
use protocol::lane::Lane;
use protocol::listing::InvalidPage;

use crate::raw_sink::SinkError;

/// Upper bound for the pages of a run, twenty times those of the largest known listing: a longer one has no end.
pub(crate) const PAGES_PER_RUN_MAX: u32 = 32_000;

/// Error of a run or of a request to the fetcher.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Gazelle gave no usable response.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The response is no page of this entity.
    #[error("page {page} of {entity} cannot be read")]
    ReadPage {
        /// Name of the entity.
        entity: &'static str,
        /// Number of the page, from 1.
        page: u32,
        /// Defect of the page.
        source: InvalidPage,
    },
    /// The cursor does not advance: another page would be one that was read before.
    #[error("page {page} of {entity} announces a next page, with a cursor that does not advance")]
    Stuck {
        /// Name of the entity.
        entity: &'static str,
        /// Number of the page, from 1.
        page: u32,
    },
    /// The entity supports no run of this mode.
    #[error("{entity} cannot be fetched in this way")]
    NoQuery {
        /// Name of the entity.
        entity: &'static str,
    },
    /// The listing has no end.
    #[error("{entity} has more than {PAGES_PER_RUN_MAX} pages")]
    Endless {
        /// Name of the entity.
        entity: &'static str,
    },
    /// The raw page could not be encoded as JSON.
    #[error("could not encode page {page} of {entity}")]
    EncodePage {
        /// Name of the entity.
        entity: &'static str,
        /// Number of the page, from 1.
        page: u32,
        /// Error of the encoder.
        source: serde_json::Error,
    },
    /// The raw page could not be stored.
    #[error("could not save page {page} of {entity}")]
    SavePage {
        /// Name of the entity.
        entity: &'static str,
        /// Number of the page, from 1.
        page: u32,
        /// Error of the sink.
        source: SinkError,
    },
    /// A raw page that an earlier invocation stored could not be loaded.
    #[error("could not load the stored page {page} of {entity}")]
    LoadPage {
        /// Name of the entity.
        entity: &'static str,
        /// Number of the page, from 1.
        page: u32,
        /// Error of the sink.
        source: SinkError,
    },
    /// A raw page that an earlier invocation stored cannot be decoded.
    #[error("the stored page {page} of {entity} cannot be read")]
    DecodePage {
        /// Name of the entity.
        entity: &'static str,
        /// Number of the page, from 1.
        page: u32,
        /// Error of the decoder.
        source: serde_json::Error,
    },
    /// The manifest could not be encoded as JSON.
    #[error("could not encode the manifest of {entity}")]
    EncodeManifest {
        /// Name of the entity.
        entity: &'static str,
        /// Error of the encoder.
        source: serde_json::Error,
    },
    /// The manifest could not be stored.
    #[error("could not save the manifest of {entity}")]
    SaveManifest {
        /// Name of the entity.
        entity: &'static str,
        /// Error of the sink.
        source: SinkError,
    },
    /// A record is not served, and no cursor beyond it is known, although Gazelle serves the first page.
    #[error(
        "page {page} of {entity} is not served, not even one record at a time, and no cursor beyond it is known"
    )]
    Unskippable {
        /// Name of the entity.
        entity: &'static str,
        /// Number of the page, from 1.
        page: u32,
        /// Error of the last attempt.
        source: Box<FetchError>,
    },
    /// Too many requests wait in the lane.
    #[error("too many requests wait in the lane {lane} of {entity}")]
    QueueFull {
        /// Name of the entity.
        entity: &'static str,
        /// Lane of the request.
        lane: Lane,
    },
    /// The state could not be read or written, or another invocation has taken over the run.
    #[error(transparent)]
    State(#[from] StateError),
}

impl FetchError {
    /// Returns whether the requested part of the data may be at fault, so that a smaller part may be served. The
    /// credentials, the schema and our own state concern every request alike.
    pub(crate) fn concerns_data(&self) -> bool {
        matches!(self, Self::ReadPage { .. } | Self::Api(ApiError::Exhausted { .. } | ApiError::Status(_)))
    }

    /// Returns the kind of action that a person has to take; none if the error may pass by itself.
    #[must_use]
    pub fn action(&self) -> Option<ActionKind> {
        match self {
            Self::Api(
                ApiError::Unauthorized(_)
                | ApiError::Token(
                    TokenError::NeedsPerson { .. }
                    | TokenError::Refused { .. }
                    | TokenError::Incomplete { .. }
                    | TokenError::Illegal { .. },
                ),
            ) => Some(ActionKind::Credentials),
            Self::Api(ApiError::Schema { .. }) => Some(ActionKind::Schema),
            Self::Unskippable { .. } => Some(ActionKind::Unserved),
            _ => None,
        }
    }
}
