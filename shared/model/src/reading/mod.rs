//! Readings in technicians' notes, French and English: room temperature, relative humidity, pitch.
//!
//! `Accord 440Hz, 21C, 39%` holds all three. A number that could be a price, a discount, a time, a date, a key of the
//! piano or advice is no reading: a missed reading costs less than an invented one.

mod context;
mod note;
mod quantity;
mod scan;
mod token;
mod words;

pub use note::readings;
pub use quantity::{Quantity, Reading, celsius, celsius_of_unmarked};
