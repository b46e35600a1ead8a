//! What was decided without an exact id, for those who want to know why.

use model::entity::Entity;
use model::matching::Scored;
use serde_json::{Value, json};

use crate::pool::Tx;

/// Candidates that a decision names.
const NAMED_MAX: usize = 5;

/// A decision.
#[derive(Debug)]
pub(crate) struct Decision {
    /// The record that it is about.
    pub(crate) record_id: String,
    /// The column that refers, or the relation.
    pub(crate) reference: &'static str,
    /// What was asked.
    pub(crate) asked: Value,
    /// The candidates, best first.
    pub(crate) candidates: Vec<Scored>,
    /// `placeholder`, `alias`, `equal`, `fuzzy` or `none`.
    pub(crate) method: &'static str,
    /// The id that was chosen.
    pub(crate) choice: Option<String>,
}

/// Writes decisions down; one that was written before is not written again.
pub(crate) async fn record(tx: &mut Tx, entity: &Entity, decisions: &[Decision]) -> Result<(), sqlx::Error> {
    if decisions.is_empty() {
        return Ok(());
    }
    let named = |decision: &Decision| {
        let candidates = decision.candidates.iter().take(NAMED_MAX);
        let named: Value =
            candidates.map(|scored| json!({ "id": scored.id, "score": scored.score })).collect();
        named.to_string()
    };
    tx.query(
        r"
        insert into match_decisions (entity, record_id, reference, asked, candidates, score, method, choice)
        select $1, u.record_id, u.reference, u.asked::jsonb, u.candidates::jsonb, u.score, u.method, u.choice
        from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::float8[], $7::text[], $8::text[])
            as u(record_id, reference, asked, candidates, score, method, choice)
        where not exists (
            select from match_decisions d
            where d.entity = $1 and d.record_id = u.record_id and d.reference = u.reference
                and d.asked = u.asked::jsonb and d.method = u.method and d.choice is not distinct from u.choice
        )
        ",
    )
    .bind(entity.name)
    .bind(decisions.iter().map(|decision| decision.record_id.as_str()).collect::<Vec<_>>())
    .bind(decisions.iter().map(|decision| decision.reference).collect::<Vec<_>>())
    .bind(decisions.iter().map(|decision| decision.asked.to_string()).collect::<Vec<_>>())
    .bind(decisions.iter().map(named).collect::<Vec<_>>())
    .bind(decisions.iter().map(|decision| decision.candidates.first().map(|best| best.score)).collect::<Vec<_>>())
    .bind(decisions.iter().map(|decision| decision.method).collect::<Vec<_>>())
    .bind(decisions.iter().map(|decision| decision.choice.as_deref()).collect::<Vec<_>>())
    .execute(tx.connection())
    .await?;
    Ok(())
}
