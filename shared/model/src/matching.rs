//! Which record is meant where no id says it: cards, how alike two of them are, and when one clearly is the one.
//! A false link costs more than none.

pub mod client;
pub mod person;
pub mod piano;

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::Value;

use crate::entity::{self, Entity};
use crate::row::{Record, Row, field};

/// How records of an entity are recognised without their id.
#[derive(Debug)]
pub struct Matching {
    /// The columns that make up a card.
    pub columns: &'static [&'static str],
    /// What a card is found by.
    pub keys: fn(&Card) -> Vec<Key>,
    /// How sure it is that two cards are of the same: 0 to 1.
    pub score: fn(&Card, &Card) -> f64,
    /// The least score that counts.
    pub threshold: f64,
    /// How far the best must be ahead of the next.
    pub margin: f64,
    /// What two records that are alike are to each other.
    pub relation: Relation,
}

/// What two records that are alike are to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// Nothing to note.
    None,
    /// Perhaps the same one twice: a person decides, we never merge.
    ProbableDuplicate,
    /// The younger one continues the older: linked.
    Predecessor {
        /// The column that says when a record began.
        since: &'static str,
    },
}

/// What is known of a record, by which it can be recognised.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Card {
    /// Its id; empty for one that is asked for.
    pub id: String,
    fields: Vec<(&'static str, String)>,
}

impl Card {
    /// A card of these fields; empty ones are left out, and of a long one only the beginning counts.
    #[must_use]
    pub fn new(id: &str, fields: impl IntoIterator<Item = (&'static str, Option<String>)>) -> Self {
        let fields = fields
            .into_iter()
            .filter_map(|(name, value)| {
                Some((name, value?.trim().chars().take(FIELD_CHARACTERS_MAX).collect::<String>()))
            })
            .filter(|(_, value)| !value.is_empty())
            .collect();
        Self { id: id.to_owned(), fields }
    }

    /// A field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| *field == name).map(|(_, value)| value.as_str())
    }

    /// Whether nothing is known.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// As JSON, for those who look at a decision.
    #[must_use]
    pub fn to_json(&self) -> Value {
        self.fields.iter().map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str()))).collect()
    }
}

/// Longer than any name or address; an index of PostgreSQL takes 2,700 bytes.
const FIELD_CHARACTERS_MAX: usize = 200;

/// Something a card is found by. Cards that share an exact key, or enough trigrams, are compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// What kind: `email`, `phone`, `serial`, `trigram`.
    pub kind: &'static str,
    /// Its normalised value.
    pub value: String,
}

impl Key {
    /// A key.
    #[must_use]
    pub fn new(kind: &'static str, value: impl Into<String>) -> Self {
        Self { kind, value: value.into() }
    }
}

impl Matching {
    /// What a card is found by. A panic costs the card its keys, and nothing else.
    #[must_use]
    pub fn keys_of(&self, card: &Card) -> BTreeSet<Key> {
        catch_unwind(AssertUnwindSafe(|| (self.keys)(card))).unwrap_or_default().into_iter().collect()
    }

    /// How sure it is that two cards are of the same. A panic is no likeness.
    #[must_use]
    pub fn score_of(&self, a: &Card, b: &Card) -> f64 {
        catch_unwind(AssertUnwindSafe(|| (self.score)(a, b))).unwrap_or(0.0)
    }
}

/// The kind of the keys of which one alone says nothing.
pub const TRIGRAM: &str = "trigram";

/// The groups of three letters of each word, as keys.
#[must_use]
pub fn trigrams(words: &[String]) -> BTreeSet<Key> {
    let mut keys = BTreeSet::new();
    for word in words {
        let padded: Vec<char> = "  ".chars().chain(word.chars().take(40)).chain([' ']).collect();
        keys.extend(padded.windows(3).map(|three| Key::new(TRIGRAM, three.iter().collect::<String>())));
    }
    keys
}

/// A candidate and how sure it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// Its id.
    pub id: String,
    /// 0 to 1.
    pub score: f64,
}

/// Candidates by their scores, best first, and the id of the one that clearly is the one.
#[must_use]
pub fn choose(matching: &Matching, asked: &Card, candidates: &[Card]) -> (Vec<Scored>, Option<String>) {
    let mut scored: Vec<Scored> = candidates
        .iter()
        .map(|card| Scored { id: card.id.clone(), score: matching.score_of(asked, card) })
        .filter(|scored| scored.score > 0.0)
        .collect();
    scored.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.id.cmp(&b.id)));
    let best = scored.first().filter(|best| best.score >= matching.threshold);
    let next = scored.get(1).map_or(0.0, |next| next.score);
    let choice = best.filter(|best| best.score - next >= matching.margin).map(|best| best.id.clone());
    (scored, choice)
}

/// A reference without a usable id, and what the record says instead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The column that refers, by its place.
    pub column: usize,
    /// The entity referred to.
    pub target: &'static str,
    /// What is known of it.
    pub card: Card,
}

/// The references of a record that name someone without a usable id.
#[must_use]
pub fn asked(entity: &Entity, record: Record<'_>, row: &Row) -> Vec<Asked> {
    let unresolved = entity.columns.iter().enumerate().filter(|(place, column)| {
        column.references.is_some() && row.cells.get(*place).is_some_and(Option::is_none)
    });
    unresolved
        .filter_map(|(place, column)| {
            let (_, outer) = column.path.split_last()?;
            let object =
                (!outer.is_empty()).then(|| field(record.raw, outer)).filter(|value| value.is_object())?;
            let target = entity::find(column.references?)?;
            let matching = target.matching.as_ref()?;
            let text = |path: &[&str]| match field(object, path) {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            };
            let known = matching.columns.iter().map(|name| {
                let path =
                    target.columns.iter().find(|column| column.name == *name).map(|column| column.path);
                (*name, path.filter(|path| !path.is_empty()).and_then(text))
            });
            let card = Card::new("", known.chain([("name", text(&["name"]))]));
            (!card.is_empty()).then_some(Asked { column: place, target: target.name, card })
        })
        .collect()
}

/// How alike two folded words are: 1 if equal, less if a letter or two differ, else 0. Short words must be equal.
#[must_use]
pub fn likeness(a: &str, b: &str) -> f64 {
    if a == b {
        return 1.0;
    }
    let length = a.chars().count().min(b.chars().count());
    let typos = strsim::osa_distance(a, b);
    let allowed = match length {
        0..=4 => 0,
        5..=7 => 1,
        _ => 2,
    };
    let winkler = strsim::jaro_winkler(a, b);
    if typos <= allowed && winkler >= 0.9 { winkler.min(0.94) } else { 0.0 }
}

/// How alike two given names are. A woman's name is no typo of a man's: `Martin` and `Martine` are two people.
#[must_use]
pub fn given_likeness(a: &str, b: &str) -> f64 {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let is_other_form = long
        .strip_prefix(short)
        .is_some_and(|end| matches!(end, "e" | "le" | "ne" | "te" | "a"))
        || short.strip_suffix('c').zip(long.strip_suffix("que")).is_some_and(|(short, long)| short == long);
    if a != b && is_other_form { 0.0 } else { likeness(a, b) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_typo_in_a_long_word_is_forgiven_and_in_a_short_one_it_is_another_word() {
        assert!(likeness("bouchard", "bouchar") > 0.9);
        assert!(likeness("tremblay", "trembaly") > 0.9);
        assert!(given_likeness("martin", "martine") < f64::EPSILON);
        assert!(given_likeness("emilie", "emillie") > 0.9);
        for (a, b) in [("luc", "lux"), ("morin", "marie"), ("roy", "ray"), ("bouchard", "richard")] {
            assert!(likeness(a, b) < f64::EPSILON, "{a} {b}");
        }
    }

    #[test]
    fn a_reference_without_an_id_asks_by_what_the_record_says() {
        let timeline = entity::ALL[3];
        let raw = json!({"id": "t", "occurredAt": "2025-01-01T00:00:00Z", "client": {"id": "c"},
            "user": {"id": null, "firstName": "Ada", "lastName": "  "}, "piano": {"id": "", "serialNumber": 61_234}});
        let record = Record { raw: &raw, parent_id: None };
        let asked = timeline.transform(record).map(|row| asked(timeline, record, &row)).unwrap_or_default();
        let found: Vec<(&str, Value)> =
            asked.iter().map(|asked| (asked.target, asked.card.to_json())).collect();
        let expected =
            [("pianos", json!({"serial_number": "61234"})), ("users", json!({"first_name": "Ada"}))];
        assert_eq!(found, expected);
    }
}
