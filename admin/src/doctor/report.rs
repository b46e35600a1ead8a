//! Report of the doctor: counts outcomes and prints a line for each check.

use std::error::Error;

use i18n::terminal::doctor as text;
use lambda::error_chain;

/// Outcome of a check. Findings and advice are French, causes are English.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CheckOutcome {
    /// The check passed, with its finding.
    Passed(String),
    /// The check failed; the report prints the fault, its causes and the remedy.
    Failed {
        /// Fault in one line.
        finding: String,
        /// Technical causes, a line each.
        causes: Vec<String>,
        /// Remedy for the person at the terminal.
        advice: String,
    },
    /// The check was not possible, for this reason.
    Skipped(String),
}

impl CheckOutcome {
    /// Creates the outcome of a failed check that has no technical cause.
    pub(super) fn failed(finding: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::Failed { finding: finding.into(), causes: Vec::new(), advice: advice.into() }
    }

    /// Creates the outcome of a check that failed with this error.
    pub(super) fn error(finding: impl Into<String>, error: &dyn Error, advice: impl Into<String>) -> Self {
        Self::Failed { finding: finding.into(), causes: vec![error_chain(error)], advice: advice.into() }
    }
}

/// Counts of the outcomes so far.
#[derive(Debug, Default)]
pub(super) struct CheckReport {
    passed: u32,
    failed: u32,
    skipped: u32,
}

impl CheckReport {
    /// Counts and prints the outcome of a check.
    #[expect(clippy::print_stdout, reason = "the report is the result of the command")]
    pub(super) fn add(&mut self, check: &str, outcome: CheckOutcome) {
        let (count, lines) = match outcome {
            CheckOutcome::Passed(finding) => (&mut self.passed, text::passed_line(check, &finding)),
            CheckOutcome::Failed { finding, causes, advice } => {
                (&mut self.failed, text::failed_lines(check, &finding, &causes, &advice))
            }
            CheckOutcome::Skipped(reason) => (&mut self.skipped, text::skipped_line(check, &reason)),
        };
        *count += 1;
        println!("{lines}");
    }

    /// Returns the line with all counts.
    pub(super) fn summary(&self) -> String {
        text::summary(self.passed, self.failed, self.skipped)
    }

    /// Returns whether no check failed.
    pub(super) const fn is_passed(&self) -> bool {
        self.failed == 0
    }
}
