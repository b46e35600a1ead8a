//! Lambda Runtime API for one process, which polls it for invocations and posts its responses.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::SystemTime;

use serde_json::Value;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;

use super::wire::{Message, response};

/// Timeout of an invocation, as in the template.
const TIMEOUT_S: u64 = 900;
const ARN: &str = "arn:aws:lambda:ca-central-1:000000000000:function:fetcher";

/// Runtime API that serves one invocation at a time.
#[derive(Debug)]
pub(super) struct RuntimeApi {
    /// Host and port of the API.
    pub(super) address: String,
    invocations: mpsc::Sender<(String, Value)>,
    answers: Mutex<mpsc::Receiver<Result<Value, Value>>>,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Ends {
    invocations: Mutex<mpsc::Receiver<(String, Value)>>,
    answers: mpsc::Sender<Result<Value, Value>>,
}

impl RuntimeApi {
    pub(super) async fn open() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let (invocations, next) = mpsc::channel(1);
        let (answer, answers) = mpsc::channel(1);
        let ends = Arc::new(Ends { invocations: Mutex::new(next), answers: answer });
        let server = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let ends = Arc::clone(&ends);
                tokio::spawn(async move { ends.converse(client).await });
            }
        });
        Self { address, invocations, answers: Mutex::new(answers), server }
    }

    /// Delivers an event to the process; returns its response or the function's error.
    pub(super) async fn invoke(&self, request_id: &str, payload: &Value) -> Result<Value, Value> {
        let mut answers = self.answers.lock().await;
        self.invocations.send((request_id.to_owned(), payload.clone())).await.expect("an open API");
        answers.recv().await.expect("an open API")
    }
}

impl Drop for RuntimeApi {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Ends {
    async fn converse(&self, client: TcpStream) -> io::Result<()> {
        client.set_nodelay(true)?;
        let mut client = BufReader::new(client);
        while let Some(mut request) = Message::read_head(&mut client).await? {
            request.read_body(&mut client).await?;
            let path = request.word(1);
            let answer = if path.ends_with("/invocation/next") {
                let Some((id, payload)) = self.invocations.lock().await.recv().await else { return Ok(()) };
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                let deadline_ms = (now.as_secs() + TIMEOUT_S) * 1_000;
                let headers = [
                    ("Lambda-Runtime-Aws-Request-Id", id),
                    ("Lambda-Runtime-Deadline-Ms", deadline_ms.to_string()),
                    ("Lambda-Runtime-Invoked-Function-Arn", ARN.to_owned()),
                ];
                response("200 OK", &headers, &payload.to_string())
            } else {
                let told: Value = serde_json::from_slice(&request.body).unwrap_or_default();
                let told = if path.ends_with("/response") { Ok(told) } else { Err(told) };
                self.answers.send(told).await.map_err(io::Error::other)?;
                response("202 Accepted", &[], r#"{"status":"OK"}"#)
            };
            client.write_all(&answer).await?;
        }
        Ok(())
    }
}
