//! Match profiles and their keys: the known fields of a record, and the values by which candidates are found.

use std::collections::BTreeSet;

use serde_json::Value;

/// Known fields of a record, by which it can be recognised.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct MatchProfile {
    /// Id of the record; empty for a reference that is not resolved yet.
    pub id: String,
    fields: Vec<(&'static str, String)>,
    /// Kinds of the keys that records with many other names have, too.
    shared: Vec<&'static str>,
}

impl MatchProfile {
    /// Returns a profile of these fields. Empty ones are dropped and long ones cut to 200 characters.
    #[must_use]
    pub fn new(id: &str, fields: impl IntoIterator<Item = (&'static str, Option<String>)>) -> Self {
        let fields = fields
            .into_iter()
            .filter_map(|(name, value)| {
                Some((name, value?.trim().chars().take(FIELD_CHARACTERS_MAX).collect::<String>()))
            })
            .filter(|(_, value)| !value.is_empty())
            .collect();
        Self { id: id.to_owned(), fields, shared: Vec::new() }
    }

    /// Returns the field with that name; none where it is unknown.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_str())
    }

    /// Returns the profile with the kinds of those of its keys that many other names have, such as the phone of a
    /// reception: they prove little.
    #[must_use]
    pub fn with_shared(mut self, kinds: Vec<&'static str>) -> Self {
        self.shared = kinds;
        self
    }

    /// Reports whether many other names have the profile's key of that kind.
    #[must_use]
    pub fn is_shared(&self, kind: &str) -> bool {
        self.shared.contains(&kind)
    }

    /// Reports whether the profile has no field at all.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Returns the fields as a JSON object, for people who review a decision.
    #[must_use]
    pub fn to_json(&self) -> Value {
        self.fields.iter().map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str()))).collect()
    }
}

/// Upper bound for a field's length. No name or address is longer, and an index entry of PostgreSQL holds 2,700 bytes.
const FIELD_CHARACTERS_MAX: usize = 200;

/// Key by which profiles are found. Profiles that share an exact key, or enough trigrams, are compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MatchKey {
    /// Kind of the key: `email`, `phone`, `street`, `serial`, `initial`, [`NAME`] or [`TRIGRAM`].
    pub kind: &'static str,
    /// Value in its normal form, see [`crate::normalize`].
    pub value: String,
}

impl MatchKey {
    /// Returns a key of that kind; `value` must be normalised.
    #[must_use]
    pub fn new(kind: &'static str, value: impl Into<String>) -> Self {
        Self { kind, value: value.into() }
    }
}

/// Kind of the keys that prove nothing alone: only many shared ones make a candidate.
pub const TRIGRAM: &str = "trigram";

/// Kind of the key that is a record's whole name: the number of names behind a phone says how many share it.
pub const NAME: &str = "name";

/// Upper bound for the letters of a word that become trigrams.
const WORD_CHARACTERS_MAX: usize = 40;

/// Returns the groups of three letters of each word, padded with spaces, as keys.
#[must_use]
pub fn trigrams(words: &[String]) -> BTreeSet<MatchKey> {
    let mut keys = BTreeSet::new();
    for word in words {
        let padded: Vec<char> =
            "  ".chars().chain(word.chars().take(WORD_CHARACTERS_MAX)).chain([' ']).collect();
        keys.extend(padded.windows(3).map(|three| MatchKey::new(TRIGRAM, three.iter().collect::<String>())));
    }
    keys
}
