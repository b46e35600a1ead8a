//! Evidence for or against two clients being one: e-mail, phone and address.

use super::profile::MatchProfile;
use super::similarity::similarity;
use crate::normalize::{email, phone, postal_code, street, words};

/// Fields other than the name in which two profiles agree; none where either lacks the field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence {
    pub(super) email: Option<bool>,
    pub(super) phone: Option<bool>,
    /// Street, or the postal code where a street is missing.
    pub(super) address: Option<bool>,
    /// Both have the number of a door, and not the same.
    pub(super) is_other_door: bool,
}

impl Evidence {
    pub(super) fn of(a: &MatchProfile, b: &MatchProfile) -> Self {
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
        let is_contradicted = same("phone", phone) == Some(false) || same("email", email) == Some(false);
        let address = match (street, code) {
            (Some(true), Some(false)) => None,
            (Some(true), Some(true)) => Some(true),
            (Some(true), None) => Some(city != Some(false)),
            (Some(false), _) => Some(false),
            // A postal code alone is that of a whole block of houses.
            (None, Some(true)) if is_contradicted => None,
            (None, code) => code,
        };
        let doors = door(a).zip(door(b)).map(|(a, b)| a == b);
        // What many names share, as a reception or a school board does, is no evidence; that it differs still is.
        let unless_shared = |same: Option<bool>, kind| same.filter(|same| !(*same && a.is_shared(kind)));
        let mails = a.get("email").and_then(email).zip(b.get("email").and_then(email));
        let is_mistyped = mails.is_some_and(|(a, b)| a != b && are_emails_similar(&a, &b));
        Self {
            email: unless_shared(same("email", email).filter(|_| !is_mistyped), "email"),
            phone: unless_shared(same("phone", phone), "phone"),
            address: if doors == Some(true) { address } else { unless_shared(address, "street") }
                .filter(|same| !(*same && doors == Some(false))),
            is_other_door: address == Some(true) && doors == Some(false),
        }
    }

    /// Returns the number of fields that agree.
    pub(super) fn count(self) -> usize {
        [self.email, self.phone, self.address].into_iter().filter(|same| *same == Some(true)).count()
    }

    /// Returns the number of the e-mail and the phone that differ.
    pub(super) fn contradictions(self) -> usize {
        [self.email, self.phone].into_iter().filter(|same| *same == Some(false)).count()
    }

    /// Reports whether phone and address agree, and the e-mail does not differ.
    pub(super) fn is_one_household(self) -> bool {
        self.phone == Some(true)
            && self.address == Some(true)
            && self.email != Some(false)
            && !self.is_other_door
    }

    /// Reports whether the two live in one building at two doors, and nothing but a phone says that they are one.
    pub(super) fn is_only_a_door_away(self) -> bool {
        self.is_other_door && self.count() == 0
    }
}

/// Returns the number of the door within a building: `app. 12`, `12-640 rue …`.
fn door(profile: &MatchProfile) -> Option<String> {
    const UNITS: &[&str] = &[
        "app", "apt", "appartement", "apartment", "bureau", "suite", "unit", "unite", "porte", "local",
        "ste", "no", "bur",
    ];
    let of_text = |text: &str| {
        let words = words(text);
        let after =
            words.windows(2).find(|pair| UNITS.contains(&pair[0].as_str())).map(|pair| pair[1].clone());
        let before = text.trim_start().split_once('-').map(|(door, _)| door.trim());
        let is_number = |door: &&str| !door.is_empty() && door.bytes().all(|byte| byte.is_ascii_digit());
        after.or_else(|| before.filter(is_number).map(str::to_owned))
    };
    let street = profile.get("street1").and_then(of_text);
    street.or_else(|| {
        let second = profile.get("street2")?;
        of_text(second)
            .or_else(|| words(second).into_iter().find(|word| word.bytes().any(|byte| byte.is_ascii_digit())))
    })
}

/// Reports whether two e-mails differ by a typo, in one domain.
fn are_emails_similar(a: &str, b: &str) -> bool {
    match (a.split_once('@'), b.split_once('@')) {
        (Some((name, host)), Some((other, other_host))) => {
            let has_digits = |name: &str| name.bytes().any(|byte| byte.is_ascii_digit());
            host == other_host
                && !has_digits(name)
                && !has_digits(other)
                && name.len() >= 6
                && strsim::osa_distance(name, other) <= 1
        }
        _ => false,
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
