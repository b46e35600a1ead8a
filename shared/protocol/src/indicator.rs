//! Indicators of the mirror in production: successful runs, latency, alert delay, completeness. Pure.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Seconds up to which the first bucket of a [`Histogram`] counts.
const FIRST_BUCKET_SECONDS: f64 = 0.0625;
/// Buckets in which the seconds double: a bucket is at most 19 % wide.
const BUCKETS_PER_OCTAVE: f64 = 4.0;

/// Share of successful runs that the strategy requires, in percent.
pub const SUCCESS_REQUIRED_PERCENT: f64 = 99.9;
/// Share of records on time that the strategy requires, in percent.
pub const ON_TIME_REQUIRED_PERCENT: f64 = 98.0;
/// Seconds from Gazelle to the row that the strategy allows.
pub const LATENCY_ALLOWED_SECONDS: f64 = 300.0;
/// Seconds from a fault to its alert that the strategy allows.
pub const ALERT_DELAY_ALLOWED_SECONDS: f64 = 60.0;

/// Period over which indicators are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Period {
    /// The last 24 hours.
    #[serde(rename = "24h")]
    Day,
    /// The last 7 local days, today included.
    #[serde(rename = "7d")]
    Week,
    /// The last 30 local days, today included.
    #[serde(rename = "30d")]
    Month,
}

impl Period {
    /// Every period, the shortest first.
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// Returns the text in metrics and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
        }
    }
}

/// Counts by duration: element `n` counts those up to `0.0625 × 2^(n / 4)` seconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Histogram(pub Vec<i64>);

impl Histogram {
    /// Adds the counts of another histogram.
    pub fn add(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (own, more) in self.0.iter_mut().zip(&other.0) {
            *own += more;
        }
    }

    /// Returns the seconds within which this share of the counted durations lies, rounded up to the end of a bucket but
    /// never beyond `max`; none where nothing was counted.
    #[must_use]
    pub fn quantile(&self, share: f64, max: f64) -> Option<f64> {
        let total: i64 = self.0.iter().sum();
        if total <= 0 {
            return None;
        }
        let mut below = 0;
        let index = self.0.iter().position(|count| {
            below += count;
            to_float(below) >= share * to_float(total)
        })?;
        Some(bucket_end(index).min(max))
    }
}

/// Returns the seconds up to which the bucket of this index counts.
fn bucket_end(index: usize) -> f64 {
    let index = f64::from(u32::try_from(index).unwrap_or(u32::MAX));
    FIRST_BUCKET_SECONDS * (index / BUCKETS_PER_OCTAVE).exp2()
}

/// Median, 95th percentile and maximum of durations, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quantiles {
    /// Median.
    pub p50: f64,
    /// 95th percentile.
    pub p95: f64,
    /// Maximum.
    pub max: f64,
}

/// Runs and latency of one entity over one period.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EntityIndicators {
    /// Name of the entity.
    pub entity: String,
    /// Period of the counts.
    pub period: Period,
    /// Number of runs that began in the period and have ended, each judged by its last status.
    pub runs: i64,
    /// Number of those that were a success; a partial run is none.
    pub runs_successful: i64,
    /// Number of records whose way to production was timed: seen first by a scheduled run, promoted or failed.
    pub records_timed: i64,
    /// Number of those that production held within an hour.
    pub records_on_time: i64,
    /// Timed records by seconds.
    #[serde(default)]
    pub histogram: Histogram,
    /// Longest time, in seconds; none where nothing was timed.
    pub latency_max_seconds: Option<f64>,
}

impl EntityIndicators {
    /// Returns the share of successful runs, in percent; none where no run has ended.
    #[must_use]
    pub fn success_percent(&self) -> Option<f64> {
        percent(self.runs_successful, self.runs)
    }

    /// Returns the share of records on time, in percent; none where none was timed.
    #[must_use]
    pub fn on_time_percent(&self) -> Option<f64> {
        percent(self.records_on_time, self.records_timed)
    }

    /// Returns the time from Gazelle's listing to the row; none where none was timed.
    #[must_use]
    pub fn latency(&self) -> Option<Quantiles> {
        let max = self.latency_max_seconds?;
        Some(Quantiles {
            p50: self.histogram.quantile(0.5, max)?,
            p95: self.histogram.quantile(0.95, max)?,
            max,
        })
    }
}

/// Returns the indicators of all entities together over one period.
#[must_use]
pub fn total(indicators: &[EntityIndicators], period: Period) -> EntityIndicators {
    let mut total = EntityIndicators {
        entity: "all".to_owned(),
        period,
        runs: 0,
        runs_successful: 0,
        records_timed: 0,
        records_on_time: 0,
        histogram: Histogram::default(),
        latency_max_seconds: None,
    };
    for one in indicators.iter().filter(|one| one.period == period) {
        total.runs += one.runs;
        total.runs_successful += one.runs_successful;
        total.records_timed += one.records_timed;
        total.records_on_time += one.records_on_time;
        total.histogram.add(&one.histogram);
        total.latency_max_seconds = match (total.latency_max_seconds, one.latency_max_seconds) {
            (Some(one), Some(other)) => Some(one.max(other)),
            (one, other) => one.or(other),
        };
    }
    total
}

/// Time from a fault to the acceptance of its alert by a channel, over the last 30 days.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AlertDelays {
    /// Number of alerts.
    pub alerts: i64,
    /// Their delays, in seconds; none where there was no alert.
    pub delay: Option<Quantiles>,
}

/// Count of one entity at its newest settled full run: `source_count` = `rows_present` + `skipped` + `failed` +
/// `waiting` + `deleted` + `gap`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completeness {
    /// Name of the entity.
    pub entity: String,
    /// Id of the full run.
    pub run_id: String,
    /// Instant at which the run began.
    pub listed_at: DateTime<Utc>,
    /// Gazelle's count; for records nested in others, the number of them on the pages.
    pub source_count: i64,
    /// Rows of the records that the run listed.
    pub rows_present: i64,
    /// Records that never become a row, for a reason that is kept.
    pub skipped: i64,
    /// Records that failed or lie on an unreadable page.
    pub failed: i64,
    /// Records that wait in staging or for a lookup.
    pub waiting: i64,
    /// Records that are gone since.
    pub deleted: i64,
    /// Unexplained difference: above zero where records are missing here, below where Gazelle counts too few.
    pub gap: i64,
    /// A gap is no passing movement of the source.
    pub is_confirmed: bool,
    /// Instant of the count.
    pub counted_at: DateTime<Utc>,
}

/// Indicators of the mirror.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Indicators {
    /// Runs and latency by entity and period; an entity without runs is left out.
    #[serde(default)]
    pub entities: Vec<EntityIndicators>,
    /// Delay of alerts; none where it was not read.
    #[serde(default)]
    pub alerts: Option<AlertDelays>,
    /// Newest count of each entity that was listed in full.
    #[serde(default)]
    pub completeness: Vec<Completeness>,
}

impl Indicators {
    /// Returns the indicators of an entity over a period.
    #[must_use]
    pub fn of(&self, entity: &str, period: Period) -> Option<&EntityIndicators> {
        self.entities.iter().find(|one| one.entity == entity && one.period == period)
    }

    /// Returns the count of an entity.
    #[must_use]
    pub fn completeness_of(&self, entity: &str) -> Option<&Completeness> {
        self.completeness.iter().find(|one| one.entity == entity)
    }
}

fn percent(part: i64, all: i64) -> Option<f64> {
    (all > 0).then(|| 100.0 * to_float(part) / to_float(all))
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn to_float(number: i64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns a histogram with this many durations in the bucket of each index.
    fn histogram(counts: &[(usize, i64)]) -> Histogram {
        let mut all = vec![0; 96];
        for (index, count) in counts {
            all[*index] = *count;
        }
        Histogram(all)
    }

    fn indicators(runs: (i64, i64), records: (i64, i64)) -> EntityIndicators {
        EntityIndicators {
            entity: "clients".to_owned(),
            period: Period::Day,
            runs: runs.0,
            runs_successful: runs.1,
            records_timed: records.0,
            records_on_time: records.1,
            histogram: histogram(&[(8, records.0)]),
            latency_max_seconds: (records.0 > 0).then_some(0.2),
        }
    }

    #[test]
    fn quantile_is_the_end_of_its_bucket_and_never_above_max() {
        let counts = histogram(&[(0, 50), (4, 45), (40, 5)]);
        assert_eq!(counts.quantile(0.5, 60.0), Some(0.0625));
        assert_eq!(counts.quantile(0.95, 60.0), Some(0.125));
        assert_eq!(counts.quantile(0.96, 60.0), Some(60.0), "64 s is the end of the bucket");
        assert_eq!(histogram(&[]).quantile(0.5, 1.0), None);
    }

    #[test]
    fn partial_or_failed_run_lowers_the_share() {
        let one = indicators((1_000, 999), (200, 197));
        assert_eq!((one.success_percent(), one.on_time_percent()), (Some(99.9), Some(98.5)));
        let none = indicators((0, 0), (0, 0));
        assert_eq!((none.success_percent(), none.on_time_percent(), none.latency()), (None, None, None));
    }

    #[test]
    fn total_adds_entities_of_one_period() {
        let other = EntityIndicators {
            entity: "pianos".to_owned(),
            histogram: histogram(&[(20, 300)]),
            latency_max_seconds: Some(2.0),
            ..indicators((10, 9), (300, 300))
        };
        let week = EntityIndicators { period: Period::Week, ..other.clone() };
        let total = total(&[indicators((10, 10), (100, 90)), other, week], Period::Day);
        assert_eq!((total.runs, total.runs_successful, total.on_time_percent()), (20, 19, Some(97.5)));
        assert_eq!(total.latency(), Some(Quantiles { p50: 2.0, p95: 2.0, max: 2.0 }));
    }
}
