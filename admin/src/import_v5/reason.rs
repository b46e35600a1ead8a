//! Reasons why a row of V5 becomes no row of V6.

use std::borrow::Cow;

use i18n::terminal::import_v5 as text;

/// Reason why a row of V5 becomes no row of V6.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// Row without an `external_id`.
    NoKey,
    /// Same `external_id` as the row before.
    Repeated,
    /// An `external_id` that cannot be an id of Gazelle.
    UnusableKey,
    /// Required field that is missing or cannot be read.
    Required(&'static str),
    /// Row that cannot be read as JSON.
    Unreadable,
    /// Refusal by the database.
    Refused,
    /// Contact whose client V5 does not hold.
    Orphan,
}

impl Reason {
    /// Returns the French text of the reason.
    pub(super) fn label(&self) -> Cow<'static, str> {
        match self {
            Self::NoKey => text::NO_KEY.into(),
            Self::Repeated => text::REPEATED_KEY.into(),
            Self::UnusableKey => text::UNUSABLE_KEY.into(),
            Self::Required(field) => text::required_field(field).into(),
            Self::Unreadable => text::UNREADABLE_ROW.into(),
            Self::Refused => text::REFUSED_BY_DATABASE.into(),
            Self::Orphan => text::CONTACT_WITHOUT_CLIENT.into(),
        }
    }
}
