//! Why a run stops before its end.

use protocol::raw_page;

use crate::raw_sink::SinkError;
use gazelle_client::{ApiError, TokenError};
use object_store::StateError;

/// A listing longer than this is a listing without end: twenty times the largest known one.
pub(crate) const PAGES_PER_RUN_MAX: u32 = 32_000;

/// Why a run stops before its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FetchError {
    /// The API gave no usable answer.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The answer is no page of this entity.
    #[error("Page {page} of {entity} cannot be read: {source}")]
    Unreadable {
        /// The entity.
        entity: &'static str,
        /// The page.
        page: u32,
        /// What is wrong with it.
        source: raw_page::UnreadablePage,
    },
    /// The cursor does not advance: going on would be a loop.
    #[error("Page {page} of {entity} says that there is more, with a cursor that does not advance")]
    Stuck {
        /// The entity.
        entity: &'static str,
        /// The page.
        page: u32,
    },
    /// The entity cannot be fetched in this way.
    #[error("{entity} cannot be fetched in this way")]
    NoQuery {
        /// The entity.
        entity: &'static str,
    },
    /// The listing has no end.
    #[error("{entity} has more than {PAGES_PER_RUN_MAX} pages")]
    Endless {
        /// The entity.
        entity: &'static str,
    },
    /// The sink refused.
    #[error("Could not save page {page} of {entity}: {source}")]
    SavePage {
        /// The entity.
        entity: &'static str,
        /// The page.
        page: u32,
        /// What it said.
        source: SinkError,
    },
    /// The manifest could not be stored.
    #[error("Could not save the manifest of {entity}: {source}")]
    SaveManifest {
        /// The entity.
        entity: &'static str,
        /// What the sink said.
        source: SinkError,
    },
    /// The state could not be read or written, or another invocation has taken over.
    #[error(transparent)]
    State(#[from] StateError),
}

impl FetchError {
    /// Whether the page, not the way to it, is at fault: too often, and the run is begun anew.
    pub(crate) fn is_cursor_in_doubt(&self) -> bool {
        matches!(
            self,
            Self::Unreadable { .. }
                | Self::Stuck { .. }
                | Self::Endless { .. }
                | Self::NoQuery { .. }
                | Self::Api(ApiError::Schema { .. } | ApiError::NoData(_))
        )
    }

    /// What kind of help by a person it needs.
    pub(crate) fn action(&self) -> Option<&'static str> {
        match self {
            Self::Api(
                ApiError::Unauthorized
                | ApiError::Token(
                    TokenError::NeedsPerson { .. }
                    | TokenError::Refused { .. }
                    | TokenError::Incomplete { .. },
                ),
            ) => Some("credentials"),
            Self::Api(ApiError::Schema { .. }) => Some("schema"),
            _ => None,
        }
    }
}
