//! The one door to PostgreSQL: every SQL statement of the pipeline stands in this package.
//!
//! One statement per function, set-based. Only a `&'static str` of the entity registry becomes an
//! identifier. Names are unqualified: each transaction sets `search_path` to the configured schema.

mod absence;
mod action;
mod archive;
mod audit;
mod connect;
mod fault;
mod heritage;
mod matching;
mod migrate;
mod overview;
mod part;
mod partition;
mod placeholder;
mod promotion;
mod quarantine;
mod report;
mod retry;
mod secret_db;
mod secure;
mod settlement;
mod sighting;
mod staging;
mod sync_status;
mod twins;
mod watch;

pub use absence::{
    Question, Swept, conclude_sweep, delete_missing, entities_with_absence, mark_asked, question,
};
pub use archive::{Part, archivable, delete_archived, restore_archived};
pub use audit::{prepare_replay, unheard_runs, unknown_pages};
pub use connect::{BadDatabaseConfig, DatabaseConfig, Db, PoolMode, Tx};
pub use fault::{is_data_error, is_out_of_reach};
pub use heritage::{
    Compared, Comparison, Difference, Heritage, HeritageError, KEY, OldNested, OldRow, OldTable, inherit,
    outdated,
};
pub use matching::{Matched, match_changed, resolve_references};
pub use migrate::{latest_migration, migrate};
pub use overview::{Action, Hour, Overview, Run, overview, resolve_action};
pub use partition::ensure_months;
pub use placeholder::{MadeUp, make_placeholders};
pub use promotion::{Candidate, Verdict, promote};
pub use quarantine::{Quarantined, quarantine};
pub use report::{entity_reports, is_reachable};
pub use retry::{Deferral, FAULT_ATTEMPTS_MAX, defer, retry_failed};
pub use secret_db::{DatabaseSettings, SecretDb, UnreachableDb};
pub use secure::{Finding, Inspection, Login, expose, findings, inspect, set_password};
pub use settlement::{Claimed, Outcome, Settlement, claim, settle};
pub use staging::{PageNodes, StagedCounts, stage};
pub use sync_status::{close_silent_runs, record_manifest};
pub use twins::report_twins;
pub use watch::{ActionCount, Day, EntityDay, LastRun, OpenActions, SlowRun, Watch, day, has_news, watch};

/// The error of every function here.
pub type Error = sqlx::Error;
