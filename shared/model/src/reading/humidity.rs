//! Recognition of a number as the relative humidity of the room.

use super::labels::{NOW, ROOM, SHOWN};
use super::quantity::Quantity;
use super::scan::{Amount, Found, Scan};
use super::words::{BESIDE, CAUSES, HUMIDITY_WORDS, HYGROMETERS, WOOD_WORDS};

/// Range of plausible room humidities, in percent.
const HUMIDITIES: std::ops::RangeInclusive<f64> = 3.0..=99.0;
/// Range of humidities of a percentage that nothing else marks.
const USUAL: std::ops::RangeInclusive<f64> = 10.0..=85.0;
/// Highest moisture of the wood of a piano, in percent.
const WOOD_MAX: f64 = 16.0;

impl Scan {
    pub(super) fn humidity(&self, index: usize, found: &[Found]) -> Option<Found> {
        let range = self.range(index).and_then(|amount| self.humidity_of(amount, found));
        range.or_else(|| self.humidity_of(self.single(index)?, found))
    }

    fn humidity_of(&self, amount: Amount, found: &[Found]) -> Option<Found> {
        let sign_end = self.percent_end(amount.end());
        let end = sign_end.unwrap_or(amount.end());
        if !HUMIDITIES.contains(&amount.value) || self.is_money(amount) || self.is_remote(amount, end) {
            return None;
        }
        if self.is_of_wood(amount, end) {
            return None;
        }
        let is_it = match sign_end {
            None => self.is_bare_humidity(amount, found),
            Some(_) if self.is_named(amount.first, HUMIDITY_WORDS) || self.is_of_humidity(end) => true,
            Some(_) if self.is_on_hygrometer(end) => true,
            Some(_) if self.is_share(amount, end) => false,
            Some(_) => {
                self.is_humidity_near(amount.first, end)
                    || self.is_headed(amount.first, HUMIDITY_WORDS)
                    || USUAL.contains(&amount.value) && self.is_despite_device(end)
                    || self.is_beside(amount.first, end, found)
                    || (USUAL.contains(&amount.value) && self.is_alone(amount, end, !found.is_empty()))
            }
        };
        is_it.then(|| self.found(Quantity::Humidity, amount.value, amount.first..end))?
    }

    /// Returns the index after `%`, `pour cent`, `p. cent` or `percent`.
    fn percent_end(&self, index: usize) -> Option<usize> {
        if self.tokens.is_sign(index, '%')
            || self.word_is(index, &["pourcent", "pourcents", "percent", "pct", "pc", "pourcentage"])
        {
            return Some(index + 1);
        }
        if !self.word_is(index, &["pour", "p", "per"]) {
            return None;
        }
        let dot = if self.tokens.is_sign(index + 1, '.') { index + 2 } else { index + 1 };
        if self.word_is(dot, &["cent", "cents"]) {
            return Some(dot + 1);
        }
        // `p.c.`, whose last dot may end the sentence.
        (self.word_is(index, &["p"]) && dot > index + 1 && self.word_is(dot, &["c"]))
            .then(|| if self.tokens.is_sign(dot + 1, '.') { dot + 2 } else { dot + 1 })
    }

    /// Reports whether words after the number name a humidity: `39 % d'humidité`, `41% RH`, `45% relative humidity`.
    fn is_of_humidity(&self, end: usize) -> bool {
        let is_link = |at: &usize| {
            self.word_is(*at, &["d", "de", "of", "relative", "rel", "taux"])
                || self.sign_is(*at, &['\'', '’', '(', '.'])
        };
        let at = (end..end + 5).find(|at| !is_link(at)).unwrap_or(end);
        self.word_is(at, HUMIDITY_WORDS) || self.is_hr(at)
    }

    /// Reports whether words after the number say where it was read: `42 % sur l'hygro de Mme`.
    fn is_on_hygrometer(&self, end: usize) -> bool {
        let is_link = |at: &usize| {
            self.word_is(
                *at,
                &[
                    "sur", "on", "a", "au", "l", "le", "the", "mon", "my", "son", "selon", "par", "by",
                    "per", "from", "d", "her", "his", "their", "leur", "notre", "our",
                ],
            ) || self.sign_is(*at, &['\'', '’', '('])
        };
        let hygrometer = (end..end + 6).find(|at| !is_link(at));
        hygrometer.is_some_and(|at| self.word_is(at, HYGROMETERS))
    }

    /// Reports whether a device for the humidity is the cause or the concession: `26 % malgré l'humidificateur`.
    fn is_despite_device(&self, end: usize) -> bool {
        let after = self.clause_after(end);
        let is_device = |at: usize| {
            let word = self.tokens.word(at);
            ["humidif", "dehumidif", "deshumidif", "dampp"].iter().any(|stem| word.starts_with(stem))
        };
        self.word_is(end, CAUSES) && after.into_iter().any(is_device)
    }

    /// Reports whether the amount is the moisture of wood: `sommier à 7 % d'humidité`, `moisture content 8%`.
    fn is_of_wood(&self, amount: Amount, end: usize) -> bool {
        let clause = || self.clause_before(amount.first).chain(self.clause_after(end));
        amount.value <= WOOD_MAX && clause().any(|at| self.word_is(at, WOOD_WORDS))
    }

    /// Reports whether the tokens are `H.R.` or `H R`.
    fn is_hr(&self, at: usize) -> bool {
        self.word_is(at, &["h", "r"])
            && (self.word_is(at + 1, &["r", "h"])
                || self.sign_is(at + 1, &['.', '/']) && self.word_is(at + 2, &["r", "h"]))
    }

    /// Reports whether a number without a percent sign is a humidity: `HR 40`, `T° 20 H 40`, `40 RH`, `21°C/40`.
    fn is_bare_humidity(&self, amount: Amount, found: &[Found]) -> bool {
        let end = amount.end();
        let is_rh = self.word_is(end, &["rh"]) || self.word_is(end, &["hr"]) && self.tokens.is_capital(end);
        let is_of = self.word_is(end, &["d", "de", "of"]) && self.is_of_humidity(end);
        if (is_rh || is_of) && USUAL.contains(&amount.value) && !self.is_glued_to_word(amount.first) {
            return true;
        }
        if !self.is_bare(end) || (self.tokens.is_sign(end, '-') && self.is_number(end + 1)) {
            return false;
        }
        // `H38 T21`: a temperature follows.
        let is_before_t = self.word_is(amount.first.wrapping_sub(1), &["h"])
            && self.word_is(end, &["t"])
            && self.is_number(end + 1)
            && USUAL.contains(&amount.value);
        if is_before_t {
            return true;
        }
        let is_word = self.is_named(amount.first, HUMIDITY_WORDS)
            || USUAL.contains(&amount.value) && self.is_headed(amount.first, HUMIDITY_WORDS);
        if is_word && !self.is_other_number(amount, true) {
            return true;
        }
        USUAL.contains(&amount.value)
            && (self.is_pair_end(amount.first, found) || self.is_after_temperature(amount, found))
    }

    /// Reports whether `H` names the number after a temperature: `T° 20 H 40`, `T: 21 H: 38`.
    fn is_pair_end(&self, index: usize, found: &[Found]) -> bool {
        let letter =
            if index > 1 && self.sign_is(index - 1, &[':', '=']) { index - 2 } else { index.wrapping_sub(1) };
        let end = if letter > 0 && self.sign_is(letter - 1, &[',', '/', '-']) { letter - 1 } else { letter };
        self.word_is(letter, &["h"])
            && (found.iter().any(|(tokens, _)| tokens.end == end)
                || self.tokens.is_sign(index.wrapping_sub(1), ':'))
    }

    /// Reports whether a slash joins the number to a temperature with a unit: `21°C/40`.
    fn is_after_temperature(&self, amount: Amount, found: &[Found]) -> bool {
        let slash = amount.first.wrapping_sub(1);
        let is_temperature = |(tokens, reading): &Found| {
            tokens.end == slash && tokens.len() > 1 && reading.quantity == Quantity::Temperature
        };
        self.sign_is(slash, &['/', '-', ','])
            && amount.value >= 15.0
            && (amount.end() >= self.len()
                || self.is_stop(amount.end())
                || self.sign_is(amount.end(), &['/']))
            && found.iter().any(is_temperature)
    }

    /// Reports whether nothing in the clause of a percentage says what it is a share of: in a note with other readings,
    /// or where a word says that it was measured, or that it is of today.
    fn is_alone(&self, amount: Amount, end: usize, has_others: bool) -> bool {
        // A cause behind the number says nothing about what it is a share of.
        let after = self.clause_after(end);
        let stop = after.clone().find(|at| self.word_is(*at, CAUSES)).unwrap_or(after.end);
        let clause = || self.clause_before(amount.first).chain(end..stop);
        // `l'air est à 35 %`, `salle: 35 %`.
        let is_place = |at: usize| self.word_is(at, &["air"]) || self.word_is(at, ROOM);
        let nearest = amount.first.wrapping_sub(1);
        let is_joint =
            self.word_is(nearest, &["a", "at", "est", "is", "was"]) || self.sign_is(nearest, &[':', '=']);
        let is_led = is_place(nearest) || is_joint && self.clause_before(amount.first).any(is_place);
        let is_noted = |at: usize| {
            self.word_is(at, &["note", "notee", "lu", "lue"])
                && self.tokens.get(at).is_some_and(|token| token.span.len() != 4)
        };
        // `là 48 %` is of now; `la` is an article or a note.
        let is_now = |at: usize| self.word_is(at, NOW) || self.word_is(at, &["la"]) && !self.is_la(at);
        let is_shown = |at: usize| self.word_is(at, SHOWN) || is_now(at) || is_noted(at);
        let is_neutral = |at: usize| {
            self.tokens.word(at).is_empty()
                || self.word_is(at, BESIDE)
                || self.word_is(at, ROOM)
                || is_shown(at)
        };
        let is_near = |at: usize| at < amount.first && amount.first - at <= 2 && self.word_is(at, SHOWN);
        clause().any(is_near)
            || (clause().all(is_neutral) && (has_others || is_led || clause().any(is_shown)))
    }
}
