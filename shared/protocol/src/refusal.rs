//! Refusal of a request by a function: an answer to the person who asked, and no failure of the function.

use serde_json::{Value, json};

/// Code of a refused request in a response.
pub const INVALID_REQUEST: &str = "invalid_request";

/// Returns the response to a request that is refused; `detail` names the field and what is accepted.
#[must_use]
pub fn refusal(detail: &str) -> Value {
    json!({ "error": INVALID_REQUEST, "detail": detail })
}
