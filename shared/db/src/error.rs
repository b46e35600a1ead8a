//! Whose fault an error is: the record's, or the database's.

/// Whether the statement failed because of the data in it: SQLSTATE classes 21 (cardinality),
/// 22 (data), 23 (integrity) and 54 (a limit, such as nesting too deep). Everything else holds and is tried again, and never costs a row.
#[must_use]
pub fn is_data_error(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| matches!(code.get(..2), Some("21" | "22" | "23" | "54")))
}

/// Whether the database could not be reached, or is shutting down or starting: SQLSTATE classes 08, 53 and 57P, and
/// whatever happens before a statement arrives. A statement that ran out of its time (57014) is the entity's own.
#[must_use]
pub fn is_out_of_reach(error: &sqlx::Error) -> bool {
    use sqlx::Error::{Io, PoolClosed, PoolTimedOut, Protocol, Tls, WorkerCrashed};
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| matches!(code.get(..2), Some("08" | "53")) || code.starts_with("57P"))
        || matches!(error, Io(_) | PoolClosed | PoolTimedOut | Protocol(_) | Tls(_) | WorkerCrashed)
}

/// The database's message without the values in it: those may be a customer's.
pub(crate) fn reason(error: &sqlx::Error) -> String {
    error.as_database_error().map_or_else(
        || error.to_string(),
        |error| {
            let code = error.code().unwrap_or_default();
            let constraint =
                error.constraint().map(|name| format!(", constraint {name}")).unwrap_or_default();
            // A quoted part is a value: `invalid input syntax for type json: "…"`.
            let message = error.message().split('"').next().unwrap_or_default().trim_end_matches([' ', ':']);
            format!("SQLSTATE {code}: {message}{constraint}")
        },
    )
}
