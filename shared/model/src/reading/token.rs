//! Notes taken apart: numbers, words and signs, each with its place in the text.

use std::ops::Range;

use crate::fold::fold_char;

/// A piece of a note.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Its bytes in the note.
    pub(super) span: Range<usize>,
    /// For a word: its bytes in the folded text.
    folded: Range<usize>,
    /// Nothing stands between it and the token before.
    pub(super) is_glued: bool,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Kind {
    /// Digits, perhaps with decimals.
    Number(f64),
    /// Letters.
    Word,
    /// The degree sign, or what people type for it.
    Degree,
    /// Anything else.
    Sign(char),
}

/// A note's tokens and its letters without case and accents.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    tokens: Vec<Token>,
    folded: String,
}

impl Tokens {
    /// Takes a note apart.
    pub(super) fn of(text: &str) -> Self {
        let mut all = Self::default();
        let mut characters = text.char_indices().peekable();
        let mut end_before = 0;
        while let Some((start, character)) = characters.next() {
            if character.is_whitespace() && character != '\n' {
                continue;
            }
            let folded_start = all.folded.len();
            let mut end = start + character.len_utf8();
            let kind = if character.is_ascii_digit() {
                end = number_end(text, start);
                while characters.next_if(|(at, _)| *at < end).is_some() {}
                Kind::Number(text[start..end].replace(',', ".").parse().unwrap_or(f64::INFINITY))
            } else if character.is_alphabetic() && !matches!(character, 'º' | 'ª') {
                all.push_folded(character);
                while let Some((at, letter)) =
                    characters.next_if(|(_, next)| next.is_alphabetic() && !matches!(next, 'º' | 'ª'))
                {
                    all.push_folded(letter);
                    end = at + letter.len_utf8();
                }
                Kind::Word
            } else {
                match character {
                    '°' | 'º' | '˚' | '∘' => Kind::Degree,
                    '％' => Kind::Sign('%'),
                    '–' | '—' | '−' => Kind::Sign('-'),
                    other => Kind::Sign(other),
                }
            };
            let folded = folded_start..all.folded.len();
            let is_glued = start == end_before && start > 0;
            all.tokens.push(Token { kind, span: start..end, folded, is_glued });
            end_before = end;
        }
        all
    }

    fn push_folded(&mut self, letter: char) {
        // One that comes down to nothing still keeps words apart that differ in it.
        self.folded.push(match fold_char(letter) {
            0 => '?',
            byte => char::from(byte),
        });
    }

    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    pub(super) fn get(&self, place: usize) -> Option<&Token> {
        self.tokens.get(place)
    }

    /// The word at that place, folded; empty where there is none.
    pub(super) fn word(&self, place: usize) -> &str {
        self.get(place).map_or("", |token| &self.folded[token.folded.clone()])
    }

    pub(super) fn kind(&self, place: usize) -> Option<Kind> {
        self.get(place).map(|token| token.kind)
    }

    pub(super) fn number(&self, place: usize) -> Option<f64> {
        match self.kind(place)? {
            Kind::Number(value) => Some(value),
            _ => None,
        }
    }

    pub(super) fn is_sign(&self, place: usize, sign: char) -> bool {
        self.kind(place) == Some(Kind::Sign(sign))
    }

    pub(super) fn is_glued(&self, place: usize) -> bool {
        self.get(place).is_some_and(|token| token.is_glued)
    }
}

/// Where the number that begins there ends: digits, and decimals after a dot or a comma.
fn number_end(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let digits = |from: usize| bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let end = start + digits(start);
    match bytes.get(end) {
        // A comma with more than two digits behind it parts thousands or readings: `440,21`, `1,200`.
        Some(b'.' | b',') => match digits(end + 1) {
            1 | 2 => end + 1 + digits(end + 1),
            _ => end,
        },
        _ => end,
    }
}
