//! Processes of the deployed functions, which the local AWS runs on this machine: an idle one is frozen.

use std::fs;
use std::process::Command;
use std::time::Duration;

use tokio::time::sleep;

use crate::stack::variable;

/// Returns the process ids of a function, each with whether it is running.
fn processes(function: &str) -> Vec<(String, bool)> {
    let mark = format!("AWS_LAMBDA_FUNCTION_NAME={}\0", variable(function));
    let mut found = Vec::new();
    for place in fs::read_dir("/proc").expect("/proc").flatten() {
        let Ok(environ) = fs::read(place.path().join("environ")) else { continue };
        if String::from_utf8_lossy(&environ).contains(&mark) {
            let stat = fs::read_to_string(place.path().join("stat")).unwrap_or_default();
            let state = stat.rsplit(')').next().unwrap_or_default().trim_start().to_owned();
            found.push((place.file_name().to_string_lossy().into_owned(), !state.starts_with('T')));
        }
    }
    found
}

fn kill(process: &str) {
    Command::new("kill").args(["-KILL", process]).status().expect("kill");
}

/// Kills the idle processes of the function whose name this variable holds: the next invocation is a cold start.
pub fn kill_idle(function: &str) {
    for (process, _) in processes(function).iter().filter(|(_, is_at_work)| !is_at_work) {
        kill(process);
    }
}

/// Waits until a process of the function is running, and kills it.
///
/// # Panics
/// No process was running within 20 seconds.
pub async fn kill_running(function: &str) {
    for _ in 0..800 {
        if let Some((process, _)) = processes(function).iter().find(|(_, is_at_work)| *is_at_work) {
            return kill(process);
        }
        sleep(Duration::from_millis(25)).await;
    }
    panic!("{function} is not at work");
}
