//! Text of an error with its causes, for log lines, alerts and reports.

use std::error::Error;

/// Causes shown at most: a chain that refers to itself must not loop forever.
const CAUSES_MAX: usize = 16;

/// Returns the text of `error` and of each of its sources, joined by `: `, such as
/// `could not save page 3 of clients: could not write raw/…: dispatch failure`.
///
/// An error's own text never repeats its source, so whoever prints one calls this. Some libraries do
/// repeat it: a source that the text already ends with is not shown twice.
#[must_use]
pub fn error_chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    for cause in causes.take(CAUSES_MAX) {
        let cause = cause.to_string();
        if !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
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
}
