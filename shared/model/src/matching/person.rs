//! Technicians by name or e-mail.

use super::{Card, Key, given_likeness, likeness, trigrams};
use crate::normalize::{email, without_parentheses, words};

/// The columns of a technician's card.
pub const COLUMNS: &[&str] = &["first_name", "last_name", "email"];

/// Names that are nobody's.
const NOBODY: &[&str] = &[
    "technicien", "technicienne", "technician", "tech", "bureau", "office", "admin", "administrateur",
    "inconnu", "unknown", "na", "systeme", "system", "accordeur", "tuner", "client", "equipe", "team",
    "test", "user", "utilisateur", "reception", "secretariat",
];
const TITLES: &[&str] = &["m", "mr", "mme", "mlle", "mrs", "ms", "dr", "monsieur", "madame"];

/// What a technician is found by: e-mail, initials, and the trigrams of every name.
#[must_use]
pub fn keys(card: &Card) -> Vec<Key> {
    let (names, typed) = names(card);
    let initials =
        names.iter().filter_map(|name| name.chars().next()).map(|first| Key::new("initial", first));
    let mail = card.get("email").and_then(email).or(typed).map(|email| Key::new("email", email));
    trigrams(&names).into_iter().chain(initials).chain(mail).collect()
}

/// The words of every name, first names first, and an e-mail that stands among them.
fn names(card: &Card) -> (Vec<String>, Option<String>) {
    let (whole, typed) = card.get("name").map(whole_name).unwrap_or_default();
    let parts = ["first_name", "last_name"].into_iter().filter_map(|name| card.get(name)).flat_map(words);
    (parts.chain(whole).collect(), typed)
}

/// `Lafleur, Marc (remplaçant)` is Marc Lafleur; `Marc <marc@example.org>` says his e-mail, too.
fn whole_name(name: &str) -> (Vec<String>, Option<String>) {
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

/// How sure it is that a technician is meant. Every word that is asked for must be one of theirs.
#[must_use]
pub fn score(asked: &Card, card: &Card) -> f64 {
    let (mut wanted, typed) = names(asked);
    if wanted.len() > 1 {
        wanted.retain(|word| !TITLES.contains(&word.as_str()));
    }
    if wanted.iter().any(|word| NOBODY.contains(&word.as_str())) {
        wanted.clear();
    }
    let by_name = by_name(&wanted, card);
    match (asked.get("email").and_then(email).or(typed), card.get("email").and_then(email)) {
        (Some(a), Some(b)) if a == b => {
            // A name that speaks against it leaves nobody sure.
            if wanted.is_empty() || by_name > 0.0 { 1.0 } else { 0.84 }
        }
        // Their own address and another one: the name alone must be quite sure.
        (Some(_), Some(_)) => by_name * 0.87,
        _ => by_name,
    }
}

fn by_name(wanted: &[String], card: &Card) -> f64 {
    let first: Vec<String> = card.get("first_name").map(words).unwrap_or_default();
    let last: Vec<String> = card.get("last_name").map(words).unwrap_or_default();
    let whole = [first.concat(), last.concat()].concat();
    match wanted {
        [] => 0.0,
        // A first name alone, or a last name alone: sure only if nobody else bears it.
        [only] if only.chars().count() < 3 => 0.0,
        [only] => 0.95 * one_name(only, &first, given_likeness).max(one_name(only, &last, likeness)),
        _ if wanted.concat() == whole => 1.0,
        _ if wanted.concat() == first.concat() => 0.95,
        _ => two_names(wanted, &first, &last),
    }
}

/// The whole of a name, or less surely a part of a double one.
fn one_name(word: &str, names: &[String], likeness: fn(&str, &str) -> f64) -> f64 {
    let part = names.iter().map(|name| likeness(word, name)).fold(0.0, f64::max);
    likeness(word, &names.concat()).max(part * if names.len() > 1 { 0.93 } else { 1.0 })
}

/// Every word asked for finds a word of its own, in both names; an initial stands for a name.
fn two_names(wanted: &[String], first: &[String], last: &[String]) -> f64 {
    let mut free: Vec<(bool, &str)> = first
        .iter()
        .map(|name| (true, name.as_str()))
        .chain(last.iter().map(|name| (false, name.as_str())))
        .collect();
    let (mut least, mut in_first, mut in_last, mut whole) = (1.0_f64, false, false, 0);
    // Whole words choose before initials.
    let mut in_turn: Vec<(usize, &String)> = wanted.iter().enumerate().collect();
    in_turn.sort_by_key(|(_, word)| word.chars().count() == 1);
    for (turn, word) in in_turn {
        let is_initial = word.chars().count() == 1;
        let alike = |(is_first, name): &(bool, &str)| {
            if is_initial {
                return if name.starts_with(word.as_str()) { 0.92 } else { 0.0 };
            }
            // `Simon Martin` is rather Simon than Martin.
            let in_order = if *is_first == (turn < wanted.len() / 2) { 1.0 } else { 0.94 };
            in_order * if *is_first { given_likeness(word, name) } else { likeness(word, name) }
        };
        let best = free
            .iter()
            .enumerate()
            .map(|(place, name)| (place, alike(name)))
            .max_by(|a, b| a.1.total_cmp(&b.1).then_with(|| b.0.cmp(&a.0)));
        let Some((place, likeness)) = best.filter(|(_, likeness)| *likeness > 0.0) else { return 0.0 };
        let (is_first, _) = free.remove(place);
        in_first |= is_first;
        in_last |= !is_first;
        whole += usize::from(!is_initial);
        least = least.min(likeness);
    }
    if whole == 0 || !in_last || !in_first { 0.0 } else { least }
}
