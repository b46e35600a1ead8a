//! Texts of `doctor`: checks, findings and advice.

/// Name of the check of the bucket.
pub const BUCKET: &str = "bucket brut";
/// Name of the check of one queue.
pub const QUEUE: &str = "file";
/// Name of the check of all queues.
pub const QUEUES: &str = "files";
/// Name of the check of the Gazelle API.
pub const GAZELLE: &str = "Gazelle";
/// Name of the check of the database connection.
pub const DATABASE: &str = "base de données";
/// Name of the check of the server's version.
pub const SERVER: &str = "serveur";
/// Name of the check of the encryption.
pub const TLS: &str = "TLS";
/// Name of the check of the database role.
pub const ROLE: &str = "rôle";
/// Name of the check of the migrations.
pub const MIGRATIONS: &str = "migrations";
/// Name of the check of the rights.
pub const RIGHTS: &str = "droits";

/// Name of the check of the pooler's mode.
pub const POOL_MODE: &str = "pooler";
/// Name of the check of the time zone.
pub const TIMEZONE: &str = "fuseau horaire";
/// Name of the check of the schedules.
pub const SCHEDULES: &str = "planifications";
/// Name of the check of the alarms' recipient.
pub const ALARMS: &str = "alarmes";
/// Name of the check of the e-mail sender.
pub const EMAIL: &str = "courriel";

/// Finding: a secret does not exist.
pub const MISSING_SECRET: &str = "ce secret n'existe pas";
/// Finding: a session keeps its connection to the server.
pub const SESSION_KEPT: &str = "une session garde sa connexion";
/// Finding: a session does not keep its connection although the mode says so.
pub const SESSION_LOST: &str =
    "l'adresse est celle d'un pooler en mode transaction, DATABASE_MODE dit session";
/// Reason why the alarms are not checked: nobody receives them.
pub const NO_ALARM_EMAIL: &str = "personne ne les reçoit si l'alerteur se tait : make deploy … AlarmEmail=…";
/// Finding: a time zone is unknown.
pub const UNKNOWN_TIMEZONE: &str = "inconnu";
/// Finding: the schedules are disabled.
pub const SCHEDULES_PAUSED: &str = "en pause, comme demandé";
/// Finding: the schedules are enabled and have not fired yet.
pub const SCHEDULES_AWAITED: &str = "actives, premier passage attendu";
/// Advice for an address of a transaction pooler.
pub const CHECK_POOL_MODE: &str = "make deploy … DatabaseMode=transaction, ou l'adresse en mode session dans le secret (Supabase : port 5432 au lieu de 6543) : gazelle-admin login app --at hôte:5432";
/// Advice for an unknown time zone.
pub const CHECK_TIMEZONE: &str =
    "un nom IANA comme America/Montreal : make deploy … Timezone=America/Montreal";
/// Advice for schedules that do not fire.
pub const CHECK_SCHEDULES: &str = "make resume STAGE=… ; sinon le journal du fetcher";
/// Advice for SES that gives no answer.
pub const CHECK_SES: &str = "le droit ses:GetEmailIdentity, et la région";
/// Advice for an address of a channel that is not accepted.
pub const CHECK_FIELD: &str =
    "corrigez ce champ du secret, puis essayez : invoke <alerteur> '{\"task\": \"test\"}'";

/// Content of the health secret.
pub const DASHBOARD_TOKEN: &str = "le jeton du tableau de bord";
/// Content of the alerts secret.
pub const SLACK_ADDRESS: &str = "l'adresse de Slack";

/// Finding: Slack is not set up, which is optional.
pub const NO_SLACK_ADDRESS: &str = "il ne contient pas d'adresse de Slack (champ `slack_webhook_url`)";
/// Finding: the fetcher has not run yet.
pub const BUCKET_UNWRITTEN: &str = "lisible ; le fetcher n'y a encore rien écrit";
/// Finding: a secret, a bucket or a queue cannot be read.
pub const UNREADABLE: &str = "illisible";
/// Finding: the HTTP client could not be set up.
pub const NO_HTTP_CLIENT: &str = "le client HTTP n'a pas pu être préparé";
/// Finding: Gazelle gave no usable response.
pub const NO_RESPONSE: &str = "pas de réponse utilisable";
/// Finding: Gazelle's schema refuses a query.
pub const QUERY_REFUSED: &str = "refusées par le schéma de Gazelle";
/// Finding: the database's address cannot be used.
pub const UNUSABLE_ADDRESS: &str = "adresse inutilisable";
/// Finding: no connection to the database.
pub const NO_CONNECTION: &str = "pas de connexion";
/// Finding: the connection is encrypted and verified.
pub const TLS_VERIFIED: &str = "certificat et nom du serveur vérifiés";
/// Finding: the connection is local and not encrypted.
pub const TLS_LOCAL: &str = "sans TLS, sur cette machine";
/// Finding: no migration is applied.
pub const NO_MIGRATION: &str = "aucune";
/// Finding: no table is open to a role that should not read it.
pub const NOTHING_OPEN: &str = "rien d'ouvert";
/// Reason why the bucket is not checked.
pub const NEEDS_BUCKET: &str = "donner RAW_BUCKET";
/// Reason why Gazelle is not checked.
pub const NEEDS_BUCKET_FOR_TOKENS: &str =
    "donner RAW_BUCKET : un jeton ne se renouvelle pas en même temps que le fetcher";

/// Advice for a secret that cannot be read.
pub const CREATE_SECRET: &str = "créez le secret, ou donnez le droit de le lire";
/// Advice for a bucket that cannot be listed.
pub const CHECK_BUCKET: &str = "vérifiez le nom du bucket et le droit de le lister";
/// Advice for a fault of the program.
pub const REPORT_MESSAGE: &str = "signalez ce message";
/// Advice for credentials that Gazelle does not accept.
pub const AUTHORISE: &str = "gazelle-admin authorise ; vérifiez GAZELLE_URL";
/// Advice for a query that Gazelle's schema refuses.
pub const UPDATE_PROJECT: &str = "la source a changé : mettez le projet à jour (docs/runbook.md)";
/// Advice for a passing error of Gazelle.
pub const TRY_AGAIN: &str = "réessayez ; sinon voyez l'état de Gazelle";
/// Advice for a database that cannot be reached.
pub const CHECK_CONNECTION: &str = "vérifiez l'adresse et le mot de passe du secret, que le projet n'est pas en pause, et le certificat (champ ca_certificate si ce n'est pas Supabase)";
/// Advice for an old server.
pub const UPGRADE_SERVER: &str = "PostgreSQL 15 ou plus récent";
/// Advice for a role with too many rights.
pub const USE_APP_ROLE: &str =
    "gazelle-admin login app --secret-id … : les fonctions n'ont pas besoin de plus";
/// Advice for a database that is newer than the program.
pub const UPDATE_PROGRAM: &str = "utilisez le programme de cette version";
/// Advice for missing migrations.
pub const MIGRATE: &str = "gazelle-admin migrate";
/// Advice for open tables.
pub const CLOSE_TABLES: &str = "gazelle-admin migrate referme ce qui est ouvert";
/// Advice for a queue that cannot be read.
pub const CHECK_QUEUE: &str = "vérifiez l'adresse et le droit de la lire";
/// Advice for a dead-letter queue that cannot be read.
pub const CHECK_DEAD_LETTERS: &str = "vérifiez le droit de la lire";
/// Advice for dead letters.
pub const DEAD_LETTERS: &str =
    "docs/runbook.md, « lettres mortes » : elles reviennent seules quand la base répond";

/// Returns the finding for a secret that does not exist, by its name.
#[must_use]
pub fn missing_secret(secret_id: &str) -> String {
    format!("le secret {secret_id} n'existe pas")
}

/// Returns the advice for a secret that does not exist: the command that creates it.
#[must_use]
pub fn create_secret(secret_id: &str, field: &str) -> String {
    format!(
        "créez le secret : aws secretsmanager create-secret --name {secret_id} --secret-string '{{\"{field}\": \"…\"}}'"
    )
}

/// Returns the finding for schedules that fire, by the minutes since the last run.
#[must_use]
pub fn schedules_fire(minutes: i64) -> String {
    format!("actives, dernier passage il y a {minutes} min")
}

/// Returns the finding for enabled schedules that do not fire.
#[must_use]
pub fn schedules_silent(minutes: i64) -> String {
    format!("actives, mais aucun passage depuis {minutes} min")
}

/// Returns the finding for a sender that SES has verified, by its address or its domain.
#[must_use]
pub fn verified_sender(identity: &str) -> String {
    format!("{identity} est vérifiée par SES")
}

/// Returns the finding for a sender that SES has not verified.
#[must_use]
pub fn unverified_sender(address: &str) -> String {
    format!("{address} n'est pas vérifiée par SES : aucun courriel ne partira")
}

/// Returns the advice for a sender that SES has not verified: the command that asks for it.
#[must_use]
pub fn verify_sender(address: &str) -> String {
    format!("aws sesv2 create-email-identity --email-identity {address}, puis le lien du courriel reçu")
}

/// Returns the finding for a field of a secret that holds no usable address.
#[must_use]
pub fn unusable_field(field: &str) -> String {
    format!("le champ `{field}` n'est pas une adresse https acceptée")
}

/// Returns the line of a check that passed.
#[must_use]
pub fn passed_line(check: &str, finding: &str) -> String {
    format!("✓ {check} : {finding}")
}

/// Returns the lines of a check that failed: the finding, its English causes, and the advice.
#[must_use]
pub fn failed_lines(check: &str, finding: &str, causes: &[String], advice: &str) -> String {
    let causes: String = causes.iter().map(|cause| format!("\n    {cause}")).collect();
    format!("✗ {check} : {finding}{causes}\n    → {advice}")
}

/// Returns the line of a check that was not possible.
#[must_use]
pub fn skipped_line(check: &str, reason: &str) -> String {
    format!("– {check} : non vérifié, {reason}")
}

/// Returns the summary of all checks.
#[must_use]
pub fn summary(passed: u32, failed: u32, skipped: u32) -> String {
    format!("{passed} en ordre, {failed} à corriger, {skipped} non vérifié(s).")
}

/// Returns the finding for a secret that contains what it must.
#[must_use]
pub fn contains(content: &str) -> String {
    format!("contient {content}")
}

/// Returns the finding for a secret that lacks its content.
#[must_use]
pub fn lacks(content: &str) -> String {
    format!("il y manque {content}")
}

/// Returns the advice for a secret that lacks its content.
#[must_use]
pub fn add_field(content: &str, field: &str) -> String {
    format!("ajoutez-y {content}, champ `{field}`")
}

/// Returns the finding for a bucket that the fetcher writes to.
#[must_use]
pub fn bucket_written(minutes: i64) -> String {
    format!("le fetcher y a écrit il y a {minutes} min")
}

/// Returns the reason why no queue is checked.
#[must_use]
pub fn needs_queue_addresses(variable: &str) -> String {
    format!("donner {variable} et les autres adresses")
}

/// Returns the finding for a user who sees every client.
#[must_use]
pub fn full_access(access_level: &str) -> String {
    format!("répond, l'utilisateur est {access_level}")
}

/// Returns the finding for a user who sees only a part of the clients.
#[must_use]
pub fn partial_access(access_level: &str) -> String {
    format!("répond, mais l'utilisateur est {access_level} : il ne voit qu'une partie des clients")
}

/// Returns the advice for a user who sees only a part of the clients.
#[must_use]
pub fn authorise_with(access_level: &str) -> String {
    format!("gazelle-admin authorise, avec un utilisateur {access_level}")
}

/// Returns the name of the check of an entity's queries.
#[must_use]
pub fn queries(entity: &str) -> String {
    format!("requêtes « {entity} »")
}

/// Returns the finding for queries that Gazelle accepts.
#[must_use]
pub fn queries_accepted(count: u32) -> String {
    format!("{count} acceptée(s)")
}

/// Returns the advice for a database secret that cannot be used.
#[must_use]
pub fn login_app(secret_id: &str) -> String {
    format!("gazelle-admin login app --secret-id {secret_id}")
}

/// Returns the finding for the version of the server.
#[must_use]
pub fn server_version(major: i32) -> String {
    format!("PostgreSQL {major}")
}

/// Returns the finding for a role with too many rights.
#[must_use]
pub fn powerful_role(role: &str) -> String {
    format!("{role} peut tout")
}

/// Returns the finding for a schema that is up to date.
#[must_use]
pub fn migrations_current(version: i64) -> String {
    format!("à jour ({version})")
}

/// Returns the finding for a schema that is newer than the program.
#[must_use]
pub fn migrations_ahead(version: i64, latest: i64) -> String {
    format!("la base est en avance ({version}, ici {latest})")
}

/// Returns the finding for a schema that lacks migrations.
#[must_use]
pub fn migrations_behind(version: i64, latest: i64) -> String {
    format!("{version}, il manque jusqu'à {latest}")
}

/// Returns the finding for objects that are open to roles which should not read them.
#[must_use]
pub fn open_objects(count: usize) -> String {
    format!("{count} à refermer")
}

/// Returns the finding for a queue, by its messages that wait.
#[must_use]
pub fn waiting(queue: &str, count: u64) -> String {
    format!("{queue}, {count} en attente")
}

/// Returns the finding for a queue without dead letters.
#[must_use]
pub fn waiting_without_dead_letters(queue: &str, count: u64) -> String {
    format!("{queue}, {count} en attente, aucune lettre morte")
}

/// Returns the finding for a queue with dead letters.
#[must_use]
pub fn dead_letters(queue: &str, count: u64) -> String {
    format!("{queue}, {count} lettre(s) morte(s)")
}

/// Returns the finding for a queue that cannot be read.
#[must_use]
pub fn queue_unreadable(queue: &str) -> String {
    format!("{queue}, {UNREADABLE}")
}

/// Returns the finding for a queue whose dead-letter queue cannot be read.
#[must_use]
pub fn dead_letters_unreadable(queue: &str) -> String {
    format!("{queue}, lettres mortes illisibles")
}
