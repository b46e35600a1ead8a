//! Authentication: a key that never changes, or tokens that expire and are refreshed.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use protocol::secret::SecretError;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::token_lease::TokenLease;
use crate::token_store::TokenStore;
use object_store::{ObjectStore, StateError};

/// How requests are authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    /// `x-gazelle-api-key`, a key per user.
    ApiKey,
    /// `Authorization: Bearer`, refreshed.
    OAuth,
}

impl Authentication {
    /// The words by which configuration names them.
    pub const WORDS: [(&'static str, Self); 2] = [("api_key", Self::ApiKey), ("oauth", Self::OAuth)];
}

const ACCEPTED_KEY: &str = r#"{"api_key": "…"}"#;
const ACCEPTED_TOKENS: &str = r#"{"client_id": "…", "client_secret": "…", "access_token": "…", "refresh_token": "…", "expires_at": "2026-01-31T12:00:00Z"}"#;

/// A token this close to its end is not used any more: the request must not outlive it. Of one that lives
/// shortly, a quarter of its life.
const EXPIRY_MARGIN: TimeDelta = TimeDelta::seconds(90);

/// A refused refresh token is compared with the stored one so often, in case another has just replaced it.
const REREADS_MAX: u32 = 3;
const REREAD_PAUSE: Duration = Duration::from_secs(1);
/// Storing new tokens is tried again so often, for 6 seconds in all.
const WRITES_MAX: u32 = 5;

/// Why there is no usable key or token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The store of secrets could not be read or written. This is not «no token».
    #[error(transparent)]
    Store(#[from] SecretError),
    /// The stored secret lacks something.
    #[error("The secret {id} has no text `{field}`; accepted: {accepted}")]
    Incomplete {
        /// The secret's name.
        id: String,
        /// The field.
        field: &'static str,
        /// What would be right.
        accepted: &'static str,
    },
    /// The refresh token is refused: a person must authorise again.
    #[error(
        "Gazelle refuses the refresh token (invalid_grant): access and refresh token have both expired. A person \
         must authorise the application again (/developer/oauth/authorize) and store the new tokens in the secret {id}"
    )]
    NeedsPerson {
        /// The secret's name.
        id: String,
    },
    /// The token endpoint refuses the application itself.
    #[error(
        "Gazelle refuses the OAuth application ({reason}): check client_id and client_secret in the secret {id}"
    )]
    Refused {
        /// The secret's name.
        id: String,
        /// The endpoint's own word.
        reason: String,
    },
    /// The lease under which one invocation refreshes could not be had.
    #[error(transparent)]
    Lease(#[from] StateError),
    /// The token endpoint could not be used this time.
    #[error("Could not refresh the token: {0}")]
    Refresh(String),
}

/// The key or the tokens, read when first needed.
#[derive(Debug)]
pub struct Credentials {
    authentication: Authentication,
    store: TokenStore,
    token_url: String,
    lease: TokenLease,
    current: Mutex<Option<Current>>,
    /// New tokens that could not be stored yet: the old ones are spent.
    unsaved: Mutex<Option<Map<String, Value>>>,
}

#[derive(Debug, Clone)]
struct Current {
    secret: SecretString,
    use_until: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    refresh_token: Option<String>,
    expires_in: i64,
}

#[derive(Deserialize)]
struct TokenRefusal {
    error: Option<String>,
}

impl Credentials {
    /// Credentials kept in `store`. Those who share `states` never refresh at the same time.
    #[must_use]
    pub fn new(
        authentication: Authentication,
        store: TokenStore,
        token_url: String,
        states: Arc<ObjectStore>,
    ) -> Self {
        let lease = TokenLease::new(states);
        Self { authentication, store, token_url, lease, current: Mutex::new(None), unsaved: Mutex::new(None) }
    }

    /// The header that authenticates a request.
    ///
    /// # Errors
    /// There is no usable key or token.
    pub async fn header(&self, http: &reqwest::Client) -> Result<(&'static str, SecretString), TokenError> {
        let mut current = self.current.lock().await;
        let now = Utc::now();
        let usable = current.clone().filter(|token| token.use_until.is_none_or(|until| until > now));
        let token = match usable {
            Some(token) => token,
            None => self.load(http, None).await?,
        };
        *current = Some(token.clone());
        let name = match self.authentication {
            Authentication::ApiKey => "x-gazelle-api-key",
            Authentication::OAuth => "authorization",
        };
        Ok((name, self.header_value(&token.secret)))
    }

    /// Gazelle refused that header: reads the secret again, and refreshes what is still the same. Does
    /// nothing where another request has renewed it in the meantime.
    ///
    /// # Errors
    /// There is no usable key or token.
    pub async fn renew(&self, http: &reqwest::Client, refused: &SecretString) -> Result<(), TokenError> {
        let mut current = self.current.lock().await;
        let shown = |token: &Current| self.header_value(&token.secret);
        if current.as_ref().is_some_and(|token| shown(token).expose_secret() != refused.expose_secret()) {
            return Ok(());
        }
        let refused = current.take().map(|token| token.secret);
        *current = Some(self.load(http, refused.as_ref()).await?);
        Ok(())
    }

    fn header_value(&self, secret: &SecretString) -> SecretString {
        match self.authentication {
            Authentication::ApiKey => secret.clone(),
            Authentication::OAuth => SecretString::from(format!("Bearer {}", secret.expose_secret())),
        }
    }

    async fn load(
        &self,
        http: &reqwest::Client,
        refused: Option<&SecretString>,
    ) -> Result<Current, TokenError> {
        match self.authentication {
            Authentication::ApiKey => {
                let fields = self.store.read(ACCEPTED_KEY).await?;
                let secret = self.field(&fields, "api_key", ACCEPTED_KEY)?;
                Ok(Current { secret, use_until: None })
            }
            Authentication::OAuth => self.load_token(http, refused).await,
        }
    }

    async fn load_token(
        &self,
        http: &reqwest::Client,
        refused: Option<&SecretString>,
    ) -> Result<Current, TokenError> {
        if self.unsaved.lock().await.is_none() {
            let fields = self.store.read(ACCEPTED_TOKENS).await?;
            if let Some(usable) = usable(&fields, refused) {
                return Ok(usable);
            }
        }
        // One refreshes, the others wait and find the new token.
        let mut lease = self.lease.take().await?;
        let renewed = self.renew_under_lease(http, refused).await;
        let is_saved = self.unsaved.lock().await.is_none();
        self.lease.release(&mut lease, is_saved).await;
        renewed
    }

    async fn renew_under_lease(
        &self,
        http: &reqwest::Client,
        refused: Option<&SecretString>,
    ) -> Result<Current, TokenError> {
        let mut unsaved = self.unsaved.lock().await;
        if let Some(fields) = &*unsaved {
            self.write(fields).await?;
            *unsaved = None;
        }
        let mut fields = self.store.read(ACCEPTED_TOKENS).await?;
        if let Some(usable) = usable(&fields, refused) {
            return Ok(usable);
        }
        for _ in 0..REREADS_MAX {
            match self.refresh(http, &fields).await {
                Ok(renewed) => {
                    // Stored before it is used: a crash in between must not lose a rotated token.
                    let stored = self.write(&renewed).await;
                    if let Err(error) = stored {
                        *unsaved = Some(renewed);
                        return Err(error.into());
                    }
                    let expires_at = expires_at(&renewed).unwrap_or_default();
                    info!("Refreshed the access token, good until {expires_at}");
                    return usable(&renewed, None)
                        .ok_or_else(|| TokenError::Refresh("the new token is over already".to_owned()));
                }
                Err(TokenError::NeedsPerson { .. }) => {
                    // What we read may have been older than what another has just stored.
                    sleep(REREAD_PAUSE).await;
                    let read = self.store.read(ACCEPTED_TOKENS).await?;
                    if let Some(usable) = usable(&read, refused) {
                        return Ok(usable);
                    }
                    if read.get("refresh_token") == fields.get("refresh_token") {
                        break;
                    }
                    fields = read;
                }
                Err(error) => return Err(error),
            }
        }
        Err(TokenError::NeedsPerson { id: self.store.name().to_owned() })
    }

    /// Stores new tokens; tries for a while, because the old ones are spent.
    async fn write(&self, fields: &Map<String, Value>) -> Result<(), SecretError> {
        let mut pause = Duration::from_millis(200);
        for _ in 0..WRITES_MAX {
            match self.store.write(fields).await {
                Ok(()) => return Ok(()),
                Err(error) => warn!("New tokens are not stored yet, trying again: {error}"),
            }
            sleep(pause).await;
            pause *= 2;
        }
        self.store.write(fields).await
    }

    /// Trades the refresh token; answers the secret's new fields.
    async fn refresh(
        &self,
        http: &reqwest::Client,
        fields: &Map<String, Value>,
    ) -> Result<Map<String, Value>, TokenError> {
        let text = |field| self.field(fields, field, ACCEPTED_TOKENS);
        let (client_id, client_secret) = (text("client_id")?, text("client_secret")?);
        let refresh_token = text("refresh_token")?;
        let form = [
            ("grant_type", "refresh_token"),
            ("client_id", client_id.expose_secret()),
            ("client_secret", client_secret.expose_secret()),
            ("refresh_token", refresh_token.expose_secret()),
        ];
        let unsent = |error: reqwest::Error| TokenError::Refresh(error.without_url().to_string());
        let answer = http.post(&self.token_url).form(&form).send().await.map_err(unsent)?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(unsent)?;
        if status.is_client_error() && status != reqwest::StatusCode::TOO_MANY_REQUESTS {
            let refusal: Option<TokenRefusal> = serde_json::from_slice(&body).ok();
            let reason = refusal.and_then(|refusal| refusal.error).unwrap_or_else(|| status.to_string());
            let id = self.store.name().to_owned();
            if reason == "invalid_grant" {
                return Err(TokenError::NeedsPerson { id });
            }
            return Err(TokenError::Refused { id, reason: reason.chars().take(60).collect() });
        }
        if !status.is_success() {
            return Err(TokenError::Refresh(format!("the token endpoint answered {status}")));
        }
        let answer: TokenAnswer = serde_json::from_slice(&body)
            .map_err(|_| TokenError::Refresh("the token endpoint's answer holds no token".to_owned()))?;
        let expires_at = Utc::now() + TimeDelta::try_seconds(answer.expires_in).unwrap_or_default();
        let mut fields = fields.clone();
        fields.insert("access_token".to_owned(), Value::from(answer.access_token));
        // Whether the refresh token rotates is unknown: the old one stays where none comes back.
        if let Some(refresh_token) = answer.refresh_token {
            fields.insert("refresh_token".to_owned(), Value::from(refresh_token));
        }
        fields.insert("expires_at".to_owned(), Value::from(expires_at.to_rfc3339()));
        fields.insert("expires_in".to_owned(), Value::from(answer.expires_in));
        Ok(fields)
    }

    fn field(
        &self,
        fields: &Map<String, Value>,
        field: &'static str,
        accepted: &'static str,
    ) -> Result<SecretString, TokenError> {
        fields
            .get(field)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
            .map(SecretString::from)
            .ok_or_else(|| TokenError::Incomplete { id: self.store.name().to_owned(), field, accepted })
    }
}

fn expires_at(fields: &Map<String, Value>) -> Option<DateTime<Utc>> {
    let text = fields.get("expires_at")?.as_str()?;
    Some(DateTime::parse_from_rfc3339(text).ok()?.with_timezone(&Utc))
}

/// The stored access token, where it is still good and not the one refused.
fn usable(fields: &Map<String, Value>, refused: Option<&SecretString>) -> Option<Current> {
    let token = fields.get("access_token").and_then(Value::as_str).filter(|token| !token.is_empty())?;
    let life = fields.get("expires_in").and_then(Value::as_i64).and_then(TimeDelta::try_seconds);
    let margin = life.map_or(EXPIRY_MARGIN, |life| EXPIRY_MARGIN.min(life / 4));
    let use_until = expires_at(fields)? - margin;
    let is_refused = refused.is_some_and(|refused| refused.expose_secret() == token);
    (!is_refused && use_until > Utc::now())
        .then(|| Current { secret: SecretString::from(token), use_until: Some(use_until) })
}
