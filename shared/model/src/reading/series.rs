//! Series of numbers without units that technicians write in a fixed order: `Accord 440 / 21 / 40`.

use super::pitch::PIANO_PITCHES;
use super::quantity::{Quantity, celsius_of_unmarked};
use super::scan::{Found, Scan};
use super::words::{PITCH_WORDS, TEMPERATURE_WORDS};

/// Range of room temperatures in a series, in °C.
const CELSIUS: std::ops::RangeInclusive<f64> = 12.0..=33.0;
/// Range of room temperatures in a series, in °F.
const FAHRENHEIT: std::ops::RangeInclusive<f64> = 55.0..=90.0;
/// Range of humidities in a series, in percent.
const HUMIDITIES: std::ops::RangeInclusive<f64> = 10.0..=80.0;

/// Number of a series with the index after its unit.
#[derive(Debug, Clone, Copy)]
struct Item {
    number: usize,
    end: usize,
    value: f64,
}

impl Scan {
    /// Returns the readings of the series that begins at that index: a pitch, a temperature and a humidity, or the
    /// last two after a slash. Empty where there is none.
    pub(super) fn series(&self, index: usize) -> Vec<Found> {
        self.triplet(index).or_else(|| self.pair(index)).unwrap_or_default()
    }

    /// Reads three numbers, one of which is a pitch: `440 / 21 / 40`, `21-40-440`.
    fn triplet(&self, index: usize) -> Option<Vec<Found>> {
        let first = self.item(index)?;
        let second = self.item(self.joint(first.end)?)?;
        let third = self.item(self.joint(second.end)?)?;
        let items = [first, second, third];
        let pitch = items.iter().position(|item| PIANO_PITCHES.contains(&item.value))?;
        let mut others = items.to_vec();
        let pitch = others.remove(pitch);
        let (mut temperature, mut humidity) = (others[0], others[1]);
        let has_percent = |item: Item| self.tokens.is_sign(item.number + 1, '%');
        let is_warm = |item: Item| CELSIUS.contains(&item.value) || FAHRENHEIT.contains(&item.value);
        if has_percent(temperature) || !is_warm(temperature) || self.is_degree_next(humidity.number + 1) {
            (temperature, humidity) = (humidity, temperature);
        }
        let is_plausible =
            is_warm(temperature) && HUMIDITIES.contains(&humidity.value) && !has_percent(temperature);
        // Three such numbers between slashes are nothing else.
        let is_slashed = [first, second].iter().all(|item| self.tokens.is_sign(item.end, '/'))
            && !self.sign_is(index.wrapping_sub(1), &['/', '-', '$'])
            && !self.sign_is(third.end, &['/', '$']);
        if !is_plausible || !(is_slashed || self.is_series(index, third.end)) {
            return None;
        }
        let start = self.note_name(pitch.number).unwrap_or(pitch.number);
        let celsius = self
            .temperature(temperature.number)
            .map_or(celsius_of_unmarked(temperature.value), |(_, reading)| reading.value);
        let found = [
            self.found(Quantity::Pitch, pitch.value, start..pitch.end),
            self.found(Quantity::Temperature, celsius, temperature.number..temperature.end),
            self.found(Quantity::Humidity, humidity.value, humidity.number..humidity.end),
        ];
        let mut found: Vec<Found> = found.into_iter().flatten().collect();
        found.sort_by_key(|(tokens, _)| tokens.start);
        Some(found)
    }

    /// Reads a temperature without a unit before a humidity: `21 / 38 %`.
    fn pair(&self, index: usize) -> Option<Vec<Found>> {
        let temperature = self.item(index)?;
        let humidity = self.item(self.joint(temperature.end)?)?;
        let is_pair = temperature.end == index + 1
            && self.sign_is(index + 1, &['/', ','])
            && self.tokens.is_sign(humidity.number + 1, '%')
            && (CELSIUS.contains(&temperature.value) || FAHRENHEIT.contains(&temperature.value))
            && HUMIDITIES.contains(&humidity.value);
        let is_slash = self.tokens.is_sign(index + 1, '/');
        let is_open = index == 0 || self.is_stop(index - 1) || self.sign_is(index - 1, &['/', ':', '-']);
        if !is_pair || !(is_slash || is_open) || !self.is_series(index, humidity.end) {
            return None;
        }
        let found = [
            self.found(Quantity::Temperature, celsius_of_unmarked(temperature.value), index..temperature.end),
            self.found(Quantity::Humidity, humidity.value, humidity.number..humidity.end),
        ];
        Some(found.into_iter().flatten().collect())
    }

    fn item(&self, number: usize) -> Option<Item> {
        let value = self.tokens.number(number)?;
        Some(Item { number, end: self.skip_unit(number + 1), value })
    }

    /// Returns the index of the next number of a series: a separator, or a space, stands before it.
    fn joint(&self, end: usize) -> Option<usize> {
        if self.sign_is(end, &['/', ',', '-', '|', ';']) {
            return self.is_number(end + 1).then_some(end + 1);
        }
        (self.is_number(end) && !self.tokens.is_glued(end)).then_some(end)
    }

    /// Reports whether nothing around the numbers makes them something else: a pitch or the begin of a clause stands
    /// before them, and no unit, price or further number behind.
    fn is_series(&self, start: usize, end: usize) -> bool {
        let name = self.note_name(start).unwrap_or(start);
        let is_named = name < start
            || self.is_named(start, PITCH_WORDS)
            || self.is_named(start, TEMPERATURE_WORDS)
            || (start.saturating_sub(4)..start)
                .any(|at| self.word_is(at, PITCH_WORDS) && !self.is_number(at + 1));
        let is_open = name == 0
            || self.is_stop(name - 1)
            || self.tokens.is_sign(name - 1, ':') && !self.is_number(name.wrapping_sub(2))
            || self.tokens.is_sign(name - 1, '-') && !self.tokens.is_glued(name - 1)
            || self.word_is(name - 1, &["et", "and"]) && name > 1 && self.skip_unit(name - 2) > name - 2
            || self.word_is(name - 1, &["et", "and"]) && name > 1 && self.is_number(name - 2);
        let is_closed = end >= self.len()
            || self.is_stop(end)
            || (self.is_bare(end)
                && !self.is_number(end)
                && !(self.sign_is(end, &['-', '/', '.', ':']) && self.is_number(end + 1)));
        let amount = self.single(start);
        let is_open = is_open || amount.is_some_and(|amount| self.is_plain_pitch(amount));
        (is_named || is_open)
            && is_closed
            && !amount.is_some_and(|amount| self.is_money(amount) || self.is_remote(amount, end))
    }
}
