//! Where raw pages and manifests go: S3, or one file on a terminal's disk.

use std::fs::File;
use std::future::Future;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{DisplayErrorContext, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use object_store::is_precondition_failed;

/// Why something could not be stored.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SinkError(pub String);

/// What became of a page.
#[derive(Debug)]
pub enum Stored {
    /// It is stored now.
    New,
    /// An earlier invocation stored this page, with this content: that one counts.
    Before(Vec<u8>),
}

/// Takes raw pages, once each, and manifests, as often as they change.
pub trait RawSink: Send + Sync {
    /// Stores a raw page, unless one of that key is stored already.
    fn store_page(&self, key: &str, page: Vec<u8>) -> impl Future<Output = Result<Stored, SinkError>> + Send;
    /// Reads a stored page.
    fn load_page(&self, key: &str) -> impl Future<Output = Result<Vec<u8>, SinkError>> + Send;
    /// Stores a manifest, over an older one.
    fn store_manifest(
        &self,
        key: &str,
        manifest: Vec<u8>,
    ) -> impl Future<Output = Result<(), SinkError>> + Send;
}

/// A bucket.
#[derive(Debug, Clone)]
pub struct S3RawSink {
    client: Client,
    bucket: String,
}

impl S3RawSink {
    /// That bucket.
    #[must_use]
    pub fn new(client: Client, bucket: String) -> Self {
        Self { client, bucket }
    }
}

impl RawSink for S3RawSink {
    async fn store_page(&self, key: &str, page: Vec<u8>) -> Result<Stored, SinkError> {
        let sent = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .if_none_match("*")
            .content_type("application/json")
            .body(ByteStream::from(page))
            .send()
            .await;
        match sent {
            Ok(_) => Ok(Stored::New),
            // Either an earlier invocation stored it, or our own first try did and its answer was lost.
            Err(error) if is_precondition_failed(&error) => Ok(Stored::Before(self.load_page(key).await?)),
            Err(error) => Err(told(&error)),
        }
    }

    async fn load_page(&self, key: &str) -> Result<Vec<u8>, SinkError> {
        let get = self.client.get_object().bucket(&self.bucket).key(key);
        let object = get.send().await.map_err(|error| told(&error))?;
        let bytes = object.body.collect().await.map_err(|error| SinkError(error.to_string()))?;
        Ok(bytes.to_vec())
    }

    async fn store_manifest(&self, key: &str, manifest: Vec<u8>) -> Result<(), SinkError> {
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            .content_type("application/json")
            .body(ByteStream::from(manifest))
            .send()
            .await
            .map(|_| ())
            .map_err(|error| told(&error))
    }
}

fn told<E: std::error::Error + 'static>(error: &SdkError<E>) -> SinkError {
    SinkError(DisplayErrorContext(error).to_string())
}

/// One JSON file: a list of raw pages. Appears under its name when it is complete.
#[derive(Debug)]
pub struct FileRawSink {
    target: PathBuf,
    partial: PathBuf,
    file: Mutex<(BufWriter<File>, bool)>,
}

impl FileRawSink {
    /// Begins the file, beside the one that it will become.
    ///
    /// # Errors
    /// The file or its folder cannot be made.
    pub fn create(target: &Path) -> Result<Self, SinkError> {
        let failed = |error: std::io::Error| SinkError(format!("{}: {error}", target.display()));
        if let Some(folder) = target.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(failed)?;
        }
        let partial = target.with_extension("part");
        let mut file = BufWriter::new(File::create(&partial).map_err(failed)?);
        file.write_all(b"[\n").map_err(failed)?;
        Ok(Self { target: target.to_owned(), partial, file: Mutex::new((file, false)) })
    }

    /// Ends the file and gives it its name.
    ///
    /// # Errors
    /// The disk refused.
    pub fn finish(self) -> Result<(), SinkError> {
        let failed = |error: std::io::Error| SinkError(format!("{}: {error}", self.target.display()));
        let (mut file, _) = self.file.into_inner().unwrap_or_else(PoisonError::into_inner);
        file.write_all(b"\n]\n").and_then(|()| file.flush()).map_err(failed)?;
        std::fs::rename(&self.partial, &self.target).map_err(failed)
    }
}

impl RawSink for FileRawSink {
    async fn store_page(&self, _key: &str, page: Vec<u8>) -> Result<Stored, SinkError> {
        let mut guard = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let (file, begun) = &mut *guard;
        let separator: &[u8] = if std::mem::replace(begun, true) { b",\n" } else { b"" };
        file.write_all(separator)
            .and_then(|()| file.write_all(&page))
            .map_err(|error| SinkError(format!("{}: {error}", self.partial.display())))?;
        Ok(Stored::New)
    }

    async fn load_page(&self, key: &str) -> Result<Vec<u8>, SinkError> {
        Err(SinkError(format!("{key}: a file of pages is only written")))
    }

    async fn store_manifest(&self, _key: &str, _manifest: Vec<u8>) -> Result<(), SinkError> {
        Ok(())
    }
}
