//! Text of an error with its causes, for log lines, alerts and reports.

use std::error::Error;

/// Causes shown at most: a chain that refers to itself must not loop forever.
const CAUSES_MAX: usize = 16;
/// Characters of the whole text at most: it must fit into one line of a log or a message.
const CHARACTERS_MAX: usize = 600;

/// Returns the text of `error` and of each of its sources on one line, joined by `: `, such as
/// `could not save page 3 of clients: could not write raw/…: dispatch failure`.
///
/// An error's own text never repeats its source, so whoever prints one calls this. Some libraries do repeat it: a source
/// that the text already ends with is not shown twice. Some print a Rust value instead of a text: of it only the code and
/// the message are shown.
#[must_use]
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = plain(&error.to_string());
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    for cause in causes.take(CAUSES_MAX) {
        let cause = plain(&cause.to_string());
        if !cause.is_empty() && !text.contains(&cause) {
            text.push_str(if text.is_empty() { "" } else { ": " });
            text.push_str(&cause);
        }
    }
    if text.chars().nth(CHARACTERS_MAX).is_some() {
        text = text.chars().take(CHARACTERS_MAX).chain(['…']).collect();
    }
    text
}

/// Returns a text on one line, without Rust values: of `Error { code: "X", message: "y", … }` it keeps `X: y`.
fn plain(text: &str) -> String {
    let line: String =
        text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    let Some(value) = rust_value(&line) else { return line };
    let (before, value) = line.split_at(value);
    let fields = ["code", "message"].into_iter().filter_map(|name| field(value, name));
    let before = before.trim_end_matches([' ', ':', '(']);
    let parts: Vec<String> =
        Some(before.to_owned()).filter(|text| !text.is_empty()).into_iter().chain(fields).collect();
    parts.join(": ")
}

/// Returns the index at which a Rust value begins that was printed for developers: `Name { field: …` or a path to a type.
fn rust_value(line: &str) -> Option<usize> {
    let brace = line.match_indices(" { ").find_map(|(at, _)| {
        let (name, rest) = (&line[..at], &line[at + 3..]);
        let is_field = rest.split_once(": ").is_some_and(|(field, _)| is_identifier(field));
        let start = name.rfind(|character: char| !(character.is_alphanumeric() || character == '_'));
        let start =
            start.map_or(0, |before| before + line[before..].chars().next().map_or(1, char::len_utf8));
        (is_field && is_identifier(&name[start..])).then_some(start)
    });
    brace.into_iter().chain(line.find("&alloc::")).min()
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
}

/// Returns the text of a field of a printed Rust value: `message: "…"` or `message: Some("…")`.
fn field(value: &str, name: &str) -> Option<String> {
    let rest = value.split_once(&format!("{name}: "))?.1;
    let rest = rest.strip_prefix("Some(").unwrap_or(rest).strip_prefix('"')?;
    let end = rest.find('"')?;
    Some(rest[..end].to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum TestError {
        #[error("could not save page 3 of clients")]
        Save(#[source] Box<TestError>),
        #[error("could not reach s3: {0}")]
        RepeatsItsSource(#[source] io::Error),
    }

    #[test]
    fn every_cause_is_shown_once() {
        let refused = io::Error::other("connection refused");
        assert_eq!(error_chain(&refused), "connection refused");
        let saving = TestError::Save(Box::new(TestError::RepeatsItsSource(refused)));
        assert_eq!(
            error_chain(&saving),
            "could not save page 3 of clients: could not reach s3: connection refused"
        );
    }

    #[test]
    fn rust_value_becomes_its_code_and_message() {
        for (printed, expected) in [
            (r#"Error { code: "AccessDenied", message: "no", aws_request_id: "1" }"#, "AccessDenied: no"),
            (
                r#"unhandled error: ErrorMetadata { code: Some("Throttled"), message: Some("slow"), extras: None }"#,
                "unhandled error: Throttled: slow",
            ),
            ("service error\nServiceError { source: Unhandled(Unhandled { meta: 1 }) }", "service error"),
            ("a failure &alloc::boxed::Box<dyn core::error::Error>", "a failure"),
            (r#"accepted: {"token": "…"} and { such }"#, r#"accepted: {"token": "…"} and { such }"#),
        ] {
            assert_eq!(error_chain(&io::Error::other(printed)), expected, "{printed}");
        }
        let long = error_chain(&io::Error::other("x".repeat(5_000)));
        assert_eq!(long.chars().count(), CHARACTERS_MAX + 1);
    }
}
