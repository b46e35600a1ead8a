//! Context of a number: units of other things, money, advice, shares, other readings.

use std::ops::Range;

use super::scan::{Found, Scan};
use super::token::TokenKind;
use super::words::{
    ADVICE, BESIDE, HUMIDITY_WORDS, LINKS, MONTHS, OTHER_UNITS, PITCH_WORDS, SHARES, TEMPERATURE_WORDS,
};

impl Scan {
    /// Reports whether a word for humidity is in the same sentence, near the number.
    pub(super) fn is_humidity_near(&self, index: usize, end: usize) -> bool {
        let is_word = |at: usize| {
            self.word_is(at, HUMIDITY_WORDS) || (self.word_is(at, &["h"]) && self.word_is(at + 2, &["r"]))
        };
        let before = (index.saturating_sub(6)..index).rev().take_while(|at| !self.is_end(*at));
        let after = (end..end + 3).take_while(|at| !self.is_end(*at) && self.tokens.number(*at).is_none());
        // `H 40%`, but not `3 h 40%`.
        let is_letter = index > 0
            && self.word_is(index - 1, &["h"])
            && (index == 1 || self.tokens.number(index - 2).is_none());
        is_letter || before.into_iter().any(is_word) || after.into_iter().any(is_word)
    }

    /// Reports whether a temperature or a pitch is beside the number, with few tokens in between.
    pub(super) fn is_beside(&self, index: usize, end: usize, found: &[Found]) -> bool {
        let is_little = |between: Range<usize>| {
            between.len() <= 6
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
    pub(super) fn is_share(&self, index: usize, end: usize) -> bool {
        let before = (index.saturating_sub(3)..index).rev().take_while(|at| !self.is_end(*at));
        let after = (end..end + 3).take_while(|at| !self.is_end(*at) && self.tokens.number(*at).is_none());
        before.into_iter().chain(after).any(|at| self.word_is(at, SHARES))
    }

    /// Reports whether the number is part of a price, a time, a date or a name, or counts something else.
    pub(super) fn is_other_number(&self, index: usize) -> bool {
        let number = |at: usize| self.tokens.number(at).is_some();
        let glued = |at: usize| self.tokens.is_glued(at);
        let joined = |sign: char, at: usize| self.tokens.is_sign(at, sign) && glued(at);
        let behind = index + 1;
        let before = index.wrapping_sub(1);
        self.is_money(index)
            || self.word_is(behind, MONTHS)
            || self.word_is(behind, OTHER_UNITS)
            // Times and dates: 20:30, 21/03, 2024-11-20, 1.2.3.
            || (['/', ':', '-'].into_iter().any(|sign| joined(sign, behind)) && number(index + 2) && glued(index + 2)
                && !self.is_range(index + 2))
            || (glued(index) && ['/', ':', '.', '#'].into_iter().any(|sign| self.tokens.is_sign(before, sign))
                && !self.is_labelled(before))
            || (glued(index) && self.tokens.is_sign(before, '-') && glued(before)
                && self.tokens.number(index.wrapping_sub(2)).is_some() && !self.is_range(index))
            // A4, U1 and B211 are names; in 20h30 the number is the minutes.
            || (glued(index) && matches!(self.tokens.kind(before), Some(TokenKind::Word)))
    }

    /// Reports whether the sign belongs to the name before it: `temp:21`.
    pub(super) fn is_labelled(&self, sign: usize) -> bool {
        let before = self.tokens.kind(sign.wrapping_sub(1));
        self.tokens.is_sign(sign, ':') && matches!(before, Some(TokenKind::Word | TokenKind::Sign('.')))
            || (!self.tokens.is_glued(sign))
            || (self.tokens.is_sign(sign, '/')
                && !matches!(self.tokens.kind(sign.wrapping_sub(1)), Some(TokenKind::Number(_))))
            || (self.tokens.is_sign(sign, '.')
                && !matches!(self.tokens.kind(sign.wrapping_sub(1)), Some(TokenKind::Number(_))))
    }

    /// Reports whether the second number of a range has a unit: `20-22°`.
    pub(super) fn is_range(&self, index: usize) -> bool {
        self.degrees(index + 1).is_some()
            || self.unit_letter(index + 1).is_some()
            || self.tokens.is_sign(index + 1, '%')
    }

    /// Reports whether a currency sign is directly before or after the number.
    pub(super) fn is_money(&self, index: usize) -> bool {
        let is_sign = |at: usize| ['$', '€', '£'].into_iter().any(|sign| self.tokens.is_sign(at, sign));
        is_sign(index + 1) || (index > 0 && is_sign(index - 1))
    }

    /// Reports whether a word of advice precedes the number in the same clause.
    pub(super) fn is_advice(&self, index: usize) -> bool {
        (index.saturating_sub(8)..index)
            .rev()
            .take_while(|at| {
                !self.is_end(*at) && !self.tokens.is_sign(*at, ',') && !self.tokens.is_sign(*at, '(')
            })
            // `90 min` is a duration.
            .any(|at| self.word_is(at, ADVICE) && (at == 0 || self.tokens.number(at - 1).is_none()))
    }

    /// Reports whether one of these words names the number: directly before it, linking words aside.
    pub(super) fn is_named(&self, index: usize, names: &[&str]) -> bool {
        let is_skipped = |at: &usize| {
            self.word_is(*at, LINKS)
                || self.tokens.kind(*at) == Some(TokenKind::Degree)
                || [':', '=', '(', '.', '~', '-', '\''].into_iter().any(|sign| self.tokens.is_sign(*at, sign))
        };
        let nearest = (index.saturating_sub(4)..index).rev();
        let mut links = 0;
        for at in nearest {
            // `T° 21` names a temperature.
            if names == TEMPERATURE_WORDS
                && self.word_is(at, &["t"])
                && self.tokens.kind(at + 1) == Some(TokenKind::Degree)
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
            }
        }
    }

    /// Reports whether the number is negative: a minus sign before it that joins nothing else.
    pub(super) fn is_minus(&self, index: usize) -> bool {
        index > 0
            && self.tokens.is_sign(index - 1, '-')
            && self.tokens.is_glued(index)
            && !self.tokens.is_glued(index - 1)
    }

    /// Reports whether the token ends a sentence.
    pub(super) fn is_end(&self, index: usize) -> bool {
        match self.tokens.kind(index) {
            None | Some(TokenKind::Sign(';' | '!' | '?' | '\n')) => true,
            // `24c. 34%` is one sentence, `H.R.` an abbreviation.
            Some(TokenKind::Sign('.')) => {
                let before = self.tokens.word(index.wrapping_sub(1));
                !(1..=4).contains(&before.len())
            }
            _ => false,
        }
    }

    /// Reports whether the token is one of these folded words.
    pub(super) fn word_is(&self, index: usize, words: &[&str]) -> bool {
        let word = self.tokens.word(index);
        !word.is_empty() && words.contains(&word)
    }
}
