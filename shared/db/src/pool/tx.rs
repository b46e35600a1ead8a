//! Transactions, and the statements in them.

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::{Query, QueryAs, QueryScalar};
use sqlx::{FromRow, PgConnection, Postgres, SqlSafeStr, Transaction};

use crate::error::{During as _, Error};

/// Static statements of this file.
pub(crate) const STATEMENTS: &[(&str, &str)] = &[("lock_entity", LOCK_ENTITY)];

const LOCK_ENTITY: &str = "select pg_advisory_xact_lock(hashtext($1), hashtext($2))";

/// Transaction in the configured schema. Commit it or roll it back: the rollback of a drop is sent only when the
/// connection is used again, and a Lambda that has answered is frozen before that.
#[derive(Debug)]
pub struct Tx {
    inner: Transaction<'static, Postgres>,
    /// True if the server keeps prepared statements after the transaction, which depends on the pooler.
    persistent: bool,
}

impl Tx {
    /// Wraps a transaction that has begun.
    pub(super) const fn new(inner: Transaction<'static, Postgres>, persistent: bool) -> Self {
        Self { inner, persistent }
    }

    /// Commits the transaction.
    ///
    /// # Errors
    /// The server did not confirm.
    pub async fn commit(self) -> Result<(), Error> {
        self.inner.commit().await.during("commit a transaction")
    }

    /// Rolls the transaction back.
    ///
    /// # Errors
    /// The server did not confirm.
    pub async fn rollback(self) -> Result<(), Error> {
        self.inner.rollback().await.during("roll back a transaction")
    }

    /// Returns the connection, for a statement of a caller outside this crate: a test, a report.
    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.inner
    }

    /// Creates a statement, prepared as the pool mode allows.
    pub(crate) fn query<'q>(&self, sql: impl SqlSafeStr) -> Query<'q, Postgres, PgArguments> {
        sqlx::query(sql).persistent(self.persistent)
    }

    /// Creates a statement whose rows are read by name into a struct, prepared as the pool mode allows.
    pub(crate) fn query_as<'q, R>(&self, sql: impl SqlSafeStr) -> QueryAs<'q, Postgres, R, PgArguments>
    where
        R: for<'r> FromRow<'r, PgRow>,
    {
        sqlx::query_as(sql).persistent(self.persistent)
    }

    /// Creates a statement that returns a single column, prepared as the pool mode allows.
    pub(crate) fn query_scalar<'q, S>(
        &self,
        sql: impl SqlSafeStr,
    ) -> QueryScalar<'q, Postgres, S, PgArguments>
    where
        (S,): for<'r> FromRow<'r, PgRow>,
    {
        sqlx::query_scalar(sql).persistent(self.persistent)
    }

    /// Locks an entity's table for one kind of work until the transaction ends. Waits for the holder of that lock.
    ///
    /// # Errors
    /// The wait exceeded the statement timeout, or the database was out of reach.
    pub(crate) async fn lock_entity(&mut self, work: &'static str, table: &'static str) -> Result<(), Error> {
        self.query(LOCK_ENTITY)
            .bind(work)
            .bind(table)
            .execute(self.connection())
            .await
            .during("lock an entity")?;
        Ok(())
    }

    /// Sets a savepoint. A savepoint inside another hides the outer one until it is released.
    pub(crate) async fn savepoint(&mut self) -> Result<(), Error> {
        sqlx::raw_sql("savepoint batch").execute(self.connection()).await.during("set a savepoint")?;
        Ok(())
    }

    /// Keeps the changes since the savepoint.
    pub(crate) async fn release_savepoint(&mut self) -> Result<(), Error> {
        sqlx::raw_sql("release savepoint batch")
            .execute(self.connection())
            .await
            .during("release a savepoint")?;
        Ok(())
    }

    /// Undoes the changes since the savepoint, and removes it.
    pub(crate) async fn rollback_to_savepoint(&mut self) -> Result<(), Error> {
        sqlx::raw_sql("rollback to savepoint batch; release savepoint batch")
            .execute(self.connection())
            .await
            .during("roll back to a savepoint")?;
        Ok(())
    }
}
