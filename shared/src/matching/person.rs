//! Technicians by name or e-mail.

use super::{Card, Key, likeness, trigrams};
use crate::normalise::{email, words};

/// The columns of a technician's card.
pub const COLUMNS: &[&str] = &["first_name", "last_name", "email"];

/// Names that are nobody's.
const NOBODY: &[&str] = &[
    "technicien", "technicienne", "technician", "tech", "bureau", "office", "admin", "administrateur",
    "inconnu", "unknown", "na", "systeme", "system", "accordeur", "tuner", "client", "equipe", "team",
    "test", "user", "utilisateur", "reception", "secretariat",
];
const TITLES: &[&str] = &["m", "mr", "mme", "mlle", "mrs", "ms", "dr", "monsieur", "madame"];

/// What a technician is found by: e-mail, and the trigrams of every name.
#[must_use]
pub fn keys(card: &Card) -> Vec<Key> {
    let names = names(card);
    let initials =
        names.iter().filter_map(|name| name.chars().next()).map(|first| Key::new("initial", first));
    let mail = card.get("email").and_then(email).map(|email| Key::new("email", email));
    trigrams(&names).into_iter().chain(initials).chain(mail).collect()
}

fn names(card: &Card) -> Vec<String> {
    ["first_name", "last_name", "name"]
        .into_iter()
        .filter_map(|name| card.get(name))
        .flat_map(words)
        .collect()
}

/// How sure it is that a technician is meant. Every word that is asked for must be one of theirs.
#[must_use]
pub fn score(asked: &Card, card: &Card) -> f64 {
    let mut wanted = names(asked);
    if wanted.len() > 1 {
        wanted.retain(|word| !TITLES.contains(&word.as_str()));
    }
    if wanted.iter().any(|word| NOBODY.contains(&word.as_str())) {
        wanted.clear();
    }
    let by_name = by_name(&wanted, card);
    match (asked.get("email").and_then(email), card.get("email").and_then(email)) {
        (Some(a), Some(b)) if a == b => {
            // The name must not speak against it.
            if wanted.is_empty() || by_name > 0.0 { 1.0 } else { 0.5 }
        }
        // Their own address and another one: the name alone must be quite sure.
        (Some(_), Some(_)) => by_name * 0.85,
        _ => by_name,
    }
}

fn by_name(wanted: &[String], card: &Card) -> f64 {
    let first: Vec<String> = card.get("first_name").map(words).unwrap_or_default();
    let last: Vec<String> = card.get("last_name").map(words).unwrap_or_default();
    match wanted {
        [] => 0.0,
        [only] => {
            // A first name alone, or a last name alone: sure only if nobody else bears it.
            let whole = |names: &[String]| likeness(only, &names.concat());
            let part = names_best(only, &first).max(names_best(only, &last));
            let best = part.max(whole(&first)).max(whole(&last));
            if only.chars().count() < 3 { 0.0 } else { best * 0.9 }
        }
        _ => two_names(wanted, &first, &last),
    }
}

fn names_best(word: &str, names: &[String]) -> f64 {
    names.iter().map(|name| likeness(word, name)).fold(0.0, f64::max)
}

/// Every word asked for finds a word of its own, in both names; an initial stands for a name.
fn two_names(wanted: &[String], first: &[String], last: &[String]) -> f64 {
    let mut free: Vec<(bool, &str)> = first
        .iter()
        .map(|name| (true, name.as_str()))
        .chain(last.iter().map(|name| (false, name.as_str())))
        .collect();
    let (mut least, mut in_first, mut in_last) = (1.0_f64, false, false);
    let mut by_length: Vec<&String> = wanted.iter().collect();
    // Whole words choose before initials.
    by_length.sort_by_key(|word| std::cmp::Reverse(word.len()));
    let mut whole = 0;
    for word in by_length {
        let alike = |name: &str| {
            if word.chars().count() == 1 && name.starts_with(word.as_str()) {
                0.92
            } else {
                likeness(word, name)
            }
        };
        let best = free
            .iter()
            .enumerate()
            .map(|(place, (_, name))| (place, alike(name)))
            .max_by(|a, b| a.1.total_cmp(&b.1).then_with(|| b.0.cmp(&a.0)));
        let Some((place, likeness)) = best.filter(|(_, likeness)| *likeness > 0.0) else { return 0.0 };
        let (is_first, _) = free.remove(place);
        if is_first {
            in_first = true;
        } else {
            in_last = true;
        }
        whole += usize::from(word.chars().count() > 1);
        least = least.min(likeness);
    }
    if whole == 0 || !in_last || !in_first { 0.0 } else { least }
}
