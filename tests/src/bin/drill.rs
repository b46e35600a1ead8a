//! `drill`: causes each fault on the deployed stack and measures the delay of its alert. Prints a table: from the
//! fault to the alert, by class, and how often the alert was resolved. Needs the variables of `stack.py env`, and a
//! stack whose schedules are enabled.
#![expect(clippy::print_stdout, reason = "a measurement is printed")]

use std::process::ExitCode;

use clap::Parser;
use pipeline_tests::drill::{Drill, FAULTS, Fault};

/// Cause chaque panne plusieurs fois et mesure le délai jusqu'à l'alerte.
#[derive(Debug, Parser)]
struct Arguments {
    /// Fois par panne.
    #[arg(long, default_value_t = 10)]
    rounds: usize,
    /// Pannes dont le nom contient un de ces mots, à virgules.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Cause seulement cette panne, et n'attend rien.
    #[arg(long)]
    cause: Option<String>,
    /// Répare seulement cette panne.
    #[arg(long, conflicts_with = "cause")]
    mend: Option<String>,
}

/// Fault with its results.
struct Measured {
    fault: &'static Fault,
    delays_s: Vec<f64>,
    resolved: usize,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let name = arguments.cause.as_ref().or(arguments.mend.as_ref());
    let is_chosen = |fault: &&Fault| match name {
        Some(name) => fault.name == name,
        None => arguments.only.is_empty() || arguments.only.iter().any(|word| fault.name.contains(word)),
    };
    let faults: Vec<&Fault> = FAULTS.iter().filter(is_chosen).collect();
    let Some(first) = faults.first() else {
        let names: Vec<&str> = FAULTS.iter().map(|fault| fault.name).collect();
        let asked = name.cloned().unwrap_or_else(|| arguments.only.join(","));
        eprintln!("✗ Aucune panne « {asked} » ; acceptées : {}", names.join(", "));
        return ExitCode::FAILURE;
    };
    let drill = Drill::connect().await;
    if arguments.cause.is_some() {
        Box::pin(first.cause(&drill)).await;
    } else if arguments.mend.is_some() {
        Box::pin(first.mend(&drill)).await;
    } else {
        return Box::pin(run(&drill, faults, arguments.rounds)).await;
    }
    ExitCode::SUCCESS
}

/// Drills every fault in each round; fails where an alert is missing.
async fn run(drill: &Drill, faults: Vec<&'static Fault>, rounds: usize) -> ExitCode {
    eprintln!("▸ Première synchronisation…");
    drill.prepare().await;
    let mut all: Vec<Measured> =
        faults.into_iter().map(|fault| Measured { fault, delays_s: Vec::new(), resolved: 0 }).collect();
    for number in 1..=rounds {
        for one in &mut all {
            let round = drill.round(one.fault).await;
            let delay = round.delay_s.map_or("aucune alerte".to_owned(), |delay| format!("{delay:.1} s"));
            eprintln!("▸ {number}/{rounds} {} : {delay}", one.fault.name);
            one.delays_s.extend(round.delay_s);
            one.resolved += usize::from(round.is_resolved);
        }
    }
    println!("\n| panne | fois | médiane | p99 | max | rétablies |\n|---|---|---|---|---|---|");
    for one in &mut all {
        let figures = figures(&mut one.delays_s);
        println!("| {} | {}/{rounds} | {figures} | {} |", one.fault.name, one.delays_s.len(), one.resolved);
    }
    ExitCode::from(u8::from(all.iter().any(|one| one.delays_s.len() != rounds)))
}

/// Returns the median, the 99th percentile and the maximum as cells of the table.
fn figures(delays_s: &mut [f64]) -> String {
    delays_s.sort_by(f64::total_cmp);
    let Some(max) = delays_s.last() else { return "– | – | –".to_owned() };
    let (median, p99) = (delays_s[delays_s.len() / 2], delays_s[delays_s.len() * 99 / 100]);
    format!("{median:.1} s | {p99:.1} s | {max:.1} s")
}
