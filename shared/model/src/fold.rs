//! Folding of text to lower case without accents, so that `ÉCOLE`, `École` and `ecole` are equal.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::{decompose_compatible, is_combining_mark};

/// Returns the lower-case ASCII byte of a character; 0 where it has none.
#[must_use]
pub fn fold_char(character: char) -> u8 {
    if character.is_ascii() {
        return u8::try_from(character.to_ascii_lowercase()).unwrap_or(0);
    }
    let mut first = None;
    decompose_compatible(character, |part| first = first.or(Some(part)));
    let folded = first.filter(char::is_ascii).map_or(character, |part| part.to_ascii_lowercase());
    u8::try_from(folded).ok().filter(u8::is_ascii).unwrap_or(0)
}

/// The text in lower case, without accents; ligatures become two letters.
#[must_use]
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let letters = text.nfkd().filter(|character| !is_combining_mark(*character));
    for character in letters.flat_map(char::to_lowercase) {
        match character {
            'œ' => folded.push_str("oe"),
            'æ' => folded.push_str("ae"),
            'ß' => folded.push_str("ss"),
            '’' | '‘' => folded.push('\''),
            _ => folded.push(character),
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fold_removes_case_and_accents_only() {
        assert_eq!(fold("ÉCOLE Saint-Cœur d’Été"), "ecole saint-coeur d'ete");
        assert_eq!(fold("Ｙａｍａｈａ"), "yamaha");
        assert_eq!(fold("Łódź STRAẞE 東京"), "łodz strasse 東京");
    }

    #[test]
    fn character_folds_to_one_byte_or_none() {
        let folded: Vec<u8> = "Éa9%°東".chars().map(fold_char).collect();
        assert_eq!(folded, [b'e', b'a', b'9', b'%', 0, 0]);
    }
}
