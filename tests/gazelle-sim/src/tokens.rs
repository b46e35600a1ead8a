//! OAuth codes and tokens issued by the simulated Gazelle.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// Access tokens with their expiry, pending codes and the one valid refresh token.
pub(crate) struct TokenStore {
    access: HashMap<String, Instant>,
    refresh: Option<String>,
    issued: u64,
    /// Codes not yet exchanged, each with the redirect URI it was issued for.
    codes: HashMap<String, String>,
}

/// Tokens issued for a code or a refresh token.
pub(crate) struct IssuedTokens {
    pub(crate) access_token: String,
    /// New refresh token, if refresh tokens rotate.
    pub(crate) refresh_token: Option<String>,
}

impl TokenStore {
    /// Creates a store with one valid refresh token.
    pub(crate) fn new(refresh_token: &str) -> Self {
        Self {
            access: HashMap::new(),
            refresh: Some(refresh_token.to_owned()),
            issued: 0,
            codes: HashMap::new(),
        }
    }

    /// Issues an authorization code for a redirect URI.
    pub(crate) fn issue_code(&mut self, redirect_uri: &str) -> String {
        self.issued += 1;
        let code = format!("sim-code-{}", self.issued);
        self.codes.insert(code.clone(), redirect_uri.to_owned());
        code
    }

    /// Exchanges a code, once, if it was issued for this redirect URI.
    pub(crate) fn exchange_code(
        &mut self,
        code: &str,
        redirect_uri: &str,
        ttl_s: u64,
    ) -> Option<IssuedTokens> {
        self.codes.remove(code).filter(|issued_for| issued_for == redirect_uri)?;
        self.refresh = Some(format!("sim-refresh-{}", self.issued + 1));
        let refresh_token = self.refresh.clone()?;
        self.refresh(&refresh_token, ttl_s, true)
    }

    /// Returns true if an access token was issued and has not expired.
    pub(crate) fn is_valid(&self, access_token: &str) -> bool {
        self.access.get(access_token).is_some_and(|expiry| Instant::now() < *expiry)
    }

    /// Exchanges a refresh token; returns `None` if it is not the valid one. Rotation revokes it at once.
    pub(crate) fn refresh(&mut self, refresh_token: &str, ttl_s: u64, rotate: bool) -> Option<IssuedTokens> {
        if self.refresh.as_deref() != Some(refresh_token) {
            return None;
        }
        self.issued += 1;
        let access_token = format!("sim-access-{}", self.issued);
        self.access.insert(access_token.clone(), Instant::now() + Duration::from_secs(ttl_s));
        let refresh_token = rotate.then(|| format!("sim-refresh-{}", self.issued + 1));
        if refresh_token.is_some() {
            self.refresh.clone_from(&refresh_token);
        }
        Some(IssuedTokens { access_token, refresh_token })
    }

    /// Revokes every access token, the refresh token, or both.
    pub(crate) fn expire(&mut self, access: bool, refresh: bool) {
        if access {
            self.access.clear();
        }
        if refresh {
            self.refresh = None;
        }
    }
}
