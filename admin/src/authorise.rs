//! The first day: a person lets the fetcher read Gazelle, and what that brings is stored.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::response::Html;
use axum::routing::get;
use chrono::{SecondsFormat, TimeDelta, Utc};
use gazelle_client::GazelleConfig;
use gazelle_client::{Authentication, Credentials, FixedTokenStore, Gazelle, TokenStore};
use lambda::Secrets;
use object_store::{MemoryObjectStore, ObjectStore};
use rand::RngExt;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use subtle::ConstantTimeEq;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, oneshot};

use crate::{Failure, settings};

/// A person needs so long at most to log in and agree.
const PATIENCE: Duration = Duration::from_mins(10);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// The access level that sees every record: with less the mirror would be partial, and nothing would say so.
pub(crate) const FULL_ACCESS: &str = "ADMIN";

/// How a person authorises.
#[derive(Debug)]
pub enum Way {
    /// A key of Gazelle, in `GAZELLE_API_KEY`.
    ApiKey,
    /// The browser comes back to this port of this machine.
    Callback(u16),
    /// The person pastes what the browser came back to.
    Paste,
}

/// Authorises against Gazelle and stores what that brings in the secret.
///
/// # Errors
/// A setting is missing, Gazelle refuses, or the secret cannot be stored.
pub async fn run(way: Way, secret_id: &str) -> Result<(), Failure> {
    let mut gazelle = settings::read(GazelleConfig::read)?;
    let fields = match way {
        Way::ApiKey => {
            gazelle.authentication = Authentication::ApiKey;
            let key: String = settings::read(|settings| {
                settings.required("GAZELLE_API_KEY", "a key of Gazelle, of a user who is ADMIN")
            })?;
            json!({ "api_key": key }).as_object().cloned().unwrap_or_default()
        }
        Way::Callback(_) | Way::Paste => {
            gazelle.authentication = Authentication::OAuth;
            tokens(way, &gazelle).await?
        }
    };
    let level = access_level(&gazelle, &fields).await?;
    if level != FULL_ACCESS {
        return Err(format!(
            "Gazelle accepte, mais l'utilisateur est {level} : il ne verrait qu'une partie des clients. \
             Recommencez avec un utilisateur {FULL_ACCESS}. Rien n'a été gardé."
        )
        .into());
    }
    let secrets = Secrets::new(&lambda::aws_config().await);
    secrets.store(secret_id, &SecretString::from(Value::Object(fields).to_string())).await?;
    let word = match gazelle.authentication {
        Authentication::ApiKey => "api_key",
        Authentication::OAuth => "oauth",
    };
    eprintln!(
        "Autorisé, avec un utilisateur {level}. Gardé dans le secret {secret_id} ; le paramètre GazelleAuth doit être {word}."
    );
    Ok(())
}

/// The access level of the user whose key or tokens these are.
///
/// # Errors
/// Gazelle gave no usable answer.
pub async fn access_level(gazelle: &GazelleConfig, fields: &Map<String, Value>) -> Result<String, Failure> {
    let api = api(gazelle, TokenStore::Fixed(FixedTokenStore::with_fields(fields.clone())))?;
    asked_level(&api).await
}

pub(crate) async fn asked_level(api: &Gazelle) -> Result<String, Failure> {
    let answer: Value =
        serde_json::from_str(&api.ask("query Me { user { accessLevel } }", &json!({})).await?)?;
    Ok(answer["data"]["user"]["accessLevel"].as_str().unwrap_or("inconnu").to_owned())
}

/// The fetcher's own client: what it can do, the fetcher can.
///
/// # Errors
/// The HTTP client could not be made.
pub(crate) fn api(gazelle: &GazelleConfig, store: TokenStore) -> Result<Gazelle, Failure> {
    let states = Arc::new(ObjectStore::Memory(MemoryObjectStore::default()));
    let credentials =
        Credentials::new(gazelle.authentication, store, gazelle.token_url.clone(), Arc::clone(&states));
    Ok(Gazelle::new(gazelle, credentials, states)?)
}

// ---------------------------------------------------------------------- authorization code

/// What the token endpoint answers.
#[derive(Deserialize)]
struct Tokens {
    access_token: String,
    refresh_token: Option<String>,
    expires_in: i64,
}

async fn tokens(way: Way, gazelle: &GazelleConfig) -> Result<Map<String, Value>, Failure> {
    let (id, secret): (String, String) = settings::read(|settings| {
        (
            settings.required("GAZELLE_CLIENT_ID", "the OAuth application's id"),
            settings.required("GAZELLE_CLIENT_SECRET", "the OAuth application's secret"),
        )
    })?;
    let state = format!("{:032x}", rand::rng().random::<u128>());
    let (listener, redirect) = match way {
        Way::Callback(port) => {
            let listener = TcpListener::bind(("127.0.0.1", port)).await.map_err(|error| {
                format!("Le port {port} de cette machine est pris ({error}) : donnez-en un autre par --port.")
            })?;
            let port = listener.local_addr()?.port();
            (Some(listener), format!("http://localhost:{port}/callback"))
        }
        _ => (None, "http://localhost:8765/callback".to_owned()),
    };
    let page = authorize_page(&gazelle.token_url, &id, &redirect, &state)?;
    eprintln!("Ouvrez cette page, en tant qu'utilisateur ADMIN de Gazelle, et acceptez :\n\n  {page}\n");
    let returned = if let Some(listener) = listener {
        eprintln!("J'attends le retour du navigateur sur {redirect} (dix minutes)…");
        returned_to(listener, state.clone()).await?
    } else {
        eprintln!("Collez ici l'adresse où le navigateur revient (elle contient code=…), ou le code seul :");
        let mut line = String::new();
        std::io::stdin().read_line(&mut line)?;
        pasted(line.trim(), &state)?
    };
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", id.as_str()),
        ("client_secret", secret.as_str()),
        ("code", returned.as_str()),
        ("redirect_uri", redirect.as_str()),
    ];
    let http = reqwest::Client::builder()
        .timeout(REQUEST_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()?;
    let answer =
        http.post(&gazelle.token_url).form(&form).send().await.map_err(reqwest::Error::without_url)?;
    let status = answer.status();
    let body = answer.text().await.unwrap_or_default();
    if !status.is_success() {
        let refusal: Value = serde_json::from_str(&body).unwrap_or_default();
        let reason = refusal["error"].as_str().unwrap_or("sans raison");
        return Err(format!("Gazelle refuse le code ({status}, {reason}) : il ne sert qu'une fois et peu de temps. Recommencez.").into());
    }
    let tokens: Tokens = serde_json::from_str(&body).map_err(|_| "Gazelle a répondu sans jetons lisibles")?;
    let refresh_token = tokens.refresh_token.ok_or(
        "Gazelle n'a pas donné de refresh_token : l'accès finirait dans quelques heures. Vérifiez l'application OAuth.",
    )?;
    let expires_at = Utc::now() + TimeDelta::seconds(tokens.expires_in);
    let fields = json!({
        "client_id": id, "client_secret": secret,
        "access_token": tokens.access_token, "refresh_token": refresh_token,
        "expires_at": expires_at.to_rfc3339_opts(SecondsFormat::Secs, true),
    });
    Ok(fields.as_object().cloned().unwrap_or_default())
}

/// `/developer/oauth/token` and the page stand beside each other.
fn authorize_page(token_url: &str, id: &str, redirect: &str, state: &str) -> Result<Url, Failure> {
    let mut page = Url::parse(token_url)?.join("authorize")?;
    page.query_pairs_mut()
        .append_pair("response_type", "code")
        .append_pair("client_id", id)
        .append_pair("redirect_uri", redirect)
        .append_pair("state", state);
    Ok(page)
}

#[derive(Clone)]
struct Waiting {
    state: SecretString,
    done: Arc<Mutex<Option<oneshot::Sender<String>>>>,
}

#[derive(Deserialize)]
struct Returned {
    #[serde(default)]
    code: String,
    #[serde(default)]
    state: String,
}

/// Waits for the browser; answers the code. Whoever does not bring our own state is sent away.
async fn returned_to(listener: TcpListener, state: String) -> Result<String, Failure> {
    let (done, code) = oneshot::channel();
    let waiting = Waiting { state: state.into(), done: Arc::new(Mutex::new(Some(done))) };
    let app = Router::new().route("/callback", get(returned)).with_state(waiting);
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let code = tokio::time::timeout(PATIENCE, code).await;
    // The page that the browser got must have left first.
    tokio::time::sleep(Duration::from_millis(200)).await;
    server.abort();
    Ok(code.map_err(|_| "Personne n'est revenu en dix minutes. Recommencez.")??)
}

async fn returned(State(waiting): State<Waiting>, Query(returned): Query<Returned>) -> Html<&'static str> {
    if returned.code.is_empty() || !is_ours(&waiting.state, &returned.state) {
        return Html("<p>Ce retour n'est pas celui qui était attendu : recommencez depuis le terminal.");
    }
    if let Some(done) = waiting.done.lock().await.take() {
        // Nobody waits any more: the command was ended.
        let _ = done.send(returned.code);
    }
    Html("<p>Merci. Vous pouvez fermer cette page et revenir au terminal.")
}

fn is_ours(expected: &SecretString, state: &str) -> bool {
    expected.expose_secret().as_bytes().ct_eq(state.as_bytes()).into()
}

/// The code in what a person pasted: the whole address, or the code alone.
fn pasted(line: &str, state: &str) -> Result<String, Failure> {
    if !line.contains("code=") {
        return if line.is_empty() { Err("Rien n'a été collé.".into()) } else { Ok(line.to_owned()) };
    }
    let url = Url::parse(line).map_err(|_| "Ce qui est collé n'est ni une adresse, ni un code.")?;
    let value =
        |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    if !is_ours(&state.to_owned().into(), &value("state").unwrap_or_default()) {
        return Err("Cette adresse vient d'une autre demande : recommencez.".into());
    }
    value("code").ok_or_else(|| "Cette adresse ne contient pas de code.".into())
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

    #[test]
    fn pasted_address_requires_our_state() {
        let of = |line| pasted(line, "abc").ok();
        assert_eq!(of("http://localhost:8765/callback?code=c%201&state=abc").as_deref(), Some("c 1"));
        assert_eq!(of("http://localhost:8765/callback?code=c&state=abd"), None);
        assert_eq!(of("http://localhost:8765/callback?code=c"), None);
        assert_eq!(of("c-alone").as_deref(), Some("c-alone"));
        assert_eq!(of(""), None);
    }
}
