//! Guard against writing: the key could also write, by 189 mutations, so only a single query may be sent.

/// Returns whether `document` is one single named query operation and nothing else.
pub(crate) fn is_single_query(document: &str) -> bool {
    let document = document.trim();
    // Without text literals and comments, of which our documents hold none, braces can simply be counted.
    if !document.starts_with("query ") || document.contains(['"', '#']) {
        return false;
    }
    let mut depth = 0_u32;
    for (position, character) in document.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => return false,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    return position + 1 == document.len();
                }
            }
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_single_query_is_sent() {
        for query in model::entity::fetched().filter_map(model::entity::Entity::query) {
            assert!(is_single_query(&query.document()), "{}", query.root);
        }
        for document in [
            "mutation { deleteClient(id: 1) }",
            "query a { user { id } } mutation b { x }",
            "query a { user { id } } query b { user { id } }",
            "subscription { x }",
            "{ user { id } }",
            "query a { user { id }",
            "query a { } }",
            "query a { user(name: \"}\") { id } }",
        ] {
            assert!(!is_single_query(document), "{document}");
        }
    }
}
