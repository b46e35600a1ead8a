//! Answers to questions by id: which records are there, and which are gone.

use serde_json::value::RawValue;

use crate::raw_page::{Response, UnreadablePage, id_of};

/// What the source says of one id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The record is there.
    Found,
    /// It is not.
    Gone,
    /// An error, which proves nothing.
    Unclear,
}

/// What an answer by id holds.
#[derive(Debug)]
pub struct ById<'a> {
    /// The records found, byte for byte.
    pub elements: Vec<&'a RawValue>,
    /// What the source said of each id.
    pub answers: Vec<(String, Answer)>,
}

/// Reads the answer to [`model::entity::Entity::by_id_document`].
///
/// # Errors
/// It is no response to such a question.
pub fn by_id<'a>(response: &'a str, asked: &[String]) -> Result<ById<'a>, UnreadablePage> {
    let response: Response<'a> = serde_json::from_str(response).map_err(UnreadablePage::Response)?;
    let is_clear = response.errors.unwrap_or_default().is_empty();
    let data = response.data.ok_or(UnreadablePage::NoRoot { root: "r0" })?;
    let mut found = ById { elements: Vec::new(), answers: Vec::with_capacity(asked.len()) };
    for (place, id) in asked.iter().enumerate() {
        let answer = match data.get(format!("r{place}").as_str()) {
            Some(element) if element.get() != "null" => {
                found.elements.push(element);
                // Of a merged record the source may answer the one that took it over.
                if id_of(element.get()).is_none_or(|found| found == *id) {
                    Answer::Found
                } else {
                    Answer::Unclear
                }
            }
            // A null beside errors may be the error's doing.
            Some(_) if is_clear => Answer::Gone,
            _ => Answer::Unclear,
        };
        found.answers.push((id.clone(), answer));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_by_id_says_what_is_there_what_is_gone_and_what_it_leaves_open() {
        let asked = ["a", "b", "c"].map(str::to_owned);
        let said = |response: &str| by_id(response, &asked).map(|found| found.answers).unwrap_or_default();
        let answers = said(r#"{"data":{"r0":{"id":"a"},"r1":null}}"#);
        let expected = [("a", Answer::Found), ("b", Answer::Gone), ("c", Answer::Unclear)];
        assert_eq!(answers, expected.map(|(id, answer)| (id.to_owned(), answer)));
        let in_part = said(r#"{"data":{"r0":{"id":"a"},"r1":null,"r2":null},"errors":[{"message":"non"}]}"#);
        let expected = [("a", Answer::Found), ("b", Answer::Unclear), ("c", Answer::Unclear)];
        assert_eq!(in_part, expected.map(|(id, answer)| (id.to_owned(), answer)));
        assert!(by_id(r#"{"data":null}"#, &asked).is_err());
    }
}
