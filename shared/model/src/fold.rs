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

/// Reports whether a character has no shape of its own: zero-width characters and joiners, soft hyphens, marks of the
/// writing direction, and control characters other than those that break a line or a word.
#[must_use]
pub const fn is_invisible(character: char) -> bool {
    matches!(character,
        '\0'..='\u{8}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}'
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Returns the text without the characters that nobody sees.
#[must_use]
pub fn without_invisible(text: &str) -> String {
    text.chars().filter(|character| !is_invisible(*character)).collect()
}

/// The text in lower case, without accents and without what nobody sees; ligatures become two letters.
#[must_use]
pub fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    let visible = text.chars().filter(|character| !is_invisible(*character));
    let letters = visible.nfkd().filter(|character| !is_combining_mark(*character));
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
    fn invisible_characters_are_removed() {
        let typed = "\u{feff}a\u{200b}d\u{200c}\u{200d}a\u{ad}@\u{2060}e\u{202e}.\u{1}\u{85}c\u{0}a\u{9f}";
        assert_eq!(without_invisible(typed), "ada@e.\u{85}ca");
        assert_eq!(fold("Ada\u{200b}\u{feff} L\u{ad}ebrun"), "ada lebrun");
        assert_eq!(without_invisible("deux\tlignes\r\nÉ 東京 🎹"), "deux\tlignes\r\nÉ 東京 🎹");
    }

    #[test]
    fn character_folds_to_one_byte_or_none() {
        let folded: Vec<u8> = "Éa9%°東".chars().map(fold_char).collect();
        assert_eq!(folded, [b'e', b'a', b'9', b'%', 0, 0]);
    }
}
