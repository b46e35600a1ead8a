//! Authentication of requests: an API key that never changes, or OAuth tokens that expire and are refreshed.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use lambda::error_chain;
use object_store::ObjectStore;
use protocol::secret::SecretError;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::error::TokenError;
use crate::token_fields::{ACCEPTED_KEY, ACCEPTED_TOKENS, UsableToken, expires_at, text_field, usable_token};
use crate::token_lease::TokenLease;
use crate::token_refresh::refresh;
use crate::token_store::TokenStore;

/// Way in which requests are authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authentication {
    /// An API key of one user, in the header `x-gazelle-api-key`.
    ApiKey,
    /// An OAuth access token, in the header `Authorization: Bearer`; it expires and is refreshed.
    OAuth,
}

impl Authentication {
    /// Words by which the setting `GAZELLE_AUTH` names them.
    pub const WORDS: [(&'static str, Self); 2] = [("api_key", Self::ApiKey), ("oauth", Self::OAuth)];
}

/// Attempts at a refresh whose token is refused: another invocation may have replaced the token just now, so it is
/// read again before each.
const REFRESH_ATTEMPTS_MAX: u32 = 3;
/// Pause before the token is read again: Secrets Manager may return the former version for a moment.
const REREAD_PAUSE: Duration = Duration::from_secs(1);
/// Attempts at storing new tokens before the last one, with pauses of 6 seconds in all: the old tokens are used up.
const WRITE_ATTEMPTS_MAX: u32 = 5;
/// Pause after the first failed attempt at storing new tokens; it doubles with each further one.
const WRITE_PAUSE_FIRST: Duration = Duration::from_millis(200);

/// API key or OAuth tokens, read at the first request.
#[derive(Debug)]
pub struct Credentials {
    authentication: Authentication,
    store: TokenStore,
    token_url: String,
    lease: TokenLease,
    current: Mutex<Option<UsableToken>>,
    /// New tokens that could not be stored yet; the stored ones are used up.
    unsaved: Mutex<Option<Map<String, Value>>>,
}

impl Credentials {
    /// Creates credentials that are kept in `store`. Those with the same `states` never refresh at the same time.
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

    /// Returns the name and the value of the header that authenticates a request.
    ///
    /// # Errors
    /// Any [`TokenError`]: there is no usable key or token.
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

    /// Replaces the key or token, because Gazelle refused the header value `refused`: reads the secret again, and
    /// refreshes the token if it is still the same. Does nothing if another request has replaced it in the meantime.
    ///
    /// # Errors
    /// Any [`TokenError`]: there is no usable key or token.
    pub async fn renew(&self, http: &reqwest::Client, refused: &SecretString) -> Result<(), TokenError> {
        let mut current = self.current.lock().await;
        let sent = |token: &UsableToken| self.header_value(&token.secret);
        if current.as_ref().is_some_and(|token| sent(token).expose_secret() != refused.expose_secret()) {
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
    ) -> Result<UsableToken, TokenError> {
        match self.authentication {
            Authentication::ApiKey => {
                let fields = self.store.read(ACCEPTED_KEY).await?;
                let secret = text_field(&fields, "api_key", ACCEPTED_KEY, self.store.name())?;
                Ok(UsableToken { secret, use_until: None })
            }
            Authentication::OAuth => self.load_token(http, refused).await,
        }
    }

    async fn load_token(
        &self,
        http: &reqwest::Client,
        refused: Option<&SecretString>,
    ) -> Result<UsableToken, TokenError> {
        if self.unsaved.lock().await.is_none() {
            let fields = self.store.read(ACCEPTED_TOKENS).await?;
            if let Some(usable) = usable_token(&fields, refused) {
                return Ok(usable);
            }
        }
        // One invocation refreshes; the others wait for the lease and then find the new token.
        let mut lease = self.lease.acquire().await.map_err(TokenError::Lease)?;
        let refreshed = self.refresh_under_lease(http, refused).await;
        let is_saved = self.unsaved.lock().await.is_none();
        self.lease.release(&mut lease, is_saved).await;
        refreshed
    }

    async fn refresh_under_lease(
        &self,
        http: &reqwest::Client,
        refused: Option<&SecretString>,
    ) -> Result<UsableToken, TokenError> {
        let mut unsaved = self.unsaved.lock().await;
        if let Some(fields) = &*unsaved {
            self.write(fields).await?;
            *unsaved = None;
        }
        let mut fields = self.store.read(ACCEPTED_TOKENS).await?;
        if let Some(usable) = usable_token(&fields, refused) {
            return Ok(usable);
        }
        for _ in 0..REFRESH_ATTEMPTS_MAX {
            match refresh(http, &self.token_url, self.store.name(), &fields).await {
                Ok(refreshed) => {
                    // Stored before it is used: a crash in between must not lose a rotated refresh token.
                    if let Err(error) = self.write(&refreshed).await {
                        *unsaved = Some(refreshed);
                        return Err(error.into());
                    }
                    let expires_at = expires_at(&refreshed).unwrap_or_default();
                    info!("Refreshed the access token, which expires at {expires_at}");
                    return usable_token(&refreshed, None).ok_or(TokenError::RefreshUnusable);
                }
                Err(TokenError::NeedsPerson { .. }) => {
                    // The refresh token that was read may be older than the one that another invocation just stored.
                    sleep(REREAD_PAUSE).await;
                    let stored = self.store.read(ACCEPTED_TOKENS).await?;
                    if let Some(usable) = usable_token(&stored, refused) {
                        return Ok(usable);
                    }
                    if stored.get("refresh_token") == fields.get("refresh_token") {
                        break;
                    }
                    fields = stored;
                }
                Err(error) => return Err(error),
            }
        }
        Err(TokenError::NeedsPerson { id: self.store.name().to_owned() })
    }

    /// Stores new tokens, with several attempts, because the old ones are used up.
    async fn write(&self, fields: &Map<String, Value>) -> Result<(), SecretError> {
        let mut pause = WRITE_PAUSE_FIRST;
        for _ in 0..WRITE_ATTEMPTS_MAX {
            match self.store.write(fields).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    warn!("Could not store the new tokens, trying again: {}", error_chain(&error));
                }
            }
            sleep(pause).await;
            pause *= 2;
        }
        self.store.write(fields).await
    }
}
