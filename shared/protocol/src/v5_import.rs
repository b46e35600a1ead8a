//! What was known before the source was ever asked: records taken over from an older system.

use chrono::{DateTime, Utc};

/// When heritage counts as fetched: before any answer of the source, so that every answer wins over it. The older
/// system cannot say when it heard what it knows.
pub const FETCHED_AT: DateTime<Utc> = match DateTime::from_timestamp(946_684_800, 0) {
    Some(year_2000) => year_2000,
    None => DateTime::UNIX_EPOCH,
};

/// The mode of a run that brings heritage. Such a run says nothing of how fresh the mirror is.
pub const MODE: &str = "import";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heritage_is_of_the_year_2000() {
        assert_eq!(FETCHED_AT.to_rfc3339(), "2000-01-01T00:00:00+00:00");
    }
}
