//! Guard against mass deletions: withholds those of a sweep that lacks too much, until a person confirms them.

use model::entity::{DeletionPolicy, Entity};
use protocol::action::ActionKind;
use serde_json::json;

use crate::actions::{NewAction, open_or_update, resolve_withheld_deletions};
use crate::error::{During as _, Error};
use crate::pool::Tx;

/// Missing records up to which a sweep is no mass deletion, whatever share of a small table they are.
const FEW_MAX: i64 = 5;

/// Static statements of this file, by name.
pub(crate) const STATEMENTS: &[(&str, &str)] =
    &[("set_withheld", SET_WITHHELD), ("confirm_command", CONFIRM_COMMAND)];

/// Difference between a complete listing and the production table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SweepResult {
    /// Run that listed everything.
    pub run_id: String,
    /// Rows that the listing lacks.
    pub missing: i64,
    /// Rows that were compared with it.
    pub live: i64,
    /// Elements without a usable id, more than such listings have as a rule: the missing rows may be among them.
    pub unidentified: i64,
    /// Set where a person must confirm the deletion: too much is missing, or the listing proves nothing.
    pub is_withheld: bool,
}

/// Returns true where so many rows are missing that the listing is not believed without a person.
pub(super) fn exceeds_limit(entity: &Entity, missing: i64, live: i64, share_max_percent: u32) -> bool {
    let is_large = missing.saturating_mul(100) > live.saturating_mul(i64::from(share_max_percent));
    // A few are believed where the source, asked for each of them by id, does not know them.
    let is_looked_up = matches!(entity.deletion_policy, DeletionPolicy::LookupById { .. });
    is_large && !(is_looked_up && missing <= FEW_MAX && missing < live)
}

const SET_WITHHELD: &str = r"
    update missing_records set withheld = $2 and confirmed_by is null and answer is distinct from 'found', is_unproven = $4
    where entity = $1 and run_id = $3
    ";

/// Returns the command by which a person confirms the deletions; no row where all of them were confirmed before.
const CONFIRM_COMMAND: &str = r"
    select format('select %I.confirm_deletions(%L, ''your name'')', current_schema(), $1::text)
    where exists (select from missing_records m where m.entity = $1 and m.withheld)
    ";

/// Withholds or releases the deletions of a sweep; opens an action for a person where they are withheld.
pub(super) async fn apply(
    tx: &mut Tx,
    entity: &Entity,
    result: &SweepResult,
    share_max_percent: u32,
) -> Result<(), Error> {
    tx.query(SET_WITHHELD)
        .bind(entity.name)
        .bind(result.is_withheld)
        .bind(&result.run_id)
        .bind(
            result.unidentified > 0 && !exceeds_limit(entity, result.missing, result.live, share_max_percent),
        )
        .execute(tx.connection())
        .await
        .during("withhold deletions")?;
    if !result.is_withheld {
        return resolve_withheld_deletions(tx, entity).await;
    }
    let command: Option<String> = tx
        .query_scalar(CONFIRM_COMMAND)
        .bind(entity.name)
        .fetch_optional(tx.connection())
        .await
        .during("build the command that confirms deletions")?;
    let Some(confirm) = command else { return Ok(()) };
    let details = json!({
        "run_id": result.run_id, "missing": result.missing, "rows": result.live,
        "unidentified": result.unidentified, "share_max_percent": share_max_percent, "confirm": confirm,
    });
    let action = NewAction { subject: entity.name, details };
    open_or_update(tx, ActionKind::DeletionWithheld, entity.name, &action).await
}

#[cfg(test)]
mod tests {
    use model::entity;

    use super::*;

    #[test]
    fn large_share_exceeds_the_limit() {
        for entity in entity::ALL {
            assert!(exceeds_limit(entity, 21, 100, 20), "{}", entity.name);
            assert!(!exceeds_limit(entity, 20, 100, 20), "{}", entity.name);
        }
    }

    #[test]
    fn few_records_are_believed_only_after_a_lookup() {
        for entity in entity::ALL {
            let is_looked_up = matches!(entity.deletion_policy, DeletionPolicy::LookupById { .. });
            assert_eq!(exceeds_limit(entity, FEW_MAX, 6, 20), !is_looked_up, "{}", entity.name);
            assert!(exceeds_limit(entity, FEW_MAX, 5, 20), "a whole table: {}", entity.name);
        }
    }
}
