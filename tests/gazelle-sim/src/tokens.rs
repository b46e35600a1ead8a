//! The OAuth tokens in circulation.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

/// The access tokens with their end, and the one valid refresh token.
pub(crate) struct Tokens {
    access: HashMap<String, Instant>,
    refresh: Option<String>,
    issued: u64,
    /// Codes that were not traded yet, each with where it was sent.
    codes: HashMap<String, String>,
}

/// What a refresh hands out.
pub(crate) struct Issued {
    /// The new access token.
    pub(crate) access_token: String,
    /// The new refresh token, if it rotates.
    pub(crate) refresh_token: Option<String>,
}

impl Tokens {
    /// Only a refresh token is in circulation.
    pub(crate) fn new(refresh_token: &str) -> Self {
        Self {
            access: HashMap::new(),
            refresh: Some(refresh_token.to_owned()),
            issued: 0,
            codes: HashMap::new(),
        }
    }

    /// A code for that address.
    pub(crate) fn issue_code(&mut self, redirect_uri: &str) -> String {
        self.issued += 1;
        let code = format!("sim-code-{}", self.issued);
        self.codes.insert(code.clone(), redirect_uri.to_owned());
        code
    }

    /// Trades a code, once, for the address that it was sent to.
    pub(crate) fn trade_code(&mut self, code: &str, redirect_uri: &str, ttl_s: u64) -> Option<Issued> {
        self.codes.remove(code).filter(|known| known == redirect_uri)?;
        self.refresh = Some(format!("sim-refresh-{}", self.issued + 1));
        let refresh_token = self.refresh.clone()?;
        self.refresh(&refresh_token, ttl_s, true)
    }

    /// Whether an access token is known and not yet over.
    pub(crate) fn accepts(&self, access_token: &str) -> bool {
        self.access.get(access_token).is_some_and(|end| Instant::now() < *end)
    }

    /// Trades a refresh token; `None` if it is not the valid one. A rotated one is void at once.
    pub(crate) fn refresh(&mut self, refresh_token: &str, ttl_s: u64, rotate: bool) -> Option<Issued> {
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
        Some(Issued { access_token, refresh_token })
    }

    /// Ends every access token, the refresh token, or both.
    pub(crate) fn expire(&mut self, access: bool, refresh: bool) {
        if access {
            self.access.clear();
        }
        if refresh {
            self.refresh = None;
        }
    }
}
