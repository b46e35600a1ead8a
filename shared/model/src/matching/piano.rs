//! A piano that went to another client: over there it becomes a new record with the same make and serial number.

use super::{Card, Key, likeness};
use crate::normalize::{make, serial_number, words};

/// The columns of a piano's card.
pub const COLUMNS: &[&str] = &["make", "model", "serial_number", "year", "client_id", "gazelle_created_at"];

/// What a piano is found by: the digits of its serial number.
#[must_use]
pub fn keys(card: &Card) -> Vec<Key> {
    let serial = card.get("serial_number").and_then(serial_number);
    serial.map(|serial| Key::new("serial", digits(&serial))).into_iter().collect()
}

fn digits(serial: &str) -> String {
    serial.chars().filter(char::is_ascii_digit).collect()
}

/// How sure it is that two cards are of one instrument at two clients.
#[must_use]
pub fn score(a: &Card, b: &Card) -> f64 {
    if a.get("client_id").is_some() && a.get("client_id") == b.get("client_id") {
        return 0.0;
    }
    let serial = |card: &Card| card.get("serial_number").and_then(serial_number);
    let (Some(one), Some(other)) = (serial(a), serial(b)) else { return 0.0 };
    let serials = if one == other {
        1.0
    } else if is_prefix_alone(&one, &other) {
        0.95
    } else {
        return 0.0;
    };
    let makes = match (a.get("make").and_then(make), b.get("make").and_then(make)) {
        (Some(a), Some(b)) => make_likeness(&a, &b),
        _ => 0.0,
    };
    if makes <= 0.0 {
        return 0.0;
    }
    let year = |card: &Card| card.get("year").and_then(|year| year.parse::<i32>().ok());
    let apart = year(a).zip(year(b)).map(|(a, b)| a.abs_diff(b));
    let models = a.get("model").zip(b.get("model")).map(|(a, b)| is_model_alike(a, b));
    match (apart, models) {
        (Some(9..), _) | (Some(3..), Some(false)) => 0.3,
        (None, Some(false)) => 0.5,
        _ => makes * serials,
    }
}

/// Letters that changed places are forgiven, too: `Yahama`.
fn make_likeness(a: &str, b: &str) -> f64 {
    let letters = |make: &str| {
        let mut letters: Vec<char> = make.chars().collect();
        letters.sort_unstable();
        letters
    };
    let is_shuffled = a.chars().next() == b.chars().next() && a.len() > 5 && letters(a) == letters(b);
    if a != b && is_shuffled { 0.9 } else { likeness(a, b) }
}

/// The same digits, and letters before them that one of the two leaves out.
fn is_prefix_alone(a: &str, b: &str) -> bool {
    let is_plain = |serial: &str| serial.bytes().all(|byte| byte.is_ascii_digit());
    let (a_digits, b_digits) = (digits(a), digits(b));
    a_digits == b_digits
        && a_digits.len() >= 5
        && (is_plain(a) || is_plain(b))
        && (a.ends_with(&a_digits) && b.ends_with(&b_digits))
}

/// `U1`, `U-1` and `U1H` are alike; words that say nothing are like any.
fn is_model_alike(a: &str, b: &str) -> bool {
    let (a, b) = (words(a).concat(), words(b).concat());
    let says_nothing =
        |model: &str| ["", "na", "inconnu", "unknown", "droit", "upright", "grand", "queue"].contains(&model);
    says_nothing(&a) || says_nothing(&b) || a.starts_with(&b) || b.starts_with(&a) || likeness(&a, &b) > 0.0
}
