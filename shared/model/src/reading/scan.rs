//! Recognition of a number as a temperature, a pitch or a humidity.

use std::ops::Range;

use super::quantity::{Quantity, Reading, TEMPERATURES, celsius, celsius_of_unmarked};
use super::token::{TokenKind, Tokens};
use super::words::{ADDRESS_WORDS, HUMIDITY_WORDS, NOT_DEGREES, PITCH_WORDS, TEMPERATURE_WORDS};

/// Range in which a number with a degree sign and no letter is Fahrenheit; 90° is an angle.
const LIKELY_FAHRENHEIT: std::ops::RangeInclusive<f64> = 46.0..=86.0;
/// Range of plausible room humidities, in percent.
const HUMIDITIES: std::ops::RangeInclusive<f64> = 3.0..=99.0;
/// Range of plausible pitches that have a unit, in Hz.
const PITCHES: std::ops::RangeInclusive<f64> = 380.0..=480.0;
/// Range of plausible pitches that only a word marks, in Hz.
const USUAL_PITCHES: std::ops::RangeInclusive<f64> = 400.0..=460.0;

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// Tokens of a note, with the checks on the context of each number.
pub(super) struct Scan {
    pub(super) tokens: Tokens,
}

/// Reading, and the indices of its tokens.
pub(super) type Found = (Range<usize>, Reading);

impl Scan {
    pub(super) fn of(note: &str) -> Self {
        Self { tokens: Tokens::of(note) }
    }

    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    fn found(&self, quantity: Quantity, value: f64, tokens: Range<usize>) -> Option<Found> {
        let start = self.tokens.get(tokens.start)?.span.start;
        let end = self.tokens.get(tokens.end.checked_sub(1)?)?.span.end;
        Some((tokens, Reading { quantity, value: tenths(value), span: start..end }))
    }

    pub(super) fn temperature(&self, index: usize) -> Option<Found> {
        let value = self.tokens.number(index)?;
        if self.is_other_number(index) || self.is_advice(index) {
            return None;
        }
        let (unit, end) =
            self.degrees(index + 1).or_else(|| self.letter(index + 1, value)).or_else(|| {
                (self.is_named(index, TEMPERATURE_WORDS) && self.is_bare(index + 1))
                    .then_some((None, index + 1))
            })?;
        let has_degrees = !matches!(self.tokens.kind(index + 1), Some(TokenKind::Word));
        let before = index.wrapping_sub(1);
        if self.is_cents(index, end)
            || self.word_is(end, NOT_DEGREES)
            || self.word_is(before, NOT_DEGREES)
            || (!has_degrees && self.word_is(before, ADDRESS_WORDS))
            || (unit.is_none() && value > *LIKELY_FAHRENHEIT.end())
        {
            return None;
        }
        let (start, signed) = if self.is_minus(index) { (index - 1, -value) } else { (index, value) };
        let value = match unit {
            Some('f') => celsius(signed),
            Some(_) => signed,
            None => celsius_of_unmarked(signed),
        };
        TEMPERATURES.contains(&value).then(|| self.found(Quantity::Temperature, value, start..end))?
    }

    /// Reads a degree sign or word: `°`, `° C`, `degrés Celsius`. Returns the letter, if there is one, and the index of
    /// the token after it.
    pub(super) fn degrees(&self, index: usize) -> Option<(Option<char>, usize)> {
        let is_sign = matches!(self.tokens.kind(index), Some(TokenKind::Degree))
            || (self.word_is(index, &["o"])
                && self.tokens.is_glued(index)
                && self.unit_letter(index + 1).is_some());
        if matches!(self.tokens.kind(index), Some(TokenKind::Sign('℃'))) {
            return Some((Some('c'), index + 1));
        }
        if matches!(self.tokens.kind(index), Some(TokenKind::Sign('℉'))) {
            return Some((Some('f'), index + 1));
        }
        if !is_sign && !self.word_is(index, &["degre", "degres", "degree", "degrees", "deg", "degs"]) {
            return None;
        }
        match self.unit_letter(index + 1) {
            Some(letter) => Some((Some(letter), index + 2)),
            None => Some((None, index + 1)),
        }
    }

    /// Reads a unit letter without a degree sign: `21C`, `68 F`.
    fn letter(&self, index: usize, value: f64) -> Option<(Option<char>, usize)> {
        let letter = self.unit_letter(index)?;
        let is_word = self.tokens.word(index).len() > 1;
        let is_likely = if letter == 'c' { 5.0..=40.0 } else { 40.0..=110.0 };
        (is_word || is_likely.contains(&value)).then_some((Some(letter), index + 1))
    }

    pub(super) fn unit_letter(&self, index: usize) -> Option<char> {
        // `C4` is a key of the piano.
        if self.tokens.is_glued(index + 1)
            && (self.tokens.number(index + 1).is_some() || self.tokens.is_sign(index + 1, '#'))
        {
            return None;
        }
        match self.tokens.word(index) {
            "c" | "celsius" | "celcius" | "centigrade" | "centigrades" => Some('c'),
            "f" | "fahrenheit" | "farenheit" => Some('f'),
            _ => None,
        }
    }

    /// Reports whether the number counts cents of a semitone: `12c flat`.
    fn is_cents(&self, index: usize, end: usize) -> bool {
        self.word_is(end, &["flat", "sharp", "bas", "haut", "cents"])
            || (index > 0 && self.tokens.is_sign(index - 1, '+'))
    }

    pub(super) fn pitch(&self, index: usize) -> Option<Found> {
        let value = self.tokens.number(index)?;
        if self.is_money(index) || self.is_advice(index) {
            return None;
        }
        if self.word_is(index + 1, &["hz", "hertz", "herz"]) {
            return PITCHES.contains(&value).then(|| self.found(Quantity::Pitch, value, index..index + 2))?;
        }
        if !USUAL_PITCHES.contains(&value) || !self.is_bare(index + 1) {
            return None;
        }
        if let Some(start) = self.note_name(index) {
            return self.found(Quantity::Pitch, value, start..index + 1);
        }
        if self.is_other_number(index) {
            return None;
        }
        self.is_named(index, PITCH_WORDS).then(|| self.found(Quantity::Pitch, value, index..index + 1))?
    }

    /// Returns the index of the note name before the number: `A440`, `A = 442`, `A4=440`, `La 440`.
    fn note_name(&self, index: usize) -> Option<usize> {
        let before = index.checked_sub(1)?;
        if self.is_plain_a(before) {
            return self.tokens.is_glued(index).then_some(before);
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

    /// Reports whether the token is the letter `a` itself, not `à`.
    fn is_plain_a(&self, index: usize) -> bool {
        self.word_is(index, &["a"]) && self.tokens.get(index).is_some_and(|token| token.span.len() == 1)
    }

    pub(super) fn humidity(&self, index: usize, found: &[Found]) -> Option<Found> {
        let value = self.tokens.number(index)?;
        if !HUMIDITIES.contains(&value) || self.is_money(index) || self.is_advice(index) {
            return None;
        }
        let has_sign = self.tokens.is_sign(index + 1, '%')
            || self.word_is(index + 1, &["pourcent", "percent"])
            || (self.word_is(index + 1, &["pour"]) && self.word_is(index + 2, &["cent"]));
        let length = if self.word_is(index + 1, &["pour"]) { 3 } else { 2 };
        if !has_sign {
            let is_it = !self.is_other_number(index)
                && self.is_named(index, HUMIDITY_WORDS)
                && self.is_bare(index + 1)
                && !self.tokens.is_sign(index + 1, '-');
            return is_it.then(|| self.found(Quantity::Humidity, value, index..index + 1))?;
        }
        let end = index + length;
        if self.is_named(index, HUMIDITY_WORDS) {
            return self.found(Quantity::Humidity, value, index..end);
        }
        if self.is_share(index, end) {
            return None;
        }
        let is_it = self.is_humidity_near(index, end) || self.is_beside(index, end, found);
        is_it.then(|| self.found(Quantity::Humidity, value, index..end))?
    }
}
