//! The compiled fetcher as separate processes, with a simulated Gazelle, a bucket and a secret per test.

mod environment;
mod middleman;
mod proxy;
mod runtime_api;
mod wire;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use serde_json::Value;
use tokio::sync::watch;

pub use environment::{Environment, Page};
pub use middleman::{Middleman, Reply};
pub use proxy::{Exchange, Moment, Proxy, Trap};

use runtime_api::RuntimeApi;

/// Fetcher process, as in a Lambda sandbox.
#[derive(Debug)]
pub struct Process {
    victim: Victim,
    pid: u32,
    api: RuntimeApi,
    log: Arc<Mutex<Vec<u8>>>,
    gone: watch::Receiver<bool>,
}

/// Result of an invocation.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// The function returned a response.
    Answered(Value),
    /// The function returned an error.
    Failed(Value),
    /// The process ended.
    Died,
}

impl Ended {
    /// Returns the reports of the runs.
    ///
    /// # Panics
    /// The invocation returned no reports.
    #[must_use]
    pub fn runs(&self) -> Vec<Value> {
        let Self::Answered(answer) = self else { panic!("no answer: {self:?}") };
        answer["runs"].as_array().unwrap_or_else(|| panic!("no reports: {answer}")).clone()
    }
}

/// Handle that kills the process.
#[derive(Debug, Clone)]
struct Victim(Arc<Mutex<Child>>);

impl Victim {
    /// Sends SIGKILL.
    fn kill(&self) {
        // One that is gone already is as dead.
        let _ = open(&self.0).kill();
    }
}

fn open<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Process {
    async fn start(settings: impl IntoIterator<Item = (String, String)>) -> Self {
        let api = RuntimeApi::open().await;
        let mut child = Command::new(binary())
            .env_clear()
            .envs(settings)
            .env("AWS_LAMBDA_RUNTIME_API", &api.address)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("a process");
        let mut output = child.stdout.take().expect("a pipe");
        let (pid, victim) = (child.id(), Victim(Arc::new(Mutex::new(child))));
        let (is_gone, gone) = watch::channel(false);
        let log = Arc::new(Mutex::new(Vec::new()));
        let (child, lines) = (Arc::clone(&victim.0), Arc::clone(&log));
        // The pipe ends with the process.
        thread::spawn(move || {
            let mut some = [0; 8192];
            while let Ok(length) = output.read(&mut some)
                && length > 0
            {
                open(&lines).extend_from_slice(some.get(..length).unwrap_or_default());
            }
            let _ = open(&child).wait();
            let _ = is_gone.send(true);
        });
        Self { victim, pid, api, log, gone }
    }

    /// Invokes the process with a new request id.
    pub async fn invoke(&self, payload: &Value) -> Ended {
        self.invoke_as(&format!("request-{}", INVOCATIONS.fetch_add(1, Ordering::Relaxed)), payload).await
    }

    /// Invokes the process with this request id, which may repeat.
    pub async fn invoke_as(&self, request_id: &str, payload: &Value) -> Ended {
        let mut gone = self.gone.clone();
        tokio::select! {
            ended = self.api.invoke(request_id, payload) => ended.map_or_else(Ended::Failed, Ended::Answered),
            _ = gone.wait_for(|gone| *gone) => Ended::Died,
        }
    }

    /// Kills the process at one of its writes through this proxy.
    pub fn dies_at(&self, proxy: &Proxy, trap: Trap) {
        proxy.arm(trap, self.victim.clone());
    }

    /// Returns the process's peak memory, in KiB.
    ///
    /// # Panics
    /// The process has ended.
    #[must_use]
    pub fn peak_memory_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid)).expect("a live process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("VmHWM");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// Returns the process's log.
    #[must_use]
    pub fn log(&self) -> String {
        String::from_utf8_lossy(&open(&self.log)).into_owned()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.victim.kill();
    }
}

static INVOCATIONS: AtomicU32 = AtomicU32::new(1);

/// Returns the compiled fetcher; cargo builds it where it is missing or stale (`sam build` moves it
/// into its package). The path is a copy, so that another build cannot remove it during a test.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let test = std::env::current_exe().expect("a path");
        let folder = test.ancestors().nth(2).expect("the target folder");
        let is_release = folder.file_name().is_some_and(|name| name == "release");
        let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
            .args(["build", "--offline", "--locked", "--workspace", "--bin", "fetcher"])
            .args(is_release.then_some("--release"))
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace"))
            .output()
            .expect("cargo");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let copy = folder.join("tested-fetcher");
        let fresh = folder.join(format!("tested-fetcher-{}", std::process::id()));
        std::fs::copy(folder.join("fetcher"), &fresh).expect("a copy");
        std::fs::rename(&fresh, &copy).expect("a name");
        copy
    })
}
