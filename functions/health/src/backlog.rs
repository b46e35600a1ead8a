//! What waits in the queues, and what they have set aside.

use std::time::Duration;

use futures::future::join_all;
use lambda::Queue;
use serde::Serialize;
use tracing::warn;

/// A queue that does not answer for so long is shown as unknown: a page must not wait for it.
const PATIENCE: Duration = Duration::from_secs(2);

/// A queue of the pipeline with its dead-letter queue.
#[derive(Debug)]
pub struct Watched {
    /// Its name.
    pub name: &'static str,
    /// The queue.
    pub queue: Queue,
    /// Where it sets messages aside.
    pub dead: Queue,
}

/// How deep a queue is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Backlog {
    /// The queue.
    pub queue: &'static str,
    /// Messages that wait or are being served; none where it could not be asked.
    pub waiting: Option<u64>,
    /// Messages set aside; none where it could not be asked.
    pub dead: Option<u64>,
}

/// Asks every queue at once.
pub async fn backlogs(queues: &[Watched]) -> Vec<Backlog> {
    join_all(queues.iter().map(|watched| async move {
        let (waiting, dead) =
            tokio::join!(depth(watched.name, &watched.queue), depth(watched.name, &watched.dead));
        Backlog { queue: watched.name, waiting, dead }
    }))
    .await
}

async fn depth(name: &str, queue: &Queue) -> Option<u64> {
    match tokio::time::timeout(PATIENCE, queue.depth()).await {
        Ok(Ok(depth)) => Some(depth),
        Ok(Err(reason)) => {
            warn!(queue = name, "{reason}");
            None
        }
        Err(_) => {
            warn!(queue = name, "A queue gave no answer within {} s", PATIENCE.as_secs());
            None
        }
    }
}
