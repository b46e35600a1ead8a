//! Command `authorise`: a person lets the fetcher read Gazelle, and the key or the tokens are stored.

use std::sync::Arc;
use std::time::Duration;

use chrono::{SecondsFormat, TimeDelta, Utc};
use gazelle_client::GazelleConfig;
use gazelle_client::{Authentication, Credentials, FixedTokenStore, Gazelle, TokenStore};
use i18n::terminal::authorise as text;
use lambda::Secrets;
use object_store::{MemoryObjectStore, ObjectStore};
use rand::RngExt;
use reqwest::Url;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use crate::callback::{parse_pasted_code, wait_for_code};
use crate::error::{AdminError, TokenRefusal};
use crate::settings;

/// Time limit of the request for tokens.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// Address in the paste method: no server listens there, the person copies it from the browser.
const PASTE_REDIRECT: &str = "http://localhost:8765/callback";
/// Access level that sees every record. With a lower one the mirror would be partial without any error.
pub(crate) const FULL_ACCESS: &str = "ADMIN";

/// Method by which a person authorises the fetcher.
#[derive(Debug)]
pub enum AuthorisationMethod {
    /// API key of Gazelle, in `GAZELLE_API_KEY`.
    ApiKey,
    /// OAuth: the browser returns to this port of this machine.
    Callback(u16),
    /// OAuth: the person pastes the address to which the browser returned.
    Paste,
}

/// Response of the token endpoint.
#[derive(Deserialize)]
struct TokenResponse {
    access_token: String,
    refresh_token: Option<String>,
    expires_in: i64,
}

/// OAuth application, as it is registered at Gazelle.
struct OAuthApplication {
    client_id: String,
    client_secret: String,
}

/// Authorises at Gazelle and stores the key or the tokens in a secret.
///
/// # Errors
/// A setting is missing, Gazelle refuses, or the secret cannot be stored.
pub async fn run(method: AuthorisationMethod, secret_id: &str) -> Result<(), AdminError> {
    let mut gazelle = settings::read(GazelleConfig::read)?;
    let fields = match method {
        AuthorisationMethod::ApiKey => {
            gazelle.authentication = Authentication::ApiKey;
            let key: String = settings::read(|settings| {
                settings.required("GAZELLE_API_KEY", "a key of Gazelle, of a user who is ADMIN")
            })?;
            Map::from_iter([("api_key".to_owned(), json!(key))])
        }
        AuthorisationMethod::Callback(_) | AuthorisationMethod::Paste => {
            gazelle.authentication = Authentication::OAuth;
            request_tokens(method, &gazelle).await?
        }
    };
    let store = TokenStore::Fixed(FixedTokenStore::with_fields(fields.clone()));
    let access_level = fetch_access_level(&memory_client(&gazelle, store)?).await?;
    if access_level != FULL_ACCESS {
        return Err(AdminError::PartialAccess { access_level, full_access: FULL_ACCESS });
    }
    let secrets = Secrets::new(&lambda::aws_config().await);
    let secret = SecretString::from(Value::Object(fields).to_string());
    secrets
        .store(secret_id, &secret)
        .await
        .map_err(|source| AdminError::StoreSecret { secret_id: secret_id.to_owned(), source })?;
    let parameter = match gazelle.authentication {
        Authentication::ApiKey => "api_key",
        Authentication::OAuth => "oauth",
    };
    eprintln!("{}", text::authorised(&access_level, secret_id, parameter));
    Ok(())
}

/// Fetches the access level of the user behind the client's key or tokens.
///
/// # Errors
/// [`AdminError::AccessLevel`] or [`AdminError::UnreadableAccessLevel`].
pub(crate) async fn fetch_access_level(api: &Gazelle) -> Result<String, AdminError> {
    let response =
        api.query("query Me { user { accessLevel } }", &json!({})).await.map_err(AdminError::AccessLevel)?;
    let response: Value = serde_json::from_str(&response).map_err(AdminError::UnreadableAccessLevel)?;
    let access_level = response["data"]["user"]["accessLevel"].as_str();
    Ok(access_level.unwrap_or(text::UNKNOWN_ACCESS_LEVEL).to_owned())
}

/// Returns the fetcher's own client, with its shared state in memory: what it may read, the fetcher may.
fn memory_client(gazelle: &GazelleConfig, store: TokenStore) -> Result<Gazelle, AdminError> {
    let states = Arc::new(ObjectStore::Memory(MemoryObjectStore::default()));
    let credentials =
        Credentials::new(gazelle.authentication, store, gazelle.token_url.clone(), Arc::clone(&states));
    Gazelle::new(gazelle, credentials, states).map_err(AdminError::GazelleClient)
}

/// Lets a person accept in the browser, and exchanges the code for tokens; returns the fields of the secret.
async fn request_tokens(
    method: AuthorisationMethod,
    gazelle: &GazelleConfig,
) -> Result<Map<String, Value>, AdminError> {
    let application = settings::read(|settings| OAuthApplication {
        client_id: settings.required("GAZELLE_CLIENT_ID", "the OAuth application's id"),
        client_secret: settings.required("GAZELLE_CLIENT_SECRET", "the OAuth application's secret"),
    })?;
    let state = format!("{:032x}", rand::rng().random::<u128>());
    let (listener, redirect) = match method {
        AuthorisationMethod::Callback(port) => {
            let (listener, port) =
                listen(port).await.map_err(|source| AdminError::Listen { port, source })?;
            (Some(listener), format!("http://localhost:{port}/callback"))
        }
        _ => (None, PASTE_REDIRECT.to_owned()),
    };
    let page = authorize_page(&gazelle.token_url, &application.client_id, &redirect, &state)?;
    eprintln!("{}", text::open_page(page.as_str()));
    let code = if let Some(listener) = listener {
        eprintln!("{}", text::waiting_for_browser(&redirect));
        wait_for_code(listener, state).await?
    } else {
        eprintln!("{}", text::PASTE_ADDRESS);
        let mut line = String::new();
        std::io::stdin().read_line(&mut line).map_err(AdminError::ReadInput)?;
        parse_pasted_code(line.trim(), &state)?
    };
    let tokens = exchange_code(&gazelle.token_url, &application, &code, &redirect).await?;
    let refresh_token = tokens.refresh_token.ok_or(AdminError::NoRefreshToken)?;
    let expires_at = Utc::now() + TimeDelta::seconds(tokens.expires_in);
    let fields = json!({
        "client_id": application.client_id, "client_secret": application.client_secret,
        "access_token": tokens.access_token, "refresh_token": refresh_token,
        "expires_at": expires_at.to_rfc3339_opts(SecondsFormat::Secs, true),
    });
    Ok(fields.as_object().cloned().unwrap_or_default())
}

/// Listens on a port of this machine; returns it, too, because port 0 stands for any free one.
async fn listen(port: u16) -> Result<(TcpListener, u16), std::io::Error> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

async fn exchange_code(
    token_url: &str,
    application: &OAuthApplication,
    code: &str,
    redirect: &str,
) -> Result<TokenResponse, AdminError> {
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", application.client_id.as_str()),
        ("client_secret", application.client_secret.as_str()),
        ("code", code),
        ("redirect_uri", redirect),
    ];
    let http = reqwest::Client::builder()
        .timeout(REQUEST_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(AdminError::RequestTokens)?;
    let response = http.post(token_url).form(&form).send().await;
    let response = response.map_err(|error| AdminError::RequestTokens(error.without_url()))?;
    let status = response.status();
    let body = response.text().await.unwrap_or_default();
    if !status.is_success() {
        let refusal: Value = serde_json::from_str(&body).unwrap_or_default();
        let reason = refusal["error"].as_str().unwrap_or("no reason given").to_owned();
        return Err(AdminError::CodeRefused(TokenRefusal { status, reason }));
    }
    serde_json::from_str(&body).map_err(|_| AdminError::UnreadableTokens)
}

/// Returns the page of consent, `authorize`, which is a sibling of the token URL at Gazelle.
fn authorize_page(token_url: &str, client_id: &str, redirect: &str, state: &str) -> Result<Url, AdminError> {
    let page = Url::parse(token_url).and_then(|url| url.join("authorize"));
    let mut page = page.map_err(AdminError::TokenUrl)?;
    page.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", client_id)
        .append_pair("redirect_uri", redirect)
        .append_pair("state", state);
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorize_page_carries_state() {
        let page = authorize_page(
            "https://gazelleapp.io/developer/oauth/token",
            "id 1",
            "http://localhost:1/callback",
            "s",
        );
        assert_eq!(
            page.map(|page| page.to_string()).ok().as_deref(),
            Some(
                "https://gazelleapp.io/developer/oauth/authorize?response_type=code&client_id=id+1&redirect_uri=http%3A%2F%2Flocalhost%3A1%2Fcallback&state=s"
            )
        );
    }
}
