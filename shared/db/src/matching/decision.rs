//! Match decisions: the table that says why a record was linked, or was not, without an exact id.

use model::entity::Entity;
use model::matching::ScoredCandidate;
use serde_json::{Value, json};

use crate::error::{During as _, Error};
use crate::pool::Tx;

/// Candidates that a decision lists, best first.
const LISTED_MAX: usize = 5;

/// Static statements of this file, by name.
pub(crate) const STATEMENTS: &[(&str, &str)] = &[("record_decisions", RECORD_DECISIONS)];

const RECORD_DECISIONS: &str = r"
    insert into match_decisions (entity, record_id, reference, asked, candidates, score, method, choice)
    select $1, u.record_id, u.reference, u.asked::jsonb, u.candidates::jsonb, u.score, u.method, u.choice
    from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::float8[], $7::text[], $8::text[])
        as u(record_id, reference, asked, candidates, score, method, choice)
    where not exists (
        select from match_decisions d
        where d.entity = $1 and d.record_id = u.record_id and d.reference = u.reference
            and d.asked = u.asked::jsonb and d.method = u.method and d.choice is not distinct from u.choice
    )
    ";

/// Way in which a record was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MatchMethod {
    /// A placeholder row was created for an unknown id.
    Placeholder,
    /// A person had entered the id or the name as an alias.
    Alias,
    /// A candidate agrees in everything.
    Equal,
    /// A candidate is clearly ahead of the others.
    Fuzzy,
    /// No candidate is clearly ahead: none was chosen.
    None,
}

impl MatchMethod {
    /// Returns the value of the column `match_decisions.method`.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Placeholder => "placeholder",
            Self::Alias => "alias",
            Self::Equal => "equal",
            Self::Fuzzy => "fuzzy",
            Self::None => "none",
        }
    }
}

/// A choice among candidates, as a row of `match_decisions`.
#[derive(Debug)]
pub(crate) struct Decision {
    /// Record that the decision is about.
    pub(crate) record_id: String,
    /// Column that refers, or the relation between two records.
    pub(crate) reference: &'static str,
    /// Profile or id that a record was sought for, as a JSON object.
    pub(crate) asked: Value,
    /// Candidates with their scores, best first.
    pub(crate) candidates: Vec<ScoredCandidate>,
    /// Way in which the record was chosen.
    pub(crate) method: MatchMethod,
    /// Id that was chosen, if any.
    pub(crate) choice: Option<String>,
}

impl Decision {
    /// Returns the best candidates as a JSON list of ids and scores.
    fn listed_candidates(&self) -> String {
        let best = self.candidates.iter().take(LISTED_MAX);
        best.map(|scored| json!({ "id": scored.id, "score": scored.score })).collect::<Value>().to_string()
    }
}

/// Records decisions. One that was recorded before, with the same question and the same choice, is left out.
pub(crate) async fn record_decisions(
    tx: &mut Tx,
    entity: &Entity,
    decisions: &[Decision],
) -> Result<(), Error> {
    if decisions.is_empty() {
        return Ok(());
    }
    let each = || decisions.iter();
    tx.query(RECORD_DECISIONS)
        .bind(entity.name)
        .bind(each().map(|decision| decision.record_id.as_str()).collect::<Vec<_>>())
        .bind(each().map(|decision| decision.reference).collect::<Vec<_>>())
        .bind(each().map(|decision| decision.asked.to_string()).collect::<Vec<_>>())
        .bind(each().map(Decision::listed_candidates).collect::<Vec<_>>())
        .bind(each().map(|decision| decision.candidates.first().map(|best| best.score)).collect::<Vec<_>>())
        .bind(each().map(|decision| decision.method.as_str()).collect::<Vec<_>>())
        .bind(each().map(|decision| decision.choice.as_deref()).collect::<Vec<_>>())
        .execute(tx.connection())
        .await
        .during("record match decisions")?;
    Ok(())
}
