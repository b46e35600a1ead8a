//! Mirror of one test: real PostgreSQL, real migrations, the functions' own code.

use std::time::Duration;

use db::{DatabaseConfig, Db, PoolMode};
use model::entity::{self, Entity};
use serde_json::Value;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection};
use tokio::time::Instant;

use crate::pages::MemorySource;

/// Schema of the mirror.
pub const SCHEMA: &str = "gazelle";

/// The functions' role, so that every test runs with its privileges.
pub const APP_ROLE: &str = "gazelle_app";

/// Migrated database with its pool.
#[derive(Debug)]
pub struct Mirror {
    /// Pool with the functions' role.
    pub db: Db,
    options: PgConnectOptions,
}

impl Mirror {
    /// Migrates the database and opens the pool.
    pub async fn open(options: PgConnectOptions) -> Self {
        let mirror = Self { db: Db::new(&app_config(&options)), options };
        db::schema::migrate(&mirror.administrator()).await.expect("migrations");
        // The equations of a run hold at each moment of each test, whatever it does.
        sqlx::raw_sql(
            "alter table sync_status
                drop constraint if exists what_was_fetched_adds_up,
                drop constraint if exists nothing_is_settled_twice,
                drop constraint if exists a_run_that_is_over_has_an_end,
                add constraint what_was_fetched_adds_up
                    check (records_fetched = records_staged + records_duplicate + records_quarantined),
                add constraint nothing_is_settled_twice check (records_pending >= 0),
                add constraint a_run_that_is_over_has_an_end check (status = 'running' or completed_at is not null)",
        )
        .execute(&mut mirror.connection().await)
        .await
        .expect("constraints");
        mirror
    }

    /// Returns the administrator's configuration.
    #[must_use]
    pub fn administrator(&self) -> DatabaseConfig {
        let url = self.options.to_url_lossy();
        DatabaseConfig::new(url.as_str(), SCHEMA, PoolMode::Session).expect("the test database's address")
    }

    /// Opens a connection beside the pool, with all privileges.
    pub async fn connection(&self) -> PgConnection {
        let mut connection = self.options.connect().await.expect("a connection");
        sqlx::raw_sql(AssertSqlSafe(format!("set search_path to \"{SCHEMA}\"")))
            .execute(&mut connection)
            .await
            .expect("schema");
        connection
    }

    /// Opens this mirror as another role.
    #[must_use]
    pub fn as_role(&self, role: &str, password: &str) -> Db {
        let options = self.options.clone().username(role).password(password);
        let config = DatabaseConfig::new(options.to_url_lossy().as_str(), SCHEMA, PoolMode::Session);
        Db::new(&config.expect("the test database's address"))
    }

    /// Returns the production tables, child tables included.
    #[must_use]
    pub fn production_tables() -> Vec<&'static str> {
        let parts = |entity: &'static Entity| entity.child_tables.iter().map(|part| part.table);
        entity::ALL
            .into_iter()
            .flat_map(|entity| std::iter::once(entity.table).chain(parts(entity)))
            .collect()
    }

    /// Truncates every production and staging table.
    pub async fn empty(&self) {
        let staging = entity::ALL.into_iter().map(|entity| entity.staging_table);
        let tables: Vec<&str> = Self::production_tables().into_iter().chain(staging).collect();
        let sql = format!(
            "truncate {}, timeline_entries_keys, match_decisions, missing_records, admin_actions, sync_status, staged_pages, performance_metrics, completeness, listed_records",
            tables.join(", ")
        );
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut self.connection().await).await.expect("a clean start");
    }

    /// Returns location and writer of each production row: any write changes them.
    pub async fn physical(connection: &mut PgConnection) -> Vec<Value> {
        let mut all = Vec::new();
        for table in Self::production_tables() {
            let sql = format!(
                "select '{table}' as entity, to_jsonb(t)->'id' as id, to_jsonb(t)->'version' as version,
                    xmin::text, ctid::text
                 from {table} t order by tableoid, ctid"
            );
            all.extend(rows(connection, &sql).await);
        }
        all
    }

    /// Stages every object in the order of the keys; returns those that failed.
    pub async fn stage(&self, source: &MemorySource) -> Vec<String> {
        let staged = stager::stage::stage(&self.db, source, &source.keys()).await;
        staged.failed.into_iter().map(|(key, reason)| format!("{key}: {reason}")).collect()
    }

    /// Promotes every pending record.
    pub async fn reconcile(&self) {
        for entity in entity::ALL {
            self.drain(entity).await;
        }
    }

    /// Promotes the pending records of one entity.
    pub async fn drain(&self, entity: &'static Entity) -> reconciler::reconcile::Drained {
        let deadline = Instant::now() + Duration::from_mins(5);
        let drained = Box::pin(reconciler::reconcile::drain(&self.db, entity, deadline));
        drained.await.expect("the database is there")
    }

    /// Runs statements of a test.
    pub async fn execute(&self, sql: &str) {
        let sql = AssertSqlSafe(sql.to_owned());
        sqlx::raw_sql(sql).execute(&mut self.connection().await).await.expect("a valid statement");
    }

    /// Returns the rows of a query as JSON objects.
    pub async fn rows(&self, sql: &str) -> Vec<Value> {
        rows(&mut self.connection().await, sql).await
    }

    /// Returns the single value of a query.
    pub async fn value(&self, sql: &str) -> Value {
        let rows = self.rows(sql).await;
        rows.first().and_then(|row| row.as_object()?.values().next().cloned()).unwrap_or_default()
    }
}

/// Returns the functions' configuration.
fn app_config(options: &PgConnectOptions) -> DatabaseConfig {
    let mut url = options.to_url_lossy();
    url.query_pairs_mut().append_pair("options", &format!("-c role={APP_ROLE}"));
    DatabaseConfig::new(url.as_str(), SCHEMA, PoolMode::Session).expect("the test database's address")
}

/// Returns the rows of a query as JSON objects.
pub async fn rows(connection: &mut PgConnection, sql: &str) -> Vec<Value> {
    let sql = format!("select to_jsonb(q) from ({sql}) q");
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(connection).await.expect("a readable query")
}

/// Returns the entity of this name.
///
/// # Panics
/// No entity has this name.
#[must_use]
pub fn entity(name: &str) -> &'static Entity {
    entity::find(name).expect("a name of the registry")
}
