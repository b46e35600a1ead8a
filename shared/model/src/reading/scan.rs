//! What makes a number a temperature, a pitch or a humidity.

use std::ops::Range;

use super::token::{Kind, Tokens};
use super::words::{HUMIDITY_WORDS, NO_DEGREES, PITCH_WORDS, PLACES, TEMPERATURE_WORDS};
use super::{Quantity, Reading, celsius, celsius_of_unmarked};

/// Rooms have temperatures in between, °C.
pub(super) const TEMPERATURES: std::ops::RangeInclusive<f64> = -15.0..=45.0;
/// A number with a degree sign and no letter is Fahrenheit up to here; 90° is an angle.
const LIKELY_FAHRENHEIT: std::ops::RangeInclusive<f64> = 46.0..=86.0;
/// Rooms have humidities in between, %.
const HUMIDITIES: std::ops::RangeInclusive<f64> = 3.0..=99.0;
/// With a unit, Hz.
const PITCHES: std::ops::RangeInclusive<f64> = 380.0..=480.0;
/// By a word alone, Hz.
const USUAL_PITCHES: std::ops::RangeInclusive<f64> = 400.0..=460.0;

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// A note under the eyes of the rules.
pub(super) struct Scan {
    pub(super) tokens: Tokens,
}

/// A reading and the tokens it is made of.
pub(super) type Found = (Range<usize>, Reading);

impl Scan {
    pub(super) fn of(note: &str) -> Self {
        Self { tokens: Tokens::of(note) }
    }

    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    fn found(&self, quantity: Quantity, value: f64, places: Range<usize>) -> Option<Found> {
        let start = self.tokens.get(places.start)?.span.start;
        let end = self.tokens.get(places.end.checked_sub(1)?)?.span.end;
        Some((places, Reading { quantity, value: tenths(value), span: start..end }))
    }

    pub(super) fn temperature(&self, place: usize) -> Option<Found> {
        let value = self.tokens.number(place)?;
        if self.is_none_of_ours(place) || self.is_advice(place) {
            return None;
        }
        let (unit, end) =
            self.degrees(place + 1).or_else(|| self.letter(place + 1, value)).or_else(|| {
                (self.is_named(place, TEMPERATURE_WORDS) && self.is_bare(place + 1))
                    .then_some((None, place + 1))
            })?;
        let has_degrees = !matches!(self.tokens.kind(place + 1), Some(Kind::Word));
        let before = place.wrapping_sub(1);
        if self.is_cents(place, end)
            || self.word_is(end, NO_DEGREES)
            || self.word_is(before, NO_DEGREES)
            || (!has_degrees && self.word_is(before, PLACES))
            || (unit.is_none() && value > *LIKELY_FAHRENHEIT.end())
        {
            return None;
        }
        let (start, signed) = if self.is_minus(place) { (place - 1, -value) } else { (place, value) };
        let value = match unit {
            Some('f') => celsius(signed),
            Some(_) => signed,
            None => celsius_of_unmarked(signed),
        };
        TEMPERATURES.contains(&value).then(|| self.found(Quantity::Temperature, value, start..end))?
    }

    /// `°`, `° C`, `degrés Celsius`: the letter, if there is one, and where it ends.
    pub(super) fn degrees(&self, place: usize) -> Option<(Option<char>, usize)> {
        let is_sign = matches!(self.tokens.kind(place), Some(Kind::Degree))
            || (self.word_is(place, &["o"])
                && self.tokens.is_glued(place)
                && self.unit_letter(place + 1).is_some());
        if matches!(self.tokens.kind(place), Some(Kind::Sign('℃'))) {
            return Some((Some('c'), place + 1));
        }
        if matches!(self.tokens.kind(place), Some(Kind::Sign('℉'))) {
            return Some((Some('f'), place + 1));
        }
        if !is_sign && !self.word_is(place, &["degre", "degres", "degree", "degrees", "deg", "degs"]) {
            return None;
        }
        match self.unit_letter(place + 1) {
            Some(letter) => Some((Some(letter), place + 2)),
            None => Some((None, place + 1)),
        }
    }

    /// `21C`, `68 F`, without a degree sign.
    fn letter(&self, place: usize, value: f64) -> Option<(Option<char>, usize)> {
        let letter = self.unit_letter(place)?;
        let is_word = self.tokens.word(place).len() > 1;
        let is_likely = if letter == 'c' { 5.0..=40.0 } else { 40.0..=110.0 };
        (is_word || is_likely.contains(&value)).then_some((Some(letter), place + 1))
    }

    pub(super) fn unit_letter(&self, place: usize) -> Option<char> {
        // `C4` is a key.
        if self.tokens.is_glued(place + 1)
            && (self.tokens.number(place + 1).is_some() || self.tokens.is_sign(place + 1, '#'))
        {
            return None;
        }
        match self.tokens.word(place) {
            "c" | "celsius" | "celcius" | "centigrade" | "centigrades" => Some('c'),
            "f" | "fahrenheit" | "farenheit" => Some('f'),
            _ => None,
        }
    }

    /// `12c flat`: cents of a semitone.
    fn is_cents(&self, place: usize, end: usize) -> bool {
        self.word_is(end, &["flat", "sharp", "bas", "haut", "cents"])
            || (place > 0 && self.tokens.is_sign(place - 1, '+'))
    }

    pub(super) fn pitch(&self, place: usize) -> Option<Found> {
        let value = self.tokens.number(place)?;
        if self.is_money(place) || self.is_advice(place) {
            return None;
        }
        if self.word_is(place + 1, &["hz", "hertz", "herz"]) {
            return PITCHES.contains(&value).then(|| self.found(Quantity::Pitch, value, place..place + 2))?;
        }
        if !USUAL_PITCHES.contains(&value) || !self.is_bare(place + 1) {
            return None;
        }
        if let Some(start) = self.note_name(place) {
            return self.found(Quantity::Pitch, value, start..place + 1);
        }
        if self.is_none_of_ours(place) {
            return None;
        }
        self.is_named(place, PITCH_WORDS).then(|| self.found(Quantity::Pitch, value, place..place + 1))?
    }

    /// `A440`, `A = 442`, `A4=440`, `La 440`: where the name begins.
    fn note_name(&self, place: usize) -> Option<usize> {
        let before = place.checked_sub(1)?;
        if self.is_plain_a(before) {
            return self.tokens.is_glued(place).then_some(before);
        }
        if self.word_is(before, &["la"]) {
            return Some(before);
        }
        if !self.tokens.is_sign(before, '=') && !self.tokens.is_sign(before, ':') {
            return None;
        }
        let name = before.checked_sub(1)?;
        if self.is_plain_a(name) || self.word_is(name, &["la"]) {
            return Some(name);
        }
        let letter = name.checked_sub(1)?;
        (self.tokens.number(name) == Some(4.0) && self.tokens.is_glued(name) && self.is_plain_a(letter))
            .then_some(letter)
    }

    /// The letter itself, not `à`.
    fn is_plain_a(&self, place: usize) -> bool {
        self.word_is(place, &["a"]) && self.tokens.get(place).is_some_and(|token| token.span.len() == 1)
    }

    pub(super) fn humidity(&self, place: usize, found: &[Found]) -> Option<Found> {
        let value = self.tokens.number(place)?;
        if !HUMIDITIES.contains(&value) || self.is_money(place) || self.is_advice(place) {
            return None;
        }
        let has_sign = self.tokens.is_sign(place + 1, '%')
            || self.word_is(place + 1, &["pourcent", "percent"])
            || (self.word_is(place + 1, &["pour"]) && self.word_is(place + 2, &["cent"]));
        let length = if self.word_is(place + 1, &["pour"]) { 3 } else { 2 };
        if !has_sign {
            let is_it = !self.is_none_of_ours(place)
                && self.is_named(place, HUMIDITY_WORDS)
                && self.is_bare(place + 1)
                && !self.tokens.is_sign(place + 1, '-');
            return is_it.then(|| self.found(Quantity::Humidity, value, place..place + 1))?;
        }
        let end = place + length;
        if self.is_named(place, HUMIDITY_WORDS) {
            return self.found(Quantity::Humidity, value, place..end);
        }
        if self.is_share(place, end) {
            return None;
        }
        let is_it = self.is_humidity_near(place, end) || self.is_beside(place, end, found);
        is_it.then(|| self.found(Quantity::Humidity, value, place..end))?
    }
}
