//! `fuzz [executions]`: mutates valid inputs on every core and prints failures; FUZZ_SEED repeats a run.
#![expect(clippy::print_stdout, clippy::expect_used, reason = "a measurement is printed")]

use std::thread;

use pipeline_tests::fuzz::fuzz;

fn main() {
    let wanted: u64 =
        std::env::args().nth(1).map_or(12_000_000, |text| text.parse().expect("accepted: fuzz [executions]"));
    let seed: u64 = std::env::var("FUZZ_SEED").map_or(1, |text| text.parse().expect("FUZZ_SEED: a number"));
    let threads = thread::available_parallelism().map_or(1, |count| count.get() as u64);
    // Five targets.
    let each = wanted.div_ceil(threads * 5);
    let begin = std::time::Instant::now();
    let workers: Vec<_> = (0..threads)
        .map(|number| {
            thread::spawn(move || {
                fuzz(seed + number * 1_000_003, each, &|target, done| {
                    if number == 0 {
                        eprint!("\r{target}: {}%   ", done * 100 / each.max(1));
                    }
                })
            })
        })
        .collect();
    let fuzzed: Vec<_> = workers.into_iter().map(|worker| worker.join().expect("a worker")).collect();
    eprintln!();
    let total: u64 = fuzzed.iter().flat_map(|fuzzed| &fuzzed.executions).map(|(_, count)| count).sum();
    println!("{total} executions in {} s", begin.elapsed().as_secs());
    let broken: Vec<_> = fuzzed.iter().flat_map(|fuzzed| &fuzzed.broken).collect();
    for (target, input) in broken.iter().take(20) {
        println!("{target}: {input:?}");
    }
    assert!(broken.is_empty(), "{} inputs broke something", broken.len());
}
