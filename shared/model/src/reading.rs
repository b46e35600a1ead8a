//! Readings in technicians' notes, French and English: room temperature, relative humidity, pitch.
//!
//! `Accord 440Hz, 21C, 39%` is all three. Whatever could be a price, a discount, a time, a date, a key of
//! the piano or a piece of advice is none: a reading that is missed costs less than one made up.

mod context;
mod scan;
mod token;
mod words;

use std::ops::Range;

use scan::{Found, Scan, TEMPERATURES};

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
    let scan = Scan::of(&note[..end]);
    let mut found: Vec<Found> = Vec::new();
    // Percentages lean on what stands beside them, so they come last.
    for place in 0..scan.len() {
        if let Some(reading) = scan.temperature(place).or_else(|| scan.pitch(place))
            && found.last().is_none_or(|(places, _)| places.end <= reading.0.start)
        {
            found.push(reading);
        }
    }
    for place in 0..scan.len() {
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
