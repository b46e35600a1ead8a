//! Depth of the queues and of their dead-letter queues.

use std::time::Duration;

use futures::future::join_all;
use lambda::Queue;
use serde::Serialize;
use tracing::warn;

/// Timeout of a queue: beyond it the page shows its depth as unknown.
const DEPTH_TIMEOUT: Duration = Duration::from_secs(2);

/// Queue of the pipeline with its dead-letter queue.
#[derive(Debug)]
pub struct WatchedQueue {
    /// Name in JSON, metrics and labels.
    pub name: &'static str,
    /// The queue itself.
    pub queue: Queue,
    /// Its dead-letter queue.
    pub dead: Queue,
}

/// Depth of a queue and of its dead-letter queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Backlog {
    /// Name of the queue.
    pub queue: &'static str,
    /// Messages that wait or are in flight; none where the queue gave no answer.
    pub waiting: Option<u64>,
    /// Dead letters; none where the queue gave no answer.
    pub dead: Option<u64>,
}

/// Reads the depth of every queue, concurrently.
pub async fn backlogs(queues: &[WatchedQueue]) -> Vec<Backlog> {
    join_all(queues.iter().map(|watched| async move {
        let (waiting, dead) =
            tokio::join!(depth(watched.name, &watched.queue), depth(watched.name, &watched.dead));
        Backlog { queue: watched.name, waiting, dead }
    }))
    .await
}

async fn depth(name: &str, queue: &Queue) -> Option<u64> {
    match tokio::time::timeout(DEPTH_TIMEOUT, queue.depth()).await {
        Ok(Ok(depth)) => Some(depth),
        Ok(Err(error)) => {
            warn!(queue = name, "{}", lambda::error_chain(&error));
            None
        }
        Err(_) => {
            warn!(queue = name, "A queue gave no answer within {} s", DEPTH_TIMEOUT.as_secs());
            None
        }
    }
}
