//! Similarity of words that people type: equal, misspelt, or different.

use super::given_names::{are_forms, are_two_names, is_known};

/// Returns the similarity of two folded words: 1 if they are equal, up to 0.94 if they differ in a letter or two, else
/// 0. Words of up to four letters must be equal.
#[must_use]
pub fn similarity(a: &str, b: &str) -> f64 {
    if a == b {
        return 1.0;
    }
    let length = a.chars().count().min(b.chars().count());
    let typos = strsim::osa_distance(a, b);
    let allowed = match length {
        0..=4 => 0,
        5..=7 => 1,
        _ => 2,
    };
    let winkler = strsim::jaro_winkler(a, b);
    if typos <= allowed && winkler >= 0.9 { winkler.min(0.94) } else { 0.0 }
}

/// Similarity of a name and its short form.
const SHORT_FORM: f64 = 0.9;

/// Returns the similarity of two given names. The female form of a name is not a misspelling of the male one:
/// `Martin` and `Martine` are two people, as are `Marie` and `Mario`.
#[must_use]
pub fn given_name_similarity(a: &str, b: &str) -> f64 {
    if a != b && are_forms(a, b) {
        return SHORT_FORM;
    }
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    let is_other_form = long
        .strip_prefix(short)
        .is_some_and(|end| matches!(end, "e" | "le" | "ne" | "te" | "a"))
        || short.strip_suffix('c').zip(long.strip_suffix("que")).is_some_and(|(short, long)| short == long);
    // `Stephani` is no name of its own, so it is a misspelling of `Stéphanie`.
    let is_misspelt = is_known(long) && !is_known(short);
    if a != b && (is_other_form && !is_misspelt || are_two_names(a, b)) { 0.0 } else { similarity(a, b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typos_are_forgiven_in_long_words_only() {
        assert!(similarity("bouchard", "bouchar") > 0.9);
        assert!(similarity("tremblay", "trembaly") > 0.9);
        for (a, b) in
            [("martin", "martine"), ("marie", "mario"), ("emile", "emilie"), ("francis", "francois")]
        {
            assert!(given_name_similarity(a, b) < f64::EPSILON, "{a} {b}");
        }
        assert!(given_name_similarity("mathieu", "matthieu") > 0.89);
        assert!(given_name_similarity("emilie", "emillie") > 0.9);
        for (a, b) in [("luc", "lux"), ("morin", "marie"), ("roy", "ray"), ("bouchard", "richard")] {
            assert!(similarity(a, b) < f64::EPSILON, "{a} {b}");
        }
    }
}
