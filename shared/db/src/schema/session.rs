//! Test of the pool mode by behaviour: a pooler in transaction mode lends one server connection to several clients.

use std::time::Duration;

use sqlx::{Connection as _, PgConnection};
use tokio::time::timeout;

use crate::error::{During as _, Error};
use crate::pool::DatabaseConfig;

/// Static statements of this file, by name.
pub(crate) const STATEMENTS: &[(&str, &str)] = &[("backend", BACKEND)];

const BACKEND: &str = "select pg_backend_pid()";

/// Rounds of the test: a pooler with many idle connections may hand out the same one by chance.
const ROUNDS: u32 = 5;
/// Time limit of one answer. A session pooler that has no connection left makes the second client wait.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// Returns whether a session of this address keeps its server connection from one transaction to the next, as the modes
/// `session` and `direct` need it. Returns true where a full pool leaves nothing to compare.
///
/// # Errors
/// The server is out of reach or refuses the login.
pub async fn keeps_session(config: &DatabaseConfig) -> Result<bool, Error> {
    let mut first = config.connect().await?;
    let Ok(second) = timeout(ANSWER_TIMEOUT, config.connect()).await else {
        first.close().await.during("close a connection")?;
        return Ok(true);
    };
    let mut second = second?;
    let mut is_kept = true;
    for _ in 0..ROUNDS {
        is_kept = is_kept && is_kept_in_a_round(&mut first, &mut second).await?;
    }
    // Their server connections may be in use: the poolers of both notice that the sockets are gone.
    drop((first, second));
    Ok(is_kept)
}

/// Lets the second client hold a transaction open between two statements of the first one.
async fn is_kept_in_a_round(first: &mut PgConnection, second: &mut PgConnection) -> Result<bool, Error> {
    let before = backend(first).await?;
    let transaction = async {
        let mut tx = second.begin().await.during("begin a transaction")?;
        let held = backend(&mut tx).await?;
        // A pooler that lends connections by transaction has lent the first one's now: it gets another, or none.
        let after = timeout(ANSWER_TIMEOUT, backend(first)).await;
        tx.rollback().await.during("roll back a transaction")?;
        let is_same = match after {
            Ok(after) => after? == before,
            Err(_) => false,
        };
        Ok(held != before && is_same)
    };
    // No connection for the second client: nothing is lent twice.
    timeout(ANSWER_TIMEOUT * 2, transaction).await.unwrap_or(Ok(true))
}

async fn backend(connection: &mut PgConnection) -> Result<i32, Error> {
    let query = sqlx::query_scalar(BACKEND).persistent(false);
    query.fetch_one(connection).await.during("read the server process of a session")
}
