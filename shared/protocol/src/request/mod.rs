//! Requests to the fetcher, such as `{"entity": "timeline", "start": "2025-12-01", "end": "2025-12-31"}`.

mod mode;
mod sync_request;

pub use mode::{Mode, ModeName};
pub use sync_request::{IDS_MAX, InvalidRequest, SyncRequest, Target};
