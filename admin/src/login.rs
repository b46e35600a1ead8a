//! Commands `login`, `expose` and `withdraw`: passwords of database roles, and the right to read production.

use db::schema::Login;
use i18n::terminal::database;
use lambda::Secrets;
use protocol::secret::SecretError;
use rand::RngExt;
use reqwest::Url;
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use crate::error::AdminError;
use crate::settings;

/// Length of a password: 62 to the 40th power possibilities.
const PASSWORD_CHARACTERS: usize = 40;
/// Characters of a password, none of which a URL must escape.
const CHARACTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Gives a role a new password. The address with it is stored in a secret, or printed if no secret is named.
/// `at` is the host and port of that address if it is not the administrator's, as for a pooler.
///
/// # Errors
/// A setting is not accepted, or the database refused. [`AdminError::StoreSecret`]: the role has the new password
/// all the same, and the command must be repeated.
pub async fn run(login: Login, secret_id: Option<&str>, at: Option<&str>) -> Result<(), AdminError> {
    let config = settings::administrator()?;
    let url = settings::read(settings::database_url)?;
    let password = new_password();
    let address = login_address(&url, login, &password, at)?;
    let secrets = match secret_id {
        Some(id) => Some((id, Secrets::new(&lambda::aws_config().await))),
        None => None,
    };
    let mut fields = Map::new();
    if let Some((id, secrets)) = &secrets {
        // The secret may not exist yet. Its other fields, such as a CA certificate, are kept.
        fields = match secrets.read(id, "…").await {
            Ok(fields) => fields,
            Err(SecretError::Missing { .. }) => Map::new(),
            // Stored without its other fields, the secret would lose them for good.
            Err(source) => return Err(AdminError::ReadSecret { secret_id: (*id).to_owned(), source }),
        };
    }
    db::schema::set_password(&config, login, &password)
        .await
        .map_err(|source| AdminError::SetPassword { role: login.role(), source })?;
    match secrets {
        Some((id, secrets)) => {
            fields.insert("url".to_owned(), json!(address));
            let secret = SecretString::from(Value::Object(fields).to_string());
            secrets
                .store(id, &secret)
                .await
                .map_err(|source| AdminError::StoreSecret { secret_id: id.to_owned(), source })?;
            eprintln!("{}", database::password_stored(login.role(), id));
        }
        None => print_address(&address),
    }
    Ok(())
}

/// Lets a role read the production tables, or withdraws that right.
///
/// # Errors
/// A setting is not accepted, or [`AdminError::Expose`].
pub async fn expose(role: &str, is_exposed: bool) -> Result<(), AdminError> {
    let config = settings::administrator()?;
    db::schema::expose(&config, role, is_exposed)
        .await
        .map_err(|source| AdminError::Expose { role: role.to_owned(), source })?;
    let confirmation = if is_exposed { database::role_exposed } else { database::role_withdrawn };
    eprintln!("{}", confirmation(role, config.schema()));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the address is the result of the command")]
fn print_address(address: &str) {
    println!("{address}");
}

fn new_password() -> String {
    let mut rng = rand::rng();
    (0..PASSWORD_CHARACTERS).map(|_| char::from(CHARACTERS[rng.random_range(0..CHARACTERS.len())])).collect()
}

/// Returns the administrator's address with another name and password. Behind Supabase's pooler a name carries its
/// project: `postgres.abcd`.
fn login_address(url: &str, login: Login, password: &str, at: Option<&str>) -> Result<String, AdminError> {
    let mut url = Url::parse(url).map_err(|_| AdminError::UnreadableDatabaseUrl)?;
    let project = url.username().split_once('.').map(|(_, project)| project.to_owned());
    let name =
        project.map_or_else(|| login.role().to_owned(), |project| format!("{}.{project}", login.role()));
    url.set_username(&name).map_err(|()| AdminError::DatabaseUrlWithoutHost)?;
    url.set_password(Some(password)).map_err(|()| AdminError::DatabaseUrlWithoutHost)?;
    if let Some(at) = at {
        let (host, port) = at.rsplit_once(':').ok_or(AdminError::InvalidAt)?;
        let port = port.parse().map_err(|_| AdminError::InvalidAt)?;
        url.set_host(Some(host)).map_err(|_| AdminError::InvalidAt)?;
        url.set_port(Some(port)).map_err(|()| AdminError::InvalidAt)?;
    }
    Ok(url.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn app_address_keeps_the_administrators_host() {
        let of = |url, at| login_address(url, Login::App, "pw", at).map_err(|error| error.to_string());
        assert_eq!(
            of("postgres://postgres:old@db.example.org:5432/postgres", None).as_deref(),
            Ok("postgres://gazelle_app:pw@db.example.org:5432/postgres")
        );
        assert_eq!(
            of("postgres://postgres.abcd:old@db.example.org/postgres?x=1", Some("pool.example.org:6543"))
                .as_deref(),
            Ok("postgres://gazelle_app.abcd:pw@pool.example.org:6543/postgres?x=1")
        );
        assert!(of("postgres://db/x", Some("nowhere")).is_err());
        assert!(of("nonsense", None).is_err_and(|error| !error.contains("nonsense")));
    }

    #[test]
    fn passwords_are_long_and_random() {
        let (one, other) = (new_password(), new_password());
        assert!(one.len() == PASSWORD_CHARACTERS && one != other);
    }
}
