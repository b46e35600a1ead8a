//! Clients that may be there twice.

use super::{Card, Key, given_likeness, likeness, trigrams};
use crate::normalize::{email, phone, postal_code, street, without_parentheses, words};

/// The columns of a client's card.
pub const COLUMNS: &[&str] =
    &["company_name", "first_name", "last_name", "email", "phone", "street1", "city", "postal_code"];

/// Words that many companies have.
const COMMON: &[&str] = &[
    "inc", "ltee", "ltd", "enr", "cie", "co", "corp", "de", "du", "des", "la", "le", "les", "l", "d", "the",
    "of", "a", "au", "aux", "et", "and",
];

/// What a client is found by: e-mail, phone, street, and the trigrams of its names.
#[must_use]
pub fn keys(card: &Card) -> Vec<Key> {
    let key = |kind, value: Option<String>| value.map(|value| Key::new(kind, value));
    let exact = [
        key("email", card.get("email").and_then(email)),
        key("phone", card.get("phone").and_then(phone)),
        key("street", card.get("street1").and_then(street)),
    ];
    let names = if company(card).is_empty() { person(card) } else { company(card) };
    trigrams(&names).into_iter().chain(exact.into_iter().flatten()).collect()
}

/// The words of the company. Some are typed where a last name belongs.
fn company(card: &Card) -> Vec<String> {
    let typed = card.get("company_name").or_else(|| {
        card.get("last_name").filter(|name| card.get("first_name").is_none() && words(name).len() > 2)
    });
    let mut words = typed.map(words).unwrap_or_default();
    words.retain(|word| !COMMON.contains(&word.as_str()));
    words
}

fn person(card: &Card) -> Vec<String> {
    ["first_name", "last_name", "name"]
        .into_iter()
        .filter_map(|name| card.get(name))
        .flat_map(words)
        .collect()
}

/// How sure it is that two cards are of one client.
#[must_use]
pub fn score(a: &Card, b: &Card) -> f64 {
    let evidence = Evidence::of(a, b);
    let (companies, people) = ((company(a), company(b)), (people(a), people(b)));
    match (&companies.0[..], &companies.1[..]) {
        ([_, ..], [_, ..]) => {
            let alike = words_alike(&companies.0, &companies.1);
            // One institution has many addresses; each is a client of its own.
            let is_elsewhere = evidence.place == Some(false);
            match evidence.count() {
                1.. if alike >= 0.85 && !is_elsewhere => alike,
                _ => alike * 0.5,
            }
        }
        ([], []) => {
            let alike = person_alike(&people.0, &people.1);
            match evidence.count() {
                _ if alike <= 0.0 => 0.0,
                2.. => alike,
                1 if alike >= 0.9 && !(evidence.place == Some(true) && evidence.is_contradicted()) => alike,
                _ => alike * 0.5,
            }
        }
        // A company's card and a person's: the same only if everything else says so.
        _ => {
            let alike = person_alike(&people.0, &people.1);
            if alike >= 0.9 && evidence.count() >= 2 { 0.86 } else { 0.0 }
        }
    }
}

/// A person's first and last names.
type Person = (Vec<String>, Vec<String>);

fn people(card: &Card) -> Person {
    let names = |name: &str| {
        let mut words = card.get(name).map(|name| words(&without_parentheses(name))).unwrap_or_default();
        if words.len() > 1 {
            words.retain(|word| !TITLES.contains(&word.as_str()));
        }
        words
    };
    (names("first_name"), names("last_name"))
}

/// Words before a name.
const TITLES: &[&str] =
    &["m", "mr", "mme", "mlle", "mrs", "ms", "dr", "dre", "monsieur", "madame", "famille"];

/// Both names must be alike; a missing first name is no other one.
fn person_alike(a: &Person, b: &Person) -> f64 {
    let swapped = first_alike(&a.0, &b.1).min(last_alike(&a.1, &b.0));
    let straight = first_alike(&a.0, &b.0).min(last_alike(&a.1, &b.1));
    straight.max(swapped)
}

fn last_alike(a: &[String], b: &[String]) -> f64 {
    if a.is_empty() || b.is_empty() {
        return 0.0;
    }
    // `Roy` and `Roy-Dubois`: a double name, sure enough if much else agrees.
    let is_part = a.iter().all(|word| b.contains(word)) || b.iter().all(|word| a.contains(word));
    let part = if is_part { 0.87 } else { 0.0 };
    likeness(&a.concat(), &b.concat()).max(words_alike(a, b)).max(part)
}

fn first_alike(a: &[String], b: &[String]) -> f64 {
    match (a, b) {
        ([], _) | (_, []) => 0.0,
        ([one], [other]) if one.chars().count() == 1 || other.chars().count() == 1 => {
            if one.chars().next() == other.chars().next() { 0.9 } else { 0.0 }
        }
        _ => given_likeness(&a.concat(), &b.concat()),
    }
}

/// The share of words that both have, typos forgiven; by the longer of the two.
fn words_alike(a: &[String], b: &[String]) -> f64 {
    let (few, many) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if few.is_empty() {
        return 0.0;
    }
    let joined = likeness(&a.concat(), &b.concat());
    let best = |word: &String| many.iter().map(|other| likeness(word, other)).fold(0.0, f64::max);
    let sum: f64 = few.iter().map(best).sum();
    let longer = u32::try_from(many.len()).map_or(f64::MAX, f64::from);
    joined.max(sum / longer)
}

/// What else two cards agree in, or not.
#[derive(Debug, Clone, Copy)]
struct Evidence {
    email: Option<bool>,
    phone: Option<bool>,
    /// Street, or the postal code where a street is missing.
    place: Option<bool>,
}

impl Evidence {
    fn of(a: &Card, b: &Card) -> Self {
        let same = |name: &str, normal: fn(&str) -> Option<String>| {
            Some(a.get(name).and_then(normal)? == b.get(name).and_then(normal)?)
        };
        let city = a.get("city").zip(b.get("city")).map(|(a, b)| is_city_alike(a, b));
        let street = same("street1", street).map(|is_same| {
            is_same
                || streets_alike(a.get("street1").unwrap_or_default(), b.get("street1").unwrap_or_default())
        });
        let code = same("postal_code", postal_code);
        let place = match (street, code) {
            (Some(true), Some(false)) => None,
            (Some(true), Some(true)) => Some(true),
            (Some(true), None) => Some(city != Some(false)),
            (Some(false), _) => Some(false),
            (None, code) => code,
        };
        Self { email: same("email", email), phone: same("phone", phone), place }
    }

    fn count(self) -> usize {
        [self.email, self.phone, self.place].into_iter().filter(|same| *same == Some(true)).count()
    }

    /// Whether both an e-mail and a phone differ.
    fn is_contradicted(self) -> bool {
        self.email == Some(false) && self.phone == Some(false)
    }
}

/// `Sorel` and `Sorel-Tracy`, `Montréal` and `Montréal (Québec)`.
fn is_city_alike(a: &str, b: &str) -> bool {
    let (a, b) = (words(a).concat(), words(b).concat());
    a.starts_with(&b) || b.starts_with(&a) || likeness(&a, &b) > 0.0
}

/// The same number, and a name with a typo at most.
fn streets_alike(a: &str, b: &str) -> bool {
    let (Some(a), Some(b)) = (street(a), street(b)) else { return false };
    match (a.split_once(' '), b.split_once(' ')) {
        (Some((number, name)), Some((other_number, other))) => {
            number == other_number && likeness(name, other) > 0.0
        }
        _ => false,
    }
}
