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
    fn values_of_others_and_of_other_times_are_no_readings() {
        for note in [
            "Last visit (Nov 2023): 438, 35%, 21C. Nobody home today.",
            "Visite précédente, mai 2022: 22°, 45 %, 441.",
            "La dernière fois j'avais 35 %, 21° et 438.",
            "Owner emailed: \"it reads 28% and 19C here\".",
            "La cliente m'écrit: « 30 % et 25° dans le salon ».",
            "Selon la proprio 60 % l'été. On m'a dit 45 %.",
            "I told him 40 to 45%.",
            "Her father tuned it at 435 in the 50s.",
            "68F at night, 72F during the day per the schedule.",
            "Thermostat: 17° la nuit, 21° le jour.",
            "Side bearing 15 degrees. Bevel of 2 degrees.",
            "Heated floor at 80F. Colle à 18 °C minimum.",
            "Pinblock moisture 8%. Humidité du bois 9 %.",
        ] {
            assert_eq!(read(note), [], "{note}");
        }
    }

    #[test]
    fn words_around_a_reading_do_not_hide_it() {
        let (t, h, p) = ("temperature", "humidity", "pitch");
        for (note, expected) in [
            ("Humidity up after the rain: 64%.", vec![(h, 64.0, "64%")]),
            ("l'air est a 33 %", vec![(h, 33.0, "33 %")]),
            ("RH 41%/T 22/A4 439", vec![(h, 41.0, "41%"), (t, 22.0, "22"), (p, 439.0, "A4 439")]),
            ("T:22 H:41 P:438", vec![(t, 22.0, "22"), (h, 41.0, "41"), (p, 438.0, "438")]),
            ("La dernière fois 35 %, là 48 %.", vec![(h, 48.0, "48 %")]),
            ("28% despite the humidifier.", vec![(h, 28.0, "28%")]),
            ("AC on full blast: 18C, 48%.", vec![(t, 18.0, "18C"), (h, 48.0, "48%")]),
            ("Corrigé à La 440. Noté 39 %.", vec![(p, 440.0, "La 440"), (h, 39.0, "39 %")]),
            ("before: 436. after: 440. 180$", vec![(p, 436.0, "436"), (p, 440.0, "440")]),
            ("41 % on my hygrometer. A4=442 Hz", vec![(h, 41.0, "41 %"), (p, 442.0, "A4=442 Hz")]),
        ] {
            assert_eq!(read(note), expected, "{note}");
        }
    }

    #[test]
    fn long_note_is_read_up_to_the_limit() {
        let note = format!("{}20°, 33%", "é".repeat(NOTE_BYTES_MAX));
        assert_eq!(read(&note), []);
    }
}
