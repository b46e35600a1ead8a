//! Numbers that somebody else says, that are quoted, or that the technician told a client.

use std::ops::Range;

use super::labels::{CLAIMS, PEOPLE};
use super::scan::{Amount, Scan};

/// Tokens of a sentence on either side of a number that are looked at.
const SENTENCE_TOKENS_MAX: usize = 30;

impl Scan {
    /// Returns the tokens of the sentence before an index.
    pub(super) fn sentence_before(&self, first: usize) -> Range<usize> {
        let bound = first.saturating_sub(SENTENCE_TOKENS_MAX);
        let start = (bound..first).rev().find(|at| self.is_sentence_end(*at)).map_or(bound, |at| at + 1);
        start..first
    }

    /// Returns the tokens of the sentence from an index on.
    pub(super) fn sentence_after(&self, end: usize) -> Range<usize> {
        let bound = (end + SENTENCE_TOKENS_MAX).min(self.len()).max(end);
        let stop = (end..bound).find(|at| self.is_sentence_end(*at)).unwrap_or(bound);
        end..stop
    }

    /// Reports whether the token ends a sentence; a dot behind a short word does so before a capital letter.
    fn is_sentence_end(&self, at: usize) -> bool {
        self.is_end(at) || self.tokens.is_sign(at, '.') && self.tokens.is_capital(at + 1)
    }

    /// Reports whether somebody says the amount who has not measured it: `le client dit 60 %`, `Client texted: "39%"`.
    pub(super) fn is_claim(&self, amount: Amount) -> bool {
        let before = self.clause_before(amount.first);
        let is_said =
            before.clone().any(|at| self.word_is(at, CLAIMS)) && self.has_word(before.clone(), PEOPLE);
        is_said || before.into_iter().any(|at| self.is_telling(at)) || self.is_quoted(amount.first)
    }

    /// Reports whether the token tells somebody something: `lui ai dit 40 %`, `on m'a dit`, `told her`.
    fn is_telling(&self, at: usize) -> bool {
        if self.word_is(at, &["told"]) {
            return true;
        }
        let is_person = |at: usize| {
            self.word_is(at, &["lui", "leur", "ai", "avons", "on"])
                || self.word_is(at, &["m", "nous"]) && self.word_is(at + 2, &["a"])
        };
        self.word_is(at, &["dit", "dire", "dis"]) && (at.saturating_sub(3)..at).any(is_person)
    }

    /// Reports whether the index is inside a quotation that a person or a word of saying introduces.
    fn is_quoted(&self, first: usize) -> bool {
        let mut open = None;
        for at in first.saturating_sub(SENTENCE_TOKENS_MAX)..first {
            // `48"` is a length.
            let is_inch = self.tokens.is_glued(at) && self.is_number(at.wrapping_sub(1));
            if self.sign_is(at, &['«', '“']) || self.tokens.is_sign(at, '"') && !is_inch && open.is_none()
            {
                open = Some(at);
            } else if self.sign_is(at, &['"', '»', '”', '\n']) {
                open = None;
            }
        }
        let Some(open) = open else { return false };
        let head = self.sentence_before(open);
        self.has_word(head.clone(), PEOPLE) || head.into_iter().any(|at| self.word_is(at, CLAIMS))
    }
}
