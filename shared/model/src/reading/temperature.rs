//! Recognition of a number as a temperature of the room.

use super::labels::{CENTS, CENTS_AFTER, NOTE_NAMES, PITCH_CHANGES, ROOM};
use super::quantity::{Quantity, TEMPERATURES, celsius, celsius_of_unmarked};
use super::scan::{Amount, Found, Scan};
use super::token::TokenKind;
use super::words::{ADDRESS_WORDS, HUMIDITY_WORDS, INDOORS, NOT_DEGREES, TEMPERATURE_WORDS};

/// Range in which a number with a degree sign and no letter is Fahrenheit; 90° is an angle.
const LIKELY_FAHRENHEIT: std::ops::RangeInclusive<f64> = 46.0..=86.0;
/// Range of room temperatures that only a word marks, in °C.
const USUAL: std::ops::RangeInclusive<f64> = 5.0..=33.0;

/// Words of a room, after which `à 19` or `was 70` is its temperature.
const ROOM_NAMES: &[&str] =
    &["salle", "piece", "salon", "room", "eglise", "church", "maison", "house", "studio", "hall"];

/// Unit of a temperature as written.
#[derive(Debug, Clone, Copy)]
struct Unit {
    letter: Option<char>,
    has_degrees: bool,
    end: usize,
}

impl Scan {
    pub(super) fn temperature(&self, index: usize) -> Option<Found> {
        let range = self.range(index).and_then(|amount| self.temperature_of(amount));
        range.or_else(|| self.temperature_of(self.single(index)?))
    }

    fn temperature_of(&self, amount: Amount) -> Option<Found> {
        let unit = self.temperature_unit(amount)?;
        let is_labelled = self.is_named(amount.first, TEMPERATURE_WORDS);
        if self.is_other_number(amount, is_labelled || self.has_letter_t(amount.first))
            || self.is_remote(amount, unit.end)
            || self.is_not_of_air(amount, unit)
            || (!unit.has_degrees && unit.letter.is_some() && self.is_cents(amount, unit.end))
        {
            return None;
        }
        // A dash at the begin of a line, or behind a label, is no minus before a number of a usual room.
        let is_dash = amount.value > *TEMPERATURES.end() / 3.0
            && (is_labelled || amount.first < 2 || self.tokens.is_sign(amount.first - 2, '\n'));
        let is_negative = self.is_minus(amount.first) && !amount.is_range() && !is_dash;
        if is_negative && !is_labelled && !self.is_cold_room(amount, unit.end) {
            return None;
        }
        let (start, signed) =
            if is_negative { (amount.first - 1, -amount.value) } else { (amount.first, amount.value) };
        let value = match unit.letter {
            Some('f') => celsius(signed),
            Some(_) => signed,
            None => celsius_of_unmarked(signed),
        };
        TEMPERATURES.contains(&value).then(|| self.found(Quantity::Temperature, value, start..unit.end))?
    }

    /// Reads the unit after an amount; a number without one needs a word.
    fn temperature_unit(&self, amount: Amount) -> Option<Unit> {
        let end = amount.end();
        if let Some((letter, end)) = self.degrees(end) {
            let is_plausible = letter.is_some() || amount.value <= *LIKELY_FAHRENHEIT.end();
            return is_plausible.then_some(Unit { letter, has_degrees: true, end });
        }
        if let Some(letter) = self.letter(end, amount.value) {
            return Some(Unit { letter: Some(letter), has_degrees: false, end: end + 1 });
        }
        // The degree sign stands after the first number alone: `20° à 22`.
        let is_inner = amount.is_range() && self.degrees(amount.first + 1).is_some();
        let is_named = self.is_named(amount.first, TEMPERATURE_WORDS) || self.has_letter_t(amount.first);
        let is_it = (is_named && (self.is_bare(end) || amount.value >= 10.0 && self.is_pair_letter(end)))
            || is_inner && self.is_bare(end)
            || self.is_indoors(amount);
        is_it.then_some(Unit { letter: None, has_degrees: false, end })
    }

    /// Reads a unit letter without a degree sign: `21C`, `68 F`.
    fn letter(&self, index: usize, value: f64) -> Option<char> {
        let letter = self.unit_letter(index)?;
        let is_word = self.tokens.word(index).len() > 1;
        let is_likely = if letter == 'c' { 5.0..=40.0 } else { 40.0..=110.0 };
        (is_word || is_likely.contains(&value)).then_some(letter)
    }

    /// Reports whether `T` names the number: `T 20 H 40`, `T: 21`, `T21 H40`.
    fn has_letter_t(&self, index: usize) -> bool {
        let Some(before) = index.checked_sub(1) else { return false };
        if self.sign_is(before, &[':', '=']) {
            return index > 1 && self.word_is(before - 1, &["t"]);
        }
        // `H38 T21`: the humidity may come first.
        // So it may in `HR 38%/T 21` and `hr 33 %, t 24`.
        let is_separator = |at: &usize| self.sign_is(*at, &['/', ',', ';', '|', '%']);
        let value = (before.saturating_sub(3)..before).rev().find(|at| !is_separator(at));
        let is_after_humidity = value.is_some_and(|at| {
            let name = at.wrapping_sub(1);
            let name = if self.sign_is(name, &[':', '=']) { name.wrapping_sub(1) } else { name };
            self.is_number(at)
                && (self.word_is(name, &["h", "hr", "rh"]) || self.word_is(name, HUMIDITY_WORDS))
        });
        self.word_is(before, &["t"]) && (self.is_pair_letter(index + 1) || is_after_humidity)
    }

    /// Reports whether `H` and a number follow, as in `T° 20 H 40`.
    pub(super) fn is_pair_letter(&self, index: usize) -> bool {
        let index = if self.sign_is(index, &[',', '/', '-']) { index + 1 } else { index };
        let after = if self.sign_is(index + 1, &[':', '=']) { index + 2 } else { index + 1 };
        self.word_is(index, &["h", "hr", "rh", "hum"])
            && self.tokens.number(after).is_some_and(|number| (10.0..=95.0).contains(&number))
            && !self.word_is(after + 1, &["min", "minutes"])
    }

    /// Reports whether a word says that a number without a unit is the temperature of a room: `19 en dedans`, `il fait 19`.
    fn is_indoors(&self, amount: Amount) -> bool {
        let (first, end) = (amount.first, amount.end());
        let is_usual = USUAL.contains(&amount.value)
            || LIKELY_FAHRENHEIT.contains(&amount.value) && amount.value >= 55.0;
        if !is_usual || amount.value.fract() > 0.0 && amount.is_range() {
            return false;
        }
        let is_inside = |at: usize| {
            self.word_is(at, INDOORS)
                || self.word_is(at, &["en", "a", "l"])
                    && (self.word_is(at + 1, INDOORS)
                        || self.word_is(at + 2, INDOORS)
                        || self.word_is(at + 3, INDOORS))
        };
        let before = first.wrapping_sub(1);
        let is_room_heat = (14.0..=30.0).contains(&amount.value) || (58.0..=82.0).contains(&amount.value);
        let is_abbreviated =
            self.tokens.is_sign(before, '.') && self.word_is(before.wrapping_sub(1), &["int", "inter"]);
        let is_labelled = if is_abbreviated {
            true
        } else if self.sign_is(before, &[':', '=']) || self.word_is(before, &["a", "at"]) {
            let name = before.wrapping_sub(1);
            let name =
                if self.word_is(name, &["est", "etait", "is", "was"]) { name.wrapping_sub(1) } else { name };
            self.word_is(name, INDOORS) || is_room_heat && self.word_is(name, ROOM_NAMES)
        } else if self.word_is(before, &["was", "is"]) {
            is_room_heat && self.word_is(before.wrapping_sub(1), ROOM_NAMES)
        } else {
            self.word_is(before, INDOORS)
        };
        let is_weather = self.word_is(before, &["fait", "faisait"])
            || self.word_is(before, &["a", "environ", "juste", "seulement", "que", "about", "only"])
                && self.word_is(before.wrapping_sub(1), &["fait", "faisait"]);
        let is_weather =
            is_weather && (2..5).any(|back| self.word_is(first.wrapping_sub(back), &["il", "ca", "t"]));
        (is_inside(end)
            || self.is_decimal_alone(amount)
            || is_labelled && self.is_bare(end)
            || is_weather && self.is_bare(end))
            && !self.tokens.is_sign(end, '%')
    }

    /// Reports whether a number with decimals stands alone behind a pitch: `440 fait, 21,5. HR 35`.
    fn is_decimal_alone(&self, amount: Amount) -> bool {
        let before = amount.first.wrapping_sub(1);
        amount.value.fract() > 0.0
            && (14.0..=29.0).contains(&amount.value)
            && self.tokens.is_sign(before, ',')
            && (amount.end() >= self.len() || self.is_stop(amount.end()))
            && self
                .clause_before(before)
                .any(|at| self.tokens.number(at).is_some_and(|value| (430.0..=446.0).contains(&value)))
    }

    /// Reports whether the number with a degree or a letter is an angle, a door or the heat of something else.
    fn is_not_of_air(&self, amount: Amount, unit: Unit) -> bool {
        let before = amount.first.wrapping_sub(1);
        let is_door = |at: usize| self.word_is(at, ADDRESS_WORDS);
        let of = if self.word_is(unit.end, &["d"]) { unit.end + 2 } else { unit.end + 1 };
        self.word_is(unit.end, NOT_DEGREES)
            || self.word_is(unit.end, &["de", "d", "of"]) && self.word_is(of, NOT_DEGREES)
            || self
                .clause_before(amount.first)
                .rev()
                .take(3)
                .any(|at| self.word_is(at, NOT_DEGREES) && !self.word_is(at, &["du"]))
            || self.word_is(before, &["du"])
            || self
                .clause_before(amount.first)
                .any(|at| self.word_is(at, &["heated", "warm"]) && self.word_is(at + 1, &["floor", "floors"]))
            || (!unit.has_degrees
                && unit.letter.is_some()
                && !self.is_humidity_next(unit.end)
                && unit.letter != Some('f')
                && !self.has_decimals(amount.first)
                && self.tokens.word(amount.end()).len() == 1
                && (is_door(before)
                    || self.sign_is(before, &['.', '#', '°']) && is_door(before.wrapping_sub(1))))
    }

    /// Reports whether the number is written with decimals, `22.0` included.
    fn has_decimals(&self, index: usize) -> bool {
        self.tokens.get(index).is_some_and(|token| token.span.len() > 2)
    }

    /// Reports whether a temperature below zero is that of a room, which its words or a humidity beside it say.
    fn is_cold_room(&self, amount: Amount, end: usize) -> bool {
        let mut words = self.clause_before(amount.first).chain(self.clause_after(end));
        let next = if self.sign_is(end, &[',', '/']) { end + 1 } else { end };
        words.any(|at| self.word_is(at, ROOM)) || (self.is_number(next) && self.tokens.is_sign(next + 1, '%'))
    }

    /// Reports whether a percentage follows, next to it or after a sign.
    fn is_humidity_next(&self, end: usize) -> bool {
        let next = if self.sign_is(end, &[',', '/', '.', ';', '-']) { end + 1 } else { end };
        self.is_number(next) && self.tokens.is_sign(next + 1, '%')
    }

    /// Reports whether the number counts cents of a semitone: `12c flat`, `-12c`, `monté de 15c`, `A4 12c`.
    fn is_cents(&self, amount: Amount, end: usize) -> bool {
        if self.tokens.word(amount.end()).len() > 1 {
            return false;
        }
        let before = amount.first.wrapping_sub(1);
        let follows =
            if self.word_is(end, &["en", "a", "plus", "trop", "too", "de"]) { end + 1 } else { end };
        let is_signed =
            self.sign_is(before, &['+', '±']) || self.is_minus(amount.first) && amount.value < 60.0;
        let is_key = self.is_number(before)
            && self.tokens.is_glued(before)
            && self.word_is(before.wrapping_sub(1), NOTE_NAMES);
        if is_signed || is_key || self.word_is(end, CENTS_AFTER) || self.word_is(follows, CENTS_AFTER) {
            return true;
        }
        let clause = amount.first.saturating_sub(8)..amount.first;
        let clause: Vec<usize> =
            clause.rev().take_while(|at| !self.is_stop(*at) && !self.is_number(*at)).collect();
        if clause.iter().any(|at| self.word_is(*at, TEMPERATURE_WORDS)) {
            return false;
        }
        let is_beside_humidity = self.is_humidity_next(end);
        let is_capital = self.tokens.is_capital(amount.end());
        let words = if is_capital { PITCH_CHANGES } else { CENTS };
        clause.iter().any(|at| self.word_is(*at, words)) && !is_beside_humidity
            || (!is_capital && amount.value < 10.0 && !is_beside_humidity)
    }

    /// Reports whether a degree sign or a unit letter follows the amount.
    pub(super) fn is_degree_next(&self, index: usize) -> bool {
        matches!(self.tokens.kind(index), Some(TokenKind::Degree)) || self.unit_letter(index).is_some()
    }
}
