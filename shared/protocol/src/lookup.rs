//! Lookups of records by id: which records the source finds, and which are gone.

use serde_json::value::RawValue;

use crate::response::{InvalidPage, Response, id_of_json};

/// Result of the lookup of one id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupResult {
    /// The source returned the record.
    Found,
    /// The source has no such record.
    Gone,
    /// The response has an error, or another record: it proves nothing.
    Unclear,
}

/// Response to a lookup of several ids.
#[derive(Debug)]
pub struct LookupResponse<'a> {
    /// Records found, byte for byte.
    pub elements: Vec<&'a RawValue>,
    /// Result for each requested id.
    pub results: Vec<(String, LookupResult)>,
}

/// Parses the response to [`model::entity::Entity::lookup_document`] for `ids`.
///
/// # Errors
/// The response is not a GraphQL response with `data`.
pub fn parse_lookup<'a>(response: &'a str, ids: &[String]) -> Result<LookupResponse<'a>, InvalidPage> {
    let response: Response<'a> = serde_json::from_str(response).map_err(InvalidPage::Response)?;
    let has_errors = !response.errors().is_empty();
    let data = response.data.ok_or(InvalidPage::NoRoot { root: "r0" })?;
    let mut parsed = LookupResponse { elements: Vec::new(), results: Vec::with_capacity(ids.len()) };
    for (index, id) in ids.iter().enumerate() {
        let result = match data.get(format!("r{index}").as_str()) {
            Some(element) if element.get() != "null" => {
                parsed.elements.push(element);
                // For a merged record the source may return the one that replaced it.
                if id_of_json(element.get()).is_none_or(|found| found == *id) {
                    LookupResult::Found
                } else {
                    LookupResult::Unclear
                }
            }
            // A null beside errors may be caused by the error.
            Some(_) if !has_errors => LookupResult::Gone,
            _ => LookupResult::Unclear,
        };
        parsed.results.push((id.clone(), result));
    }
    Ok(parsed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected_unclear(ids: &[String]) -> Vec<(String, LookupResult)> {
        ids.iter().map(|id| (id.clone(), LookupResult::Unclear)).collect()
    }

    #[test]
    fn lookup_distinguishes_found_gone_and_unclear() {
        use LookupResult::{Found, Gone, Unclear};
        let ids = ["a", "b", "c"].map(str::to_owned);
        let results =
            |response: &str| parse_lookup(response, &ids).map(|parsed| parsed.results).unwrap_or_default();
        let complete = results(r#"{"data":{"r0":{"id":"a"},"r1":null}}"#);
        let expected = [("a", Found), ("b", Gone), ("c", Unclear)];
        assert_eq!(complete, expected.map(|(id, result)| (id.to_owned(), result)));
        let partial =
            results(r#"{"data":{"r0":{"id":"a"},"r1":null,"r2":null},"errors":[{"message":"non"}]}"#);
        let expected = [("a", Found), ("b", Unclear), ("c", Unclear)];
        assert_eq!(partial, expected.map(|(id, result)| (id.to_owned(), result)));
        // An error of any form is no answer.
        for errors in ["[null]", "[{}]", r#"["text"]"#] {
            let errored =
                results(&format!(r#"{{"data":{{"r0":null,"r1":null,"r2":null}},"errors":{errors}}}"#));
            assert_eq!(errored, expected_unclear(&ids), "{errors}");
        }
        assert!(parse_lookup(r#"{"data":null}"#, &ids).is_err());
    }
}
