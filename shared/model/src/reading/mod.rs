//! Readings in technicians' notes, French and English: room temperature, relative humidity, pitch.
//!
//! `Accord 440Hz, 21C, 39%` holds all three. A number that could be a price, a discount, a time, a date, a key of the
//! piano, a road, cents, advice, a set-point, the weather or an earlier visit is no reading: a missed reading costs less
//! than an invented one. A range is one reading, with the midpoint for its value.

mod clause;
mod context;
mod hearsay;
mod humidity;
mod labels;
mod note;
mod past;
mod pitch;
mod quantity;
mod scan;
mod series;
mod temperature;
mod token;
mod words;

pub use note::readings;
pub use quantity::{Quantity, Reading, celsius, celsius_of_unmarked};
