//! Checks of the database: address, connection, version, role, migrations and rights.

use db::schema::Inspection;
use db::{ConnectError, DatabaseConfig, DatabaseSettings, SecretDb};
use i18n::terminal::doctor as text;
use lambda::Secrets;
use protocol::secret::SecretError;

use crate::doctor::report::{CheckOutcome, CheckReport};

/// Oldest supported version of PostgreSQL, in the server's own numbers.
const SERVER_VERSION_MIN: i32 = 150_000;
/// Server version numbers per major version.
const MAJOR_VERSION: i32 = 10_000;

/// Checks the database that the secret describes.
pub(super) async fn check(
    report: &mut CheckReport,
    settings: &DatabaseSettings,
    secret_id: &str,
    secrets: &Secrets,
) {
    let config = match SecretDb::new(settings.clone(), secrets.clone()).config().await {
        Ok(config) => config,
        Err(ConnectError::Secret(SecretError::Missing { .. })) => {
            let finding = text::missing_secret(secret_id);
            return report.add(text::DATABASE, CheckOutcome::failed(finding, text::login_app(secret_id)));
        }
        Err(error) => {
            let advice = text::login_app(secret_id);
            return report.add(text::DATABASE, CheckOutcome::error(text::UNUSABLE_ADDRESS, &error, advice));
        }
    };
    let inspection = match db::schema::inspect(&config).await {
        Ok(inspection) => inspection,
        Err(error) => {
            let outcome = CheckOutcome::error(text::NO_CONNECTION, &error, text::CHECK_CONNECTION);
            return report.add(text::DATABASE, outcome);
        }
    };
    if settings.mode().keeps_session() {
        report.add(text::POOL_MODE, check_pool_mode(&config).await);
    }
    let latest = db::schema::latest_migration();
    for (check, outcome) in outcomes(&inspection, config.is_verified(), latest) {
        report.add(check, outcome);
    }
}

/// Returns the outcome of each check of an inspected database.
fn outcomes(found: &Inspection, is_verified: bool, latest: i64) -> [(&'static str, CheckOutcome); 5] {
    let tls = if is_verified { text::TLS_VERIFIED } else { text::TLS_LOCAL };
    [
        (text::SERVER, check_version(found.server_version)),
        (text::TLS, CheckOutcome::Passed(tls.to_owned())),
        (text::ROLE, check_role(found)),
        (text::MIGRATIONS, check_migrations(found.migration, latest)),
        (text::RIGHTS, check_rights(found)),
    ]
}

/// Checks by behaviour that a session keeps its server connection, as the declared mode says.
async fn check_pool_mode(config: &DatabaseConfig) -> CheckOutcome {
    match db::schema::keeps_session(config).await {
        Ok(true) => CheckOutcome::Passed(text::SESSION_KEPT.to_owned()),
        Ok(false) => CheckOutcome::failed(text::SESSION_LOST, text::CHECK_POOL_MODE),
        Err(error) => CheckOutcome::error(text::NO_CONNECTION, &error, text::CHECK_CONNECTION),
    }
}

fn check_version(server_version: i32) -> CheckOutcome {
    let version = text::server_version(server_version / MAJOR_VERSION);
    if server_version >= SERVER_VERSION_MIN {
        CheckOutcome::Passed(version)
    } else {
        CheckOutcome::failed(version, text::UPGRADE_SERVER)
    }
}

fn check_role(found: &Inspection) -> CheckOutcome {
    if found.has_excess_rights {
        CheckOutcome::failed(text::powerful_role(&found.role), text::USE_APP_ROLE)
    } else {
        CheckOutcome::Passed(found.role.clone())
    }
}

fn check_migrations(applied: Option<i64>, latest: i64) -> CheckOutcome {
    match applied {
        Some(version) if version == latest => CheckOutcome::Passed(text::migrations_current(version)),
        Some(version) if version > latest => {
            CheckOutcome::failed(text::migrations_ahead(version, latest), text::UPDATE_PROGRAM)
        }
        Some(version) => CheckOutcome::failed(text::migrations_behind(version, latest), text::MIGRATE),
        None => CheckOutcome::failed(text::NO_MIGRATION, text::MIGRATE),
    }
}

fn check_rights(found: &Inspection) -> CheckOutcome {
    if found.findings.is_empty() {
        return CheckOutcome::Passed(text::NOTHING_OPEN.to_owned());
    }
    CheckOutcome::Failed {
        finding: text::open_objects(found.findings.len()),
        causes: found
            .findings
            .iter()
            .map(|finding| format!("{}: {}", finding.object, finding.problem))
            .collect(),
        advice: text::CLOSE_TABLES.to_owned(),
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
            has_excess_rights: false,
            migration: Some(13),
            findings: Vec::new(),
        }
    }

    #[test]
    fn database_faults_are_named_with_a_remedy() {
        let failed = |found: &Inspection| {
            let all = outcomes(found, true, 13);
            all.into_iter()
                .filter(|(_, outcome)| matches!(outcome, CheckOutcome::Failed { .. }))
                .collect::<Vec<_>>()
        };
        assert_eq!(failed(&sound()), []);
        let finding = Finding { problem: "no row security".to_owned(), object: "gazelle.t".to_owned() };
        for (found, expected, remedy) in [
            (Inspection { server_version: 140_001, ..sound() }, "serveur", "15"),
            (Inspection { has_excess_rights: true, ..sound() }, "rôle", "login app"),
            (Inspection { migration: Some(12), ..sound() }, "migrations", "migrate"),
            (Inspection { migration: None, ..sound() }, "migrations", "migrate"),
            (Inspection { findings: vec![finding], ..sound() }, "droits", "migrate"),
        ] {
            match failed(&found).as_slice() {
                [(check, CheckOutcome::Failed { advice, .. })] => {
                    assert!(*check == expected && advice.contains(remedy), "{check}: {advice}");
                }
                other => panic!("{expected}: {other:?}"),
            }
        }
    }
}
