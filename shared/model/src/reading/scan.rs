//! Tokens of a note, the amounts among them, and the units that follow.

use std::ops::Range;

use super::labels::CHANGES;
use super::quantity::{Quantity, Reading};
use super::token::{TokenKind, Tokens};

/// Longest range that is one reading, in the unit of the number.
const RANGE_MAX: f64 = 30.0;

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// Tokens of a note, with the checks on the context of each number.
pub(super) struct Scan {
    pub(super) tokens: Tokens,
}

/// Reading, and the indices of its tokens.
pub(super) type Found = (Range<usize>, Reading);

/// Number, or range of two numbers such as `35 et 40`, of which the midpoint counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Amount {
    /// Index of the first number.
    pub(super) first: usize,
    /// Index of the last number: the first one, or the upper end of a range.
    pub(super) last: usize,
    /// Value of the number, or the midpoint of the range.
    pub(super) value: f64,
}

impl Amount {
    /// Index of the token after the last number.
    pub(super) const fn end(self) -> usize {
        self.last + 1
    }

    pub(super) const fn is_range(self) -> bool {
        self.first != self.last
    }
}

impl Scan {
    pub(super) fn of(note: &str) -> Self {
        Self { tokens: Tokens::of(note) }
    }

    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    pub(super) fn found(&self, quantity: Quantity, value: f64, tokens: Range<usize>) -> Option<Found> {
        let start = self.tokens.get(tokens.start)?.span.start;
        let end = self.tokens.get(tokens.end.checked_sub(1)?)?.span.end;
        Some((tokens, Reading { quantity, value: tenths(value), span: start..end }))
    }

    /// Returns the number at that index.
    pub(super) fn single(&self, index: usize) -> Option<Amount> {
        let value = self.tokens.number(index)?;
        Some(Amount { first: index, last: index, value })
    }

    /// Returns the range that begins at that index: `35-40`, `35 à 40`, `35% à 40%`, `entre 35 et 40`.
    pub(super) fn range(&self, index: usize) -> Option<Amount> {
        let low = self.tokens.number(index)?;
        let joint = self.skip_unit(index + 1);
        let last = joint + 1;
        let high = self.tokens.number(last)?;
        let is_dash = self.tokens.is_sign(joint, '-') && !self.is_minus(last);
        let is_to = self.word_is(joint, &["a", "to", "ou", "or"]) && !self.is_change_before(index);
        // `20/22 °C`; of `35/40 %` the first is rather a temperature.
        let is_slash =
            self.tokens.is_sign(joint, '/') && self.unit_kind(last + 1) == Some('d') && high - low <= 6.0;
        let is_between = self.word_is(joint, &["et", "and"])
            && index > 0
            && (self.word_is(index - 1, &["entre", "between"]));
        let kinds = (self.unit_kind(index + 1), self.unit_kind(last + 1));
        let is_one_unit = kinds.0.is_none() || kinds.1.is_none() || kinds.0 == kinds.1;
        let is_plausible = is_one_unit && low < high && high - low <= RANGE_MAX && low > 3.0;
        ((is_dash || is_to || is_between || is_slash) && is_plausible).then(|| Amount {
            first: index,
            last,
            value: f64::midpoint(low, high),
        })
    }

    /// Reports whether a word of change leads to the number: `passé de 18 à 21°` names two values and no range.
    fn is_change_before(&self, index: usize) -> bool {
        (index.saturating_sub(3)..index).any(|at| self.word_is(at, CHANGES) || self.word_is(at, &["from"]))
    }

    /// Returns the index after the unit at that index, or the index itself where there is none.
    pub(super) fn skip_unit(&self, index: usize) -> usize {
        if let Some((_, end)) = self.degrees(index) {
            return end;
        }
        let is_unit = self.tokens.is_sign(index, '%')
            || self.word_is(index, &["hz", "hertz", "pourcent", "percent"])
            || self.unit_letter(index).is_some();
        if is_unit { index + 1 } else { index }
    }

    /// Returns a character for the kind of the unit at that index: `%`, `z` for hertz, `d` for degrees.
    fn unit_kind(&self, index: usize) -> Option<char> {
        if self.tokens.is_sign(index, '%') || self.word_is(index, &["pourcent", "percent"]) {
            return Some('%');
        }
        if self.word_is(index, &["hz", "hertz"]) {
            return Some('z');
        }
        (self.degrees(index).is_some() || self.unit_letter(index).is_some()).then_some('d')
    }

    /// Reads a degree sign or word: `°`, `° C`, `degrés Celsius`. Returns the letter, if there is one, and the index of
    /// the token after it.
    pub(super) fn degrees(&self, index: usize) -> Option<(Option<char>, usize)> {
        let is_sign = matches!(self.tokens.kind(index), Some(TokenKind::Degree))
            || (self.word_is(index, &["o"])
                && self.tokens.is_glued(index)
                && self.unit_letter(index + 1).is_some());
        if matches!(self.tokens.kind(index), Some(TokenKind::Sign('℃'))) {
            return Some((Some('c'), index + 1));
        }
        if matches!(self.tokens.kind(index), Some(TokenKind::Sign('℉'))) {
            return Some((Some('f'), index + 1));
        }
        if self.word_is(index, &["oc", "dc"]) && self.tokens.is_glued(index) {
            return Some((Some('c'), index + 1));
        }
        if !is_sign && !self.word_is(index, DEGREE_WORDS) {
            return None;
        }
        let letter = if self.tokens.is_sign(index + 1, '.') { index + 2 } else { index + 1 };
        match self.unit_letter(letter) {
            Some(unit) => Some((Some(unit), letter + 1)),
            None => Some((None, index + 1)),
        }
    }

    pub(super) fn unit_letter(&self, index: usize) -> Option<char> {
        // `C4` is a key of the piano.
        if self.tokens.is_glued(index + 1)
            && (self.tokens.number(index + 1).is_some_and(|number| number < 9.0)
                || self.tokens.is_sign(index + 1, '#'))
        {
            return None;
        }
        match self.tokens.word(index) {
            // `18 c'est froid` has no unit.
            "c" if self.tokens.is_sign(index + 1, '\'') || self.tokens.is_sign(index + 1, '’') => None,
            "c" | "celsius" | "celcius" | "celsuis" | "centigrade" | "centigrades" => Some('c'),
            "f" | "fahrenheit" | "farenheit" | "fahrenheight" | "farenheight" => Some('f'),
            _ => None,
        }
    }

    /// Reports whether the number is negative: a minus sign before it that joins nothing else.
    pub(super) fn is_minus(&self, index: usize) -> bool {
        index > 0
            && self.tokens.is_sign(index - 1, '-')
            && self.tokens.is_glued(index)
            && (!self.tokens.is_glued(index - 1)
                || index > 1 && self.sign_is(index - 2, &['(', ':', '/', ',']))
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

    /// Reports whether the token is one of these signs.
    pub(super) fn sign_is(&self, index: usize, signs: &[char]) -> bool {
        matches!(self.tokens.kind(index), Some(TokenKind::Sign(sign)) if signs.contains(&sign))
    }

    pub(super) fn is_number(&self, index: usize) -> bool {
        self.tokens.number(index).is_some()
    }
}

/// Words for a degree.
const DEGREE_WORDS: &[&str] =
    &["degre", "degres", "degree", "degrees", "deg", "degs", "degrees", "degree", "dgre", "dgres", "degrs"];
