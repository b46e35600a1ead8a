//! Who may log in to the database: a new password for a role, and where it is kept; roles that may read.

use db::schema::Login;
use lambda::Secrets;
use rand::RngExt;
use reqwest::Url;
use secrecy::SecretString;
use serde_json::{Map, Value, json};

use crate::{Failure, settings};

/// A password is so long: 62 to the 40th power, and no sign that an address must escape.
const PASSWORD_CHARACTERS: usize = 40;
const CHARACTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Gives a role a new password. The address that goes with it is stored in a secret, or printed where none is named.
/// `at` is the host and port of that address, where it is not the administrator's: a pooler.
///
/// # Errors
/// A setting is not accepted, the database refused, or the secret could not be stored: the role then has the new
/// password all the same, and the command must be repeated.
pub async fn run(login: Login, secret_id: Option<&str>, at: Option<&str>) -> Result<(), Failure> {
    let config = settings::administrator()?;
    let url = settings::read(settings::database_url)?;
    let password = new_password();
    let address = address(&url, login, &password, at)?;
    // Read first: what cannot be read could not be stored either, and nothing has changed yet.
    let stored = match secret_id {
        Some(id) => Some((id, Secrets::new(&lambda::aws_config().await))),
        None => None,
    };
    let mut fields = Map::new();
    if let Some((id, secrets)) = &stored {
        fields = secrets.read(id, "…").await.unwrap_or_default();
    }
    db::schema::set_password(&config, login, &password).await?;
    match stored {
        Some((id, secrets)) => {
            // Another CA certificate is kept.
            fields.insert("url".to_owned(), json!(address));
            secrets.store(id, &SecretString::from(Value::Object(fields).to_string())).await?;
            eprintln!("{} a un nouveau mot de passe, gardé dans le secret {id}.", login.role());
        }
        None => write_out(&address),
    }
    Ok(())
}

/// Lets a role read the production tables, or takes that back.
///
/// # Errors
/// A setting is not accepted, or the database refused.
pub async fn expose(role: &str, is_exposed: bool) -> Result<(), Failure> {
    let config = settings::administrator()?;
    db::schema::expose(&config, role, is_exposed).await?;
    let word = if is_exposed { "peut maintenant lire" } else { "ne peut plus lire" };
    eprintln!("{role} {word} les tables de production de « {} ».", config.schema());
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the address is what was asked for")]
fn write_out(address: &str) {
    println!("{address}");
}

fn new_password() -> String {
    let mut dice = rand::rng();
    (0..PASSWORD_CHARACTERS).map(|_| char::from(CHARACTERS[dice.random_range(0..CHARACTERS.len())])).collect()
}

/// The administrator's address with another name and password. Behind Supabase's pooler a name carries its project:
/// `postgres.abcd`.
fn address(url: &str, login: Login, password: &str, at: Option<&str>) -> Result<String, Failure> {
    let mut url = Url::parse(url).map_err(|_| "DATABASE_URL : adresse illisible")?;
    let project = url.username().split_once('.').map(|(_, project)| project.to_owned());
    let name =
        project.map_or_else(|| login.role().to_owned(), |project| format!("{}.{project}", login.role()));
    url.set_username(&name).map_err(|()| "DATABASE_URL : adresse sans hôte")?;
    url.set_password(Some(password)).map_err(|()| "DATABASE_URL : adresse sans hôte")?;
    if let Some(at) = at {
        let bad = "--at : hôte:port attendu, comme aws-0-ca-central-1.pooler.supabase.com:5432";
        let (host, port) = at.rsplit_once(':').ok_or(bad)?;
        url.set_host(Some(host)).map_err(|_| bad)?;
        url.set_port(Some(port.parse().map_err(|_| bad)?)).map_err(|()| bad)?;
    }
    Ok(url.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn app_address_keeps_the_administrators_host() {
        let of = |url, at| address(url, Login::App, "pw", at).map_err(|error| error.to_string());
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
