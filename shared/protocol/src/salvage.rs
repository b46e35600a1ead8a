//! Salvage of damaged raw pages: bytes that are no text, and objects that end too early. Nothing is guessed: what is
//! whole is kept byte for byte, what is not is left out and counted.

use model::entity::{Entity, Shape};
use serde::de::IgnoredAny;

use crate::raw_page::Metadata;

/// Text of an object in which bytes that are no UTF-8 were replaced.
#[derive(Debug)]
pub struct ReplacedText {
    /// Text with U+FFFD in the place of each broken sequence.
    pub text: String,
    original: Vec<u8>,
    replaced: Vec<Replacement>,
}

/// Broken sequence, by its offsets in the text and in the original bytes.
#[derive(Debug, Clone, Copy)]
struct Replacement {
    text_at: usize,
    original_at: usize,
    length: usize,
}

impl ReplacedText {
    /// Replaces what is no UTF-8 in an object.
    #[must_use]
    pub fn new(original: Vec<u8>) -> Self {
        let mut text = String::with_capacity(original.len());
        let mut replaced = Vec::new();
        let mut original_at = 0;
        for chunk in original.utf8_chunks() {
            text.push_str(chunk.valid());
            original_at += chunk.valid().len();
            if !chunk.invalid().is_empty() {
                let length = chunk.invalid().len();
                replaced.push(Replacement { text_at: text.len(), original_at, length });
                text.push(char::REPLACEMENT_CHARACTER);
                original_at += length;
            }
        }
        Self { text, original, replaced }
    }

    /// Returns the original bytes of a part of the text, given by its offsets; none if nothing was replaced in it.
    #[must_use]
    pub fn original(&self, start: usize, end: usize) -> Option<&[u8]> {
        let first = self.replaced.partition_point(|replaced| replaced.text_at < start);
        self.replaced.get(first).filter(|replaced| replaced.text_at < end)?;
        self.original.get(self.original_offset(start)..self.original_offset(end))
    }

    fn original_offset(&self, text_at: usize) -> usize {
        let before = self.replaced.partition_point(|replaced| replaced.text_at < text_at);
        let Some(last) = before.checked_sub(1).and_then(|last| self.replaced.get(last)) else {
            return text_at;
        };
        last.original_at + last.length + text_at - last.text_at - char::REPLACEMENT_CHARACTER.len_utf8()
    }
}

/// Page that was made whole again.
#[derive(Debug)]
pub struct SalvagedPage {
    /// Metadata of the page, which was undamaged.
    pub metadata: Metadata,
    /// Object with the undamaged records, at the offsets that they had.
    pub text: String,
    /// Number of undamaged records.
    pub kept: u64,
}

/// Salvages the undamaged records of a page that is no JSON as a whole. None where the metadata or the list of records
/// is beyond recovery.
#[must_use]
pub fn salvage_page(find: impl Fn(&str) -> Option<&'static Entity>, text: &str) -> Option<SalvagedPage> {
    let mut scan = Scan { text: text.as_bytes(), at: 0 };
    scan.find_member("metadata")?;
    let start = scan.at;
    scan.skip_value()?;
    let metadata: Metadata = serde_json::from_str(text.get(start..scan.at)?).ok()?;
    let entity = find(&metadata.entity)?;
    scan.at = 0;
    scan.find_member("payload")?;
    scan.find_member("data")?;
    let closing = if metadata.asked.is_some() {
        "}}}"
    } else {
        let query = entity.query()?;
        scan.find_member(query.root)?;
        match query.shape {
            Shape::List => "]}}}",
            Shape::Connection { .. } => {
                scan.find_member("nodes")?;
                "]}}}}"
            }
        }
    };
    let (mut bytes, kept) = scan.keep_undamaged()?;
    bytes.extend_from_slice(closing.as_bytes());
    Some(SalvagedPage { metadata, text: String::from_utf8(bytes).ok()?, kept })
}

/// Position in a JSON text that may be damaged.
struct Scan<'a> {
    text: &'a [u8],
    at: usize,
}

impl Scan<'_> {
    fn peek(&mut self) -> Option<u8> {
        while self.text.get(self.at)?.is_ascii_whitespace() {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    /// Moves to the value of a member of the object that begins here.
    fn find_member(&mut self, name: &str) -> Option<()> {
        self.take(b'{')?;
        loop {
            self.peek().filter(|byte| *byte == b'"')?;
            let key_at = self.at;
            self.skip_value()?;
            let key = self.text.get(key_at + 1..self.at - 1)?;
            self.take(b':')?;
            self.peek()?;
            if key == name.as_bytes() {
                return Some(());
            }
            self.skip_value()?;
            self.take(b',')?;
        }
    }

    /// Moves behind the value that begins here; none if the text ends inside it.
    fn skip_value(&mut self) -> Option<()> {
        let mut level = 0_usize;
        loop {
            match self.peek()? {
                b'"' => self.skip_string()?,
                b'{' | b'[' => {
                    level += 1;
                    self.at += 1;
                    continue;
                }
                b'}' | b']' => {
                    level = level.checked_sub(1)?;
                    self.at += 1;
                }
                b',' | b':' if level > 0 => self.at += 1,
                b',' | b':' => return None,
                _ => self.skip_scalar()?,
            }
            if level == 0 {
                return Some(());
            }
        }
    }

    fn skip_string(&mut self) -> Option<()> {
        self.at += 1;
        loop {
            match self.text.get(self.at)? {
                b'\\' => self.at += 2,
                b'"' => {
                    self.at += 1;
                    return Some(());
                }
                _ => self.at += 1,
            }
        }
    }

    /// Moves behind a number, `true`, `false` or `null`. At the end of the text it may be incomplete.
    fn skip_scalar(&mut self) -> Option<()> {
        let is_part = |byte: &u8| !byte.is_ascii_whitespace() && !b",:{}[]\"".contains(byte);
        self.at += self.text[self.at..].iter().take_while(|byte| is_part(byte)).count();
        (self.at < self.text.len()).then_some(())
    }

    /// Returns the text up to the last undamaged element of the list, or member of the object, that begins here, and
    /// their number. Damaged ones before it are blanked.
    fn keep_undamaged(&mut self) -> Option<(Vec<u8>, u64)> {
        let is_list = self.peek()? == b'[';
        self.at += 1;
        let mut kept = self.text.get(..self.at)?.to_vec();
        let mut count = 0;
        while !matches!(self.peek(), None | Some(b']' | b'}')) {
            let start = self.at;
            let is_whole = self.skip_element(is_list).is_some();
            let element = self.text.get(start..self.at).and_then(|element| std::str::from_utf8(element).ok());
            // Where an element does not end, nothing tells where the next one begins.
            let Some(element) = element.filter(|_| is_whole) else { break };
            let object = format!("{{{element}}}");
            if serde_json::from_str::<IgnoredAny>(if is_list { element } else { &object }).is_ok() {
                kept.resize(start, b' ');
                // The gap before an element holds its comma, and whatever was damaged.
                if count > 0
                    && let Some(last) = kept.last_mut()
                {
                    *last = b',';
                }
                kept.extend_from_slice(element.as_bytes());
                count += 1;
            }
            if self.peek() != Some(b',') {
                break;
            }
            self.at += 1;
        }
        Some((kept, count))
    }

    fn skip_element(&mut self, is_list: bool) -> Option<()> {
        if !is_list {
            self.peek().filter(|byte| *byte == b'"')?;
            self.skip_value()?;
            self.take(b':')?;
        }
        self.skip_value()
    }
}

#[cfg(test)]
mod tests {
    use model::entity::find;

    use super::*;

    const METADATA: &str = r#"{"schema_version":1,"entity":"clients","mode":"full",
        "run_id":"20260131T235901000Z-00000009","page":1,"cursor":null,"fetched_at":"2026-01-31T23:59:01Z",
        "endpoint":"","api_version":"","query_sha256":"","window":null,"record_count":3,"fetcher_version":""}"#;

    fn page(rest: &str) -> String {
        format!(
            r#"{{"metadata":{METADATA},"payload":{{"data":{{"allClients":{{"totalCount":3,"nodes":{rest}"#
        )
    }

    #[test]
    fn undamaged_records_keep_text_and_offset() {
        for (rest, kept) in [
            (r#"[{"id":"a"} , {"id":"b"},{"id":"c"#, 2),
            (r#"[{"id":"a"},{"id":"b"}"#, 2),
            (r#"[{"id":"a"},{"id":"b"},"#, 2),
            (r#"[{"id":"a"},{"id" "x"},{"id":"b"}],"pageInfo":nonsense}}}}"#, 2),
            (r#"[{"id" "x"},{"id":"a"},12"#, 1),
            ("[", 0),
        ] {
            let text = page(rest);
            let salvaged = salvage_page(find, &text).unwrap_or_else(|| panic!("{rest}"));
            assert_eq!(salvaged.kept, kept, "{rest}");
            let entity = find("clients").unwrap_or_else(|| panic!());
            let nodes = crate::raw_page::nodes_of_page(entity, salvaged.text.as_bytes());
            let nodes = nodes.unwrap_or_else(|error| panic!("{error}: {}", salvaged.text)).own;
            assert_eq!(nodes.len() as u64, kept, "{rest}");
            for node in nodes {
                let at = node.json.as_ptr().addr() - salvaged.text.as_ptr().addr();
                assert_eq!(text.get(at..at + node.json.len()), Some(node.json), "{rest}");
            }
        }
        for rest in ["", "7", r#"{"a":1"#] {
            let salvaged = salvage_page(find, &page(rest));
            assert!(salvaged.is_none_or(|page| page.kept <= 1), "{rest}");
        }
        assert!(salvage_page(find, &METADATA[..40]).is_none());
    }

    #[test]
    fn every_prefix_of_a_page_ends_without_a_panic() {
        let text = page(r#"[{"id":"a","t":"\u0041\\"},[1,{}],null,{"id":"b"}],"pageInfo":{}}}}}"#);
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            if let Some(page) = salvage_page(find, &text[..end]) {
                assert!(serde_json::from_str::<IgnoredAny>(&page.text).is_ok(), "{}", page.text);
            }
        }
    }

    #[test]
    fn replaced_bytes_are_found_by_their_offset_in_the_text() {
        let replaced = ReplacedText::new(b"ab\xffcd\xe2\x82efg\xf0".to_vec());
        assert_eq!(replaced.text, "ab\u{fffd}cd\u{fffd}efg\u{fffd}");
        let part = |start: usize, end: usize| replaced.original(start, end);
        assert_eq!(part(0, 2), None);
        assert_eq!(part(1, 6), Some(&b"b\xffc"[..]));
        assert_eq!(part(5, 11), Some(&b"cd\xe2\x82e"[..]));
        assert_eq!(part(10, 16), Some(&b"efg\xf0"[..]));
    }
}
