//! Kinds of `admin_actions` rows: the findings that a person has to decide on.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Kind of an `admin_actions` row, as its column `kind` holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionKind {
    /// Gazelle refuses the credentials: a person must authorise the application again.
    Credentials,
    /// Gazelle refuses a query, because its schema has changed.
    Schema,
    /// Deletions wait for a person's confirmation, because a large share of the table is missing at the source.
    DeletionWithheld,
    /// The source does not serve a record, or a part of a listing.
    Unserved,
    /// Gazelle counts other records than stand here or are explained.
    Incomplete,
    /// A raw page or a message cannot be read and was set aside.
    Quarantined,
    /// A record could not be promoted to its production table.
    Failed,
    /// A placeholder row stands for a referenced record that Gazelle has not sent.
    Placeholder,
    /// One entry is listed under two ids.
    Duplicate,
    /// A group of records seems to describe the same client.
    ProbableDuplicate,
    /// A name in a record matches no known record.
    Unmatched,
    /// A field cannot be read in many records of an entity: the source seems to write it in another way.
    Drift,
}

impl ActionKind {
    /// Every kind, the most urgent first.
    pub const ALL: [Self; 12] = [
        Self::Credentials,
        Self::Schema,
        Self::DeletionWithheld,
        Self::Unserved,
        Self::Incomplete,
        Self::Drift,
        Self::Quarantined,
        Self::Failed,
        Self::Placeholder,
        Self::Duplicate,
        Self::ProbableDuplicate,
        Self::Unmatched,
    ];

    /// Returns the value of the column `kind`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Credentials => "credentials",
            Self::Schema => "schema",
            Self::DeletionWithheld => "deletion_withheld",
            Self::Unserved => "unserved",
            Self::Incomplete => "incomplete",
            Self::Quarantined => "quarantined",
            Self::Failed => "failed",
            Self::Placeholder => "placeholder",
            Self::Duplicate => "duplicate",
            Self::ProbableDuplicate => "probable_duplicate",
            Self::Unmatched => "unmatched",
            Self::Drift => "drift",
        }
    }

    /// Returns the gravity of the kind: 0 for the gravest, which is shown first.
    #[must_use]
    pub fn gravity(self) -> usize {
        Self::ALL.into_iter().position(|kind| kind == self).unwrap_or(Self::ALL.len())
    }

    /// Reads the value of the column `kind`; none for a kind that this version does not know.
    #[must_use]
    pub fn parse(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.as_str() == kind)
    }
}

impl fmt::Display for ActionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn action_kind_round_trips_through_its_text() {
        for kind in ActionKind::ALL {
            assert_eq!(ActionKind::parse(kind.as_str()), Some(kind));
            assert_eq!(serde_json::to_string(&kind).ok(), Some(format!("\"{kind}\"")));
        }
        assert_eq!(ActionKind::parse("nonsense"), None);
    }

    #[test]
    fn refused_credentials_are_graver_than_duplicates() {
        for grave in [ActionKind::Credentials, ActionKind::Schema, ActionKind::DeletionWithheld] {
            for slight in [ActionKind::Duplicate, ActionKind::ProbableDuplicate, ActionKind::Unmatched] {
                assert!(grave.gravity() < slight.gravity(), "{grave} before {slight}");
            }
        }
        let mut gravities = ActionKind::ALL.map(ActionKind::gravity).to_vec();
        gravities.dedup();
        assert_eq!(gravities.len(), ActionKind::ALL.len(), "no two kinds have the same gravity");
    }
}
