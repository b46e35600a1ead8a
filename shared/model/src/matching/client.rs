//! Matching of clients that may be duplicates.

use super::client_evidence::Evidence;
use super::profile::{MatchKey, MatchProfile, NAME, trigrams};
use super::similarity::{given_name_similarity, similarity};
use crate::normalize::{email, phone, street, without_parentheses, words};

/// Columns of a client's profile.
pub const COLUMNS: &[&str] = &[
    "company_name", "first_name", "last_name", "email", "phone", "street1", "street2", "city", "postal_code",
];

/// Lowest score of a certain duplicate: the names are equal, two fields agree and none contradicts.
pub const CERTAIN: f64 = 0.95;
/// Highest score of a likely duplicate.
const LIKELY_MAX: f64 = 0.94;

/// Words that many company names share.
const COMMON: &[&str] = &[
    "inc", "ltee", "ltd", "enr", "cie", "co", "corp", "de", "du", "des", "la", "le", "les", "l", "d", "the",
    "of", "a", "au", "aux", "et", "and", "fabrique",
];

/// Abbreviations in company names.
const ABBREVIATIONS: &[(&str, &str)] = &[
    ("sec", "secondaire"),
    ("prim", "primaire"),
    ("elem", "elementaire"),
    ("univ", "universite"),
    ("coll", "college"),
    ("mus", "musique"),
    ("cons", "conservatoire"),
    ("res", "residence"),
    ("assoc", "association"),
    ("asso", "association"),
    ("par", "paroisse"),
    ("ctre", "centre"),
    ("inst", "institut"),
    ("acad", "academie"),
    ("sch", "school"),
    ("ch", "church"),
];

/// Words that tell two clients apart whose names are alike otherwise: `École primaire`, `Pavillon Nord`, `Jean Roy fils`.
/// So do numbers, single letters and Roman numerals.
const TELLING: &[&str] = &[
    "nord", "sud", "est", "ouest", "north", "south", "east", "west", "primaire", "secondaire", "prescolaire",
    "primary", "elementary", "secondary", "high", "junior", "senior", "jr", "sr", "pere", "fils", "mere",
    "fille", "ii", "iii", "iv", "vi", "vii", "viii", "ix", "haut", "bas", "upper", "lower", "filles",
    "garcons", "boys", "girls", "premier", "premiere", "deuxieme", "troisieme", "un", "deux", "trois",
    "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "one", "two", "three", "four", "five", "first",
    "second", "third", "nouveau", "nouvelle", "ancien", "ancienne", "danse", "musique", "theatre", "jour",
    "soir", "adultes", "enfants", "petit", "grand", "petite", "grande",
];

/// Returns the keys of a client: e-mail, phone, street, whole name, and the trigrams of its names.
#[must_use]
pub fn keys(profile: &MatchProfile) -> Vec<MatchKey> {
    let key = |kind, value: Option<String>| value.map(|value| MatchKey::new(kind, value));
    let names =
        if company_words(profile).is_empty() { person_words(profile) } else { company_words(profile) };
    let mut sorted = names.clone();
    sorted.sort_unstable();
    let exact = [
        key("email", profile.get("email").and_then(email)),
        key("phone", profile.get("phone").and_then(phone)),
        key("street", profile.get("street1").and_then(street)),
        key(NAME, (!sorted.is_empty()).then(|| sorted.join(" "))),
    ];
    trigrams(&names).into_iter().chain(exact.into_iter().flatten()).collect()
}

/// Returns the name of a client for people: its company, else its contact.
#[must_use]
pub fn label(profile: &MatchProfile) -> String {
    let contact = [profile.get("first_name"), profile.get("last_name")].into_iter().flatten();
    profile.get("company_name").map_or_else(|| contact.collect::<Vec<_>>().join(" "), str::to_owned)
}

/// Returns the contact of a company: empty where it has none, nothing for a person.
#[must_use]
pub fn contact(profile: &MatchProfile) -> Option<String> {
    if company_words(profile).is_empty() {
        return None;
    }
    // A company that is typed as a last name has no contact.
    profile.get("company_name").map_or(Some(String::new()), |_| {
        let (first, last) = person(profile);
        Some([first, last].concat().join(" "))
    })
}

/// Returns the fields in which two clients agree.
#[must_use]
pub fn evidence(a: &MatchProfile, b: &MatchProfile) -> Vec<&'static str> {
    let evidence = Evidence::of(a, b);
    let fields = [("email", evidence.email), ("phone", evidence.phone), ("address", evidence.address)];
    fields.into_iter().filter(|(_, same)| *same == Some(true)).map(|(field, _)| field).collect()
}

/// Returns the words of the company name, which some people type as the last name.
fn company_words(profile: &MatchProfile) -> Vec<String> {
    let typed = profile.get("company_name").or_else(|| {
        profile.get("last_name").filter(|name| profile.get("first_name").is_none() && words(name).len() > 2)
    });
    let mut words = typed.map(words).unwrap_or_default();
    words.retain(|word| !COMMON.contains(&word.as_str()));
    for word in &mut words {
        if let Some((_, whole)) = ABBREVIATIONS.iter().find(|(short, _)| short == word) {
            (*whole).clone_into(word);
        }
    }
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
            let contact = (!people.0.0.is_empty() && !people.1.0.is_empty())
                .then(|| person_similarity(&people.0, &people.1) > 0.0);
            company_score(&companies.0, &companies.1, contact, evidence)
        }
        ([], []) => person_score(&people.0, &people.1, evidence),
        // A company and a person match only if everything else agrees.
        _ => {
            let score = person_similarity(&people.0, &people.1);
            let is_it = score >= 0.9 && evidence.count() >= 2 && evidence.contradictions() == 0;
            if is_it { 0.86 } else { 0.0 }
        }
    }
}

/// Returns the confidence that two companies are one; `contact` says if their contacts are one person, where both have
/// one.
fn company_score(a: &[String], b: &[String], contact: Option<bool>, evidence: Evidence) -> f64 {
    let score = if tell_apart(a, b) { 0.0 } else { word_similarity(a, b) };
    let contradictions = evidence.contradictions();
    // Two contacts of a company, each with an e-mail, are two of its teachers.
    let are_two_people = contact == Some(false) && evidence.email != Some(true);
    // An institution with many addresses is one client for each of them.
    let is_elsewhere = evidence.address == Some(false) || evidence.is_other_door;
    let is_it = score >= 0.85
        && !is_elsewhere
        && !are_two_people
        && evidence.count() >= 1
        && contradictions <= evidence.count()
        && contradictions < 2
        && (score >= 1.0 || contradictions == 0 || evidence.count() >= 2);
    graded(score, is_it, evidence, contradictions)
}

/// Returns the confidence that two people are one.
fn person_score(a: &Person, b: &Person, evidence: Evidence) -> f64 {
    let whole = |person: &Person| [person.0.clone(), person.1.clone()].concat();
    let score = if tell_apart_people(&whole(a), &whole(b)) { 0.0 } else { person_similarity(a, b) };
    let (agreements, contradictions) = (evidence.count(), evidence.contradictions());
    if score <= 0.0 && evidence.is_one_household() && are_renamed(a, b) {
        return RENAMED;
    }
    let is_it = if score >= 1.0 {
        agreements >= 1
            && contradictions <= agreements
            && contradictions < 2
            // The neighbour of the same name lives at another door.
            && !(evidence.is_other_door && agreements < 2 && contradictions > 0)
    } else if score >= 0.9 {
        agreements >= 2 && evidence.email != Some(false)
            || agreements >= 1 && contradictions == 0
            || evidence.email == Some(true) && contradictions < 2
    } else {
        score > 0.0 && agreements >= 2 && contradictions == 0
    };
    graded(score, is_it && !evidence.is_only_a_door_away(), evidence, contradictions)
}

/// Score of two people of one household whose first name is the same and whose last name is not: one who has married.
const RENAMED: f64 = 0.86;

/// Reports whether the first names are equal, and long enough for no two people of a household to have them.
fn are_renamed(a: &Person, b: &Person) -> bool {
    let length = a.0.concat().len();
    a.0 == b.0 && length >= 5 && !a.1.is_empty() && !b.1.is_empty()
}

/// Returns the score within the grade that the evidence allows: half of it where it does not suffice.
fn graded(score: f64, is_it: bool, evidence: Evidence, contradictions: usize) -> f64 {
    if !is_it {
        return score * 0.5;
    }
    let is_proven = evidence.count() >= 2 || evidence.email == Some(true);
    if score >= 1.0 && is_proven && contradictions == 0 && !evidence.is_other_door {
        return if evidence.count() >= 2 { 1.0 } else { CERTAIN };
    }
    score.clamp(0.85, LIKELY_MAX)
}

/// Reports whether words that only one of two companies has tell them apart: a number, a letter, a direction, a level.
fn tell_apart(a: &[String], b: &[String]) -> bool {
    let differs = |one: &[String], other: &[String]| {
        one.iter().any(|word| !other.contains(word) && !is_abbreviated(word, other) && is_telling(word))
    };
    differs(a, b) || differs(b, a)
}

/// Reports whether the word stands in the other name under another form: `J.` for `Jean`, or as part of a longer word.
fn is_abbreviated(word: &str, other: &[String]) -> bool {
    let is_letter = word.len() == 1 && !word.bytes().any(|byte| byte.is_ascii_digit());
    (is_letter && (word == "s" || other.iter().any(|other| other.starts_with(word))))
        || (word.len() > 2
            && word.bytes().all(|byte| byte.is_ascii_alphabetic())
            && other.iter().any(|other| other.contains(word)))
}

/// Reports whether a number or a word like `fils` that only one of two people has tells them apart. An initial does not.
fn tell_apart_people(a: &[String], b: &[String]) -> bool {
    const GENERATIONS: &[&str] =
        &["junior", "senior", "jr", "sr", "pere", "fils", "mere", "fille", "ii", "iii", "iv"];
    let is_mark = |word: &String| {
        word.bytes().any(|byte| byte.is_ascii_digit()) || GENERATIONS.contains(&word.as_str())
    };
    let marks = |words: &[String]| words.iter().filter(|word| is_mark(word)).cloned().collect::<Vec<_>>();
    marks(a) != marks(b)
}

fn is_telling(word: &str) -> bool {
    word.chars().count() == 1 || word.bytes().any(|byte| byte.is_ascii_digit()) || TELLING.contains(&word)
}

/// Similarity of an initial and a first name: less than that of a misspelt one, because a household may have several
/// people with that initial.
const INITIAL: f64 = 0.89;

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
    let (first, mut last) = (names("first_name"), names("last_name"));
    // `Brodeur (Lamoureux)`: a name at birth.
    if let Some((_, other)) = profile.get("last_name").and_then(|name| name.split_once('(')) {
        let other = words(other);
        last.extend(
            other
                .into_iter()
                .filter(|word| word.len() > 3 && word.bytes().all(|byte| byte.is_ascii_alphabetic())),
        );
    }
    // Both names are typed into one field by some.
    match (&first[..], &last[..]) {
        ([], [one, other]) => (vec![one.clone()], vec![other.clone()]),
        _ => (first, last),
    }
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
    // `Ouellet` and `Ouellette`, `Desrosier` and `Desrosiers`.
    let (short, long) = (a.concat(), b.concat());
    let (short, long) = if short.len() <= long.len() { (short, long) } else { (long, short) };
    let is_ending = |end: &str| matches!(end, "te" | "tte" | "e" | "s" | "x" | "t");
    let is_spelling = short.len() >= 5 && long.strip_prefix(&short).is_some_and(is_ending);
    let part = if is_spelling { 0.93 } else { part };
    similarity(&a.concat(), &b.concat()).max(word_similarity(a, b)).max(part)
}

fn first_name_similarity(a: &[String], b: &[String]) -> f64 {
    match (a, b) {
        ([], _) | (_, []) => 0.0,
        // `Marie-Claude` and `Marie-Claire`: each part is a name.
        _ if a.len() == b.len() => {
            a.iter().zip(b).map(|(one, other)| part_similarity(one, other)).fold(1.0, f64::min)
        }
        _ => given_name_similarity(&a.concat(), &b.concat()),
    }
}

/// Returns the similarity of two parts of a first name, one of which may be an initial: `J-F` and `Jean-François`.
fn part_similarity(one: &str, other: &str) -> f64 {
    let is_initial = one.chars().count() == 1 || other.chars().count() == 1;
    match (one == other, is_initial) {
        (true, _) => 1.0,
        (false, true) if one.chars().next() == other.chars().next() => INITIAL,
        (false, true) => 0.0,
        (false, false) => given_name_similarity(one, other),
    }
}

/// Returns the share of the longer list of words that the other one has, typos forgiven.
fn word_similarity(a: &[String], b: &[String]) -> f64 {
    let (few, many) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if few.is_empty() {
        return 0.0;
    }
    // `Belle Cadence` and `Bellecadence`. Of as many words, each is compared: `École du Lac` is not `École du Parc`.
    let joined = match strsim::osa_distance(&a.concat(), &b.concat()) {
        0 => 1.0,
        1 if a.len() != b.len() => 0.94,
        _ => 0.0,
    };
    let best = |word: &String| many.iter().map(|other| similarity(word, other)).fold(0.0, f64::max);
    let sum: f64 = few.iter().map(best).sum();
    let longer = u32::try_from(many.len()).map_or(f64::MAX, f64::from);
    f64::max(joined, sum / longer)
}
