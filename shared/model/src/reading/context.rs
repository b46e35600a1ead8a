//! Context of a number: units of other things, money, names, shares, other readings.

use std::ops::Range;

use super::scan::{Amount, Found, Scan};
use super::token::TokenKind;
use super::words::{
    BESIDE, DRYNESS_WORDS, HUMIDITY_WORDS, LINKS, MONTHS, OTHER_UNITS, PITCH_WORDS, SHARES, TEMPERATURE_WORDS,
};
use crate::matching::similarity;

impl Scan {
    /// Reports whether a word for humidity, or for dry or damp air, is in the same sentence, near the number.
    pub(super) fn is_humidity_near(&self, index: usize, end: usize) -> bool {
        let is_word = |at: usize| {
            self.names(at, HUMIDITY_WORDS)
                || self.word_is(at, DRYNESS_WORDS)
                || (self.word_is(at, &["h"]) && self.word_is(at + 2, &["r"]))
        };
        let before = (index.saturating_sub(12)..index).rev().take_while(|at| !self.is_end(*at));
        let after = (end..end + 4).take_while(|at| !self.is_end(*at) && !self.is_number(*at));
        // `H 40%`, but not `3 h 40%`.
        let letter = if index > 1 && self.sign_is(index - 1, &[':', '=']) { index - 1 } else { index };
        let is_letter =
            letter > 0 && self.word_is(letter - 1, &["h"]) && (letter == 1 || !self.is_number(letter - 2));
        is_letter || before.into_iter().any(is_word) || after.into_iter().any(is_word)
    }

    /// Reports whether a temperature or a pitch is beside the number, with few tokens in between.
    pub(super) fn is_beside(&self, index: usize, end: usize, found: &[Found]) -> bool {
        let is_little = |between: Range<usize>| {
            between.len() <= 7
                && between.into_iter().all(|at| match self.tokens.kind(at) {
                    Some(TokenKind::Word) => self.word_is(at, BESIDE) || self.word_is(at, TEMPERATURE_WORDS),
                    Some(TokenKind::Sign(sign)) => !matches!(sign, '$' | '\n'),
                    _ => false,
                })
        };
        found.iter().any(|(tokens, _)| {
            (tokens.end <= index && is_little(tokens.end..index))
                || (end <= tokens.start && is_little(end..tokens.start))
        })
    }

    /// Reports whether the percentage is a share of something else, such as a discount.
    pub(super) fn is_share(&self, amount: Amount, end: usize) -> bool {
        let (index, is_of) = (amount.first, self.word_is(end, &["de", "des", "du", "d", "of"]));
        let is_end =
            |at: usize| self.is_end(at) || self.tokens.is_sign(at, '.') && self.tokens.is_capital(at + 1);
        let before = (index.saturating_sub(3)..index).rev().take_while(|at| !is_end(*at));
        let after = (end..end + 3).take_while(|at| !is_end(*at) && !self.is_number(*at));
        // `20 % des marteaux`; `38 % de HR` is no share, and has been seen before.
        // `noté 44 %` was measured, and before a colon stands the cause: `humidité montée avec la pluie: 64 %`.
        let is_word = |at: usize| {
            self.word_is(at, SHARES)
                && !(self.word_is(at, &["note"])
                    && self.tokens.get(at).is_some_and(|token| token.span.len() > 4))
        };
        let is_headed = self.is_headed(index, HUMIDITY_WORDS);
        is_of || after.into_iter().any(is_word) || !is_headed && before.into_iter().any(is_word)
    }

    /// Reports whether the number is part of a price, a time, a date or a name, or counts something else. A number with
    /// a label, as in `T20 H40`, may be glued to it.
    pub(super) fn is_other_number(&self, amount: Amount, is_labelled: bool) -> bool {
        let (index, behind) = (amount.first, amount.end());
        let before = index.wrapping_sub(1);
        let glued = |at: usize| self.tokens.is_glued(at);
        let joined = |sign: char, at: usize| self.tokens.is_sign(at, sign) && glued(at);
        let next = behind + 1;
        // Times and dates: 20:30, 21/03, 2024-11-20, 1.2.3.
        let is_date = ['/', ':', '-'].into_iter().any(|sign| joined(sign, behind))
            && self.is_number(next)
            && glued(next)
            && !self.has_reading_unit(next + 1);
        let is_date_end = glued(index)
            && (self.sign_is(before, &['/', ':', '.', '#']) && !self.is_label_sign(before)
                || self.tokens.is_sign(before, '-')
                    && glued(before)
                    && self.is_number(index.wrapping_sub(2))
                    && !self.has_reading_unit(behind));
        let is_pair = self.is_pair_letter(behind);
        self.is_money(amount)
            || self.word_is(behind, MONTHS)
            || (self.word_is(behind, OTHER_UNITS) && !is_pair)
            || is_date
            || is_date_end
            // A4, U1 and B211 are names; in 20h30 the number is the minutes.
            || (self.is_glued_to_word(index) && !is_labelled && !is_pair)
    }

    pub(super) fn is_glued_to_word(&self, index: usize) -> bool {
        self.tokens.is_glued(index)
            && matches!(self.tokens.kind(index.wrapping_sub(1)), Some(TokenKind::Word))
    }

    /// Reports whether the sign belongs to the name before it: `temp:21`.
    fn is_label_sign(&self, sign: usize) -> bool {
        let before = self.tokens.kind(sign.wrapping_sub(1));
        self.tokens.is_sign(sign, ':') && matches!(before, Some(TokenKind::Word | TokenKind::Sign('.')))
            || !self.tokens.is_glued(sign)
            || (self.sign_is(sign, &['/', '.']) && !matches!(before, Some(TokenKind::Number(_))))
    }

    /// Reports whether a degree, a letter or a percent sign is at that index: `20-22°`, `2024/39%`.
    fn has_reading_unit(&self, index: usize) -> bool {
        self.degrees(index).is_some() || self.unit_letter(index).is_some() || self.tokens.is_sign(index, '%')
    }

    /// Reports whether a currency sign or word is directly before or after the amount.
    pub(super) fn is_money(&self, amount: Amount) -> bool {
        let is_sign = |at: usize| self.sign_is(at, &['$', '€', '£']);
        is_sign(amount.end()) || (amount.first > 0 && is_sign(amount.first - 1))
    }

    /// Reports whether the number is that of a house: `au 440, rue des Tilleuls`.
    pub(super) fn is_address(&self, amount: Amount) -> bool {
        let at = if self.tokens.is_sign(amount.end(), ',') { amount.end() + 1 } else { amount.end() };
        self.word_is(
            at,
            &[
                "rue", "avenue", "av", "boul", "boulevard", "chemin", "ch", "rang", "place", "street",
                "road", "route", "montee",
            ],
        )
    }

    /// Reports whether one of these words names the number: directly before it, linking words aside.
    pub(super) fn is_named(&self, index: usize, names: &[&str]) -> bool {
        let is_skipped = |at: usize| {
            self.word_is(at, LINKS)
                || self.tokens.kind(at) == Some(TokenKind::Degree)
                || self.sign_is(
                    at,
                    &[':', '=', '(', ')', '.', '~', '-', '\'', '’', '@', '>', '→', '≈', '%', '*', '/'],
                )
        };
        let is_of_pitch = names == PITCH_WORDS;
        for (links, at) in (index.saturating_sub(6)..index).rev().enumerate() {
            // `T° 21` names a temperature.
            if names == TEMPERATURE_WORDS
                && self.word_is(at, &["t"])
                && (self.tokens.kind(at + 1) == Some(TokenKind::Degree) || self.sign_is(at + 1, &['=', ':']))
            {
                return true;
            }
            if self.names(at, names) && !(is_of_pitch && self.word_is(at, &["la"])) {
                return true;
            }
            if names == HUMIDITY_WORDS
                && self.word_is(at, &["h"])
                && (self.word_is(at + 2, &["r"]) || self.word_is(at + 1, &["r"]))
            {
                return true;
            }
            if self.is_symbol_of(at, names) {
                return true;
            }
            // `440 / 21` is a list, in which the pitch names nothing.
            let is_list = self.tokens.is_sign(at, '/') && at > 0 && self.is_number(at - 1);
            if links > 4 || is_list || !is_skipped(at) {
                return false;
            }
        }
        false
    }

    /// Reports whether one of these words stands in the clause that a colon before the number ends, with no other number:
    /// `Humidité montée avec la pluie: 64`.
    pub(super) fn is_headed(&self, index: usize, names: &[&str]) -> bool {
        let colon = index.wrapping_sub(1);
        if !self.sign_is(colon, &[':']) {
            return false;
        }
        let head = self.clause_before(colon);
        !head.clone().any(|at| self.is_number(at)) && head.into_iter().any(|at| self.names(at, names))
    }

    /// Reports whether the token is a pictogram for the quantity of these words.
    fn is_symbol_of(&self, at: usize, names: &[&str]) -> bool {
        if names == TEMPERATURE_WORDS {
            return self.tokens.is_sign(at, '🌡');
        }
        if names == HUMIDITY_WORDS {
            return self.sign_is(at, &['💧', '💦', '🌫']);
        }
        names == PITCH_WORDS && self.sign_is(at, &['🎵', '🎼', '🎶', '🎹'])
    }

    /// Reports whether the token is one of these words, a misspelling of a long one included: `humditée`, `tempreature`.
    pub(super) fn names(&self, index: usize, names: &[&str]) -> bool {
        let word = self.tokens.word(index);
        if word.is_empty() {
            return false;
        }
        let is_misspelt = |name: &&str| {
            name.len() >= 7
                && word.len() >= 6
                && word.as_bytes()[0] == name.as_bytes()[0]
                && similarity(word, name) > 0.0
        };
        // `humidifié` and `déshumidifié` are no humidity.
        names.contains(&word)
            || (!word.starts_with("humidif") && !word.starts_with("accorde") && names.iter().any(is_misspelt))
    }

    /// Reports whether no unit follows the number.
    pub(super) fn is_bare(&self, index: usize) -> bool {
        match self.tokens.kind(index) {
            None => true,
            Some(TokenKind::Number(_)) => !self.tokens.is_glued(index),
            Some(TokenKind::Degree) => false,
            Some(TokenKind::Sign(sign)) => !matches!(sign, '%' | '$' | '€' | '£' | '#' | '"'),
            Some(TokenKind::Word) => {
                !self.tokens.is_glued(index)
                    && !self.word_is(index, OTHER_UNITS)
                    && !self.word_is(index, MONTHS)
                    && !self.word_is(index, &["hz", "hertz", "pourcent", "percent", "pct"])
                    // `H:36,5 P:439,5`: a label follows, not `p. cent`.
                    && (!self.word_is(index, &["p"]) || self.sign_is(index + 1, &[':', '=']))
                    && self.degrees(index).is_none()
            }
        }
    }
}
