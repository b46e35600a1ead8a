//! Tokens of a note: numbers, words and signs, each with its byte range.

use std::ops::Range;

use crate::fold::fold_char;

/// Token of a note.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) kind: TokenKind,
    /// Byte range in the note.
    pub(super) span: Range<usize>,
    /// Byte range in the folded text; empty unless the token is a word.
    folded: Range<usize>,
    /// States that no space separates the token from the one before.
    pub(super) is_glued: bool,
    /// States that the token begins with a capital letter.
    pub(super) is_capital: bool,
    /// States that the token is a word in capital letters.
    pub(super) is_shouted: bool,
}

/// Kind of a token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum TokenKind {
    /// Number with optional decimals.
    Number(f64),
    /// Run of letters without digits.
    Word,
    /// Degree sign, or a character that people type instead.
    Degree,
    /// Any other character, dashes unified.
    Sign(char),
}

/// Tokens of a note, and its letters folded to lower case without accents.
#[derive(Debug, Default)]
pub(super) struct Tokens {
    tokens: Vec<Token>,
    folded: String,
}

impl Tokens {
    /// Splits a note into tokens.
    pub(super) fn of(text: &str) -> Self {
        let mut all = Self::default();
        let mut characters = text.char_indices().peekable();
        let mut end_before = 0;
        while let Some((start, character)) = characters.next() {
            // The variation selector of a pictogram is no character of its own.
            if (character.is_whitespace() && character != '\n') || character == '\u{fe0f}' {
                continue;
            }
            let folded_start = all.folded.len();
            let mut end = start + character.len_utf8();
            let kind = if character.is_ascii_digit() {
                end = number_end(text, start);
                while characters.next_if(|(at, _)| *at < end).is_some() {}
                TokenKind::Number(text[start..end].replace(',', ".").parse().unwrap_or(f64::INFINITY))
            } else if character.is_alphabetic() && !matches!(character, 'º' | 'ª') {
                all.push_folded(character);
                while let Some((at, letter)) =
                    characters.next_if(|(_, next)| next.is_alphabetic() && !matches!(next, 'º' | 'ª'))
                {
                    all.push_folded(letter);
                    end = at + letter.len_utf8();
                }
                TokenKind::Word
            } else {
                match character {
                    '°' | 'º' | '˚' | '∘' => TokenKind::Degree,
                    // `21*C` and `21^C` are typed where a keyboard has no degree sign.
                    '*' | '^' if is_after_digit(text, start) && is_before_unit(text, end) => {
                        TokenKind::Degree
                    }
                    '％' => TokenKind::Sign('%'),
                    '–' | '—' | '−' => TokenKind::Sign('-'),
                    other => TokenKind::Sign(other),
                }
            };
            let folded = folded_start..all.folded.len();
            let is_glued = start == end_before && start > 0;
            let is_capital = character.is_uppercase();
            let is_shouted =
                is_capital && end - start > 1 && !text[start..end].chars().any(char::is_lowercase);
            all.tokens.push(Token { kind, span: start..end, folded, is_glued, is_capital, is_shouted });
            end_before = end;
        }
        all
    }

    fn push_folded(&mut self, letter: char) {
        // A letter without an ASCII form becomes `?`, so that words which differ in it stay different.
        self.folded.push(match fold_char(letter) {
            0 => '?',
            byte => char::from(byte),
        });
    }

    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    pub(super) fn get(&self, index: usize) -> Option<&Token> {
        self.tokens.get(index)
    }

    /// The word at that index, folded; empty where there is none.
    pub(super) fn word(&self, index: usize) -> &str {
        self.get(index).map_or("", |token| &self.folded[token.folded.clone()])
    }

    pub(super) fn kind(&self, index: usize) -> Option<TokenKind> {
        self.get(index).map(|token| token.kind)
    }

    pub(super) fn number(&self, index: usize) -> Option<f64> {
        match self.kind(index)? {
            TokenKind::Number(value) => Some(value),
            _ => None,
        }
    }

    pub(super) fn is_sign(&self, index: usize, sign: char) -> bool {
        self.kind(index) == Some(TokenKind::Sign(sign))
    }

    pub(super) fn is_glued(&self, index: usize) -> bool {
        self.get(index).is_some_and(|token| token.is_glued)
    }

    pub(super) fn is_capital(&self, index: usize) -> bool {
        self.get(index).is_some_and(|token| token.is_capital)
    }
}

fn is_after_digit(text: &str, at: usize) -> bool {
    text[..at].ends_with(|character: char| character.is_ascii_digit())
}

fn is_before_unit(text: &str, at: usize) -> bool {
    let mut rest = text[at..].chars();
    matches!(rest.next(), Some('c' | 'C' | 'f' | 'F')) && !rest.next().is_some_and(char::is_alphanumeric)
}

/// Returns the end of the number that begins at `start`: digits, and one or two decimals after a dot or a comma.
fn number_end(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let digits = |from: usize| {
        let rest = bytes.get(from..).unwrap_or_default();
        rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let end = start + digits(start);
    let decimals = digits(end + 1);
    let is_list = bytes.get(end) == Some(&b',')
        && decimals == 2
        && (430..=446).contains(&text[start..end].parse().unwrap_or(0))
        && (bytes.get(end + 3).is_some_and(|next| b",/cC".contains(next))
            || text[end + 3..].starts_with('°'));
    match bytes.get(end) {
        // `440,21,40` and `440,21C` are a pitch and what follows it.
        _ if is_list => end,
        // More than two digits after a comma are thousands: `1,200`.
        Some(b'.' | b',') => match digits(end + 1) {
            1 | 2 => end + 1 + digits(end + 1),
            _ => end,
        },
        _ => end,
    }
}
