//! Tasks that met their deadline: kept with the position from which the next invocation continues.

use serde_json::Value;
use sqlx::FromRow;
use sqlx::types::Json;

use crate::error::{During as _, Error};
use crate::pool::Db;

/// Static statements of this file.
pub(crate) const STATEMENTS: &[(&str, &str)] = &[
    ("select_unfinished_tasks", SELECT_UNFINISHED),
    ("save_unfinished_task", SAVE_UNFINISHED),
    ("delete_unfinished_task", DELETE_UNFINISHED),
];

/// Task that met its deadline.
#[derive(Debug, Clone, PartialEq, FromRow)]
pub struct UnfinishedTask {
    /// Name that tells the task from others.
    pub task: String,
    /// Request, as it was parsed.
    #[sqlx(json)]
    pub request: Value,
    /// Position from which to continue; its meaning is the task's own.
    pub position: String,
}

const SELECT_UNFINISHED: &str =
    "select task, request, position from unfinished_tasks order by updated_at, task";

/// Returns the tasks that met their deadline, the one that waits longest first.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn unfinished_tasks(db: &Db) -> Result<Vec<UnfinishedTask>, Error> {
    let mut tx = db.begin().await?;
    let tasks =
        tx.query_as(SELECT_UNFINISHED).fetch_all(tx.connection()).await.during("list unfinished tasks")?;
    tx.rollback().await?;
    Ok(tasks)
}

const SAVE_UNFINISHED: &str = r"
    insert into unfinished_tasks (task, request, position) values ($1, $2, $3)
    on conflict (task) do update set request = excluded.request, position = excluded.position, updated_at = now()
    ";

/// Saves the position of a task that goes on.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn save_unfinished(db: &Db, task: &UnfinishedTask) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    tx.query(SAVE_UNFINISHED)
        .bind(&task.task)
        .bind(Json(&task.request))
        .bind(&task.position)
        .execute(tx.connection())
        .await
        .during("save the position of a task")?;
    tx.commit().await
}

const DELETE_UNFINISHED: &str = "delete from unfinished_tasks where task = $1";

/// Forgets the position of a task that is done.
///
/// # Errors
/// The database refused or was out of reach.
pub async fn delete_unfinished(db: &Db, task: &str) -> Result<(), Error> {
    let mut tx = db.begin().await?;
    tx.query(DELETE_UNFINISHED)
        .bind(task)
        .execute(tx.connection())
        .await
        .during("forget the position of a task")?;
    tx.commit().await
}
