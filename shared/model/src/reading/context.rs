//! What stands around a number: units of other things, money, advice, shares, other readings.

use std::ops::Range;

use super::scan::{Found, Scan};
use super::token::Kind;
use super::words::{
    ADVICE, BESIDE, HUMIDITY_WORDS, LINKS, MONTHS, OTHER_UNITS, PITCH_WORDS, SHARES, TEMPERATURE_WORDS,
};

impl Scan {
    pub(super) fn is_humidity_near(&self, place: usize, end: usize) -> bool {
        let is_word = |at: usize| {
            self.word_is(at, HUMIDITY_WORDS) || (self.word_is(at, &["h"]) && self.word_is(at + 2, &["r"]))
        };
        let before = (place.saturating_sub(6)..place).rev().take_while(|at| !self.is_end(*at));
        let after = (end..end + 3).take_while(|at| !self.is_end(*at) && self.tokens.number(*at).is_none());
        // `H 40%`, but not `3 h 40%`.
        let is_letter = place > 0
            && self.word_is(place - 1, &["h"])
            && (place == 1 || self.tokens.number(place - 2).is_none());
        is_letter || before.into_iter().any(is_word) || after.into_iter().any(is_word)
    }

    /// Whether a temperature or a pitch stands beside it, with little in between.
    pub(super) fn is_beside(&self, place: usize, end: usize, found: &[Found]) -> bool {
        let is_little = |between: Range<usize>| {
            between.len() <= 6
                && between.into_iter().all(|at| match self.tokens.kind(at) {
                    Some(Kind::Word) => self.word_is(at, BESIDE) || self.word_is(at, TEMPERATURE_WORDS),
                    Some(Kind::Sign(sign)) => !matches!(sign, '$' | '\n'),
                    _ => false,
                })
        };
        found.iter().any(|(places, _)| {
            (places.end <= place && is_little(places.end..place))
                || (end <= places.start && is_little(end..places.start))
        })
    }

    pub(super) fn is_share(&self, place: usize, end: usize) -> bool {
        let before = (place.saturating_sub(3)..place).rev().take_while(|at| !self.is_end(*at));
        let after = (end..end + 3).take_while(|at| !self.is_end(*at) && self.tokens.number(*at).is_none());
        before.into_iter().chain(after).any(|at| self.word_is(at, SHARES))
    }

    /// Part of a price, a time, a date, or a count of something else.
    pub(super) fn is_none_of_ours(&self, place: usize) -> bool {
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
    pub(super) fn is_labelled(&self, sign: usize) -> bool {
        let before = self.tokens.kind(sign.wrapping_sub(1));
        self.tokens.is_sign(sign, ':') && matches!(before, Some(Kind::Word | Kind::Sign('.')))
            || (!self.tokens.is_glued(sign))
            || (self.tokens.is_sign(sign, '/')
                && !matches!(self.tokens.kind(sign.wrapping_sub(1)), Some(Kind::Number(_))))
            || (self.tokens.is_sign(sign, '.')
                && !matches!(self.tokens.kind(sign.wrapping_sub(1)), Some(Kind::Number(_))))
    }

    /// `20-22°`: the second number has the unit.
    pub(super) fn is_range(&self, place: usize) -> bool {
        self.degrees(place + 1).is_some()
            || self.unit_letter(place + 1).is_some()
            || self.tokens.is_sign(place + 1, '%')
    }

    pub(super) fn is_money(&self, place: usize) -> bool {
        let is_sign = |at: usize| ['$', '€', '£'].into_iter().any(|sign| self.tokens.is_sign(at, sign));
        is_sign(place + 1) || (place > 0 && is_sign(place - 1))
    }

    /// Whether advice stands before it in the same sentence.
    pub(super) fn is_advice(&self, place: usize) -> bool {
        (place.saturating_sub(8)..place)
            .rev()
            .take_while(|at| {
                !self.is_end(*at) && !self.tokens.is_sign(*at, ',') && !self.tokens.is_sign(*at, '(')
            })
            // `90 min` is a duration.
            .any(|at| self.word_is(at, ADVICE) && (at == 0 || self.tokens.number(at - 1).is_none()))
    }

    /// Whether one of these words names the number: directly before it, but for links.
    pub(super) fn is_named(&self, place: usize, names: &[&str]) -> bool {
        let is_skipped = |at: &usize| {
            self.word_is(*at, LINKS)
                || self.tokens.kind(*at) == Some(Kind::Degree)
                || [':', '=', '(', '.', '~', '-', '\''].into_iter().any(|sign| self.tokens.is_sign(*at, sign))
        };
        let nearest = (place.saturating_sub(4)..place).rev();
        let mut links = 0;
        for at in nearest {
            // `T° 21`
            if names == TEMPERATURE_WORDS
                && self.word_is(at, &["t"])
                && self.tokens.kind(at + 1) == Some(Kind::Degree)
            {
                return true;
            }
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
    pub(super) fn is_bare(&self, place: usize) -> bool {
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

    pub(super) fn is_minus(&self, place: usize) -> bool {
        place > 0
            && self.tokens.is_sign(place - 1, '-')
            && self.tokens.is_glued(place)
            && !self.tokens.is_glued(place - 1)
    }

    pub(super) fn is_end(&self, place: usize) -> bool {
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

    pub(super) fn word_is(&self, place: usize, words: &[&str]) -> bool {
        let word = self.tokens.word(place);
        !word.is_empty() && words.contains(&word)
    }
}
