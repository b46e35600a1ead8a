//! Labels in the clause of a number: another place, a set-point, advice, a condition, a difference.

use std::ops::Range;

use super::labels::{
    ADVICE, ADVICE_AFTER, ADVICE_NEAR, CHANGES, COMING, CONDITIONS, CONTROLS, DEVICE_STATES, DEVICES,
    DIFFERENCES, OUTSIDE, ROOM, SETTINGS, SHOWN,
};
use super::scan::{Amount, Scan};
use super::token::TokenKind;
use super::words::{HUMIDITY_WORDS, TEMPERATURE_WORDS};

/// Tokens of a clause on either side of a number that are looked at.
const CLAUSE_TOKENS_MAX: usize = 14;
/// Words with a dot behind them that end no clause.
const ABBREVIATIONS: &[&str] = &[
    "temp", "tem", "hum", "rel", "ext", "int", "h", "r", "hr", "rh", "env", "approx", "max", "min", "diap",
    "acc", "t", "am", "pm", "no", "p", "c", "f", "hygro", "deg",
];
/// Words that begin another clause.
const TURNS: &[&str] = &[
    "mais", "but", "tandis", "while", "whereas", "puis", "then", "sinon", "otherwise", "alors", "though",
    "donc",
];

impl Scan {
    /// Reports whether the amount is something else than a measurement of this room on this visit.
    pub(super) fn is_remote(&self, amount: Amount, end: usize) -> bool {
        self.is_advice(amount, end)
            || self.is_earlier(amount, end)
            || self.is_setting(amount)
            || self.is_outside(amount, end)
            || self.is_difference(amount, end)
            || self.is_claim(amount)
            || self.is_schedule(amount, end)
    }

    /// Reports whether the token ends a clause.
    pub(super) fn is_stop(&self, index: usize) -> bool {
        match self.tokens.kind(index) {
            Some(TokenKind::Sign(',' | '(' | ')' | ';' | '|' | '•' | '"')) => true,
            Some(TokenKind::Sign('.')) => {
                let before = index.wrapping_sub(1);
                let is_next_sentence =
                    self.tokens.is_capital(index + 1) && self.tokens.word(index + 1).len() > 1;
                !self.word_is(before, ABBREVIATIONS) || is_next_sentence || self.is_end(index)
            }
            Some(TokenKind::Word) => self.word_is(index, TURNS),
            _ => self.is_end(index),
        }
    }

    /// Returns the tokens of the clause before an amount, back to the reading before it.
    pub(super) fn clause_before(&self, first: usize) -> Range<usize> {
        let mut start = first;
        let mut is_joined = false;
        while start > 0 && first - start < CLAUSE_TOKENS_MAX {
            let at = start - 1;
            if self.is_stop(at) {
                break;
            }
            // A number with a unit is another reading, unless `et` joins both.
            if self.is_number(at) && self.skip_unit(start) > start && !is_joined {
                break;
            }
            is_joined |= self.word_is(at, &["et", "and", "pis", "pi", "a", "to", "ou", "or"])
                || self.sign_is(at, &['/', '&', '-']);
            start = at;
        }
        start..first
    }

    /// Returns the tokens of the clause after an amount, up to the next number.
    pub(super) fn clause_after(&self, end: usize) -> Range<usize> {
        let mut stop = end;
        while stop < self.len()
            && stop - end < CLAUSE_TOKENS_MAX
            && !self.is_stop(stop)
            && !self.is_number(stop)
        {
            stop += 1;
        }
        end..stop
    }

    pub(super) fn has_word(&self, mut tokens: Range<usize>, words: &[&str]) -> bool {
        tokens.any(|at| self.word_is(at, words))
    }

    /// Reports whether a word of advice, a wish, a plan or a condition governs the amount.
    pub(super) fn is_advice(&self, amount: Amount, end: usize) -> bool {
        let before = self.clause_before(amount.first);
        // `90 min` is a duration, and `si bémol` a note.
        let is_advice = |at: usize| {
            self.word_is(at, ADVICE)
                && (at == 0 || !self.is_number(at - 1) || !self.word_is(at, &["min", "max"]))
                && !self.is_device_state(at)
        };
        let is_condition = |at: usize| {
            self.word_is(at, CONDITIONS)
                && !self.word_is(at + 1, &["bemol", "diese"])
                && !self.is_number(at + 1)
                && (!self.word_is(at, &["s"]) || self.word_is(at + 2, &["il", "ils"]))
        };
        let is_near = |at: usize| amount.first - at <= 5 && self.word_is(at, ADVICE_NEAR);
        let is_advised = |at: usize| is_advice(at) || is_condition(at) || is_near(at) || self.is_coming(at);
        if before.into_iter().any(is_advised) || self.heading(amount.first).into_iter().any(is_advised) {
            return true;
        }
        // `42 % recommandé`, but not `28 %, recommandé un humidificateur`.
        let after = self.clause_after(end);
        if after.clone().any(|at| self.is_coming(at)) {
            return true;
        }
        let is_link = |at: usize| {
            self.word_is(
                at,
                &[
                    "est", "is", "l", "le", "la", "the", "d", "of", "serait", "would", "be", "c", "was",
                    "etait", "my", "notre", "our", "mon",
                ],
            ) || self.word_is(at, HUMIDITY_WORDS)
                || self.word_is(at, TEMPERATURE_WORDS)
                || self.sign_is(at, &['\'', '’', '-', '='])
        };
        let label = after.clone().find(|at| !is_link(*at));
        label.is_some_and(|at| {
            self.word_is(at, ADVICE_AFTER)
                && (at + 1 >= after.end
                    || self.word_is(
                        at + 1,
                        &[
                            "par", "by", "pour", "for", "comme", "as", "en", "in", "selon", "pendant",
                            "durant", "during",
                        ],
                    ))
        })
    }

    /// Reports whether the token makes a noun beside it a visit to come: `la prochaine fois`.
    fn is_coming(&self, at: usize) -> bool {
        self.word_is(at, COMING)
            && self.word_is(at + 1, &["fois", "visite", "passage", "time", "visit", "an", "annee", "year", "accord", "tuning"])
            // `440, prochain accord en mai` says when, not how.
            && !self.word_is(at + 2, &["en", "in", "dans", "le", "au", "on"])
            && !self.is_number(at + 2)
    }

    /// Returns the words of the heading before a colon under which the amount stands with others: `Visite précédente:
    /// 437 Hz, 22 °C`. Empty where there is none.
    pub(super) fn heading(&self, first: usize) -> Range<usize> {
        let mut at = first;
        while at > 0 {
            at -= 1;
            if self.tokens.is_sign(at, ':') {
                return self.clause_before(at);
            }
            let is_value = self.is_number(at)
                || self.skip_unit(at) > at
                || self.sign_is(at, &[',', '/', '-', '&', '~', '='])
                || self.word_is(at, &["et", "and", "h", "r", "la", "accord"])
                || self.word_is(at, HUMIDITY_WORDS)
                || self.word_is(at, TEMPERATURE_WORDS);
            if !is_value {
                break;
            }
        }
        first..first
    }

    /// Reports whether a device is set to the amount: `chauffage à 24°`, `humidistat réglé à 42 %`.
    fn is_setting(&self, amount: Amount) -> bool {
        let before = self.clause_before(amount.first);
        let nearest = amount.first.wrapping_sub(1);
        let is_connected = self.word_is(
            nearest,
            &["a", "at", "to", "au", "sur", "on", "de", "for", "pour", "vers", "around", "environ"],
        ) || self.sign_is(nearest, &[':', '=', '@'])
            || self.word_is(nearest, DEVICES)
            || self.word_is(nearest, SETTINGS);
        let mut is_named = false;
        for at in before.clone().rev() {
            if self.word_is(at, SHOWN) {
                return false;
            }
            if self.word_is(at, CONTROLS) {
                return true;
            }
            if self.word_is(at, DEVICES)
                && is_connected
                && !(at + 1..=at + 3).any(|state| self.is_device_state(state))
                && (!is_named || self.has_word(before.clone(), SETTINGS))
            {
                return true;
            }
            let is_set = self.word_is(at, SETTINGS)
                && (self.word_is(at + 1, &["a", "at", "to", "sur", "for", "pour", "on"])
                    || self.tokens.is_sign(at + 1, ':'))
                && amount.first - at <= 3;
            if is_set {
                return true;
            }
            is_named |= self.word_is(at, HUMIDITY_WORDS) || self.word_is(at, TEMPERATURE_WORDS);
        }
        false
    }

    /// Reports whether the token says how a device runs, not at what it is set: `AC au max: 19°C`, `clim arrêtée, 24°`.
    fn is_device_state(&self, at: usize) -> bool {
        let is_most = self.word_is(at, &["max", "maximum", "fond"])
            && self.word_is(at.wrapping_sub(1), &["au", "a", "on", "at"])
            && self.word_is(at.wrapping_sub(2), DEVICES)
            && !self.is_number(at + 1);
        let is_state = self.word_is(at, DEVICE_STATES)
            && (1..=3).any(|back| self.word_is(at.wrapping_sub(back), DEVICES));
        is_most || is_state
    }

    /// Reports whether the amount belongs to a programme of day and night: `nuit à 18°, jour à 21°`.
    fn is_schedule(&self, amount: Amount, end: usize) -> bool {
        let is_night = |at: usize| self.word_is(at, &["nuit", "nuits", "night", "nights", "overnight"]);
        let is_day = |at: usize| self.word_is(at, &["jour", "day", "daytime", "soir", "evening"]);
        // `18° la nuit`, but not `22 % après une nuit de chauffage`.
        let (before, after) = (self.clause_before(amount.first), self.clause_after(end));
        let is_near = |is: &dyn Fn(usize) -> bool| {
            before.clone().rev().take(2).any(is) || after.clone().take(2).any(is)
        };
        if is_near(&is_night) {
            return true;
        }
        let mut sentence = self.sentence_before(amount.first).chain(self.sentence_after(end));
        let is_daily = is_near(&is_day) || after.clone().take(3).any(is_day);
        is_daily && sentence.any(is_night)
    }

    /// Reports whether the amount is of another place: `-5 °C dehors`, `outside 10C`. Of several amounts in a clause,
    /// each has its label before it if the first label comes before the first amount, else behind it.
    fn is_outside(&self, amount: Amount, end: usize) -> bool {
        let (before, after) = (self.clause_before(amount.first), self.clause_after(end));
        let is_label = |at: &usize| self.word_is(*at, OUTSIDE) || self.word_is(*at, ROOM);
        let label_before = before.clone().rev().find(is_label);
        let label_after = after.clone().find(is_label);
        let is_out = |at: usize| self.word_is(at, OUTSIDE);
        match (label_before, label_after) {
            (None, None) => self.is_outside_heading(before.start) || self.heading(amount.first).any(is_out),
            (Some(at), None) => is_out(at) && !self.is_label_of_previous(before.start),
            (None, Some(at)) => is_out(at) && !self.is_label_of_next(after.end),
            (Some(before_at), Some(after_at)) => {
                if is_out(after_at) && !is_out(before_at) {
                    return !self.is_label_of_next(after.end) || self.is_label_of_previous(before.start);
                }
                let is_behind = self.is_label_of_previous(before.start)
                    || !self.is_label_of_next(after.end)
                    || after_at - end <= 3 && !self.is_number(after.end);
                is_out(if is_behind { after_at } else { before_at })
            }
        }
    }

    /// Reports whether a label between two amounts belongs to the one before: nothing before that one has a label.
    fn is_label_of_previous(&self, start: usize) -> bool {
        let Some(number) = (start.saturating_sub(5)..start).rev().find(|at| self.is_number(*at)) else {
            return false;
        };
        let is_adjacent = (number + 1..start).all(|at| !self.is_stop(at));
        let before = self.clause_before(number);
        is_adjacent && !before.into_iter().any(|at| self.word_is(at, OUTSIDE) || self.word_is(at, ROOM))
    }

    /// Reports whether the words up to the next amount are its label: another amount follows without a label behind it.
    fn is_label_of_next(&self, next: usize) -> bool {
        if !self.is_number(next) {
            return false;
        }
        let end = self.skip_unit(next + 1);
        let after = self.clause_after(end);
        !after.into_iter().any(|at| self.word_is(at, OUTSIDE) || self.word_is(at, ROOM))
    }

    /// Reports whether the words up to this comma name another place alone: `Dehors, il fait -15 °C`.
    fn is_outside_heading(&self, start: usize) -> bool {
        let Some(comma) = start.checked_sub(1).filter(|at| self.tokens.is_sign(*at, ',')) else {
            return false;
        };
        let heading = self.clause_before(comma);
        (1..=2).contains(&heading.len())
            && heading
                .into_iter()
                .all(|at| self.word_is(at, OUTSIDE) || self.word_is(at, &["a", "l", "temperature"]))
    }

    /// Reports whether the amount is a difference: `baissé de 5 %`, `3° de plus`, `±2°`.
    fn is_difference(&self, amount: Amount, end: usize) -> bool {
        let nearest = amount.first.wrapping_sub(1);
        // `± 35 %` behind a label is an estimate.
        let name = nearest.wrapping_sub(1);
        let is_label = self.sign_is(name, &[':', '='])
            || self.word_is(name, HUMIDITY_WORDS)
            || self.word_is(name, TEMPERATURE_WORDS);
        if self.sign_is(nearest, &['±']) && !is_label {
            return true;
        }
        let skipped = |at: usize| self.word_is(at, &["environ", "about", "de", "of", "by", "d", "pres", "a"]);
        let is_by = self.word_is(nearest, &["de", "of", "by"])
            || self.word_is(nearest, &["environ", "about"])
                && self.word_is(nearest.wrapping_sub(1), &["de", "d", "of", "by"]);
        let cause = (amount.first.saturating_sub(6)..amount.first)
            .rev()
            .find(|at| !skipped(*at) && !self.sign_is(*at, &['\'', '’']));
        let is_from_to = self.word_is(end, &["a", "to", "vers"]) && self.is_number(end + 1);
        if is_by && !is_from_to && cause.is_some_and(|at| self.word_is(at, CHANGES)) {
            return true;
        }
        let of = if self.word_is(end, &["de", "d", "of", "plus", "more"]) { end + 1 } else { end };
        let of = if self.sign_is(of, &['\'', '’']) { of + 1 } else { of };
        (self.word_is(end, &["plus", "moins", "more", "less"]) && !self.word_is(end + 1, &["ou", "or"]))
            || (of == end + 1 && self.word_is(of, &["plus", "moins", "more", "less"]))
            || self.word_is(of, DIFFERENCES)
    }
}
