//! Parsing of objects of the bucket: a raw page, a manifest, or an object that must be quarantined. Pure.

use db::staging::PageNodes;
use lambda::error_chain;
use model::entity::{self, Entity};
use protocol::lookup::LookupResult;
use protocol::manifest::Manifest;
use protocol::object_key::{self, ObjectKind};
use protocol::raw_page::{self, Metadata, Node, PageNodesError, RawPage};
use protocol::salvage::{ReplacedText, salvage_page};

/// Raw page with its metadata; the payload is not parsed yet.
pub(crate) struct Page {
    pub(crate) key: String,
    pub(crate) metadata: Metadata,
    /// Text of the object, as far as it can be read.
    pub(crate) text: ReplacedText,
    /// Number of records that are lost in the damaged part of the object; none for an undamaged one.
    pub(crate) damaged: Option<u64>,
}

impl Page {
    /// Returns the length of the object.
    pub(crate) fn len(&self) -> usize {
        self.text.text.len()
    }

    /// Returns the reason for which a part of the page is set aside.
    pub(crate) fn damage(&self) -> Option<String> {
        let count = self.metadata.record_count;
        self.damaged
            .map(|lost| format!("the object is damaged: {lost} of its {count} records cannot be read"))
    }
}

/// Object of the bucket, parsed as far as its kind goes.
pub(crate) enum ParsedObject {
    /// Raw page of an entity.
    Page(&'static Entity, Box<Page>),
    /// Manifest of a run of an entity.
    Manifest(&'static Entity, Box<Manifest>),
    /// Object that cannot be staged, with the entity that it names, if it names one.
    Invalid { entity: Option<String>, reason: String },
}

/// Pages of a batch by whether their payload is a listing of the entity.
pub(crate) struct ParsedPages<'a> {
    /// Pages with their records.
    pub(crate) valid: Vec<PageNodes<'a>>,
    /// Pages whose payload cannot be read, with the reason.
    pub(crate) invalid: Vec<(&'a Page, String)>,
}

/// Parses an object by the kind that its key tells.
pub(crate) fn parse_object(key: &str, bytes: Vec<u8>) -> ParsedObject {
    match object_key::object_kind(key) {
        Some(ObjectKind::Manifest) => parse_manifest(&bytes),
        Some(ObjectKind::RawPage) | None => parse_page(key, bytes),
    }
}

/// Parses the payloads of an entity's pages.
pub(crate) fn parse_pages<'a>(entity: &'static Entity, pages: &'a [Page]) -> ParsedPages<'a> {
    let mut parsed = ParsedPages { valid: Vec::with_capacity(pages.len()), invalid: Vec::new() };
    for page in pages {
        let text = page.text.text.as_str();
        match raw_page::nodes_of_page(entity, text.as_bytes()) {
            Ok(mut nodes) => {
                find_originals(&mut nodes.own, &page.text);
                nodes.children.iter_mut().for_each(|(_, nested)| find_originals(nested, &page.text));
                if page.damaged.is_some() {
                    // What explains a null may stand in the damaged part.
                    nodes.lookup_results.retain(|(_, result)| *result == LookupResult::Found);
                }
                parsed.valid.push(PageNodes {
                    source_key: &page.key,
                    metadata: &page.metadata,
                    fetched_at: page.metadata.fetched_at,
                    is_from_the_future: false,
                    damaged: page.damaged.unwrap_or_default(),
                    nodes,
                });
            }
            Err(error) => parsed.invalid.push((page, error_chain(&error))),
        }
    }
    parsed
}

/// Adds the original bytes to the elements in which something was replaced.
fn find_originals<'a>(nodes: &mut [Node<'a>], text: &'a ReplacedText) {
    for node in nodes {
        let start = node.json.as_ptr().addr().saturating_sub(text.text.as_ptr().addr());
        node.original = text.original(start, start + node.json.len());
    }
}

fn parse_manifest(bytes: &[u8]) -> ParsedObject {
    let manifest: Manifest = match serde_json::from_slice(bytes) {
        Ok(manifest) => manifest,
        Err(error) => return invalid(None, format!("invalid manifest: {error}")),
    };
    if let Err(error) = manifest.check() {
        return invalid(Some(&manifest.entity), error.to_string());
    }
    match entity::find(&manifest.entity) {
        Some(entity) => ParsedObject::Manifest(entity, Box::new(manifest)),
        None => invalid(Some(&manifest.entity), PageNodesError::UnknownEntity.to_string()),
    }
}

fn parse_page(key: &str, bytes: Vec<u8>) -> ParsedObject {
    let mut text = ReplacedText::new(bytes);
    let whole: Result<RawPage<'_>, _> = serde_json::from_str(&text.text);
    let (metadata, damaged) = match whole.map(|page| page.metadata) {
        Ok(metadata) => (metadata, None),
        Err(error) => match salvage_page(entity::find, &text.text) {
            Some(page) => {
                text.text = page.text;
                let lost = page.metadata.record_count.saturating_sub(page.kept);
                (page.metadata, Some(lost))
            }
            None => return invalid(None, error_chain(&PageNodesError::Envelope(error))),
        },
    };
    if let Err(error) = metadata.check() {
        return invalid(Some(&metadata.entity), error_chain(&error));
    }
    // A nested entity has no listing: its only pages of its own are lookups by id.
    let has_pages = |entity: &&'static Entity| entity.query().is_some() || metadata.asked.is_some();
    match entity::find(&metadata.entity).filter(has_pages) {
        Some(entity) => {
            ParsedObject::Page(entity, Box::new(Page { key: key.to_owned(), metadata, text, damaged }))
        }
        None => invalid(Some(&metadata.entity), PageNodesError::UnknownEntity.to_string()),
    }
}

fn invalid(entity: Option<&str>, reason: String) -> ParsedObject {
    ParsedObject::Invalid { entity: entity.map(str::to_owned), reason }
}
