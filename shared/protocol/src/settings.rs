//! Settings from the environment; every problem with them is reported at once.

use std::fmt;
use std::str::FromStr;

/// Reader of settings that collects the problems it finds.
pub struct Settings<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    problems: Vec<String>,
}

/// Error that lists every invalid setting, with its purpose.
#[derive(Debug, thiserror::Error)]
#[error("invalid environment: {}", .0.join("; "))]
pub struct InvalidSettings(Vec<String>);

impl<'a> Settings<'a> {
    /// Returns a reader of the settings that `lookup` finds: the environment, or a map in a test.
    #[must_use]
    pub fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { lookup, problems: Vec::new() }
    }

    /// Reads a mandatory setting; `purpose` describes it in the error.
    pub fn required<T: FromStr + Default>(&mut self, name: &str, purpose: &str) -> T {
        if let Some(text) = self.text(name) {
            return self.parsed(name, &text, purpose);
        }
        self.problems.push(format!("{name} is missing ({purpose})"));
        T::default()
    }

    /// Reads an optional setting, `default` where it is missing.
    pub fn optional<T: FromStr + Default>(&mut self, name: &str, default: T, purpose: &str) -> T {
        match self.text(name) {
            Some(text) => self.parsed(name, &text, purpose),
            None => default,
        }
    }

    /// Reads a setting that must be one of `words`, `default` where it is missing.
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

    /// Adds a problem that the caller found in a value.
    pub fn problem(&mut self, name: &str, problem: impl fmt::Display) {
        self.problems.push(format!("{name}: {problem}"));
    }

    /// Returns `value` if there was no problem.
    ///
    /// # Errors
    /// Lists every setting that is missing or malformed.
    pub fn finish<T>(self, value: T) -> Result<T, InvalidSettings> {
        if self.problems.is_empty() { Ok(value) } else { Err(InvalidSettings(self.problems)) }
    }

    /// Returns the text of a setting; none where it is missing or blank.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        (self.lookup)(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    // The error never shows the value: it may be a secret put into the wrong variable.
    fn parsed<T: FromStr + Default>(&mut self, name: &str, text: &str, purpose: &str) -> T {
        text.parse().unwrap_or_else(|_| {
            let kind = match std::any::type_name::<T>().rsplit("::").next().unwrap_or_default() {
                "Tz" => "IANA time zone",
                "u16" | "u32" | "u64" | "usize" | "i32" | "i64" => "whole number",
                "f64" => "number",
                other => other,
            };
            self.problems.push(format!("{name} is not a valid {kind} ({purpose})"));
            T::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_lists_every_invalid_setting_without_values() {
        let lookup = |name: &str| match name {
            "RATE" => Some("s3cret".to_owned()),
            "MODE" => Some("hurried".to_owned()),
            _ => None,
        };
        let mut settings = Settings::new(&lookup);
        let _: String = settings.required("RAW_BUCKET", "the bucket of raw pages");
        let _: u32 = settings.optional("RATE", 5, "requests per second");
        settings.one_of("MODE", &[("session", 1), ("direct", 2)], 1);
        let message = settings.finish(()).map_or_else(|invalid| invalid.to_string(), |()| String::new());
        assert_eq!(
            message,
            "invalid environment: RAW_BUCKET is missing (the bucket of raw pages); \
             RATE is not a valid whole number (requests per second); MODE is not accepted; accepted: session, direct"
        );
    }
}
