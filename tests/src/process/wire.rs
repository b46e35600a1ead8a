//! HTTP/1.1 messages as bytes: what passes through is unchanged.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt};

/// HTTP request or response.
#[derive(Debug, Default)]
pub(super) struct Message {
    /// Request line or status line.
    pub(super) first: String,
    headers: Vec<(String, String)>,
    /// Body without its transfer encoding.
    pub(super) body: Vec<u8>,
    /// Body with its transfer encoding.
    framed: Vec<u8>,
}

impl Message {
    /// Reads the head up to the empty line; none where the peer has closed.
    pub(super) async fn read_head(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Self>> {
        let mut message = Self::default();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(None);
            }
            let line = line.trim_end();
            match line.split_once(": ").or_else(|| line.split_once(':')) {
                None if line.is_empty() => return Ok(Some(message)),
                _ if message.first.is_empty() => line.clone_into(&mut message.first),
                Some((name, value)) => message.headers.push((name.to_owned(), value.to_owned())),
                None => return Err(io::Error::other(format!("no header: {line}"))),
            }
        }
    }

    /// Reads the body in its transfer encoding.
    pub(super) async fn read_body(&mut self, stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<()> {
        if self.header("transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
            return self.read_chunks(stream).await;
        }
        match self.header("content-length").and_then(|length| length.parse().ok()) {
            Some(length) => self.body = read_exactly(stream, length).await?,
            // A response without a length ends with its connection.
            None if self.first.starts_with("HTTP/") && !self.is_without_body() => {
                stream.read_to_end(&mut self.body).await?;
            }
            None => {}
        }
        self.framed.clone_from(&self.body);
        Ok(())
    }

    async fn read_chunks(&mut self, stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<()> {
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await?;
            let size = line.trim().split(';').next().and_then(|size| usize::from_str_radix(size, 16).ok());
            let size = size.ok_or_else(|| io::Error::other(format!("no chunk: {line}")))?;
            self.framed.extend_from_slice(line.as_bytes());
            if size == 0 {
                break;
            }
            let chunk = read_exactly(stream, size + 2).await?;
            self.framed.extend_from_slice(&chunk);
            self.body.extend_from_slice(chunk.get(..size).unwrap_or_default());
        }
        loop {
            let mut trailer = String::new();
            stream.read_line(&mut trailer).await?;
            self.framed.extend_from_slice(trailer.as_bytes());
            if trailer.trim().is_empty() {
                return Ok(());
            }
        }
    }

    fn is_without_body(&self) -> bool {
        let status = self.status();
        status < 200 || matches!(status, 204 | 304)
    }

    /// Returns the value of a header.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Returns the status of a response.
    pub(super) fn status(&self) -> u16 {
        self.word(1).parse().unwrap_or_default()
    }

    /// Returns a word of the first line, by position.
    pub(super) fn word(&self, place: usize) -> &str {
        self.first.split(' ').nth(place).unwrap_or_default()
    }

    /// Returns the head to forward, without `Expect`: the service is not asked for an interim response.
    pub(super) fn head(&self) -> Vec<u8> {
        let headers = self.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("expect"));
        let lines: String = headers.map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("{}\r\n{lines}\r\n", self.first).into_bytes()
    }

    /// Body with its transfer encoding.
    pub(super) fn framed(&self) -> &[u8] {
        &self.framed
    }
}

/// Builds a JSON response.
pub(super) fn response(status: &str, headers: &[(&str, String)], body: &str) -> Vec<u8> {
    let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\n{lines}content-length: {length}\r\n\r\n{body}"
    )
    .into_bytes()
}

async fn read_exactly(stream: &mut (impl AsyncRead + Unpin), length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}
