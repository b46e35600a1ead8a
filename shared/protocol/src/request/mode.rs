//! Modes of a run, and their names.

use std::fmt;

use model::window::Window;
use serde::{Deserialize, Serialize};

use crate::lane::Lane;

/// Mode of a run: the records that it fetches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Records that may have changed since the last run; `lookback_days` overrides the configured reach.
    Incremental {
        /// Days before the watermark from which to fetch again.
        lookback_days: Option<u32>,
    },
    /// Every record of the entity.
    Full,
    /// Records of a period named by a person.
    Repair(Window),
    /// Single records, looked up by id.
    Verify {
        /// Ids of the records.
        ids: Vec<String>,
    },
}

/// Name of a mode, as it stands in raw pages, manifests and `sync_status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModeName {
    /// Name of mode [`Mode::Incremental`].
    Incremental,
    /// Name of mode [`Mode::Full`].
    Full,
    /// Name of mode [`Mode::Repair`].
    Repair,
    /// Name of mode [`Mode::Verify`].
    Verify,
    /// Name of the V5 import, which is no request to the fetcher. It says nothing about the freshness of the mirror.
    Import,
}

impl ModeName {
    /// Every name, in the order in which the documentation lists them.
    pub const ALL: [Self; 5] = [Self::Incremental, Self::Full, Self::Repair, Self::Verify, Self::Import];

    /// Returns the text in raw pages, manifests and `sync_status`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Incremental => "incremental",
            Self::Full => "full",
            Self::Repair => "repair",
            Self::Verify => "verify",
            Self::Import => "import",
        }
    }

    /// Parses the text of `sync_status`; none for a mode that this version does not know.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == name)
    }
}

impl fmt::Display for ModeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Mode {
    /// Returns the name of the mode.
    #[must_use]
    pub const fn name(&self) -> ModeName {
        match self {
            Self::Incremental { .. } => ModeName::Incremental,
            Self::Full => ModeName::Full,
            Self::Repair(_) => ModeName::Repair,
            Self::Verify { .. } => ModeName::Verify,
        }
    }

    /// Returns the lane in which runs of this mode follow each other.
    #[must_use]
    pub const fn lane(&self) -> Lane {
        match self {
            Self::Incremental { lookback_days: None } => Lane::Incremental,
            Self::Incremental { lookback_days: Some(_) } => Lane::Lookback,
            Self::Full => Lane::Full,
            Self::Repair(_) => Lane::Repair,
            Self::Verify { .. } => Lane::Verify,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mode_name_round_trips_through_its_text() {
        for name in ModeName::ALL {
            assert_eq!(ModeName::parse(name.as_str()), Some(name));
            assert_eq!(serde_json::to_string(&name).ok(), Some(format!("\"{name}\"")));
        }
        assert_eq!(ModeName::parse("fast"), None);
    }

    #[test]
    fn mode_keeps_its_json_in_state_objects() {
        for (mode, json) in [
            (Mode::Incremental { lookback_days: Some(3) }, r#"{"incremental":{"lookback_days":3}}"#),
            (Mode::Full, r#""full""#),
            (Mode::Verify { ids: vec!["a".to_owned()] }, r#"{"verify":{"ids":["a"]}}"#),
        ] {
            assert_eq!(serde_json::to_string(&mode).ok().as_deref(), Some(json));
            assert_eq!(serde_json::from_str(json).ok(), Some(mode));
        }
    }
}
