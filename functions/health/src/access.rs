//! Access control: a token as bearer or, from a browser, as the password of any user name.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lambda::Secrets;
use protocol::secret::SecretError;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use subtle::ConstantTimeEq;
use tokio::sync::Mutex;
use tracing::error;

/// Time for which the token is cached: a revoked one is refused after it at the latest.
const TOKEN_CACHED: Duration = Duration::from_mins(5);
/// Age of the cached token from which a different one makes us read the secret again: it may be the new token.
const TOKEN_RECHECKED: Duration = Duration::from_secs(5);
/// Characters of a reader's name kept in `resolved_by`.
const NAME_CHARACTERS_MAX: usize = 60;

/// Credentials in a request.
struct ShownToken {
    /// Name that the reader gave; a browser asks for one.
    person: Option<String>,
    token: String,
}

/// Reason for which a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The request carries no token.
    NoToken,
    /// The request carries another token.
    WrongToken,
    /// The secret with the token cannot be read now.
    Unknown,
    /// A page of another site sent the request.
    ForeignSite,
}

/// Check of the readers' token.
#[derive(Debug)]
pub struct Access {
    secret_id: String,
    secrets: Secrets,
    cached: Mutex<Option<(Arc<SecretString>, Instant)>>,
}

impl Access {
    /// Creates a check against the token in this secret.
    #[must_use]
    pub fn new(secret_id: String, secrets: Secrets) -> Self {
        Self { secret_id, secrets, cached: Mutex::new(None) }
    }

    /// Compares the request's token with the secret's in constant time; returns the name that came with it.
    ///
    /// # Errors
    /// The reason for the refusal.
    pub async fn check(&self, request: &Value) -> Result<String, Refusal> {
        let shown = shown(header(request, "authorization").unwrap_or_default()).ok_or(Refusal::NoToken)?;
        for max_age in [TOKEN_CACHED, TOKEN_RECHECKED] {
            let token = self.token(max_age).await.map_err(|error| {
                error!("The token cannot be checked: {}", lambda::error_chain(&error));
                Refusal::Unknown
            })?;
            if bool::from(token.expose_secret().as_bytes().ct_eq(shown.token.as_bytes())) {
                return Ok(shown.person.unwrap_or_else(|| "api".to_owned()));
            }
        }
        Err(Refusal::WrongToken)
    }

    /// Checks a request that changes something: a browser sends its password for any page, so the page must be ours.
    ///
    /// # Errors
    /// The reason for the refusal.
    pub async fn check_change(&self, request: &Value) -> Result<String, Refusal> {
        let person = self.check(request).await?;
        let is_bearer =
            header(request, "authorization").is_some_and(|value| scheme_of(value, "bearer").is_some());
        if is_bearer || is_same_site(request) { Ok(person) } else { Err(Refusal::ForeignSite) }
    }

    /// Returns the secret's token, read no longer than `max_age` ago.
    async fn token(&self, max_age: Duration) -> Result<Arc<SecretString>, SecretError> {
        let mut cached = self.cached.lock().await;
        if let Some((token, read_at)) = cached.as_ref()
            && read_at.elapsed() < max_age
        {
            return Ok(Arc::clone(token));
        }
        let token = self.secrets.read_text(&self.secret_id, "token", r#"{"token": "…"}"#).await?;
        let token = Arc::new(token);
        *cached = Some((Arc::clone(&token), Instant::now()));
        Ok(token)
    }
}

/// Returns a header of the request; names are compared without case.
#[must_use]
pub fn header<'r>(request: &'r Value, name: &str) -> Option<&'r str> {
    let headers = request.get("headers")?.as_object()?;
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?.1.as_str()
}

fn scheme_of<'v>(value: &'v str, scheme: &str) -> Option<&'v str> {
    let (shown, rest) = value.split_once(' ')?;
    shown.eq_ignore_ascii_case(scheme).then_some(rest.trim())
}

fn shown(value: &str) -> Option<ShownToken> {
    if let Some(token) = scheme_of(value, "bearer") {
        return Some(ShownToken { person: None, token: token.to_owned() });
    }
    let decoded = STANDARD.decode(scheme_of(value, "basic")?).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (person, token) = decoded.split_once(':')?;
    let person: String =
        person.chars().filter(|character| !character.is_control()).take(NAME_CHARACTERS_MAX).collect();
    let person = Some(person.trim().to_owned()).filter(|person| !person.is_empty());
    Some(ShownToken { person: person.or_else(|| Some("dashboard".to_owned())), token: token.to_owned() })
}

/// Returns whether the browser states that our own page sent the request; without a statement it is refused.
fn is_same_site(request: &Value) -> bool {
    match header(request, "sec-fetch-site") {
        Some(site) => site == "same-origin",
        None => header(request, "origin").zip(header(request, "host")).is_some_and(|(origin, host)| {
            origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://")) == Some(host)
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn token_is_bearer_or_basic_password() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        for (value, expected) in [
            ("Bearer abc".to_owned(), Some((None, "abc"))),
            ("bearer  abc ".to_owned(), Some((None, "abc"))),
            (basic("Zoé:a:b"), Some((Some("Zoé"), "a:b"))),
            (basic(":abc"), Some((Some("dashboard"), "abc"))),
            (basic("no colon"), None),
            ("Basic ???".to_owned(), None),
            ("abc".to_owned(), None),
            (String::new(), None),
        ] {
            let read = shown(&value);
            let read = read.as_ref().map(|shown| (shown.person.as_deref(), shown.token.as_str()));
            assert_eq!(read, expected, "{value}");
        }
    }

    #[test]
    fn cross_site_request_is_refused() {
        let is = |headers: Value| is_same_site(&json!({ "headers": headers }));
        assert!(is(json!({"Sec-Fetch-Site": "same-origin"})));
        assert!(is(json!({"origin": "https://a.example.org", "Host": "a.example.org"})));
        assert!(!is(
            json!({"sec-fetch-site": "cross-site", "origin": "https://a.example.org", "host": "a.example.org"})
        ));
        assert!(!is(json!({"origin": "https://evil.example.org", "host": "a.example.org"})));
        assert!(!is(json!({})));
    }
}
