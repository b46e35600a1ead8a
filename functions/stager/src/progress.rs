//! Progress of a task that may meet its deadline: its position is kept in the database, and the next invocation goes on.

use chrono::NaiveDate;
use db::Db;
use db::staging::UnfinishedTask;
use tokio::time::Instant;

use crate::error::StagerError;
use crate::task_result::TaskResult;

/// Task under way, with its position.
pub(crate) struct Progress<'a> {
    db: &'a Db,
    task: UnfinishedTask,
    deadline: Instant,
    /// Counts of this invocation.
    pub(crate) result: TaskResult,
}

impl<'a> Progress<'a> {
    /// Continues a task at its position.
    pub(crate) fn new(db: &'a Db, task: UnfinishedTask, deadline: Instant) -> Self {
        Self { db, task, deadline, result: TaskResult::default() }
    }

    /// Returns the position at which the task goes on; empty at its beginning.
    pub(crate) fn position(&self) -> &str {
        &self.task.position
    }

    /// Saves the position behind work that is done, which was on that day. Returns whether there is time to go on.
    pub(crate) async fn advance(&mut self, position: String, day: NaiveDate) -> Result<bool, StagerError> {
        self.task.position = position;
        db::staging::save_unfinished(self.db, &self.task)
            .await
            .map_err(|source| StagerError::Database { operation: "save the position of a task", source })?;
        let has_time = Instant::now() < self.deadline;
        self.result.next = (!has_time).then_some(day);
        Ok(has_time)
    }

    /// Stops the task at this position if the time is over. To be asked where nothing is found for long; never before
    /// the first step of an invocation, so that each gets on.
    pub(crate) async fn pause(&mut self, position: &str, day: NaiveDate) -> Result<bool, StagerError> {
        if Instant::now() < self.deadline {
            return Ok(false);
        }
        Ok(!self.advance(position.to_owned(), day).await?)
    }

    /// Ends the task; returns its counts.
    pub(crate) async fn finish(self) -> Result<TaskResult, StagerError> {
        if self.result.next.is_none() {
            db::staging::delete_unfinished(self.db, &self.task.task).await.map_err(|source| {
                StagerError::Database { operation: "forget the position of a task", source }
            })?;
        }
        Ok(self.result)
    }
}
