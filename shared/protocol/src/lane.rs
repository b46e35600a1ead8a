//! Lanes: independent series of runs of one entity.
//!
//! Runs of one lane follow each other; runs of different lanes go on side by side, so that a long run never delays
//! the incremental ones.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Lane of a run, as it stands in the keys of state objects and in reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// Incremental runs, which begin at every tick.
    Incremental,
    /// Incremental runs with a reach of their own (`lookback_days`).
    Lookback,
    /// Runs that list every record.
    Full,
    /// Runs over a period named by a person.
    Repair,
    /// Lookups of single records by id.
    Verify,
}

/// Error for a text that names no lane.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid lane {0:?}; expected incremental, lookback, full, repair or verify")]
pub struct InvalidLane(pub String);

impl Lane {
    /// Every lane, the incremental one first.
    pub const ALL: [Self; 5] = [Self::Incremental, Self::Lookback, Self::Full, Self::Repair, Self::Verify];

    /// Every lane but the incremental one: their runs begin on request only.
    pub const BACKGROUND: [Self; 4] = [Self::Lookback, Self::Full, Self::Repair, Self::Verify];

    /// Returns the lane's text in object keys and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Incremental => "incremental",
            Self::Lookback => "lookback",
            Self::Full => "full",
            Self::Repair => "repair",
            Self::Verify => "verify",
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Lane {
    type Err = InvalidLane;

    fn from_str(text: &str) -> Result<Self, InvalidLane> {
        let lane = Self::ALL.into_iter().find(|lane| lane.as_str() == text);
        lane.ok_or_else(|| InvalidLane(text.chars().take(40).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lane_round_trips_through_its_text() {
        for lane in Lane::ALL {
            assert_eq!(lane.as_str().parse(), Ok(lane));
            assert_eq!(serde_json::to_string(&lane).ok(), Some(format!("\"{lane}\"")));
        }
        assert_eq!("fast".parse::<Lane>(), Err(InvalidLane("fast".to_owned())));
        assert!(!Lane::BACKGROUND.contains(&Lane::Incremental));
    }
}
