//! Matching of technicians by name or e-mail.

use super::profile::{MatchKey, MatchProfile, trigrams};
use super::similarity::{given_name_similarity, similarity};
use crate::normalize::{email, without_parentheses, words};

/// Columns of a technician's profile.
pub const COLUMNS: &[&str] = &["first_name", "last_name", "email"];

/// Names that designate no person.
const NO_PERSON: &[&str] = &[
    "technicien", "technicienne", "technician", "tech", "bureau", "office", "admin", "administrateur",
    "inconnu", "unknown", "na", "systeme", "system", "accordeur", "tuner", "client", "equipe", "team",
    "test", "user", "utilisateur", "reception", "secretariat",
];
/// Titles before a name.
const TITLES: &[&str] = &["m", "mr", "mme", "mlle", "mrs", "ms", "dr", "monsieur", "madame"];

/// Returns the keys of a technician: e-mail, initials, and the trigrams of every name.
#[must_use]
pub fn keys(profile: &MatchProfile) -> Vec<MatchKey> {
    let (names, typed) = names(profile);
    let initials =
        names.iter().filter_map(|name| name.chars().next()).map(|first| MatchKey::new("initial", first));
    let mail = profile.get("email").and_then(email).or(typed).map(|email| MatchKey::new("email", email));
    trigrams(&names).into_iter().chain(initials).chain(mail).collect()
}

/// Returns the words of every name, first names first, and an e-mail typed among them.
fn names(profile: &MatchProfile) -> (Vec<String>, Option<String>) {
    let (whole, typed) = profile.get("name").map(split_full_name).unwrap_or_default();
    let parts = ["first_name", "last_name"].into_iter().filter_map(|name| profile.get(name)).flat_map(words);
    (parts.chain(whole).collect(), typed)
}

/// Splits a full name into words and an e-mail: `Lafleur, Marc (remplaçant)` is Marc Lafleur, and
/// `Marc <marc@example.org>` has an e-mail.
fn split_full_name(name: &str) -> (Vec<String>, Option<String>) {
    let name = without_parentheses(name);
    let is_mail = |word: &&str| word.contains('@');
    let typed = name.split_whitespace().find(is_mail);
    let typed = typed.and_then(|word| email(word.trim_matches(|c: char| !c.is_alphanumeric())));
    let name: Vec<&str> = name.split_whitespace().filter(|word| !is_mail(word)).collect();
    let name = name.join(" ");
    let words = match name.split_once(',') {
        Some((last, first)) => words(first).into_iter().chain(words(last)).collect(),
        None => words(&name),
    };
    (words, typed)
}

/// Returns the confidence that `wanted` is the technician of `profile`: 0 to 1. Every wanted word must be one of
/// theirs.
#[must_use]
pub fn score(wanted: &MatchProfile, profile: &MatchProfile) -> f64 {
    let (mut wanted_words, typed) = names(wanted);
    if wanted_words.len() > 1 {
        wanted_words.retain(|word| !TITLES.contains(&word.as_str()));
    }
    if wanted_words.iter().any(|word| NO_PERSON.contains(&word.as_str())) {
        wanted_words.clear();
    }
    let by_name = name_score(&wanted_words, profile);
    match (wanted.get("email").and_then(email).or(typed), profile.get("email").and_then(email)) {
        (Some(a), Some(b)) if a == b => {
            // Below the threshold where the name contradicts the e-mail.
            if wanted_words.is_empty() || by_name > 0.0 { 1.0 } else { 0.84 }
        }
        // With another e-mail, only a nearly perfect name reaches the threshold.
        (Some(_), Some(_)) => by_name * 0.87,
        _ => by_name,
    }
}

fn name_score(wanted: &[String], profile: &MatchProfile) -> f64 {
    let first: Vec<String> = profile.get("first_name").map(words).unwrap_or_default();
    let last: Vec<String> = profile.get("last_name").map(words).unwrap_or_default();
    let whole = [first.concat(), last.concat()].concat();
    match wanted {
        [] => 0.0,
        // A single name matches only if nobody else has it, which the margin ensures.
        [only] if only.chars().count() < 3 => 0.0,
        [only] => {
            0.95 * single_name_score(only, &first, given_name_similarity)
                .max(single_name_score(only, &last, similarity))
        }
        _ if wanted.concat() == whole => 1.0,
        _ if wanted.concat() == first.concat() => 0.95,
        _ => full_name_score(wanted, &first, &last),
    }
}

/// Returns the similarity of a word to a name, lower for a part of a double name.
fn single_name_score(word: &str, names: &[String], similarity: fn(&str, &str) -> f64) -> f64 {
    let part = names.iter().map(|name| similarity(word, name)).fold(0.0, f64::max);
    similarity(word, &names.concat()).max(part * if names.len() > 1 { 0.93 } else { 1.0 })
}

/// Returns the lowest similarity of the wanted words, each paired with a word of its own, in both names. An initial
/// stands for a name.
fn full_name_score(wanted: &[String], first: &[String], last: &[String]) -> f64 {
    let mut free: Vec<(bool, &str)> = first
        .iter()
        .map(|name| (true, name.as_str()))
        .chain(last.iter().map(|name| (false, name.as_str())))
        .collect();
    let (mut least, mut in_first, mut in_last, mut whole) = (1.0_f64, false, false, 0);
    // Whole words are paired before initials.
    let mut ordered: Vec<(usize, &String)> = wanted.iter().enumerate().collect();
    ordered.sort_by_key(|(_, word)| word.chars().count() == 1);
    for (position, word) in ordered {
        let is_initial = word.chars().count() == 1;
        let score = |(is_first, name): &(bool, &str)| {
            if is_initial {
                return if name.starts_with(word.as_str()) { 0.92 } else { 0.0 };
            }
            // The first name usually comes first: `Simon Martin` is rather Simon than Martin.
            let in_order = if *is_first == (position < wanted.len() / 2) { 1.0 } else { 0.94 };
            in_order * if *is_first { given_name_similarity(word, name) } else { similarity(word, name) }
        };
        let best = free
            .iter()
            .enumerate()
            .map(|(index, name)| (index, score(name)))
            .max_by(|a, b| a.1.total_cmp(&b.1).then_with(|| b.0.cmp(&a.0)));
        let Some((index, similarity)) = best.filter(|(_, similarity)| *similarity > 0.0) else { return 0.0 };
        let (is_first, _) = free.remove(index);
        in_first |= is_first;
        in_last |= !is_first;
        whole += usize::from(!is_initial);
        least = least.min(similarity);
    }
    if whole == 0 || !in_last || !in_first { 0.0 } else { least }
}
