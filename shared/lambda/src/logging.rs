//! Logs: one JSON object per line for CloudWatch, plain text for a terminal.

use tracing_subscriber::EnvFilter;

/// Log filter in the absence of `RUST_LOG`.
const DEFAULT_FILTER: &str = "info";

fn filter() -> EnvFilter {
    let rules = std::env::var("RUST_LOG").unwrap_or_else(|_| DEFAULT_FILTER.to_owned());
    // Every released connection is rolled back, and PostgreSQL sends a notice for each that needed no rollback.
    EnvFilter::try_new(format!("{rules},sqlx::postgres::notice=error"))
        .unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER))
}

/// Starts the log of a function: JSON lines on standard output.
///
/// Of a panic only its source location is logged: its message may quote a customer's data.
pub fn init_logging() {
    std::panic::set_hook(Box::new(|panic| {
        // The alerter passes this field on to Sentry under the same name.
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "A panic");
    }));
    let _ = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        // The span of the Lambda runtime carries the request id and AWS's trace id.
        .with_current_span(true)
        .with_span_list(false)
        .with_env_filter(filter())
        .try_init();
}

/// Starts the log of a command: plain text on standard error.
pub fn init_terminal_logging() {
    let _ = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter()).try_init();
}
