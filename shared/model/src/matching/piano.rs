//! Matching of pianos that went to another client: the source creates a new record with the same make and serial
//! number.

use super::profile::{MatchKey, MatchProfile};
use super::similarity::similarity;
use crate::normalize::{make, serial_number, words};

/// Columns of a piano's profile.
pub const COLUMNS: &[&str] = &["make", "model", "serial_number", "year", "client_id", "gazelle_created_at"];

/// Returns the keys of a piano: the digits of its serial number.
#[must_use]
pub fn keys(profile: &MatchProfile) -> Vec<MatchKey> {
    let serial = profile.get("serial_number").and_then(serial_number);
    serial.map(|serial| MatchKey::new("serial", digits(&serial))).into_iter().collect()
}

fn digits(serial: &str) -> String {
    serial.chars().filter(char::is_ascii_digit).collect()
}

/// Returns the confidence that two profiles describe one instrument at two clients: 0 to 1.
#[must_use]
pub fn score(a: &MatchProfile, b: &MatchProfile) -> f64 {
    if a.get("client_id").is_some() && a.get("client_id") == b.get("client_id") {
        return 0.0;
    }
    let serial = |profile: &MatchProfile| profile.get("serial_number").and_then(serial_number);
    let (Some(one), Some(other)) = (serial(a), serial(b)) else { return 0.0 };
    let serials = if one == other {
        1.0
    } else if differ_in_prefix_only(&one, &other) {
        0.95
    } else {
        return 0.0;
    };
    let makes = match (a.get("make").and_then(make), b.get("make").and_then(make)) {
        (Some(a), Some(b)) => make_similarity(&a, &b),
        _ => 0.0,
    };
    if makes <= 0.0 {
        return 0.0;
    }
    let year = |profile: &MatchProfile| profile.get("year").and_then(|year| year.parse::<i32>().ok());
    let apart = year(a).zip(year(b)).map(|(a, b)| a.abs_diff(b));
    let models = a.get("model").zip(b.get("model")).map(|(a, b)| are_models_similar(a, b));
    match (apart, models) {
        (Some(9..), _) | (Some(3..), Some(false)) => 0.3,
        (None, Some(false)) => 0.5,
        _ => makes * serials,
    }
}

/// Returns the similarity of two makes; swapped letters are forgiven, too: `Yahama`.
fn make_similarity(a: &str, b: &str) -> f64 {
    let letters = |make: &str| {
        let mut letters: Vec<char> = make.chars().collect();
        letters.sort_unstable();
        letters
    };
    let is_shuffled = a.chars().next() == b.chars().next() && a.len() > 5 && letters(a) == letters(b);
    if a != b && is_shuffled { 0.9 } else { similarity(a, b) }
}

/// Reports whether two serial numbers differ only in letters before the digits, which one of them lacks.
fn differ_in_prefix_only(a: &str, b: &str) -> bool {
    let is_plain = |serial: &str| serial.bytes().all(|byte| byte.is_ascii_digit());
    let (a_digits, b_digits) = (digits(a), digits(b));
    a_digits == b_digits
        && a_digits.len() >= 5
        && (is_plain(a) || is_plain(b))
        && (a.ends_with(&a_digits) && b.ends_with(&b_digits))
}

/// Reports whether two models may be the same: `U1`, `U-1` and `U1H`. Generic words may be any model.
fn are_models_similar(a: &str, b: &str) -> bool {
    let (a, b) = (words(a).concat(), words(b).concat());
    let is_generic =
        |model: &str| ["", "na", "inconnu", "unknown", "droit", "upright", "grand", "queue"].contains(&model);
    is_generic(&a) || is_generic(&b) || a.starts_with(&b) || b.starts_with(&a) || similarity(&a, &b) > 0.0
}
