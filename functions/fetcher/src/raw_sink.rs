//! Sink of raw pages and manifests: a bucket of S3, or one file on a terminal's disk.

use std::error::Error;
use std::fs::File;
use std::future::Future;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use object_store::{PutRefusal, put_decided, put_refusal};

/// Error of reading or writing a raw page or a manifest.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The bucket did not return an object.
    #[error("could not read {key}")]
    Read {
        /// Key of the object.
        key: String,
        /// Error of the store.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The bucket did not accept an object.
    #[error("could not write {key}")]
    Write {
        /// Key of the object.
        key: String,
        /// Error of the store.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The file could not be written.
    #[error("could not write {}", path.display())]
    File {
        /// Path of the file.
        path: PathBuf,
        /// Error of the file system.
        source: io::Error,
    },
    /// A page was requested from a sink that cannot return one.
    #[error("could not read {key}: a file of raw pages can only be written")]
    WriteOnly {
        /// Key of the object.
        key: String,
    },
}

/// Result of storing a raw page.
#[derive(Debug)]
pub enum PageWrite {
    /// The page is stored now.
    Created,
    /// An earlier attempt stored a page of this key, whose content is this: that one counts.
    AlreadyStored(Vec<u8>),
}

/// Sink that stores each raw page once, and a manifest as often as it changes.
pub trait RawSink: Send + Sync {
    /// Stores a raw page, unless there is one of that key.
    fn store_page(
        &self,
        key: &str,
        page: Vec<u8>,
    ) -> impl Future<Output = Result<PageWrite, SinkError>> + Send;
    /// Reads a raw page that is stored already.
    fn load_page(&self, key: &str) -> impl Future<Output = Result<Vec<u8>, SinkError>> + Send;
    /// Stores a manifest; it replaces an older one.
    fn store_manifest(
        &self,
        key: &str,
        manifest: Vec<u8>,
    ) -> impl Future<Output = Result<(), SinkError>> + Send;
}

/// Sink in a bucket of S3.
#[derive(Debug, Clone)]
pub struct S3RawSink {
    client: Client,
    bucket: String,
}

impl S3RawSink {
    /// Creates a sink in `bucket`.
    #[must_use]
    pub fn new(client: Client, bucket: String) -> Self {
        Self { client, bucket }
    }
}

impl RawSink for S3RawSink {
    async fn store_page(&self, key: &str, page: Vec<u8>) -> Result<PageWrite, SinkError> {
        let send = || {
            let request = self.client.put_object().bucket(&self.bucket).key(key).if_none_match("*");
            request.content_type("application/json").body(ByteStream::from(page.clone())).send()
        };
        match put_decided(send).await {
            Ok(_) => Ok(PageWrite::Created),
            // An earlier invocation stored the page, or an earlier attempt did and its response was lost.
            Err(error) if put_refusal(&error) == Some(PutRefusal::ConditionFailed) => {
                Ok(PageWrite::AlreadyStored(self.load_page(key).await?))
            }
            Err(error) => Err(SinkError::Write { key: key.to_owned(), source: error.into() }),
        }
    }

    async fn load_page(&self, key: &str) -> Result<Vec<u8>, SinkError> {
        let object = self.client.get_object().bucket(&self.bucket).key(key).send().await;
        let object = object.map_err(|error| SinkError::Read { key: key.to_owned(), source: error.into() })?;
        let bytes = object.body.collect().await;
        let bytes = bytes.map_err(|error| SinkError::Read { key: key.to_owned(), source: error.into() })?;
        Ok(bytes.to_vec())
    }

    async fn store_manifest(&self, key: &str, manifest: Vec<u8>) -> Result<(), SinkError> {
        let send = || {
            let request = self.client.put_object().bucket(&self.bucket).key(key);
            request.content_type("application/json").body(ByteStream::from(manifest.clone())).send()
        };
        match put_decided(send).await {
            Ok(_) => Ok(()),
            Err(error) => Err(SinkError::Write { key: key.to_owned(), source: error.into() }),
        }
    }
}

/// Sink in one JSON file, a list of raw pages. The file appears under its name once it is complete.
#[derive(Debug)]
pub struct FileRawSink {
    target: PathBuf,
    partial: PathBuf,
    writer: Mutex<ListWriter>,
}

#[derive(Debug)]
struct ListWriter {
    file: BufWriter<File>,
    is_begun: bool,
}

impl FileRawSink {
    /// Creates the file beside `target`, with the extension `part`, and the folder of both.
    ///
    /// # Errors
    /// [`SinkError::File`].
    pub fn create(target: &Path) -> Result<Self, SinkError> {
        let failed = |source| SinkError::File { path: target.to_owned(), source };
        if let Some(folder) = target.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let partial = target.with_extension("part");
        let mut file = BufWriter::new(File::create(&partial).map_err(failed)?);
        file.write_all(b"[\n").map_err(failed)?;
        let writer = Mutex::new(ListWriter { file, is_begun: false });
        Ok(Self { target: target.to_owned(), partial, writer })
    }

    /// Ends the list and gives the file its name.
    ///
    /// # Errors
    /// [`SinkError::File`].
    pub fn finish(self) -> Result<(), SinkError> {
        let failed = |source| SinkError::File { path: self.target.clone(), source };
        let mut file = self.writer.into_inner().unwrap_or_else(PoisonError::into_inner).file;
        file.write_all(b"\n]\n").and_then(|()| file.flush()).map_err(failed)?;
        std::fs::rename(&self.partial, &self.target).map_err(failed)
    }
}

impl RawSink for FileRawSink {
    async fn store_page(&self, _key: &str, page: Vec<u8>) -> Result<PageWrite, SinkError> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let separator: &[u8] = if std::mem::replace(&mut writer.is_begun, true) { b",\n" } else { b"" };
        let written = writer.file.write_all(separator).and_then(|()| writer.file.write_all(&page));
        written.map_err(|source| SinkError::File { path: self.partial.clone(), source })?;
        Ok(PageWrite::Created)
    }

    async fn load_page(&self, key: &str) -> Result<Vec<u8>, SinkError> {
        Err(SinkError::WriteOnly { key: key.to_owned() })
    }

    async fn store_manifest(&self, _key: &str, _manifest: Vec<u8>) -> Result<(), SinkError> {
        Ok(())
    }
}
