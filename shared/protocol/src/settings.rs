//! Reads settings and says everything that is wrong with them at once.

use std::fmt;
use std::str::FromStr;

/// Settings as they are read, and what was wrong with them.
pub struct Settings<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<String>,
}

/// Settings that cannot be used: each is named, with what it is for.
#[derive(Debug, thiserror::Error)]
#[error("The environment is not usable: {}", .0.join("; "))]
pub struct BadSettings(Vec<String>);

impl<'a> Settings<'a> {
    /// Settings found by `lookup`: the environment, or a map in a test.
    #[must_use]
    pub fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { lookup, problems: Vec::new() }
    }

    /// A setting that must be there. `purpose` says what it is for.
    pub fn required<T: FromStr + Default>(&mut self, name: &str, purpose: &str) -> T {
        if let Some(text) = self.text(name) {
            return self.parsed(name, &text, purpose);
        }
        self.problems.push(format!("{name} is missing ({purpose})"));
        T::default()
    }

    /// A setting with a default.
    pub fn optional<T: FromStr + Default>(&mut self, name: &str, default: T, purpose: &str) -> T {
        match self.text(name) {
            Some(text) => self.parsed(name, &text, purpose),
            None => default,
        }
    }

    /// A setting that must be one of a few words.
    pub fn one_of<T: Copy>(&mut self, name: &str, words: &[(&str, T)], default: T) -> T {
        let Some(text) = self.text(name) else { return default };
        words.iter().find(|(word, _)| *word == text).map_or_else(
            || {
                let accepted: Vec<_> = words.iter().map(|(word, _)| *word).collect();
                self.problems.push(format!("{name} is not accepted; accepted: {}", accepted.join(", ")));
                default
            },
            |(_, value)| *value,
        )
    }

    /// Adds a problem that a caller found in a value.
    pub fn problem(&mut self, name: &str, problem: impl fmt::Display) {
        self.problems.push(format!("{name}: {problem}"));
    }

    /// The value, if nothing was wrong.
    ///
    /// # Errors
    /// Names every setting that is missing or malformed.
    pub fn finish<T>(self, value: T) -> Result<T, BadSettings> {
        if self.problems.is_empty() { Ok(value) } else { Err(BadSettings(self.problems)) }
    }

    /// A setting that may be missing.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        (self.lookup)(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    // The value itself is never shown: it may be a secret put into the wrong variable.
    fn parsed<T: FromStr + Default>(&mut self, name: &str, text: &str, purpose: &str) -> T {
        text.parse().unwrap_or_else(|_| {
            let kind = std::any::type_name::<T>().rsplit("::").next().unwrap_or_default();
            self.problems.push(format!("{name} is no {kind} ({purpose})"));
            T::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_missing_or_malformed_setting_is_named_with_its_purpose_and_no_value_is_shown() {
        let lookup = |name: &str| match name {
            "RATE" => Some("s3cret".to_owned()),
            "MODE" => Some("hurried".to_owned()),
            _ => None,
        };
        let mut settings = Settings::new(&lookup);
        let _: String = settings.required("RAW_BUCKET", "the bucket of raw pages");
        let _: u32 = settings.optional("RATE", 5, "requests per second");
        settings.one_of("MODE", &[("session", 1), ("direct", 2)], 1);
        let message = settings.finish(()).map_or_else(|bad| bad.to_string(), |()| String::new());
        assert_eq!(
            message,
            "The environment is not usable: RAW_BUCKET is missing (the bucket of raw pages); \
             RATE is no u32 (requests per second); MODE is not accepted; accepted: session, direct"
        );
    }
}
