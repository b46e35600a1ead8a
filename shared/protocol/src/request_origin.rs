//! Origin of a request to the fetcher, read from its request id.
//!
//! State objects hold the request id alone, so that those of every earlier version can still be read.

use crate::object_key::RunId;

/// Suffix of the request ids that the fetcher gives to its own lookups; stored in state objects.
const TRUNCATED_SUFFIX: &str = "-cut-short";

/// Origin of a request that waits in a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestOrigin {
    /// A person, the schedule or another function: the request id is that of the invocation.
    External,
    /// A run that found truncated records and looks them up by id. Such a lookup stores no page of a listing.
    TruncatedRecords,
}

impl RequestOrigin {
    /// Reads the origin from a request id.
    #[must_use]
    pub fn of(request_id: &str) -> Self {
        if request_id.ends_with(TRUNCATED_SUFFIX) { Self::TruncatedRecords } else { Self::External }
    }
}

/// Returns the request id of a run's lookup of truncated records; `chunk` is the index of its part of the ids, from 0.
#[must_use]
pub fn truncated_records_request_id(run_id: &RunId, chunk: usize) -> String {
    format!("{run_id}-{chunk}{TRUNCATED_SUFFIX}")
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn request_id_tells_the_origin_of_a_request() {
        let run_id = RunId::new(DateTime::UNIX_EPOCH, 7);
        let request_id = truncated_records_request_id(&run_id, 2);
        assert_eq!(request_id, "19700101T000000000Z-00000007-2-cut-short");
        assert_eq!(RequestOrigin::of(&request_id), RequestOrigin::TruncatedRecords);
        assert_eq!(RequestOrigin::of("8f0e-invocation"), RequestOrigin::External);
    }
}
