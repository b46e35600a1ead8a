//! Quantities that are read from notes, with their units.

use std::ops::{Range, RangeInclusive};

/// Quantity of a reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Quantity {
    /// Temperature of the room, in °C.
    Temperature,
    /// Relative humidity, in percent.
    Humidity,
    /// Pitch of A4, in Hz.
    Pitch,
}

impl Quantity {
    /// Returns the name in the column `readings`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Temperature => "temperature",
            Self::Humidity => "humidity",
            Self::Pitch => "pitch",
        }
    }
}

/// Value that was read from a note.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Quantity that was measured.
    pub quantity: Quantity,
    /// Value in °C, % or Hz, rounded to a tenth.
    pub value: f64,
    /// Byte range of the number and its unit in the note.
    pub span: Range<usize>,
}

/// Range of plausible room temperatures, in °C.
pub(super) const TEMPERATURES: RangeInclusive<f64> = -15.0..=45.0;

/// Converts Fahrenheit to Celsius.
#[must_use]
pub fn celsius(fahrenheit: f64) -> f64 {
    (fahrenheit - 32.0) / 1.8
}

/// Returns the temperature in °C of a number without a unit: above 45 it must be Fahrenheit.
#[must_use]
pub fn celsius_of_unmarked(value: f64) -> f64 {
    if value > *TEMPERATURES.end() { celsius(value) } else { value }
}
