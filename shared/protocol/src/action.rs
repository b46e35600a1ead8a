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
    /// A raw page or a message cannot be read and was set aside.
    Quarantined,
    /// A record could not be promoted to its production table.
    Failed,
    /// A placeholder row stands for a referenced record that Gazelle has not sent.
    Placeholder,
    /// One entry is listed under two ids.
    Duplicate,
    /// Two records seem to describe the same client.
    ProbableDuplicate,
    /// A name in a record matches no known record.
    Unmatched,
}

impl ActionKind {
    /// Every kind, the most urgent first.
    pub const ALL: [Self; 9] = [
        Self::Credentials,
        Self::Schema,
        Self::DeletionWithheld,
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
            Self::Quarantined => "quarantined",
            Self::Failed => "failed",
            Self::Placeholder => "placeholder",
            Self::Duplicate => "duplicate",
            Self::ProbableDuplicate => "probable_duplicate",
            Self::Unmatched => "unmatched",
        }
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
}
