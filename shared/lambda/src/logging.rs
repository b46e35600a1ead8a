//! Logs: one JSON object per line, for CloudWatch; plain text for a terminal.

use tracing_subscriber::EnvFilter;

/// What is logged where `RUST_LOG` says nothing.
const DEFAULT: &str = "info";

fn filter() -> EnvFilter {
    let rules = std::env::var("RUST_LOG").unwrap_or_else(|_| DEFAULT.to_owned());
    // Every released connection is rolled back, and PostgreSQL remarks on each that needed none.
    EnvFilter::try_new(format!("{rules},sqlx::postgres::notice=error"))
        .unwrap_or_else(|_| EnvFilter::new(DEFAULT))
}

/// Starts logging for a function. Of a panic only its place is logged: its message may quote a customer.
pub fn init_logging() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "A panic");
    }));
    let _ = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        // The runtime's span: the request id and the trace of AWS.
        .with_current_span(true)
        .with_span_list(false)
        .with_env_filter(filter())
        .try_init();
}

/// Starts logging for a command: to standard error, as text.
pub fn init_terminal_logging() {
    let _ = tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter()).try_init();
}
