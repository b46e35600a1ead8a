//! Parsing of objects of the bucket: a raw page, a manifest, or an object that must be quarantined. Pure.

use db::staging::PageNodes;
use lambda::error_chain;
use model::entity::{self, Entity};
use protocol::manifest::Manifest;
use protocol::object_key::{self, ObjectKind};
use protocol::raw_page::{self, Metadata, PageNodesError, RawPage};

/// Raw page with its metadata; the payload is not parsed yet.
pub(crate) struct Page {
    pub(crate) key: String,
    pub(crate) metadata: Metadata,
    pub(crate) bytes: Vec<u8>,
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
        match raw_page::nodes_of_page(entity, &page.bytes) {
            Ok(nodes) => {
                parsed.valid.push(PageNodes { source_key: &page.key, metadata: &page.metadata, nodes });
            }
            Err(error) => parsed.invalid.push((page, error_chain(&error))),
        }
    }
    parsed
}

fn parse_manifest(bytes: &[u8]) -> ParsedObject {
    let manifest: Manifest = match serde_json::from_slice(bytes) {
        Ok(manifest) => manifest,
        Err(error) => return invalid(None, format!("invalid manifest: {error}")),
    };
    match entity::find(&manifest.entity) {
        Some(entity) => ParsedObject::Manifest(entity, Box::new(manifest)),
        None => invalid(Some(&manifest.entity), PageNodesError::UnknownEntity.to_string()),
    }
}

fn parse_page(key: &str, bytes: Vec<u8>) -> ParsedObject {
    let metadata = match serde_json::from_slice::<RawPage<'_>>(&bytes) {
        Ok(page) => page.metadata,
        Err(error) => return invalid(None, error_chain(&PageNodesError::Envelope(error))),
    };
    // A nested entity has no listing: its only pages of its own are lookups by id.
    let has_pages = |entity: &&'static Entity| entity.query().is_some() || metadata.asked.is_some();
    match entity::find(&metadata.entity).filter(has_pages) {
        Some(entity) => ParsedObject::Page(entity, Box::new(Page { key: key.to_owned(), metadata, bytes })),
        None => invalid(Some(&metadata.entity), PageNodesError::UnknownEntity.to_string()),
    }
}

fn invalid(entity: Option<&str>, reason: String) -> ParsedObject {
    ParsedObject::Invalid { entity: entity.map(str::to_owned), reason }
}
