//! `counts`: checks that the counts of each run on the stack add up. Needs the variables of `stack.py env`.
#![expect(clippy::expect_used, reason = "a check stops where its environment gives way")]

use std::process::ExitCode;

use pipeline_tests::stack::Stack;

/// Number of runs, and of those whose counts do not add up.
const COUNTS: &str = "
    select count(*), count(*) filter (where records_fetched <> records_staged + records_duplicate + records_quarantined
        or records_staged <> records_processed + records_unchanged + records_skipped + records_failed + records_pending
        or records_pending < 0 or (status = 'success' and records_pending > 0)
        or (status <> 'running' and completed_at is null))
    from sync_status";

#[tokio::main]
async fn main() -> ExitCode {
    let mut connection = Stack::connect().await.connection().await;
    let (runs, wrong): (i64, i64) =
        sqlx::query_as(COUNTS).fetch_one(&mut connection).await.expect("sync_status");
    if wrong > 0 || runs == 0 {
        eprintln!("✗ Les comptes de {wrong} exécutions sur {runs} ne s'additionnent pas : voir sync_status.");
        return ExitCode::FAILURE;
    }
    eprintln!("▸ Les comptes des {runs} exécutions s'additionnent.");
    ExitCode::SUCCESS
}
