//! Inspection of a database as the functions see it: server, role, migrations, and everything that stands open.

use sqlx::{AssertSqlSafe, Connection, PgConnection};

use super::statements;
use crate::error::{During as _, Error};
use crate::pool::DatabaseConfig;

/// Static statements of this file, by name.
pub(crate) const STATEMENTS: &[(&str, &str)] = &[("server", SERVER)];

const SERVER: &str = r"
    select current_setting('server_version_num')::int as server_version, current_user::text as role,
        exists (select from pg_roles where rolname = current_user and (rolsuper or rolbypassrls))
            or exists (select from pg_roles o where o.rolname = 'gazelle_owner' and pg_has_role(current_user, o.oid, 'usage'))
            as has_excess_rights,
        to_regclass(format('%I._sqlx_migrations', $1::text)) is not null as is_migrated
    ";

/// Object of the schema that is less closed than it must be.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Finding {
    /// Problem, such as `no row security`.
    pub problem: String,
    /// Object that has it, as PostgreSQL names it.
    pub object: String,
}

/// Returns the objects of a schema that stand open, by its catalogue; empty where everything is as it must be.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn findings(connection: &mut PgConnection, schema: &str) -> Result<Vec<Finding>, Error> {
    let query = sqlx::query_as(AssertSqlSafe(statements::findings(schema))).persistent(false);
    query.bind(schema).fetch_all(connection).await.during("inspect the catalogue")
}

/// State of a database as a connection of the functions sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// Server version as a number, such as `180004`.
    pub server_version: i32,
    /// Role of the connection.
    pub role: String,
    /// Set where that role may do more than it must: bypass row security, or own the tables that it writes to.
    pub has_excess_rights: bool,
    /// Newest migration applied; none where the schema was never migrated.
    pub migration: Option<i64>,
    /// Objects that stand open; empty, too, where the schema was never migrated.
    pub findings: Vec<Finding>,
}

#[derive(sqlx::FromRow)]
struct Connected {
    server_version: i32,
    role: String,
    has_excess_rights: bool,
    is_migrated: bool,
}

/// Inspects the database through a connection of the functions. Works through a transaction pooler, too.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn inspect(config: &DatabaseConfig) -> Result<Inspection, Error> {
    let mut connection = config.connect().await?;
    let mut tx = connection.begin().await.during("begin a transaction")?;
    let Connected { server_version, role, has_excess_rights, is_migrated } = sqlx::query_as(SERVER)
        .persistent(false)
        .bind(config.schema())
        .fetch_one(&mut *tx)
        .await
        .during("inspect the server")?;
    let (mut migration, mut open) = (None, Vec::new());
    if is_migrated {
        let newest = AssertSqlSafe(statements::newest_migration(config.schema()));
        migration = sqlx::query_scalar(newest)
            .persistent(false)
            .fetch_one(&mut *tx)
            .await
            .during("read the newest migration")?;
        open = findings(&mut tx, config.schema()).await?;
    }
    tx.rollback().await.during("roll back a transaction")?;
    connection.close().await.during("close a connection")?;
    Ok(Inspection { server_version, role, has_excess_rights, migration, findings: open })
}
