//! Deduplication of the records in a batch of pages: equal ones are folded into one.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use protocol::raw_page::Node;
use sha2::{Digest, Sha256};

use crate::staging::page::PageNodes;

/// Record with the newest page that holds it and the others that do, some perhaps twice.
pub(crate) struct DedupedRecord<'a> {
    pub(crate) node: &'a Node<'a>,
    /// SHA-256 of the record and of its parent's id.
    pub(crate) hash: [u8; 32],
    /// Index of the newest page.
    pub(crate) page: usize,
    /// Indices of the other pages, one for each further copy.
    pub(crate) others: Vec<usize>,
}

impl DedupedRecord<'_> {
    /// Returns the number of copies in the batch.
    pub(crate) fn times(&self) -> i32 {
        i32::try_from(self.others.len()).unwrap_or(i32::MAX - 1) + 1
    }
}

/// Folds equal records into one, because a statement must not touch a row twice.
pub(crate) fn dedup<'a>(pages: &[&PageNodes<'_>], nodes: &[&'a [Node<'a>]]) -> Vec<DedupedRecord<'a>> {
    let age = |page: usize| (pages[page].fetched_at, pages[page].source_key);
    let mut by_content: HashMap<(&str, [u8; 32]), usize> = HashMap::new();
    let mut records: Vec<DedupedRecord<'a>> = Vec::new();
    for (page, nodes) in nodes.iter().enumerate() {
        for node in *nodes {
            let hash = content_hash(node);
            let index =
                by_content.entry((node.id.as_deref().unwrap_or_default(), hash)).or_insert(records.len());
            match records.get_mut(*index) {
                Some(record) => {
                    let older = if age(page) > age(record.page) {
                        std::mem::replace(&mut record.page, page)
                    } else {
                        page
                    };
                    record.others.push(older);
                }
                None => records.push(DedupedRecord { node, hash, page, others: Vec::new() }),
            }
        }
    }
    records
}

fn content_hash(node: &Node<'_>) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(node.parent_id.as_deref().unwrap_or_default());
    hash.update([0]);
    hash.update(node.original.unwrap_or(node.json.as_bytes()));
    hash.finalize().into()
}

/// Returns the time at which the newest page of each record was fetched.
pub(crate) fn fetched_at<'a>(
    pages: &[&PageNodes<'_>],
    records: impl Iterator<Item = &'a DedupedRecord<'a>>,
) -> Vec<DateTime<Utc>> {
    records.map(|record| pages[record.page].fetched_at).collect()
}

/// Returns the object key of the newest page of each record.
pub(crate) fn source_keys<'a, 'p>(
    pages: &[&'p PageNodes<'p>],
    records: impl Iterator<Item = &'a DedupedRecord<'a>>,
) -> Vec<&'p str> {
    records.map(|record| pages[record.page].source_key).collect()
}
