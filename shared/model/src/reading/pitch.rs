//! Recognition of a number as the pitch of A4.

use super::labels::{NUMBERED, ON_ROADS, PLANNED, RAISES, ROAD_ENDS, ROADS};
use super::quantity::Quantity;
use super::scan::{Amount, Found, Scan};
use super::words::{PITCH_STATES, PITCH_WORDS};

/// Range of plausible pitches that have a unit, in Hz.
const PITCHES: std::ops::RangeInclusive<f64> = 380.0..=480.0;
/// Range of plausible pitches that only a word marks, in Hz.
const USUAL_PITCHES: std::ops::RangeInclusive<f64> = 400.0..=460.0;
/// Range of pitches of a piano, in Hz.
pub(super) const PIANO_PITCHES: std::ops::RangeInclusive<f64> = 425.0..=447.0;
/// Range of pitches that nothing marks, in Hz.
const PLAIN_PITCHES: std::ops::RangeInclusive<f64> = 430.0..=446.0;
/// Widest range of pitches that is one reading, in Hz.
const RANGE_HZ_MAX: f64 = 6.0;

impl Scan {
    pub(super) fn pitch(&self, index: usize) -> Option<Found> {
        let range = self.range(index).filter(|amount| {
            (amount.value - self.tokens.number(amount.first).unwrap_or(0.0)) * 2.0 <= RANGE_HZ_MAX
                && self.tokens.is_sign(amount.last - 1, '-')
        });
        range.and_then(|amount| self.pitch_of(amount)).or_else(|| self.pitch_of(self.single(index)?))
    }

    fn pitch_of(&self, amount: Amount) -> Option<Found> {
        let (index, end) = (amount.first, amount.end());
        let has_unit = self.word_is(end, &["hz", "hertz", "herz", "hert", "htz", "hrz"]);
        let unit_end = if has_unit { end + 1 } else { end };
        if self.is_money(amount)
            || self.is_advice(amount, unit_end)
            || self.is_earlier(amount, unit_end)
            || self.is_claim(amount)
            || self.is_refused(index)
            || self.word_is(unit_end, PLANNED)
        {
            return None;
        }
        if has_unit {
            return PITCHES
                .contains(&amount.value)
                .then(|| self.found(Quantity::Pitch, amount.value, self.sign_of_a(index)..unit_end))?;
        }
        if !USUAL_PITCHES.contains(&amount.value) || !self.is_bare(end) || self.is_address(amount) {
            return None;
        }
        if let Some(start) = self.note_name(index) {
            let is_road = self.is_road(start, end);
            return (!is_road).then(|| self.found(Quantity::Pitch, amount.value, start..end))?;
        }
        if self.is_other_number(amount, false) {
            return None;
        }
        let is_it = self.is_named(index, PITCH_WORDS)
            || self.is_pitch_state(amount)
            || self.is_from_to(amount)
            || self.is_plain_pitch(amount);
        (is_it && !self.is_road(index, end)).then(|| self.found(Quantity::Pitch, amount.value, index..end))?
    }

    /// Returns the index of the note name before the number: `A440`, `A-440`, `A = 442`, `A4=440`, `La 440`.
    pub(super) fn note_name(&self, index: usize) -> Option<usize> {
        let before = index.checked_sub(1)?;
        // `La: ≈440` is as good as `La: 440`.
        let before = if self.sign_is(before, &['≈', '~', '±']) { before.checked_sub(1)? } else { before };
        if self.is_plain_a(before) {
            let is_name =
                self.tokens.is_glued(index) || self.tokens.is_capital(before) && !self.is_shouted(before);
            return is_name.then_some(before);
        }
        if self.is_la(before) {
            return Some(before);
        }
        if let Some(name) = self.key_name(before) {
            return Some(name);
        }
        if !self.sign_is(before, &['=', ':', '-', '@']) {
            return None;
        }
        let name = before.checked_sub(1)?;
        let is_glued = !self.tokens.is_sign(before, '-') || self.tokens.is_glued(before);
        if is_glued && (self.is_plain_a(name) || self.is_la(name)) {
            return Some(name);
        }
        self.key_name(name)
    }

    /// Returns the index of the name that is written as one with a number in hertz, `A4 = 440 Hz`, or the number's own:
    /// before `La 440 Hz` the name is a word of the sentence.
    fn sign_of_a(&self, index: usize) -> usize {
        let is_joined = |name: &usize| {
            self.is_plain_a(*name)
                && (self.tokens.is_glued(index) || index - *name > 1)
                && !self.sign_is(index - 1, &['-', '@'])
        };
        self.note_name(index).filter(is_joined).unwrap_or(index)
    }

    /// Returns the index of the letter of `A4` or `La 4`, whose number is at that index.
    fn key_name(&self, number: usize) -> Option<usize> {
        let letter = number.checked_sub(1)?;
        let is_four = self.tokens.number(number).is_some_and(|value| (value - 4.0).abs() < f64::EPSILON);
        let is_name = self.is_plain_a(letter) && self.tokens.is_glued(number)
            || self.word_is(letter, &["la"]) && self.tokens.is_glued(number);
        (is_four && is_name).then_some(letter)
    }

    /// Reports whether the words around are all in capitals, so that `A` may be `à`.
    fn is_shouted(&self, index: usize) -> bool {
        let words: Vec<usize> =
            (index.saturating_sub(4)..index + 5).filter(|at| self.tokens.word(*at).len() > 2).collect();
        let is_shouted = |at: &usize| self.tokens.get(*at).is_some_and(|token| token.is_shouted);
        !words.is_empty() && words.iter().all(is_shouted)
    }

    /// Reports whether the token is the note `la`, not `là`.
    pub(super) fn is_la(&self, index: usize) -> bool {
        self.word_is(index, &["la"]) && self.tokens.get(index).is_some_and(|token| token.span.len() == 2)
    }

    /// Reports whether the token is the letter `a` itself, not `à`.
    fn is_plain_a(&self, index: usize) -> bool {
        self.word_is(index, &["a"]) && self.tokens.get(index).is_some_and(|token| token.span.len() == 1)
    }

    /// Reports whether the number is that of a road: `sur la 440`.
    fn is_road(&self, start: usize, end: usize) -> bool {
        let before = start.wrapping_sub(1);
        let is_to = self.word_is(before, &["a", "de"])
            && self.word_is(start, &["la"])
            // `corrigé à La 440` is the note, `à la 440` may be the road.
            && (!self.tokens.is_capital(start) || self.is_shouted(start))
            && !self.word_is(before.wrapping_sub(1), PITCH_WORDS)
            && !self.word_is(before.wrapping_sub(1), PITCH_STATES);
        let sentence = (start.saturating_sub(10)..start).rev().take_while(|at| !self.is_end(*at));
        let rest = (end..end + 10).take_while(|at| !self.is_end(*at));
        is_to
            || self.word_is(before, ON_ROADS)
            || self.word_is(end, ROAD_ENDS)
            || (self.word_is(end, &["est", "etait", "is", "was"]) && self.word_is(end + 1, ROAD_ENDS))
            || sentence.chain(rest).any(|at| self.word_is(at, ROADS))
    }

    /// Reports whether `à` or `at` leads from a word of tuning to the number: `laissé à 440`, `found at 437`.
    fn is_pitch_state(&self, amount: Amount) -> bool {
        let before = amount.first.wrapping_sub(1);
        let is_led = self.word_is(before, &["a", "at", "to", "au", "le", "en", "de", "from"])
            || self.sign_is(before, &['@', '>', '→', ':', '=']);
        let is_word = |at: usize| {
            self.word_is(at, PITCH_WORDS) && !self.word_is(at, &["la"]) || self.word_is(at, PITCH_STATES)
        };
        PIANO_PITCHES.contains(&amount.value)
            && is_led
            && !self.word_is(before, &["au"])
            && self.clause_before(amount.first).rev().take(8).any(is_word)
    }

    /// Reports whether a number is the pitch of a piano because nothing else is a number of that size: no door, invoice,
    /// phone or street is near it.
    pub(super) fn is_plain_pitch(&self, amount: Amount) -> bool {
        let (first, end) = (amount.first, amount.end());
        let before = first.wrapping_sub(1);
        let name = if self.sign_is(before, &['.', ':', '°']) || self.word_is(before, &["no", "de"]) {
            before.wrapping_sub(1)
        } else {
            before
        };
        // `salle : 440` is the pitch of the piano in that room.
        let is_room = self.tokens.is_sign(before, ':')
            && self.word_is(name, &["salle", "local", "room", "bureau", "chambre"]);
        let is_numbered = self.word_is(name, NUMBERED) && !is_room || self.sign_is(before, &['#', '$', '№']);
        let is_name_next = self.tokens.is_capital(end)
            && self.tokens.word(end).len() > 1
            && !self.tokens.get(end).is_some_and(|token| token.is_shouted);
        let is_long = self.is_number(before) && !self.tokens.is_sign(before, '\n')
            || self.tokens.number(end).is_some_and(|next| next >= 100.0)
            // `(438) 555-0131` and `438.555.0131` are phones.
            || self.tokens.number(end + 1).is_some_and(|next| next >= 100.0)
                && (self.tokens.is_sign(end, '.') && self.tokens.is_glued(end + 1)
                    || self.tokens.is_sign(end, ')') && self.tokens.is_sign(before, '('));
        // `HP-442` is a model, and `1,440` an amount.
        let is_part = self.tokens.is_glued(first)
            && self.sign_is(before, &['-', ',', '.'])
            && self.tokens.is_glued(before)
            && !self.tokens.is_sign(before.wrapping_sub(1), '%');
        PLAIN_PITCHES.contains(&amount.value)
            && !is_part
            && !is_numbered
            && !is_name_next
            && !is_long
            && !self.word_is(before, &["au", "du", "les", "des", "the"])
    }

    /// Reports whether the pitch was not reached: `pas monté à 440`, `didn't raise to 440`.
    fn is_refused(&self, first: usize) -> bool {
        let clause = self.clause_before(first);
        let is_not = |at: usize| {
            // `j'ai refusé: accordé 440` was done.
            let is_over = self.word_is(at, &["refuse", "impossible"]) && self.tokens.is_sign(at + 1, ':');
            !is_over
                && self.word_is(
                    at,
                    &[
                        "pas", "not", "t", "didnt", "couldnt", "wont", "jamais", "sans", "without", "refuse",
                        "impossible", "cannot",
                    ],
                )
        };
        let mut verbs = clause
            .clone()
            // `pas accordé depuis 2015: 432` says what was found.
            .filter(|at| self.word_is(*at, RAISES) && !self.word_is(at + 1, &["depuis", "since"]));
        verbs.any(|verb| clause.clone().any(|at| at < verb && verb - at <= 4 && is_not(at)))
    }

    /// Reports whether two pitches are joined: `de 436 à 440`, `436 -> 440`.
    fn is_from_to(&self, amount: Amount) -> bool {
        if !PIANO_PITCHES.contains(&amount.value) || amount.is_range() {
            return false;
        }
        let is_pitch = |at: usize| self.tokens.number(at).is_some_and(|value| PIANO_PITCHES.contains(&value));
        let joint = |at: usize| self.word_is(at, &["a", "to", "vers"]) || self.sign_is(at, &['→', '>']);
        let (first, end) = (amount.first, amount.end());
        let back = if self.tokens.is_sign(first.wrapping_sub(2), '-') { 3 } else { 2 };
        let next = if self.tokens.is_sign(end, '-') { end + 1 } else { end };
        let is_to = joint(first.wrapping_sub(1)) && is_pitch(first.wrapping_sub(back));
        let is_from = joint(next) && is_pitch(next + 1) && !self.is_money(amount);
        (is_to || is_from)
            && !self.clause_before(first).any(|at| self.word_is(at, &["touche", "touches", "note", "no"]))
    }
}
