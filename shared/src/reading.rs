//! Readings in technicians' notes, French and English: room temperature, relative humidity, pitch.
//!
//! `Accord 440Hz, 21C, 39%` is all three. Whatever could be a price, a discount, a time, a date, a key of
//! the piano or a piece of advice is none: a reading that is missed costs less than one made up.

mod token;
mod words;

use std::ops::Range;

use token::{Kind, Tokens};
use words::{ADVICE, HUMIDITY_WORDS, LINKS, MONTHS, OTHER_UNITS, PITCH_WORDS, SHARES, TEMPERATURE_WORDS};

/// What was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Quantity {
    /// Of the room, in °C.
    Temperature,
    /// Relative, in percent.
    Humidity,
    /// Of A4, in Hz.
    Pitch,
}

impl Quantity {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Temperature => "temperature",
            Self::Humidity => "humidity",
            Self::Pitch => "pitch",
        }
    }
}

/// A reading.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// What was read.
    pub quantity: Quantity,
    /// In °C, % or Hz, rounded to a tenth.
    pub value: f64,
    /// The number and its unit, as bytes of the note.
    pub span: Range<usize>,
}

/// So much of a note is looked at, in bytes: the longest ones are pasted e-mails.
const NOTE_BYTES_MAX: usize = 64 * 1024;

/// Rooms have temperatures in between, °C.
const TEMPERATURES: std::ops::RangeInclusive<f64> = -15.0..=45.0;
/// Rooms have humidities in between, %.
const HUMIDITIES: std::ops::RangeInclusive<f64> = 3.0..=99.0;
/// With a unit, Hz.
const PITCHES: std::ops::RangeInclusive<f64> = 380.0..=480.0;
/// By a word alone, Hz.
const USUAL_PITCHES: std::ops::RangeInclusive<f64> = 400.0..=460.0;

/// The readings of a note, in the order of the text.
#[must_use]
pub fn readings(note: &str) -> Vec<Reading> {
    if !note.bytes().any(|byte| byte.is_ascii_digit()) {
        return Vec::new();
    }
    let mut end = note.len().min(NOTE_BYTES_MAX);
    while !note.is_char_boundary(end) {
        end -= 1;
    }
    let scan = Scan { tokens: Tokens::of(&note[..end]) };
    let mut found: Vec<(Range<usize>, Reading)> = Vec::new();
    // Percentages lean on what stands beside them, so they come last.
    for place in 0..scan.tokens.len() {
        if let Some(reading) = scan.temperature(place).or_else(|| scan.pitch(place))
            && found.last().is_none_or(|(places, _)| places.end <= reading.0.start)
        {
            found.push(reading);
        }
    }
    for place in 0..scan.tokens.len() {
        if let Some(reading) = scan.humidity(place, &found)
            && found.iter().all(|(places, _)| !places.contains(&place))
        {
            found.push(reading);
        }
    }
    found.sort_by_key(|(places, _)| places.start);
    found.into_iter().map(|(_, reading)| reading).collect()
}

/// Fahrenheit in Celsius.
#[must_use]
pub fn celsius(fahrenheit: f64) -> f64 {
    (fahrenheit - 32.0) / 1.8
}

/// The temperature in °C of a number without a letter: no room has 46 °C.
#[must_use]
pub fn celsius_of_unmarked(value: f64) -> f64 {
    if value > *TEMPERATURES.end() { celsius(value) } else { value }
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

struct Scan {
    tokens: Tokens,
}

/// A reading and the tokens it is made of.
type Found = (Range<usize>, Reading);

impl Scan {
    fn found(&self, quantity: Quantity, value: f64, places: Range<usize>) -> Option<Found> {
        let start = self.tokens.get(places.start)?.span.start;
        let end = self.tokens.get(places.end.checked_sub(1)?)?.span.end;
        Some((places, Reading { quantity, value: tenths(value), span: start..end }))
    }

    fn temperature(&self, place: usize) -> Option<Found> {
        let value = self.tokens.number(place)?;
        if self.is_none_of_ours(place) || self.is_advice(place) {
            return None;
        }
        let (unit, end) =
            self.degrees(place + 1).or_else(|| self.letter(place + 1, value)).or_else(|| {
                (self.is_named(place, TEMPERATURE_WORDS) && self.is_bare(place + 1))
                    .then_some((None, place + 1))
            })?;
        if self.word_is(end, &["angle", "angles", "nord", "sud"]) || self.is_cents(place, end) {
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
    fn degrees(&self, place: usize) -> Option<(Option<char>, usize)> {
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

    fn unit_letter(&self, place: usize) -> Option<char> {
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

    fn pitch(&self, place: usize) -> Option<Found> {
        let value = self.tokens.number(place)?;
        if self.is_money(place) || self.is_advice(place) {
            return None;
        }
        if self.word_is(place + 1, &["hz", "hertz", "herz"]) {
            return PITCHES.contains(&value).then(|| self.found(Quantity::Pitch, value, place..place + 2))?;
        }
        if !USUAL_PITCHES.contains(&value) || self.is_none_of_ours(place) || !self.is_bare(place + 1) {
            return None;
        }
        if let Some(start) = self.note_name(place) {
            return self.found(Quantity::Pitch, value, start..place + 1);
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

    fn humidity(&self, place: usize, found: &[Found]) -> Option<Found> {
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
        if self.is_share(place, end) {
            return None;
        }
        let is_it = self.is_humidity_near(place, end) || self.is_beside(place, end, found);
        is_it.then(|| self.found(Quantity::Humidity, value, place..end))?
    }

    fn is_humidity_near(&self, place: usize, end: usize) -> bool {
        let is_word = |at: usize| {
            self.word_is(at, HUMIDITY_WORDS) || (self.word_is(at, &["h"]) && self.word_is(at + 2, &["r"]))
        };
        let before = (place.saturating_sub(6)..place).rev().take_while(|at| !self.is_end(*at));
        let after = (end..end + 3).take_while(|at| !self.is_end(*at) && self.tokens.number(*at).is_none());
        before.into_iter().any(is_word) || after.into_iter().any(is_word)
    }

    /// Whether a temperature or a pitch stands beside it, with little in between.
    fn is_beside(&self, place: usize, end: usize, found: &[Found]) -> bool {
        let is_little = |between: Range<usize>| {
            between.len() <= 4
                && between.into_iter().all(|at| match self.tokens.kind(at) {
                    Some(Kind::Word) => {
                        self.word_is(at, &["et", "and", "avec", "with", "at", "a", "pour", "x", "the"])
                    }
                    Some(Kind::Sign(sign)) => !matches!(sign, '$' | '\n'),
                    _ => false,
                })
        };
        found.iter().any(|(places, _)| {
            (places.end <= place && is_little(places.end..place))
                || (end <= places.start && is_little(end..places.start))
        })
    }

    fn is_share(&self, place: usize, end: usize) -> bool {
        let before = (place.saturating_sub(3)..place).rev().take_while(|at| !self.is_end(*at));
        let after = (end..end + 3).take_while(|at| !self.is_end(*at) && self.tokens.number(*at).is_none());
        before.into_iter().chain(after).any(|at| self.word_is(at, SHARES))
    }

    /// Part of a price, a time, a date, or a count of something else.
    fn is_none_of_ours(&self, place: usize) -> bool {
        let number = |at: usize| self.tokens.number(at).is_some();
        let glued = |at: usize| self.tokens.is_glued(at);
        let joined = |sign: char, at: usize| self.tokens.is_sign(at, sign) && glued(at);
        let behind = place + 1;
        let before = place.wrapping_sub(1);
        self.is_money(place)
            || self.word_is(behind, MONTHS)
            || self.word_is(behind, OTHER_UNITS)
            // 20:30, 21/03, 2024-11-20, 1.2.3
            || (['/', ':', '-'].into_iter().any(|sign| joined(sign, behind)) && number(place + 2) && glued(place + 2)
                && !self.is_range(place + 2))
            || (glued(place) && ['/', ':', '.', '#'].into_iter().any(|sign| self.tokens.is_sign(before, sign))
                && !self.is_labelled(before))
            || (glued(place) && self.tokens.is_sign(before, '-') && glued(before)
                && self.tokens.number(place.wrapping_sub(2)).is_some() && !self.is_range(place))
            // A4, U1, B211: part of a name. 20h30: its minutes.
            || (glued(place) && matches!(self.tokens.kind(before), Some(Kind::Word)))
    }

    /// `temp:21`: the sign belongs to the name before it.
    fn is_labelled(&self, sign: usize) -> bool {
        self.tokens.is_sign(sign, ':') && matches!(self.tokens.kind(sign.wrapping_sub(1)), Some(Kind::Word))
            || (!self.tokens.is_glued(sign))
            || (self.tokens.is_sign(sign, '/')
                && !matches!(self.tokens.kind(sign.wrapping_sub(1)), Some(Kind::Number(_))))
            || (self.tokens.is_sign(sign, '.')
                && !matches!(self.tokens.kind(sign.wrapping_sub(1)), Some(Kind::Number(_))))
    }

    /// `20-22°`: the second number has the unit.
    fn is_range(&self, place: usize) -> bool {
        self.degrees(place + 1).is_some()
            || self.unit_letter(place + 1).is_some()
            || self.tokens.is_sign(place + 1, '%')
    }

    fn is_money(&self, place: usize) -> bool {
        let is_sign = |at: usize| ['$', '€', '£'].into_iter().any(|sign| self.tokens.is_sign(at, sign));
        is_sign(place + 1) || (place > 0 && is_sign(place - 1))
    }

    /// Whether advice stands before it in the same sentence.
    fn is_advice(&self, place: usize) -> bool {
        (place.saturating_sub(8)..place)
            .rev()
            .take_while(|at| {
                !self.is_end(*at) && !self.tokens.is_sign(*at, ',') && !self.tokens.is_sign(*at, '(')
            })
            .any(|at| self.word_is(at, ADVICE))
    }

    /// Whether one of these words names the number: directly before it, but for links.
    fn is_named(&self, place: usize, names: &[&str]) -> bool {
        let is_skipped = |at: &usize| {
            self.word_is(*at, LINKS)
                || [':', '=', '(', '.', '~', '-', '\''].into_iter().any(|sign| self.tokens.is_sign(*at, sign))
        };
        let nearest = (place.saturating_sub(4)..place).rev();
        let mut links = 0;
        for at in nearest {
            if self.word_is(at, names) && !(names == PITCH_WORDS && self.word_is(at, &["la"])) {
                return true;
            }
            links += 1;
            if links > 3 || !is_skipped(&at) {
                return false;
            }
        }
        false
    }

    /// Whether no unit follows.
    fn is_bare(&self, place: usize) -> bool {
        match self.tokens.kind(place) {
            None => true,
            Some(Kind::Number(_)) => !self.tokens.is_glued(place),
            Some(Kind::Degree) => false,
            Some(Kind::Sign(sign)) => !matches!(sign, '%' | '$' | '€' | '£' | '#' | '"'),
            Some(Kind::Word) => {
                !self.tokens.is_glued(place)
                    && !self.word_is(place, OTHER_UNITS)
                    && !self.word_is(place, MONTHS)
            }
        }
    }

    fn is_minus(&self, place: usize) -> bool {
        place > 0
            && self.tokens.is_sign(place - 1, '-')
            && self.tokens.is_glued(place)
            && !self.tokens.is_glued(place - 1)
    }

    fn is_end(&self, place: usize) -> bool {
        match self.tokens.kind(place) {
            None | Some(Kind::Sign(';' | '!' | '?' | '\n')) => true,
            // `24c. 34%` is one sentence, `H.R.` an abbreviation.
            Some(Kind::Sign('.')) => {
                let before = self.tokens.word(place.wrapping_sub(1));
                !(1..=4).contains(&before.len())
            }
            _ => false,
        }
    }

    fn word_is(&self, place: usize, words: &[&str]) -> bool {
        let word = self.tokens.word(place);
        !word.is_empty() && words.contains(&word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(note: &str) -> Vec<(&'static str, f64, &str)> {
        readings(note)
            .into_iter()
            .map(|reading| (reading.quantity.as_str(), reading.value, &note[reading.span]))
            .collect()
    }

    #[test]
    fn the_five_ways_in_which_technicians_are_known_to_write() {
        let (t, h, p) = ("temperature", "humidity", "pitch");
        for (note, expected) in [
            ("Accord 440Hz, 21C, 39%", vec![(p, 440.0, "440Hz"), (t, 21.0, "21C"), (h, 39.0, "39%")]),
            ("20°, 33%", vec![(t, 20.0, "20°"), (h, 33.0, "33%")]),
            ("68F, 40%", vec![(t, 20.0, "68F"), (h, 40.0, "40%")]),
            ("24c. 34%", vec![(t, 24.0, "24c"), (h, 34.0, "34%")]),
            (
                "Température ambiante 23° Celsius, humidité relative 35%",
                vec![(t, 23.0, "23° Celsius"), (h, 35.0, "35%")],
            ),
        ] {
            assert_eq!(read(note), expected, "{note}");
        }
    }

    #[test]
    fn a_price_a_discount_a_time_a_date_and_a_key_are_no_readings() {
        for note in [
            "Accord 140 $, rabais 15%",
            "Total $440, taxes 14,975 %",
            "RDV le 24 mai à 20h30, 21:00 au plus tard",
            "2024-11-20, 21/03/2024",
            "C4 et F5 collent, A0 cassée, Yamaha C3, U1",
            "La 4 sonne 12 cents trop bas, C#6 aussi",
            "Garder entre 40 et 50 % d'humidité, idéal 20 °C",
            "99",
        ] {
            assert_eq!(read(note), [], "{note}");
        }
    }

    #[test]
    fn a_note_of_any_length_is_read_up_to_a_limit() {
        let note = format!("{}20°, 33%", "é".repeat(NOTE_BYTES_MAX));
        assert_eq!(read(&note), []);
    }
}
