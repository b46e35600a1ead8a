//! Proxy that counts requests, fails on demand, and kills a process at one of its writes.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::Victim;
use super::wire::{Message, response};

/// Timeout of every wait in a test.
const WAIT_TIMEOUT: Duration = Duration::from_mins(3);

/// Proxy between a process and a service that it calls.
#[derive(Debug)]
pub struct Proxy {
    /// Address of the proxy.
    pub url: String,
    tap: Arc<Tap>,
    server: JoinHandle<()>,
}

/// Request that was served.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Method, or the operation's name for a service that only uses POST.
    pub verb: String,
    /// Path below the bucket.
    pub key: String,
    /// Status of the response.
    pub status: u16,
}

/// Write at which a process is killed.
#[derive(Debug, Clone, Copy)]
pub struct Trap {
    /// Predicate for the writes that count.
    pub counts: fn(&str) -> bool,
    /// Number of the last write, from 1.
    pub nth: u32,
    /// Moment within the write.
    pub moment: Moment,
}

/// Moment within a write at which a process is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before any byte has reached the service.
    Before,
    /// After half of the request has reached the service.
    Midst,
    /// After the service has done it, before the process has the response.
    Unanswered,
    /// After the process has the response.
    Answered,
}

impl Moment {
    /// Every moment.
    pub const ALL: [Self; 4] = [Self::Before, Self::Midst, Self::Unanswered, Self::Answered];
}

#[derive(Debug)]
struct Tap {
    upstream: SocketAddr,
    trap: Mutex<Option<(Trap, Victim)>>,
    refused: Mutex<BTreeMap<&'static str, u32>>,
    exchanges: watch::Sender<Vec<Exchange>>,
}

fn open<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Proxy {
    /// Starts a proxy in front of the service at this address.
    pub async fn before(upstream: &str) -> Self {
        let upstream = upstream.trim_start_matches("http://").parse().expect("an address of this machine");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let tap = Arc::new(Tap {
            upstream,
            trap: Mutex::default(),
            refused: Mutex::default(),
            exchanges: watch::Sender::default(),
        });
        let listening = Arc::clone(&tap);
        let server = tokio::spawn(async move {
            while let Ok((client, _)) = listening_on(&listener).await {
                let tap = Arc::clone(&listening);
                // A connection that breaks is a process that was killed.
                tokio::spawn(async move { tap.converse(client).await });
            }
        });
        Self { url, tap, server }
    }

    /// Sets the write at which the process is killed.
    pub(super) fn arm(&self, trap: Trap, victim: Victim) {
        *open(&self.tap.trap) = Some((trap, victim));
    }

    /// Removes the trap; returns whether it was not reached.
    #[must_use]
    pub fn disarm(&self) -> bool {
        open(&self.tap.trap).take().is_some()
    }

    /// Fails the next requests with this method; 0 restores the service.
    pub fn refuse(&self, verb: &'static str, times: u32) {
        open(&self.tap.refused).insert(verb, times);
    }

    /// Returns the requests served so far.
    #[must_use]
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.tap.exchanges.borrow().clone()
    }

    /// Clears the requests served so far.
    pub fn forget(&self) {
        self.tap.exchanges.send_modify(Vec::clear);
    }

    /// Waits until the served requests satisfy the predicate; panics after three minutes.
    pub async fn wait_for(&self, wanted: impl Fn(&[Exchange]) -> bool) {
        let mut exchanges = self.tap.exchanges.subscribe();
        let waiting = exchanges.wait_for(|so_far| wanted(so_far));
        let met = timeout(WAIT_TIMEOUT, waiting).await.expect("what was waited for");
        drop(met.expect("a proxy that lives"));
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn listening_on(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (client, from) = listener.accept().await?;
    client.set_nodelay(true)?;
    Ok((client, from))
}

impl Tap {
    async fn converse(&self, client: TcpStream) -> io::Result<()> {
        let mut client = BufReader::new(client);
        while let Some(mut request) = Message::read_head(&mut client).await? {
            if request.header("expect").is_some() {
                client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
            }
            request.read_body(&mut client).await?;
            let verb = verb(&request);
            let key = key(&request);
            if self.is_refused(&verb) {
                let told = r#"{"__type":"InternalServiceError","message":"refused on demand"}"#;
                client.write_all(&response("500 Internal Server Error", &[], told)).await?;
                self.note(verb, key, 500);
                continue;
            }
            let caught = (verb == "PUT").then(|| self.caught(&key)).flatten();
            let moment = caught.as_ref().map(|(moment, _)| *moment);
            let kill = || caught.as_ref().map(|(_, victim)| victim.kill());
            if moment == Some(Moment::Before) {
                kill();
                return Ok(());
            }
            let mut upstream = BufReader::new(TcpStream::connect(self.upstream).await?);
            let mut sent = request.head();
            let framed = request.framed();
            if moment == Some(Moment::Midst) {
                sent.extend_from_slice(framed.get(..framed.len() / 2).unwrap_or_default());
                upstream.write_all(&sent).await?;
                kill();
                return Ok(());
            }
            sent.extend_from_slice(framed);
            upstream.write_all(&sent).await?;
            let answer = self.answer(&mut upstream, request.word(0) == "HEAD").await?;
            if moment == Some(Moment::Unanswered) {
                kill();
            }
            self.note(verb, key, answer.status());
            let mut bytes = answer.head();
            bytes.extend_from_slice(answer.framed());
            let passed_on = client.write_all(&bytes).await;
            if moment == Some(Moment::Answered) {
                kill();
            }
            passed_on?;
        }
        Ok(())
    }

    async fn answer(&self, upstream: &mut BufReader<TcpStream>, is_head: bool) -> io::Result<Message> {
        loop {
            let answer = Message::read_head(upstream).await?;
            let mut answer = answer.ok_or_else(|| io::Error::other("the service hung up"))?;
            if answer.status() >= 200 {
                if !is_head {
                    answer.read_body(upstream).await?;
                }
                return Ok(answer);
            }
        }
    }

    fn note(&self, verb: String, key: String, status: u16) {
        self.exchanges.send_modify(|exchanges| exchanges.push(Exchange { verb, key, status }));
    }

    fn is_refused(&self, verb: &str) -> bool {
        match open(&self.refused).get_mut(verb) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }

    /// Counts a write; returns the kill moment if this is the last one.
    fn caught(&self, key: &str) -> Option<(Moment, Victim)> {
        let mut trap = open(&self.trap);
        let (Trap { counts, nth, moment }, _) = trap.as_mut()?;
        if !counts(key) {
            return None;
        }
        *nth -= 1;
        let (is_last, moment) = (*nth == 0, *moment);
        is_last.then(|| trap.take()).flatten().map(|(_, victim)| (moment, victim))
    }
}

/// Returns the method, or the operation named in a header.
fn verb(request: &Message) -> String {
    let operation = request.header("x-amz-target").and_then(|target| target.rsplit('.').next());
    operation.unwrap_or_else(|| request.word(0)).to_owned()
}

/// Path below the bucket.
fn key(request: &Message) -> String {
    let path = request.word(1).split('?').next().unwrap_or_default();
    path.trim_start_matches('/').split_once('/').map(|(_, key)| key).unwrap_or_default().to_owned()
}
