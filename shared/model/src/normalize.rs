//! Normal forms of names, e-mails, phone numbers, serial numbers, makes and streets.

use crate::fold::fold;

/// Removes the text in parentheses, and the rest after one that is not closed.
#[must_use]
pub fn without_parentheses(text: &str) -> String {
    let mut depth = 0_usize;
    let mut kept = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => kept.push(character),
            _ => (),
        }
    }
    kept
}

/// Returns the folded words of a name, with `St-`, `Ste` and the like in full.
#[must_use]
pub fn words(name: &str) -> Vec<String> {
    fold(name)
        .split(|character: char| !character.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| {
            match word {
                "st" => "saint",
                "ste" => "sainte",
                "mt" => "mont",
                "mtl" => "montreal",
                other => other,
            }
            .to_owned()
        })
        .collect()
}

/// Returns an e-mail folded to lower case without accents; none where it is not an address.
#[must_use]
pub fn email(email: &str) -> Option<String> {
    let email = fold(email.trim());
    let (name, host) = email.split_once('@')?;
    let is_address = !name.is_empty() && host.contains('.') && !email.contains(char::is_whitespace);
    is_address.then_some(email)
}

/// Returns a phone number in E.164: `+15145550123`. Ten digits are North American; an extension is dropped. None where
/// digits are missing.
#[must_use]
pub fn phone(phone: &str) -> Option<String> {
    let folded = fold(phone);
    // An extension begins with one of these: `514-555-0123 poste 45`, `x45`, `#45`, `ext. 45`.
    let number = folded.split(['p', 'x', '#', 'e', ',', ';']).next().unwrap_or_default();
    let digits: String = number.chars().filter(char::is_ascii_digit).collect();
    let is_international = number.trim_start().starts_with('+');
    match (is_international, digits.len()) {
        (true, 8..=15) if !digits.starts_with('0') => Some(format!("+{digits}")),
        (false, 10) if !digits.starts_with(['0', '1']) => Some(format!("+1{digits}")),
        (false, 11) if digits.starts_with('1') => Some(format!("+{digits}")),
        (false, 12..=16) => digits.strip_prefix("011").map(|digits| format!("+{digits}")),
        _ => None,
    }
}

/// Returns the letters and digits of a serial number, without a label before it and without leading zeros. None where
/// it is too short or too regular to identify a piano.
#[must_use]
pub fn serial_number(serial: &str) -> Option<String> {
    let folded = fold(serial);
    let mut serial: String = folded.chars().filter(char::is_ascii_alphanumeric).collect();
    for label in
        ["serialnumber", "serialno", "numerodeserie", "nodeserie", "numero", "serial", "serie", "sn", "no"]
    {
        if let Some(rest) =
            serial.strip_prefix(label).filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        {
            serial = rest.to_owned();
            break;
        }
    }
    let serial = serial.trim_start_matches('0');
    let digits: Vec<u8> = serial.bytes().filter(u8::is_ascii_digit).collect();
    let is_regular = digits.windows(2).all(|pair| pair[0] == pair[1])
        || (digits.len() <= 6 && digits.windows(2).all(|pair| pair[1] == pair[0] + 1));
    (digits.len() >= 4 && !is_regular).then(|| serial.to_owned())
}

/// Returns the make without the words that most makers share; none for an unknown make.
#[must_use]
pub fn make(make: &str) -> Option<String> {
    const COMMON: &[&str] = &[
        "piano", "pianos", "co", "company", "cie", "corp", "corporation", "inc", "ltd", "ltee", "limited",
        "sons", "son", "and", "et", "fils", "the", "of", "und", "sohne", "gmbh", "ag", "manufacturing",
        "mfg",
    ];
    // In `Lesage, Ste-Thérèse` the town is not part of the name.
    let name = without_parentheses(make);
    let words = words(name.split(',').next().unwrap_or_default());
    let own: String = words.iter().filter(|word| !COMMON.contains(&word.as_str())).cloned().collect();
    let make = if own.is_empty() { words.concat() } else { own };
    // `Boesendorfer` is how `Bösendorfer` is typed without umlauts.
    let make = make.replace("oe", "o").replace("ae", "a").replace("ue", "u");
    let is_unknown =
        ["", "inconnu", "unknown", "na", "autre", "other", "aucun", "none"].contains(&make.as_str());
    (!is_unknown).then_some(make)
}

/// Returns the number and the name of a street, without its type; none where either is missing.
#[must_use]
pub fn street(street: &str) -> Option<String> {
    const KINDS: &[&str] = &[
        "rue", "street", "avenue", "av", "ave", "boulevard", "boul", "blvd", "bd", "chemin", "ch", "road",
        "rd", "place", "pl", "rang", "route", "rte", "drive", "dr", "saint", "court", "de", "des", "du",
        "la", "le", "les", "d", "l", "est", "ouest", "nord", "sud", "east", "west", "north", "south", "e",
        "o", "w", "n", "s",
    ];
    const UNITS: &[&str] =
        &["app", "apt", "appartement", "apartment", "bureau", "suite", "unit", "unite", "porte", "local"];
    let words = words(street);
    let is_number =
        |word: Option<&String>| word.is_some_and(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    // `3-1204 rue …` is door 3 of number 1204, as is `1204 rue …, app. 3`.
    let has_door = street.trim_start().find('-').is_some_and(|dash| {
        street.trim_start()[..dash].bytes().all(|byte| byte.is_ascii_digit()) && is_number(words.get(1))
    });
    let own: Vec<&str> = words
        .iter()
        .skip(usize::from(has_door))
        .map(String::as_str)
        .take_while(|word| !UNITS.contains(word))
        .filter(|word| !KINDS.contains(word))
        .collect();
    let has_number = own.first().is_some_and(|word| word.starts_with(|c: char| c.is_ascii_digit()));
    (has_number && own.len() > 1).then(|| own.join(" "))
}

/// Returns a postal code in lower case without spaces; none below five characters.
#[must_use]
pub fn postal_code(code: &str) -> Option<String> {
    let code: String = fold(code).chars().filter(char::is_ascii_alphanumeric).collect();
    (code.len() >= 5).then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phone_is_e164_or_none() {
        for (typed, expected) in [
            ("(514) 555-0123", Some("+15145550123")),
            ("1 514.555.0123", Some("+15145550123")),
            ("514-555-0123 poste 45", Some("+15145550123")),
            ("514 555 0123 x7", Some("+15145550123")),
            ("+33 1 55 55 01 23", Some("+33155550123")),
            ("011 33 1 55 55 01 23", Some("+33155550123")),
            ("555-0123", None),
            ("", None),
            ("appeler le soir", None),
        ] {
            assert_eq!(phone(typed).as_deref(), expected, "{typed}");
        }
    }

    #[test]
    fn serial_number_ignores_notation_and_rejects_regular() {
        for typed in ["No 61234", "#61234", "S/N: 61234", "61-234", "0061234", " 61 234 "] {
            assert_eq!(serial_number(typed).as_deref(), Some("61234"), "{typed}");
        }
        assert_eq!(serial_number("H 1234567").as_deref(), Some("h1234567"));
        for typed in ["", "0", "123", "1234", "000000", "11111", "N/A", "?", "illisible", "123456"] {
            assert_eq!(serial_number(typed), None, "{typed}");
        }
    }

    #[test]
    fn make_keeps_its_distinctive_words() {
        for (typed, expected) in [
            ("Steinway & Sons", Some("steinway")),
            ("KAWAI Piano", Some("kawai")),
            ("Bösendorfer", Some("bosendorfer")),
            ("Boesendorfer (Vienne)", Some("bosendorfer")),
            ("Lesage, Ste-Thérèse", Some("lesage")),
            ("Willis & Co.", Some("willis")),
            ("Inconnu", None),
            ("?", None),
        ] {
            assert_eq!(make(typed).as_deref(), expected, "{typed}");
        }
    }

    #[test]
    fn street_is_its_number_and_name() {
        for typed in [
            "12 rue des Tilleuls",
            "12, Rue Tilleuls",
            "12 TILLEULS st.",
            "3-12 des Tilleuls",
            "12 Tilleuls, app. 3",
        ] {
            assert_eq!(street(typed).as_deref(), Some("12 tilleuls"), "{typed}");
        }
        assert_eq!(street("rue des Tilleuls"), None);
    }

    #[test]
    fn invalid_email_is_none() {
        assert_eq!(email(" A.B@Example.ORG ").as_deref(), Some("a.b@example.org"));
        assert_eq!([email("aucun"), email("a@b"), email("@example.org")], [None, None, None]);
    }
}
