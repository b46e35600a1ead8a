//! `worker`: stager or reconciler process that can be killed. `worker stage <folder> <seed>`, `worker reconcile <file>`:
//! the latter ends once the file exists and nothing is pending. Needs `DATABASE_URL` and `WORKER_SCHEMA`.
#![expect(clippy::expect_used, reason = "a worker stops where its environment gives way")]

use std::path::Path;

use pipeline_tests::work;

#[tokio::main]
async fn main() {
    let schema = std::env::var("WORKER_SCHEMA").expect("WORKER_SCHEMA: the schema of the mirror");
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["stage", folder, seed] => work::stage(&schema, Path::new(folder), seed.parse().ok()).await,
        ["reconcile", file] => {
            work::reconcile(&schema, work::timeline(), || Path::new(file).exists()).await;
        }
        _ => panic!("accepted: worker stage <folder> <seed>, worker reconcile <file>"),
    }
}
