//! Every SQL statement of the pipeline prepares on a migrated database: names, columns and types exist.

use pipeline_tests::mirror::{Mirror, SCHEMA};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Executor as _, SqlSafeStr as _};

#[sqlx::test(migrations = false)]
async fn every_statement_prepares(_: PgPoolOptions, options: PgConnectOptions) {
    let mirror = Mirror::open(options).await;
    let mut connection = mirror.connection().await;
    let statements = db::all_statements(SCHEMA);
    assert!(statements.len() > 100, "{} statements", statements.len());
    let mut refused = Vec::new();
    for (name, sql) in statements {
        if let Err(error) = connection.prepare(AssertSqlSafe(sql).into_sql_str()).await {
            refused.push(format!("{name}: {error}"));
        }
    }
    assert!(refused.is_empty(), "statements that do not prepare:\n{}", refused.join("\n"));
}
