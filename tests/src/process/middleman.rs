//! Middleman between a client and the simulated Gazelle: forwards, edits or replaces each response by a script.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::wire::Message;

/// Reply to one request.
pub enum Reply {
    /// The response of the service.
    Forward,
    /// The response of the service, edited.
    Edit(fn(&mut Value)),
    /// A response of this status, with headers and a body.
    Answer(u16, Vec<(&'static str, String)>, String),
}

impl Reply {
    /// Returns a response without a body.
    #[must_use]
    pub fn status(status: u16) -> Self {
        Self::Answer(status, Vec::new(), String::new())
    }

    /// Returns a JSON response with the status of success.
    #[must_use]
    pub fn json(body: &Value) -> Self {
        Self::Answer(200, vec![("content-type", "application/json".to_owned())], body.to_string())
    }
}

/// Script: the reply to a request, by its path and its body.
type Script = dyn Fn(&str, &str) -> Reply + Send + Sync;

/// Server that stands between a client and the service.
#[derive(Debug)]
pub struct Middleman {
    /// Address of the server.
    pub url: String,
    requests: Arc<AtomicUsize>,
    server: JoinHandle<()>,
}

impl Middleman {
    /// Starts a server in front of the service at this address.
    pub async fn before(
        upstream: &str,
        script: impl Fn(&str, &str) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let upstream = upstream.trim_start_matches("http://").parse().expect("an address of this machine");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let script: Arc<Script> = Arc::new(script);
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        let server = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (script, counter) = (Arc::clone(&script), Arc::clone(&counter));
                tokio::spawn(async move { converse(client, upstream, &*script, &counter).await });
            }
        });
        Self { url, requests, server }
    }

    /// Returns the number of requests so far.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::Relaxed)
    }
}

impl Drop for Middleman {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn converse(
    client: TcpStream,
    upstream: SocketAddr,
    script: &Script,
    counter: &AtomicUsize,
) -> io::Result<()> {
    let mut client = BufReader::new(client);
    while let Some(mut request) = Message::read_head(&mut client).await? {
        request.read_body(&mut client).await?;
        counter.fetch_add(1, Ordering::Relaxed);
        let path = request.word(1).to_owned();
        let answer = match script(&path, &String::from_utf8_lossy(&request.body)) {
            Reply::Forward => forward(&request, upstream).await?,
            Reply::Edit(edit) => edited(&forward(&request, upstream).await?, edit),
            Reply::Answer(status, headers, body) => {
                let lines: String =
                    headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
                let length = body.len();
                format!("HTTP/1.1 {status} X\r\n{lines}content-length: {length}\r\n\r\n{body}").into_bytes()
            }
        };
        client.write_all(&answer).await?;
    }
    Ok(())
}

/// Returns the response of the service as bytes.
async fn forward(request: &Message, upstream: SocketAddr) -> io::Result<Vec<u8>> {
    let mut upstream = BufReader::new(TcpStream::connect(upstream).await?);
    upstream.write_all(&[&request.head(), request.framed()].concat()).await?;
    let answer = Message::read_head(&mut upstream).await?;
    let mut answer = answer.ok_or_else(|| io::Error::other("the service hung up"))?;
    answer.read_body(&mut upstream).await?;
    Ok([&answer.head(), answer.framed()].concat())
}

/// Returns the response with an edited body, and the status of success.
fn edited(answer: &[u8], edit: fn(&mut Value)) -> Vec<u8> {
    let text = String::from_utf8_lossy(answer);
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    let mut body: Value = serde_json::from_str(body).expect("a JSON body");
    edit(&mut body);
    super::wire::response("200 OK", &[], &body.to_string())
}
