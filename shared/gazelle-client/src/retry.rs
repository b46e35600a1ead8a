//! Pauses between the attempts of one request.

use std::time::Duration;

use chrono::{DateTime, Utc};
use rand::RngExt;

/// Shortest pause between two attempts; the upper bound of the pause doubles with each further one.
const BACKOFF_FIRST: Duration = Duration::from_millis(500);
/// Longest pause between two attempts: a third of the time for one page, so that several still fit into it.
const BACKOFF_MAX: Duration = Duration::from_secs(20);
/// Longest pause that a response may ask for by `Retry-After`: a longer one is an outage, and the run resumes at a
/// later tick.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(30);

/// Returns the pause after attempt `attempt`, counted from 0: exponential, with jitter, because clients that were
/// turned away together must not return together.
pub(crate) fn backoff(attempt: u32) -> Duration {
    let ceiling = BACKOFF_FIRST.saturating_mul(2_u32.saturating_pow(attempt)).min(BACKOFF_MAX);
    BACKOFF_FIRST.max(ceiling.mul_f64(rand::rng().random_range(0.5..1.0)))
}

/// Reads the header `Retry-After`, seconds or an HTTP date (RFC 9110, section 10.2.3); none for any other text.
pub(crate) fn retry_after(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    let pause = if let Ok(seconds) = text.trim().parse::<u64>() {
        Duration::from_secs(seconds)
    } else {
        let at = DateTime::parse_from_rfc2822(text.trim()).ok()?;
        (at.with_timezone(&Utc) - now).to_std().unwrap_or_default()
    };
    Some(pause.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone;

    use super::*;

    #[test]
    fn retry_after_accepts_seconds_or_a_date_and_is_bounded() {
        let now = Utc.with_ymd_and_hms(2026, 1, 5, 12, 0, 0).single().unwrap_or_default();
        let seconds = |text| retry_after(text, now).map(|pause| pause.as_secs());
        assert_eq!(seconds("7"), Some(7));
        assert_eq!(seconds("Mon, 05 Jan 2026 12:00:09 GMT"), Some(9));
        assert_eq!(seconds("Mon, 05 Jan 2026 11:00:00 GMT"), Some(0));
        assert_eq!(seconds("86400"), Some(30));
        assert_eq!(seconds("soon"), None);
    }
}
