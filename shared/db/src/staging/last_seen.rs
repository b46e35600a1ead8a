//! Where a batch of pages shows which record: equal ones folded into one.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use protocol::raw_page::Node;
use sha2::{Digest, Sha256};

use crate::staging::PageNodes;

/// A record, the newest page that holds it and the others that do, some perhaps twice.
pub(crate) struct Sighting<'a> {
    pub(crate) node: &'a Node<'a>,
    pub(crate) hash: [u8; 32],
    pub(crate) page: usize,
    pub(crate) others: Vec<usize>,
}

impl Sighting<'_> {
    pub(crate) fn times(&self) -> i32 {
        i32::try_from(self.others.len()).unwrap_or(i32::MAX - 1) + 1
    }
}

/// Folds equal records into one: a statement must not touch a row twice.
pub(crate) fn sightings<'a>(pages: &[&PageNodes<'_>], nodes: &[&'a [Node<'a>]]) -> Vec<Sighting<'a>> {
    let place = |page: usize| (pages[page].metadata.fetched_at, pages[page].source_key);
    let mut by_content: HashMap<(&str, [u8; 32]), usize> = HashMap::new();
    let mut sightings: Vec<Sighting<'a>> = Vec::new();
    for (page, nodes) in nodes.iter().enumerate() {
        for node in *nodes {
            let hash = content_hash(node);
            let slot =
                by_content.entry((node.id.as_deref().unwrap_or_default(), hash)).or_insert(sightings.len());
            match sightings.get_mut(*slot) {
                Some(seen) => {
                    let older = if place(page) > place(seen.page) {
                        std::mem::replace(&mut seen.page, page)
                    } else {
                        page
                    };
                    seen.others.push(older);
                }
                None => sightings.push(Sighting { node, hash, page, others: Vec::new() }),
            }
        }
    }
    sightings
}

fn content_hash(node: &Node<'_>) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(node.parent_id.as_deref().unwrap_or_default());
    hash.update([0]);
    hash.update(node.json);
    hash.finalize().into()
}

pub(crate) fn fetched_at<'a>(
    pages: &[&PageNodes<'_>],
    sightings: impl Iterator<Item = &'a Sighting<'a>>,
) -> Vec<DateTime<Utc>> {
    sightings.map(|seen| pages[seen.page].metadata.fetched_at).collect()
}

pub(crate) fn source_keys<'a, 'p>(
    pages: &[&'p PageNodes<'p>],
    sightings: impl Iterator<Item = &'a Sighting<'a>>,
) -> Vec<&'p str> {
    sightings.map(|seen| pages[seen.page].source_key).collect()
}
