//! Return of the browser after the consent: a local HTTP server, or an address that the person pastes.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::response::Html;
use axum::routing::get;
use i18n::terminal::authorise as text;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, oneshot};

use crate::error::AdminError;

/// Time that a person has to log in and to accept.
const CONSENT_TIMEOUT: Duration = Duration::from_mins(10);
/// Time for the thanks page to reach the browser before the server ends.
const PAGE_DELAY: Duration = Duration::from_millis(200);

/// Authorisation that waits for its callback.
#[derive(Clone)]
struct PendingCallback {
    /// State parameter that the callback must carry.
    state: SecretString,
    /// Sender of the code; taken by the first valid callback.
    code_sender: Arc<Mutex<Option<oneshot::Sender<String>>>>,
}

/// Query of a callback.
#[derive(Deserialize)]
struct CallbackQuery {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
}

/// Waits for the browser and returns the authorisation code. A callback with another state is refused.
///
/// # Errors
/// [`AdminError::NoCallback`] or [`AdminError::CallbackLost`].
pub(crate) async fn wait_for_code(listener: TcpListener, state: String) -> Result<String, AdminError> {
    let (code_sender, code) = oneshot::channel();
    let pending =
        PendingCallback { state: state.into(), code_sender: Arc::new(Mutex::new(Some(code_sender))) };
    let app = Router::new().route("/callback", get(receive_callback)).with_state(pending);
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let code = tokio::time::timeout(CONSENT_TIMEOUT, code).await;
    tokio::time::sleep(PAGE_DELAY).await;
    server.abort();
    code.map_err(|_| AdminError::NoCallback)?.map_err(|_| AdminError::CallbackLost)
}

async fn receive_callback(
    State(pending): State<PendingCallback>,
    Query(query): Query<CallbackQuery>,
) -> Html<&'static str> {
    if query.code.is_empty() || !is_expected_state(&pending.state, &query.state) {
        return Html(text::FOREIGN_CALLBACK_PAGE);
    }
    if let Some(code_sender) = pending.code_sender.lock().await.take() {
        // The receiver is gone only if the command has ended already.
        let _ = code_sender.send(query.code);
    }
    Html(text::THANKS_PAGE)
}

/// Returns the code in a pasted line: the whole address, or the code alone.
///
/// # Errors
/// The line is empty, no address, of another authorisation, or without a code.
pub(crate) fn parse_pasted_code(line: &str, state: &str) -> Result<String, AdminError> {
    if line.is_empty() {
        return Err(AdminError::NothingPasted);
    }
    if !line.contains("code=") {
        return Ok(line.to_owned());
    }
    let url = Url::parse(line).map_err(|_| AdminError::UnreadablePaste)?;
    let value =
        |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    if !is_expected_state(&state.to_owned().into(), &value("state").unwrap_or_default()) {
        return Err(AdminError::ForeignAddress);
    }
    value("code").ok_or(AdminError::AddressWithoutCode)
}

/// Compares in constant time, so that the time of a refusal tells nothing about the expected state.
fn is_expected_state(expected: &SecretString, state: &str) -> bool {
    expected.expose_secret().as_bytes().ct_eq(state.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pasted_address_requires_our_state() {
        let of = |line| parse_pasted_code(line, "abc").ok();
        assert_eq!(of("http://localhost:8765/callback?code=c%201&state=abc").as_deref(), Some("c 1"));
        assert_eq!(of("http://localhost:8765/callback?code=c&state=abd"), None);
        assert_eq!(of("http://localhost:8765/callback?code=c"), None);
        assert_eq!(of("c-alone").as_deref(), Some("c-alone"));
        assert_eq!(of(""), None);
    }
}
