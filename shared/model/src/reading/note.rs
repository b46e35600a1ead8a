//! Extraction of the readings of a note.

use super::quantity::Reading;
use super::scan::{Found, Scan};

/// Upper bound for the part of a note that is read: the longest notes are pasted e-mails.
const NOTE_BYTES_MAX: usize = 64 * 1024;

/// Returns the readings of a note, in the order of the text.
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
    let mut index = 0;
    // A percentage is recognised by the readings beside it, so humidities come last.
    while index < scan.len() {
        let series = scan.series(index);
        let readings = if series.is_empty() {
            scan.temperature(index).or_else(|| scan.pitch(index)).into_iter().collect()
        } else {
            series
        };
        let end = found.iter().map(|(tokens, _)| tokens.end).max().unwrap_or(0);
        let is_free = readings.first().is_some_and(|(tokens, _)| tokens.start >= end);
        if is_free {
            index = readings.iter().map(|(tokens, _)| tokens.end).max().unwrap_or(index).max(index + 1);
            found.extend(readings);
        } else {
            index += 1;
        }
    }
    let mut index = 0;
    while index < scan.len() {
        let humidity = scan.humidity(index, &found);
        let is_free = |(tokens, _): &Found| {
            found.iter().all(|(other, _)| tokens.end <= other.start || other.end <= tokens.start)
        };
        index += 1;
        if let Some(humidity) = humidity.filter(is_free) {
            index = humidity.0.end.max(index);
            found.push(humidity);
        }
    }
    found.sort_by_key(|(tokens, _)| tokens.start);
    found.into_iter().map(|(_, reading)| reading).collect()
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
    fn known_notations_of_technicians_are_read() {
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
    fn prices_times_dates_and_keys_are_no_readings() {
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
    fn long_note_is_read_up_to_the_limit() {
        let note = format!("{}20°, 33%", "é".repeat(NOTE_BYTES_MAX));
        assert_eq!(read(&note), []);
    }
}
