//! Numbers of an earlier visit, by the words in their clause or at the head of their sentence.

use super::labels::{COMPARED, NOW, ONCE, PAST, SEASONS, SINCE, TIMES};
use super::scan::{Amount, Scan};
use super::words::{HUMIDITY_WORDS, PITCH_WORDS, TEMPERATURE_WORDS};

impl Scan {
    /// Reports whether the amount is of an earlier visit: `la dernière fois 42 %`, `45% last winter`, `contre 30 %`.
    pub(super) fn is_earlier(&self, amount: Amount, end: usize) -> bool {
        let before = self.clause_before(amount.first);
        for at in before.clone().rev() {
            if self.word_is(at, NOW) {
                return false;
            }
            let is_near = amount.first - at <= 3;
            if self.is_past(at) || (is_near && self.word_is(at, COMPARED)) {
                return true;
            }
        }
        let after = self.clause_after(end);
        let is_now = self.has_word(after.clone(), NOW);
        // `was 45% in October`, but not `was 64% downstairs`.
        let is_then = |at: usize| {
            self.word_is(at, &["en", "in", "au", "l", "last"])
                && (self.is_season(at + 1) || self.is_season(at + 2))
        };
        let was = self.has_word(before.clone(), &["etait", "was", "avait", "were"]);
        let was = was || self.word_is(amount.first.wrapping_sub(1), &["avant"]);
        if was && !is_now && (before.clone().any(is_then) || after.clone().any(is_then)) {
            return true;
        }
        // `in the 50s`.
        let is_decade = self.is_number(after.end)
            && self.word_is(after.end + 1, &["s"])
            && self.tokens.is_glued(after.end + 1)
            && self.word_is(after.end.wrapping_sub(1), &["the"]);
        is_decade
            || !is_now && after.into_iter().any(|at| self.is_past(at))
            || self.is_past_heading(before.start)
            || self.heading(amount.first).any(|at| self.is_past(at))
            || self.is_in_list_of_past(amount.first)
    }

    fn is_season(&self, at: usize) -> bool {
        self.word_is(at, SEASONS)
    }

    /// Reports whether the words up to this comma name an earlier visit alone: `L'an dernier, 20 °C`.
    fn is_past_heading(&self, start: usize) -> bool {
        let Some(comma) = start.checked_sub(1).filter(|at| self.tokens.is_sign(*at, ',')) else {
            return false;
        };
        let heading = self.clause_before(comma);
        let is_short = heading.len() <= 6 && !heading.clone().any(|at| self.is_number(at));
        is_short && heading.into_iter().any(|at| self.is_past(at))
    }

    /// Reports whether the token makes a noun beside it a time of the past: `visite précédente`.
    fn is_past(&self, at: usize) -> bool {
        let is_then =
            self.word_is(at, &["moment"]) && self.sign_is(at + 1, &['-']) && self.word_is(at + 2, &["la"]);
        // `dans les années 50`, `it used to be`.
        let is_decade = self.word_is(at, &["annees", "decennie"]) && self.is_number(at + 1)
            || self.word_is(at, &["used"]) && self.word_is(at + 1, &["to"]);
        if self.word_is(at, ONCE) || is_then || is_decade {
            return true;
        }
        if !self.word_is(at, PAST) {
            return false;
        }
        let is_time = |at: usize| self.word_is(at, TIMES);
        let after = is_time(at + 1) && !self.word_is(at, &["passe", "passee", "avant"]);
        let before = at > 0 && is_time(at - 1) || at > 1 && self.word_is(at, &["avant"]) && is_time(at - 2);
        let from = at.saturating_sub(4);
        (after || before) && !self.has_word(from..at, SINCE)
    }

    /// Reports whether the amount stands in a list whose head is an earlier visit: `Dernière visite (nov. 2023): 438, 35 %`,
    /// `La dernière fois j'avais 35 %, 21°`.
    fn is_in_list_of_past(&self, first: usize) -> bool {
        let start = self.list_start(first);
        let colon = start.wrapping_sub(1);
        let is_field = self.word_is(colon.wrapping_sub(1), HUMIDITY_WORDS)
            || self.word_is(colon.wrapping_sub(1), TEMPERATURE_WORDS)
            || self.word_is(colon.wrapping_sub(1), PITCH_WORDS);
        if self.tokens.is_sign(colon, ':') && !is_field {
            let head = self.sentence_before(colon);
            return !self.has_word(head.clone(), NOW) && head.into_iter().any(|at| self.is_past(at));
        }
        // Behind a comma the list is another clause: `Accordé la dernière fois par Luc, 440, 35 %`.
        if start >= first || !self.is_number(start) || self.sign_is(colon, &[',', '(', ')']) {
            return false;
        }
        let head = self.clause_before(start);
        !self.has_word(head.clone(), NOW) && head.into_iter().any(|at| self.is_past(at))
    }

    /// Returns the index of the first number of the list in which the amount stands: values, labels and commas alone.
    fn list_start(&self, first: usize) -> usize {
        let (mut at, mut start) = (first, first);
        while at > 0 {
            at -= 1;
            let is_label = self.sign_is(at, &[',', '/', '-', '&', '~', '='])
                || self.word_is(at, &["et", "and", "pis", "pi", "h", "r", "t"])
                || self.is_la(at)
                || self.word_is(at, HUMIDITY_WORDS)
                || self.word_is(at, TEMPERATURE_WORDS);
            if self.is_number(at) || is_label && self.tokens.is_sign(at.wrapping_sub(1), ':') {
                start = at;
            } else if !is_label && self.skip_unit(at) == at {
                break;
            }
        }
        start
    }
}
