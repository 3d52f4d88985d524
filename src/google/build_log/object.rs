//! A log that is an object in Cloud Storage, which grows.

use super::{Read, lines::Lines};
use crate::google::{
    client::Client,
    error::Error,
    storage::{CHUNK, LogChunk, read_from},
};

pub struct Object {
    bucket: String,
    name: String,
    offset: u64,
    lines: Lines,
}

impl Object {
    pub fn new(bucket: String, name: String) -> Self {
        Self {
            bucket,
            name,
            offset: 0,
            lines: Lines::default(),
        }
    }

    /// Reads the next part. The end of the object is the log's own once the build is over.
    /// <https://cloud.google.com/storage/docs/consistency>
    pub async fn read(&mut self, c: &Client, on_line: &(dyn Fn(&str) + Sync)) -> Result<Read, Error> {
        let LogChunk::Bytes(bytes) = read_from(c, &self.bucket, &self.name, self.offset).await? else {
            return Ok(Read::NOTHING_TO_COME);
        };
        let length = bytes.len() as u64;
        self.offset += length;
        for line in self.lines.push(&bytes) {
            on_line(&line);
        }
        Ok(Read {
            whole: length < CHUNK,
            new: true,
        })
    }

    /// The last line, when it has no end.
    pub fn rest(&mut self) -> Option<String> {
        self.lines.rest()
    }
}
