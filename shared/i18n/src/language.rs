//! Languages of the people who read: French by default, English on request.

/// Language of a text that people read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// French of Québec, the default.
    French,
    /// English, for readers whose browser prefers it.
    English,
}

impl Language {
    /// Returns the preferred language of an `Accept-Language` header; French where the header does not decide.
    #[must_use]
    pub fn preferred(accepted: &str) -> Self {
        let weight = |language: &str| {
            accepted
                .split(',')
                .filter_map(|part| {
                    let mut words = part.trim().split(';');
                    let name = words.next()?.trim().to_ascii_lowercase();
                    let is_it = name == language || name.starts_with(&format!("{language}-"));
                    let quality = words.find_map(|word| word.trim().strip_prefix("q=")?.parse::<f64>().ok());
                    is_it.then(|| quality.unwrap_or(1.0))
                })
                .fold(0.0, f64::max)
        };
        if weight("en") > weight("fr") { Self::English } else { Self::French }
    }

    /// Returns the language tag for HTML's `lang`.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::French => "fr-CA",
            Self::English => "en-CA",
        }
    }

    /// Returns the text of this language.
    #[must_use]
    pub const fn pick<T: Copy>(self, french: T, english: T) -> T {
        match self {
            Self::French => french,
            Self::English => english,
        }
    }

    /// Formats a duration since an event, in the largest unit that fits.
    #[must_use]
    pub fn ago(self, seconds: i64) -> String {
        let (number, french, english) = match seconds {
            ..60 => return self.pick("à l'instant", "just now").to_owned(),
            60..3_600 => (seconds / 60, "min", "min"),
            3_600..172_800 => (seconds / 3_600, "h", "h"),
            _ => (seconds / 86_400, "jours", "days"),
        };
        match self {
            Self::French => format!("il y a {number} {french}"),
            Self::English => format!("{number} {english} ago"),
        }
    }

    /// Returns the line on so many more that are not shown.
    #[must_use]
    pub fn and_more(self, count: i64) -> String {
        match self {
            Self::French => format!("… et {count} autres"),
            Self::English => format!("… and {count} more"),
        }
    }

    /// Formats a number with one decimal: `98,5` in French, `98.5` in English.
    #[must_use]
    pub fn decimal(self, value: f64) -> String {
        let text = format!("{value:.1}");
        match self {
            Self::French => text.replace('.', ","),
            Self::English => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn french_is_the_default_language() {
        for (accepted, expected) in [
            ("", Language::French),
            ("fr-CA,fr;q=0.9,en;q=0.8", Language::French),
            ("en-CA,en;q=0.9,fr;q=0.8", Language::English),
            ("de,en;q=0.5", Language::English),
            ("*", Language::French),
            ("en;q=nonsense", Language::English),
        ] {
            assert_eq!(Language::preferred(accepted), expected, "{accepted}");
        }
    }

    #[test]
    fn age_uses_the_largest_fitting_unit() {
        let said = [5, 130, 7_300, 300_000].map(|seconds| Language::French.ago(seconds));
        assert_eq!(said, ["à l'instant", "il y a 2 min", "il y a 2 h", "il y a 3 jours"]);
    }
}
