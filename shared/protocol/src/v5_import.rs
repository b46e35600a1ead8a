//! V5 import: records taken over from version 5 before the source was ever queried.

use chrono::{DateTime, Utc};

/// `fetched_at` of the V5 import: older than any response of the source, so that every response wins over it. V5 does
/// not know when it received its data.
pub const FETCHED_AT: DateTime<Utc> = match DateTime::from_timestamp(946_684_800, 0) {
    Some(year_2000) => year_2000,
    None => DateTime::UNIX_EPOCH,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v5_import_dates_from_the_year_2000() {
        assert_eq!(FETCHED_AT.to_rfc3339(), "2000-01-01T00:00:00+00:00");
    }
}
