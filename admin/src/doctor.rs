//! Checks everything that an installation needs, says what is wrong and what to do about it.

use std::fmt::Display;
use std::sync::Arc;

use chrono::Utc;
use db::schema::Inspection;
use db::{DatabaseConfig, DatabaseSettings, PoolMode, SecretDb};
use gazelle_client::GazelleConfig;
use gazelle_client::{ApiError, Authentication, AwsTokenStore, Credentials, Gazelle, TokenStore};
use lambda::{Queue, Secrets};
use model::entity;
use model::window::Window;
use object_store::{MemoryObjectStore, ObjectStore};
use protocol::secret::SecretError;
use protocol::settings::Settings;

use crate::authorise::{FULL_ACCESS, asked_level};
use crate::{Failure, settings};

/// The oldest server that is known to work.
const SERVER_VERSION_MIN: i32 = 150_000;

/// The queues, by the variables that name their addresses; the second is where its messages are set aside.
const QUEUES: [(&str, &str); 3] = [
    ("RAW_EVENTS_QUEUE_URL", "RAW_EVENTS_DLQ_URL"),
    ("RECONCILE_QUEUE_URL", "RECONCILE_DLQ_URL"),
    ("FETCH_QUEUE_URL", "FETCH_DLQ_URL"),
];

/// What is checked, from the environment, by the names that the functions use.
struct Installation {
    gazelle_secret: String,
    database_secret: String,
    health_secret: String,
    alerts_secret: String,
    schema: String,
    mode: PoolMode,
    gazelle: GazelleConfig,
    raw_bucket: Option<String>,
    queues: Vec<(String, Option<String>)>,
}

/// What a check found.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Good(String),
    /// What is wrong, and what to do.
    Bad(String, String),
    /// What is missing to know.
    Unknown(String),
}

/// Checks all, prints a line each; answers whether nothing is wrong.
///
/// # Errors
/// A setting is not accepted.
pub async fn run() -> Result<bool, Failure> {
    let installation = settings::read(Installation::read)?;
    let aws = lambda::aws_config().await;
    let secrets = Secrets::new(&aws);
    let mut report = Report::default();

    let health = &installation.health_secret;
    report.add(health, check_secret(&secrets, health, "token", "le jeton du tableau de bord").await);
    let alerts = &installation.alerts_secret;
    report.add(
        alerts,
        match check_secret(&secrets, alerts, "slack_webhook_url", "l'adresse de Slack").await {
            // Whoever has e-mail alone needs none.
            Outcome::Bad(..) if secrets.read(alerts, "…").await.is_ok() => Outcome::Unknown(
                "il ne contient pas d'adresse de Slack (champ `slack_webhook_url`)".to_owned(),
            ),
            outcome => outcome,
        },
    );
    let states =
        installation.raw_bucket.as_ref().map(|bucket| Arc::new(settings::bucket(&aws, bucket.clone())));
    report.add("bucket brut", check_bucket(states.as_deref()).await);
    check_gazelle(&mut report, &installation, &secrets, states).await;
    check_database(&mut report, &installation, &secrets).await;
    for (queue, dead) in &installation.queues {
        report.add("file", check_queue(&aws, queue, dead.as_deref()).await);
    }
    if installation.queues.is_empty() {
        report.add("files", Outcome::Unknown(format!("donner {} et les autres adresses", QUEUES[0].0)));
    }
    eprintln!("{} en ordre, {} à corriger, {} non vérifié(s).", report.good, report.bad, report.unknown);
    Ok(report.bad == 0)
}

impl Installation {
    fn read(settings: &mut Settings<'_>) -> Self {
        let mut name =
            |variable, default: &str| settings.optional(variable, default.to_owned(), "the name of a secret");
        Self {
            gazelle_secret: name("GAZELLE_SECRET_ID", "gazelle/api"),
            database_secret: name("DATABASE_SECRET_ID", "gazelle/database"),
            health_secret: name("HEALTH_SECRET_ID", "gazelle/health"),
            alerts_secret: name("ALERTS_SECRET_ID", "gazelle/alerts"),
            schema: settings::schema(settings),
            mode: settings.one_of("DATABASE_MODE", &PoolMode::WORDS, PoolMode::Session),
            // One record of each is enough.
            gazelle: GazelleConfig { page_size: 1, ..GazelleConfig::read(settings) },
            raw_bucket: settings.text("RAW_BUCKET"),
            queues: QUEUES
                .into_iter()
                .filter_map(|(queue, dead)| Some((settings.text(queue)?, settings.text(dead))))
                .collect(),
        }
    }
}

#[derive(Default)]
struct Report {
    good: u32,
    bad: u32,
    unknown: u32,
}

impl Report {
    #[expect(clippy::print_stdout, reason = "the report is what was asked for")]
    fn add(&mut self, what: &str, outcome: Outcome) {
        let (count, line) = match outcome {
            Outcome::Good(found) => (&mut self.good, format!("✓ {what} : {found}")),
            Outcome::Bad(found, advice) => (&mut self.bad, format!("✗ {what} : {found}\n    → {advice}")),
            Outcome::Unknown(reason) => (&mut self.unknown, format!("– {what} : non vérifié, {reason}")),
        };
        *count += 1;
        println!("{line}");
    }
}

fn bad(found: impl Display, advice: impl Into<String>) -> Outcome {
    Outcome::Bad(found.to_string(), advice.into())
}

async fn check_secret(secrets: &Secrets, id: &str, field: &'static str, what: &str) -> Outcome {
    match secrets.read_text(id, field, "…").await {
        Ok(_) => Outcome::Good(format!("contient {what}")),
        Err(error @ SecretError::Read { .. }) => bad(error, "créez le secret, ou donnez le droit de le lire"),
        Err(error) => bad(error, format!("ajoutez-y {what}, champ `{field}`")),
    }
}

async fn check_bucket(states: Option<&ObjectStore>) -> Outcome {
    let Some(states) = states else { return Outcome::Unknown("donner RAW_BUCKET".to_owned()) };
    match states.last_written("state/").await {
        Ok(Some(at)) => {
            let minutes = (Utc::now() - at).num_minutes();
            Outcome::Good(format!("le fetcher y a écrit il y a {minutes} min"))
        }
        Ok(None) => Outcome::Good("lisible ; le fetcher n'y a encore rien écrit".to_owned()),
        Err(error) => bad(error, "vérifiez le nom du bucket et le droit de le lister"),
    }
}

// ------------------------------------------------------------------------------- Gazelle

async fn check_gazelle(
    report: &mut Report,
    installation: &Installation,
    secrets: &Secrets,
    states: Option<Arc<ObjectStore>>,
) {
    let gazelle = &installation.gazelle;
    let states = match (states, gazelle.authentication) {
        (Some(states), _) => states,
        (None, Authentication::ApiKey) => Arc::new(ObjectStore::Memory(MemoryObjectStore::default())),
        (None, Authentication::OAuth) => {
            let reason = "donner RAW_BUCKET : un jeton ne se renouvelle pas en même temps que le fetcher";
            return report.add("Gazelle", Outcome::Unknown(reason.to_owned()));
        }
    };
    let store = TokenStore::Aws(AwsTokenStore {
        secrets: secrets.clone(),
        secret_id: installation.gazelle_secret.clone(),
    });
    let credentials =
        Credentials::new(gazelle.authentication, store, gazelle.token_url.clone(), Arc::clone(&states));
    let api = match Gazelle::new(gazelle, credentials, states) {
        Ok(api) => api,
        Err(error) => return report.add("Gazelle", bad(error, "signalez ce message")),
    };
    match Box::pin(asked_level(&api)).await {
        Ok(level) if level == FULL_ACCESS => {
            report.add("Gazelle", Outcome::Good(format!("répond, l'utilisateur est {level}")));
        }
        Ok(level) => report.add(
            "Gazelle",
            bad(
                format!("répond, mais l'utilisateur est {level} : il ne voit qu'une partie des clients"),
                format!("gazelle-admin authorise, avec un utilisateur {FULL_ACCESS}"),
            ),
        ),
        Err(error) => {
            return report.add("Gazelle", bad(error, "gazelle-admin authorise ; vérifiez GAZELLE_URL"));
        }
    }
    for entity in entity::ALL {
        let what = format!("requêtes « {} »", entity.name);
        report.add(&what, Box::pin(check_queries(&api, entity)).await);
    }
}

/// Our own documents against the live schema: the first record, and the question by id for one that nobody has.
async fn check_queries(api: &Gazelle, entity: &entity::Entity) -> Outcome {
    let mut asked = 0;
    if let Some(query) = entity.query() {
        let bounds = entity.time_filter().zip(Window::since(Utc::now(), 1));
        let bounds = bounds.map(|(filter, window)| filter.variables(window)).unwrap_or_default();
        if let Err(error) = api.page(&query.document(), None, bounds).await {
            return refused(&error);
        }
        asked += 1;
    }
    if let Some(document) = entity.by_id_document(1) {
        match api.by_id(&document, &["doctor".to_owned()]).await {
            // That there is no such record is what we expect; how the source says so differs.
            Ok(_) | Err(ApiError::NoData(_)) => asked += 1,
            Err(error) => return refused(&error),
        }
    }
    Outcome::Good(format!("{asked} acceptée(s)"))
}

fn refused(error: &ApiError) -> Outcome {
    let advice = match error {
        ApiError::Schema { .. } => "la source a changé : mettez le projet à jour (docs/runbook.md)",
        _ => "réessayez ; sinon voyez l'état de Gazelle",
    };
    bad(error, advice)
}

// ------------------------------------------------------------------------------ database

async fn check_database(report: &mut Report, installation: &Installation, secrets: &Secrets) {
    let id = &installation.database_secret;
    let config = match database(installation, secrets).await {
        Ok(config) => config,
        Err(error) => {
            let advice = format!("gazelle-admin login app --secret-id {id}");
            return report.add("base de données", bad(error, advice));
        }
    };
    let inspection = match db::schema::inspect(&config).await {
        Ok(inspection) => inspection,
        Err(error) => {
            return report.add(
                "base de données",
                bad(
                    error,
                    "vérifiez l'adresse et le mot de passe du secret, que le projet n'est pas en pause, et \
                     le certificat (champ ca_certificate si ce n'est pas Supabase)",
                ),
            );
        }
    };
    for (what, outcome) in judged(&inspection, config.is_verified(), db::schema::latest_migration()) {
        report.add(what, outcome);
    }
}

async fn database(installation: &Installation, secrets: &Secrets) -> Result<DatabaseConfig, Failure> {
    let Installation { database_secret, schema, mode, .. } = installation;
    let settings = DatabaseSettings::new(database_secret.clone(), schema.clone(), *mode);
    Ok(SecretDb::new(settings, secrets.clone()).config().await?)
}

fn judged(found: &Inspection, is_verified: bool, latest: i64) -> Vec<(&'static str, Outcome)> {
    let version = format!("PostgreSQL {}", found.server_version / 10_000);
    let server = if found.server_version >= SERVER_VERSION_MIN {
        Outcome::Good(version)
    } else {
        bad(version, "PostgreSQL 15 ou plus récent")
    };
    let tls = if is_verified {
        Outcome::Good("certificat et nom du serveur vérifiés".to_owned())
    } else {
        Outcome::Good("sans TLS, sur cette machine".to_owned())
    };
    let role = if found.is_powerful {
        let advice = "gazelle-admin login app --secret-id … : les fonctions n'ont pas besoin de plus";
        bad(format!("{} peut tout", found.role), advice)
    } else {
        Outcome::Good(found.role.clone())
    };
    let migrations = match found.migration {
        Some(version) if version == latest => Outcome::Good(format!("à jour ({version})")),
        Some(version) if version > latest => bad(
            format!("la base est en avance ({version}, ici {latest})"),
            "utilisez le programme de cette version",
        ),
        Some(version) => bad(format!("{version}, il manque jusqu'à {latest}"), "gazelle-admin migrate"),
        None => bad("aucune", "gazelle-admin migrate"),
    };
    let open = if found.findings.is_empty() {
        Outcome::Good("rien d'ouvert".to_owned())
    } else {
        let list: Vec<String> = found
            .findings
            .iter()
            .map(|finding| format!("{} : {}", finding.object, finding.problem))
            .collect();
        bad(list.join(" ; "), "gazelle-admin migrate referme ce qui est ouvert")
    };
    vec![("serveur", server), ("TLS", tls), ("rôle", role), ("migrations", migrations), ("droits", open)]
}

// -------------------------------------------------------------------------------- queues

async fn check_queue(aws: &aws_config::SdkConfig, queue: &str, dead: Option<&str>) -> Outcome {
    let name = queue.rsplit('/').next().unwrap_or_default();
    let waiting = match Queue::new(aws, queue.to_owned()).depth().await {
        Ok(depth) => depth,
        Err(error) => return bad(format!("{name} : {error}"), "vérifiez l'adresse et le droit de la lire"),
    };
    let Some(dead) = dead else { return Outcome::Good(format!("{name}, {waiting} en attente")) };
    match Queue::new(aws, dead.to_owned()).depth().await {
        Ok(0) => Outcome::Good(format!("{name}, {waiting} en attente, aucune lettre morte")),
        Ok(set_aside) => bad(
            format!("{name}, {set_aside} lettre(s) morte(s)"),
            "docs/runbook.md, « lettres mortes » : elles reviennent seules quand la base répond",
        ),
        Err(error) => bad(format!("{name} : {error}"), "vérifiez le droit de la lire"),
    }
}

#[cfg(test)]
mod tests {
    use db::schema::Finding;

    use super::*;

    fn sound() -> Inspection {
        Inspection {
            server_version: 180_004,
            role: "gazelle_app".to_owned(),
            is_powerful: false,
            migration: Some(13),
            findings: Vec::new(),
        }
    }

    #[test]
    fn database_faults_are_named_with_a_remedy() {
        let wrong = |found: &Inspection| {
            let all = judged(found, true, 13);
            all.into_iter().filter(|(_, outcome)| matches!(outcome, Outcome::Bad(..))).collect::<Vec<_>>()
        };
        assert_eq!(wrong(&sound()), []);
        let finding = Finding { problem: "no row security".to_owned(), object: "gazelle.t".to_owned() };
        for (found, expected, advice) in [
            (Inspection { server_version: 140_001, ..sound() }, "serveur", "15"),
            (Inspection { is_powerful: true, ..sound() }, "rôle", "login app"),
            (Inspection { migration: Some(12), ..sound() }, "migrations", "migrate"),
            (Inspection { migration: None, ..sound() }, "migrations", "migrate"),
            (Inspection { findings: vec![finding], ..sound() }, "droits", "migrate"),
        ] {
            match wrong(&found).as_slice() {
                [(what, Outcome::Bad(_, told))] => {
                    assert!(*what == expected && told.contains(advice), "{what}: {told}");
                }
                other => panic!("{expected}: {other:?}"),
            }
        }
    }
}
