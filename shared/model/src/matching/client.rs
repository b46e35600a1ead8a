//! Matching of clients that may be duplicates.

use super::profile::{MatchKey, MatchProfile, trigrams};
use super::similarity::{given_name_similarity, similarity};
use crate::normalize::{email, phone, postal_code, street, without_parentheses, words};

/// Columns of a client's profile.
pub const COLUMNS: &[&str] =
    &["company_name", "first_name", "last_name", "email", "phone", "street1", "city", "postal_code"];

/// Words that many company names share.
const COMMON: &[&str] = &[
    "inc", "ltee", "ltd", "enr", "cie", "co", "corp", "de", "du", "des", "la", "le", "les", "l", "d", "the",
    "of", "a", "au", "aux", "et", "and",
];

/// Returns the keys of a client: e-mail, phone, street, and the trigrams of its names.
#[must_use]
pub fn keys(profile: &MatchProfile) -> Vec<MatchKey> {
    let key = |kind, value: Option<String>| value.map(|value| MatchKey::new(kind, value));
    let exact = [
        key("email", profile.get("email").and_then(email)),
        key("phone", profile.get("phone").and_then(phone)),
        key("street", profile.get("street1").and_then(street)),
    ];
    let names =
        if company_words(profile).is_empty() { person_words(profile) } else { company_words(profile) };
    trigrams(&names).into_iter().chain(exact.into_iter().flatten()).collect()
}

/// Returns the words of the company name, which some people type as the last name.
fn company_words(profile: &MatchProfile) -> Vec<String> {
    let typed = profile.get("company_name").or_else(|| {
        profile.get("last_name").filter(|name| profile.get("first_name").is_none() && words(name).len() > 2)
    });
    let mut words = typed.map(words).unwrap_or_default();
    words.retain(|word| !COMMON.contains(&word.as_str()));
    words
}

/// Returns the words of every name of a person.
fn person_words(profile: &MatchProfile) -> Vec<String> {
    ["first_name", "last_name", "name"]
        .into_iter()
        .filter_map(|name| profile.get(name))
        .flat_map(words)
        .collect()
}

/// Returns the confidence that two profiles describe one client: 0 to 1.
#[must_use]
pub fn score(a: &MatchProfile, b: &MatchProfile) -> f64 {
    let evidence = Evidence::of(a, b);
    let (companies, people) = ((company_words(a), company_words(b)), (person(a), person(b)));
    match (&companies.0[..], &companies.1[..]) {
        ([_, ..], [_, ..]) => {
            let score = word_similarity(&companies.0, &companies.1);
            // An institution with many addresses is one client for each of them.
            let is_elsewhere = evidence.address == Some(false);
            match evidence.count() {
                1.. if score >= 0.85 && !is_elsewhere => score,
                _ => score * 0.5,
            }
        }
        ([], []) => {
            let score = person_similarity(&people.0, &people.1);
            match evidence.count() {
                _ if score <= 0.0 => 0.0,
                2.. => score,
                1 if score >= 0.9 && !(evidence.address == Some(true) && evidence.is_contradicted()) => score,
                _ => score * 0.5,
            }
        }
        // A company and a person match only if everything else agrees.
        _ => {
            let score = person_similarity(&people.0, &people.1);
            if score >= 0.9 && evidence.count() >= 2 { 0.86 } else { 0.0 }
        }
    }
}

/// Words of a person's first names and last names.
type Person = (Vec<String>, Vec<String>);

fn person(profile: &MatchProfile) -> Person {
    let names = |name: &str| {
        let mut words = profile.get(name).map(|name| words(&without_parentheses(name))).unwrap_or_default();
        if words.len() > 1 {
            words.retain(|word| !TITLES.contains(&word.as_str()));
        }
        words
    };
    (names("first_name"), names("last_name"))
}

/// Titles before a name.
const TITLES: &[&str] =
    &["m", "mr", "mme", "mlle", "mrs", "ms", "dr", "dre", "monsieur", "madame", "famille"];

/// Returns the similarity of two people: the lower of both names, also if first and last name are swapped.
fn person_similarity(a: &Person, b: &Person) -> f64 {
    let swapped = first_name_similarity(&a.0, &b.1).min(last_name_similarity(&a.1, &b.0));
    let straight = first_name_similarity(&a.0, &b.0).min(last_name_similarity(&a.1, &b.1));
    straight.max(swapped)
}

fn last_name_similarity(a: &[String], b: &[String]) -> f64 {
    if a.is_empty() || b.is_empty() {
        return 0.0;
    }
    // `Roy` and `Roy-Dubois`: part of a double name suffices if much else agrees.
    let is_part = a.iter().all(|word| b.contains(word)) || b.iter().all(|word| a.contains(word));
    let part = if is_part { 0.87 } else { 0.0 };
    similarity(&a.concat(), &b.concat()).max(word_similarity(a, b)).max(part)
}

fn first_name_similarity(a: &[String], b: &[String]) -> f64 {
    match (a, b) {
        ([], _) | (_, []) => 0.0,
        ([one], [other]) if one.chars().count() == 1 || other.chars().count() == 1 => {
            if one.chars().next() == other.chars().next() { 0.9 } else { 0.0 }
        }
        _ => given_name_similarity(&a.concat(), &b.concat()),
    }
}

/// Returns the share of the longer list of words that the other one has, typos forgiven.
fn word_similarity(a: &[String], b: &[String]) -> f64 {
    let (few, many) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if few.is_empty() {
        return 0.0;
    }
    let joined = similarity(&a.concat(), &b.concat());
    let best = |word: &String| many.iter().map(|other| similarity(word, other)).fold(0.0, f64::max);
    let sum: f64 = few.iter().map(best).sum();
    let longer = u32::try_from(many.len()).map_or(f64::MAX, f64::from);
    joined.max(sum / longer)
}

/// Fields other than the name in which two profiles agree; none where either lacks the field.
#[derive(Debug, Clone, Copy)]
struct Evidence {
    email: Option<bool>,
    phone: Option<bool>,
    /// Street, or the postal code where a street is missing.
    address: Option<bool>,
}

impl Evidence {
    fn of(a: &MatchProfile, b: &MatchProfile) -> Self {
        let same = |name: &str, normal: fn(&str) -> Option<String>| {
            Some(a.get(name).and_then(normal)? == b.get(name).and_then(normal)?)
        };
        let city = a.get("city").zip(b.get("city")).map(|(a, b)| are_cities_similar(a, b));
        let street = same("street1", street).map(|is_same| {
            is_same
                || are_streets_similar(
                    a.get("street1").unwrap_or_default(),
                    b.get("street1").unwrap_or_default(),
                )
        });
        let code = same("postal_code", postal_code);
        let address = match (street, code) {
            (Some(true), Some(false)) => None,
            (Some(true), Some(true)) => Some(true),
            (Some(true), None) => Some(city != Some(false)),
            (Some(false), _) => Some(false),
            (None, code) => code,
        };
        Self { email: same("email", email), phone: same("phone", phone), address }
    }

    /// Returns the number of fields that agree.
    fn count(self) -> usize {
        [self.email, self.phone, self.address].into_iter().filter(|same| *same == Some(true)).count()
    }

    /// Reports whether both the e-mail and the phone differ.
    fn is_contradicted(self) -> bool {
        self.email == Some(false) && self.phone == Some(false)
    }
}

/// Reports whether two cities may be the same: `Sorel` and `Sorel-Tracy`, `Montréal` and `Montréal (Québec)`.
fn are_cities_similar(a: &str, b: &str) -> bool {
    let (a, b) = (words(a).concat(), words(b).concat());
    a.starts_with(&b) || b.starts_with(&a) || similarity(&a, &b) > 0.0
}

/// Reports whether two streets have the same number, and names that differ by a typo at most.
fn are_streets_similar(a: &str, b: &str) -> bool {
    let (Some(a), Some(b)) = (street(a), street(b)) else { return false };
    match (a.split_once(' '), b.split_once(' ')) {
        (Some((number, name)), Some((other_number, other))) => {
            number == other_number && similarity(name, other) > 0.0
        }
        _ => false,
    }
}
