//! Repair of a record's JSON text: leaves out what neither the database nor the parser can hold, and nothing else.

/// Levels of nesting that are kept. The parser follows 127; known records have six.
const LEVELS_MAX: usize = 100;

/// Bytes of a number that are kept, and its greatest exponent: what goes beyond, `numeric` does not hold.
const NUMBER_BYTES_MAX: usize = 1_000;
const EXPONENT_MAX: i64 = 1_000;

/// Returns the text with every repair that is certain: the escapes of NUL and of lone surrogates are removed, numbers
/// out of range and values nested too deeply become `null`. None where there is nothing to repair.
#[must_use]
pub fn repair(json: &str) -> Option<String> {
    let mut scan = Scan { text: json.as_bytes(), at: 0, kept: Vec::with_capacity(json.len()) };
    let mut level = 0_usize;
    while let Some(byte) = scan.peek() {
        match byte {
            b'"' => scan.string(),
            b'{' | b'[' if level == LEVELS_MAX => scan.leave_out(),
            b'{' | b'[' => {
                level += 1;
                scan.keep(1);
            }
            b'}' | b']' => {
                level = level.saturating_sub(1);
                scan.keep(1);
            }
            b'-' | b'0'..=b'9' => scan.number(),
            _ => scan.keep(1),
        }
    }
    let repaired = String::from_utf8(scan.kept).ok()?;
    (repaired != json).then_some(repaired)
}

/// Position in a text, and what is kept of it.
struct Scan<'a> {
    text: &'a [u8],
    at: usize,
    kept: Vec<u8>,
}

impl Scan<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn keep(&mut self, bytes: usize) {
        let end = self.text.len().min(self.at + bytes);
        self.kept.extend_from_slice(&self.text[self.at..end]);
        self.at = end;
    }

    /// Copies a string without the escapes that `jsonb` refuses.
    fn string(&mut self) {
        self.keep(1);
        while let Some(byte) = self.peek() {
            match (byte, self.text.get(self.at + 1)) {
                (b'\\', Some(b'u')) => self.escape(),
                (b'\\', _) => self.keep(2),
                (b'"', _) => return self.keep(1),
                _ => self.keep(1),
            }
        }
    }

    fn escape(&mut self) {
        match (self.code_unit(self.at), self.code_unit(self.at + 6)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => self.keep(12),
            (Some(0 | 0xd800..=0xdfff), _) => self.at += 6,
            _ => self.keep(2),
        }
    }

    /// Returns the value of the escape at that position: `\u` and four hexadecimal digits.
    fn code_unit(&self, at: usize) -> Option<u16> {
        let digits = self.text.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    }

    fn number(&mut self) {
        let rest = &self.text[self.at..];
        let is_part = |byte: &u8| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9');
        let length = rest.iter().take_while(|byte| is_part(byte)).count();
        if std::str::from_utf8(&rest[..length]).is_ok_and(is_in_range) {
            return self.keep(length);
        }
        self.kept.extend_from_slice(b"null");
        self.at += length;
    }

    /// Skips a list or an object with everything inside, and keeps `null` instead.
    fn leave_out(&mut self) {
        let kept = self.kept.len();
        let mut level = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'"' => self.string(),
                b'{' | b'[' => {
                    level += 1;
                    self.at += 1;
                }
                b'}' | b']' => {
                    level -= 1;
                    self.at += 1;
                }
                _ => self.at += 1,
            }
            if level == 0 {
                break;
            }
        }
        self.kept.truncate(kept);
        self.kept.extend_from_slice(b"null");
    }
}

fn is_in_range(number: &str) -> bool {
    let exponent =
        number.split_once(['e', 'E']).map_or(Some(0), |(_, exponent)| exponent.parse::<i64>().ok());
    number.len() <= NUMBER_BYTES_MAX
        && exponent.is_some_and(|exponent| exponent.abs() <= EXPONENT_MAX)
        && number.parse::<f64>().is_ok_and(f64::is_finite)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_cannot_be_held_is_left_out() {
        for (json, expected) in [
            (r#"{"a":"x\u0000y","\u0000k":1}"#, Some(r#"{"a":"xy","k":1}"#)),
            (
                r#"["\udc00","\ud800x","\ud83c\udfb9","\ud800\u0041"]"#,
                Some(r#"["","x","\ud83c\udfb9","\u0041"]"#),
            ),
            (r#"{"n":1e400,"m":-1E-400000,"k":1.50}"#, Some(r#"{"n":null,"m":null,"k":1.50}"#)),
            (r#"{"a":"\\u0000","b":"1e400 \\","c":"\u0001\""}"#, None),
            (r#"[{"a":[1,2.5e10,true,null]}]"#, None),
            ("", None),
        ] {
            assert_eq!(repair(json).as_deref(), expected, "{json}");
        }
    }

    #[test]
    fn deep_nesting_is_cut_and_the_rest_stays() {
        let deep = format!(r#"{{"a":{}1{},"b":2}}"#, r#"[{"x}":"#.repeat(5_000), "}]".repeat(5_000));
        let repaired = repair(&deep).unwrap_or_default();
        let read: Result<serde_json::Value, _> = serde_json::from_str(&repaired);
        assert_eq!(read.ok().and_then(|value| value["b"].as_i64()), Some(2), "{repaired}");
    }

    #[test]
    fn malformed_text_ends() {
        for json in ["\"", "\"\\", "\"\\u", "\"\\u00", "[[", "]]", "-", "1e", "{\"a\":\"\\u000"] {
            let _ = repair(json);
        }
        let _ = repair(&"[".repeat(300));
    }
}
