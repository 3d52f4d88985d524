//! One JSON line for each request, written beside the measurement by a thread of its own.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::JoinHandle,
};

use crate::{
    bench::{Observer, record::Record},
    file::unwritable,
    secrets::Masks,
};

/// Records that may wait for the disk. Beyond them whoever hands records over waits, which is not the measuring thread.
const WAITING: usize = 16_384;

enum Message {
    Record(Box<Record>),
    End,
}

/// Writes records until it is finished or dropped; what was handed over by then is in the file.
pub struct Writer {
    path: PathBuf,
    sender: SyncSender<Message>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Writer {
    /// Makes the file, or empties it.
    ///
    /// # Errors
    /// For the user: the file can't be made.
    pub fn create(path: &Path, masks: &Masks) -> Result<Self, String> {
        let failed = |error: io::Error| unwritable(path, &error);
        let file = File::create(path).map_err(failed)?;
        Self::start(path, masks, BufWriter::with_capacity(1 << 16, file)).map_err(failed)
    }

    fn start(path: &Path, masks: &Masks, out: impl Write + Send + 'static) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(WAITING);
        let masks = masks.clone();
        let thread = std::thread::Builder::new()
            .name("raw records".to_owned())
            .spawn(move || write(&receiver, &masks, out))?;
        Ok(Self {
            path: path.to_owned(),
            sender,
            thread: Some(thread),
        })
    }

    /// What a measurement is given to call.
    pub fn observer(&self) -> Observer {
        let sender = self.sender.clone();
        Arc::new(move |record: &Record| {
            // The thread has gone after an error, which `finish` tells.
            let _ = sender.send(Message::Record(Box::new(record.clone())));
        })
    }

    /// Waits until everything is in the file.
    ///
    /// # Errors
    /// For the user: a line could not be written. The measurement itself went on.
    pub fn finish(mut self) -> Result<(), String> {
        self.end().map_err(|error| {
            let why = unwritable(&self.path, &error);
            format!("{why}. The file is not complete")
        })
    }

    fn end(&mut self) -> io::Result<()> {
        let Some(thread) = self.thread.take() else {
            return Ok(());
        };
        // Observers may live on, so the channel does not close by itself.
        let _ = self.sender.send(Message::End);
        thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the writing thread ended early")))
    }
}

impl Drop for Writer {
    /// An interrupted measurement leaves whole lines.
    fn drop(&mut self) {
        let _ = self.end();
    }
}

fn write(receiver: &Receiver<Message>, masks: &Masks, mut out: impl Write) -> io::Result<()> {
    while let Ok(Message::Record(record)) = receiver.recv() {
        let line = serde_json::to_string(&record)?;
        // A server's error can repeat the key that it got.
        let line = if record.error.is_some() {
            masks.redact_document(line.as_str())
        } else {
            line.into()
        };
        writeln!(out, "{line}")?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(number: u64) -> Record {
        Record {
            level: 0,
            number,
            measured: true,
            due_at: None,
            sent_at: 0.5,
            ttft_ms: Some(12.5),
            e2e_ms: Some(80.0),
            gaps_ms: vec![1.5, 2.5],
            input_tokens: Some(8),
            output_tokens: 3,
            chunks: 3,
            good: None,
            error_kind: None,
            error: Some("two\nlines".to_owned()),
        }
    }

    #[test]
    fn every_record_is_one_line_that_reads_back_although_observers_live_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("raw.jsonl");
        let writer = Writer::create(&path, &Masks::default()).unwrap();
        let observers = [writer.observer(), writer.observer()];
        for number in 0..40_000 {
            observers[number as usize % 2](&record(number));
        }
        writer.finish().unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        let read: Vec<Record> = text.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
        assert_eq!(read, (0..40_000).map(record).collect::<Vec<_>>());
        observers[0](&record(1));
    }

    #[test]
    fn an_interrupted_measurement_leaves_what_was_handed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("raw.jsonl");
        let writer = Writer::create(&path, &Masks::default()).unwrap();
        writer.observer()(&record(7));
        drop(writer);
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 1);
    }

    #[test]
    fn a_full_disk_stops_nobody_and_is_told_at_the_end() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::Error::from(io::ErrorKind::StorageFull))
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let writer = Writer::start(Path::new("raw.jsonl"), &Masks::default(), Full).unwrap();
        let observe = writer.observer();
        (0..WAITING as u64 * 2).for_each(|number| observe(&record(number)));
        let error = writer.finish().unwrap_err();
        assert!(
            error.contains("raw.jsonl") && error.contains("not complete"),
            "{error}"
        );
    }

    #[test]
    fn a_file_that_can_not_be_made_is_named() {
        let error = Writer::create(Path::new("no/such/folder/raw.jsonl"), &Masks::default())
            .err()
            .unwrap();
        assert!(error.contains("no/such/folder/raw.jsonl"), "{error}");
    }
}
