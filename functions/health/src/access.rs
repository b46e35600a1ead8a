//! Who may read: the token, shown as a bearer or, by a browser, as the password of any user.

use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use lambda::Secrets;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use subtle::ConstantTimeEq;
use tokio::sync::Mutex;
use tracing::error;

/// A void token is refused after this time at the latest.
const TOKEN_KEPT: Duration = Duration::from_mins(5);
/// Whoever shows another one may have the new one: ours is read anew then, at most so often.
const TOKEN_DOUBTED: Duration = Duration::from_secs(5);
/// A reader's name in `resolved_by`, at most.
const NAME_CHARACTERS_MAX: usize = 60;

/// What a reader shows.
struct Shown {
    /// Who they say they are: a browser asks for a name.
    person: Option<String>,
    token: String,
}

/// Why a reader is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// No token is shown.
    NoToken,
    /// Another token is shown.
    WrongToken,
    /// Ours cannot be read now.
    Unknown,
    /// A page of another site sends this.
    ForeignSite,
}

/// The token of the readers.
#[derive(Debug)]
pub struct Access {
    secret_id: String,
    secrets: Secrets,
    kept: Mutex<Option<(Arc<SecretString>, Instant)>>,
}

impl Access {
    /// The token in that secret.
    #[must_use]
    pub fn new(secret_id: String, secrets: Secrets) -> Self {
        Self { secret_id, secrets, kept: Mutex::new(None) }
    }

    /// Compares the token that is shown with ours, in a time that tells nothing about either; answers the name
    /// that came with it.
    ///
    /// # Errors
    /// Why the reader is turned away.
    pub async fn check(&self, request: &Value) -> Result<String, Refusal> {
        let shown = shown(header(request, "authorization").unwrap_or_default()).ok_or(Refusal::NoToken)?;
        for kept in [TOKEN_KEPT, TOKEN_DOUBTED] {
            let token = self.token(kept).await.map_err(|reason| {
                error!("The token cannot be checked: {reason}");
                Refusal::Unknown
            })?;
            if bool::from(token.expose_secret().as_bytes().ct_eq(shown.token.as_bytes())) {
                return Ok(shown.person.unwrap_or_else(|| "api".to_owned()));
            }
        }
        Err(Refusal::WrongToken)
    }

    /// The same for what changes something: a browser shows its password to whoever makes it ask.
    ///
    /// # Errors
    /// Why the reader is turned away.
    pub async fn check_change(&self, request: &Value) -> Result<String, Refusal> {
        let person = self.check(request).await?;
        let is_bearer =
            header(request, "authorization").is_some_and(|value| scheme_of(value, "bearer").is_some());
        if is_bearer || is_same_site(request) { Ok(person) } else { Err(Refusal::ForeignSite) }
    }

    /// Ours, read no longer ago than that.
    async fn token(&self, max_age: Duration) -> Result<Arc<SecretString>, String> {
        let mut kept = self.kept.lock().await;
        if let Some((token, read_at)) = kept.as_ref()
            && read_at.elapsed() < max_age
        {
            return Ok(Arc::clone(token));
        }
        let token = self
            .secrets
            .read_text(&self.secret_id, "token", r#"{"token": "…"}"#)
            .await
            .map_err(|error| error.to_string())?;
        let token = Arc::new(token);
        *kept = Some((Arc::clone(&token), Instant::now()));
        Ok(token)
    }
}

/// A header of the request, whatever its case.
#[must_use]
pub fn header<'r>(request: &'r Value, name: &str) -> Option<&'r str> {
    let headers = request.get("headers")?.as_object()?;
    headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name))?.1.as_str()
}

fn scheme_of<'v>(value: &'v str, scheme: &str) -> Option<&'v str> {
    let (shown, rest) = value.split_once(' ')?;
    shown.eq_ignore_ascii_case(scheme).then_some(rest.trim())
}

fn shown(value: &str) -> Option<Shown> {
    if let Some(token) = scheme_of(value, "bearer") {
        return Some(Shown { person: None, token: token.to_owned() });
    }
    let decoded = STANDARD.decode(scheme_of(value, "basic")?).ok()?;
    let decoded = String::from_utf8(decoded).ok()?;
    let (person, token) = decoded.split_once(':')?;
    let person: String =
        person.chars().filter(|character| !character.is_control()).take(NAME_CHARACTERS_MAX).collect();
    let person = Some(person.trim().to_owned()).filter(|person| !person.is_empty());
    Some(Shown { person: person.or_else(|| Some("dashboard".to_owned())), token: token.to_owned() })
}

/// Whether a browser says that our own page asks. One that says nothing is not believed.
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
