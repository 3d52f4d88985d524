//! Prompts from a file: JSON lines or one JSON array.
//!
//! The file is read once, entry by entry. Of a large one a random sample is kept, in which each entry is as likely
//! as any other; which one, and in which order, is the seed's matter.

mod entry;
mod split;
#[cfg(test)]
mod tests;

use std::{
    io::{BufReader, Read},
    path::{Path, PathBuf},
};

use futures::future::try_join_all;

use super::{Entry, count::Counter};
use crate::file::open::{self, Reach};
use entry::Parsed;
use split::Pieces;

/// Largest file.
const MAX_FILE: u64 = 1 << 30;
/// Most entries that are kept, and most bytes of text.
const MOST_ENTRIES: usize = 100_000;
const MOST_TEXT: usize = 256 << 20;
/// Answers whose tokens are counted; the others' lengths follow from their bytes.
const MOST_COUNTED: usize = 1000;
/// Counts that are asked for at once.
const AT_ONCE: usize = 8;

/// Entries in the order in which they are sent.
#[derive(Debug)]
pub struct Sample {
    entries: Vec<Parsed>,
    /// What must be known about them, as plain sentences.
    pub notes: Vec<String>,
}

/// Reads a dataset, away from the caller's thread.
///
/// # Errors
/// For the user: the file can't be read, an entry is none (with its line), or there is no entry.
pub async fn read(path: PathBuf, reach: Reach, seed: u64) -> Result<Sample, String> {
    let read = open::away(move || {
        let file = open::open(&path, &reach, MAX_FILE)
            .map_err(|e| format!("the dataset {} can't be read: {e}", path.display()))?;
        sample(file.take(MAX_FILE), &path, seed, Limits::default())
    });
    read.await
        .map_err(|e| format!("the dataset could not be read: {e}"))?
}

#[derive(Clone, Copy)]
struct Limits {
    entries: usize,
    text: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: MOST_ENTRIES,
            text: MOST_TEXT,
        }
    }
}

/// Reservoir sampling: of `n` entries each is kept with the same probability. When they are too large together, some
/// are thrown out at random and the sample stays that small.
fn sample(reader: impl Read, path: &Path, seed: u64, limits: Limits) -> Result<Sample, String> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut pieces = Pieces::new(BufReader::with_capacity(1 << 16, reader));
    let wrong = |line: u64, reason: &str| format!("the dataset {}, line {line}: {reason}", path.display());
    let mut kept: Vec<Parsed> = Vec::new();
    let (mut most, mut text, mut seen, mut skipped) = (limits.entries, 0, 0_u64, 0_u64);
    while let Some(piece) = pieces.next().map_err(|e| wrong(e.line, &e.reason))? {
        let Some(parsed) = entry::parse(&piece.bytes).map_err(|reason| wrong(piece.line, &reason))? else {
            skipped += 1;
            continue;
        };
        seen += 1;
        if kept.len() < most {
            text += parsed.size();
            kept.push(parsed);
        } else if let Some(place) = kept.get_mut(random.u64(0..seen) as usize) {
            text = text + parsed.size() - place.size();
            *place = parsed;
        }
        while text > limits.text && kept.len() > 1 {
            text -= kept.swap_remove(random.usize(0..kept.len())).size();
            most = kept.len();
        }
    }
    if kept.is_empty() {
        return Err(format!(
            "the dataset {} has no entry with a prompt: expected at least one",
            path.display()
        ));
    }
    random.shuffle(&mut kept);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let notes = vec![describe(&name, kept.len(), seen, skipped)];
    Ok(Sample { entries: kept, notes })
}

fn describe(name: &str, kept: usize, seen: u64, skipped: u64) -> String {
    let mut note = match kept as u64 {
        kept if kept == seen => format!("all {kept} entries of {name} are sent"),
        kept => format!("a random sample of {kept} of the {seen} entries of {name} is sent"),
    };
    note.push_str(" in an order that the seed decides, from the start again after the last");
    if skipped > 0 {
        note.push_str(&format!(
            "; {skipped} conversations without a question were left out"
        ));
    }
    note
}

impl Parsed {
    fn size(&self) -> usize {
        let messages = self.entry.messages.iter().map(|m| m.content.len());
        messages.sum::<usize>() + self.answer.as_ref().map_or(0, String::len)
    }
}

impl Sample {
    /// Whether lengths are to be taken from recorded answers.
    pub fn has_answers(&self) -> bool {
        self.entries.iter().any(|parsed| parsed.answer.is_some())
    }

    /// Makes the recorded answers' lengths the wanted ones: the first thousand counted, the others by the bytes a
    /// token had in those. With nobody to count, the settings' length stays.
    ///
    /// # Errors
    /// For the user: the server stops counting.
    pub async fn count_answers(&mut self, counter: &Counter) -> Result<(), String> {
        if counter.name() == "estimate" {
            self.notes.push(
                "nobody could count the recorded answers' tokens (the server has no /tokenize and no tokenizer was \
                 given): as many output tokens are asked for as the settings say"
                    .to_owned(),
            );
            return Ok(());
        }
        let mut answered: Vec<(&mut Entry, String)> = Vec::new();
        for Parsed { entry, answer } in &mut self.entries {
            answered.extend(answer.take().map(|answer| (entry, answer)));
        }
        let (mut bytes, mut tokens) = (0_u64, 0_u64);
        let counted = answered.len().min(MOST_COUNTED);
        let (first, others) = answered.split_at_mut(counted);
        for some in first.chunks_mut(AT_ONCE) {
            let counts = try_join_all(some.iter().map(|(_, answer)| counter.text(answer))).await?;
            for ((entry, answer), count) in some.iter_mut().zip(counts) {
                entry.output_tokens = Some(length(count));
                bytes += answer.len() as u64;
                tokens = tokens.saturating_add(count);
            }
        }
        let each = tokens as f64 / bytes.max(1) as f64;
        for (entry, answer) in others.iter_mut() {
            entry.output_tokens = Some(length((answer.len() as f64 * each).round() as u64));
        }
        let mut note = format!(
            "as many output tokens are asked for as the recorded answer has, counted by the {}",
            counter.name()
        );
        if !others.is_empty() {
            note.push_str(&format!(
                " for {counted} of them and estimated from their length for {}",
                others.len()
            ));
        }
        self.notes.push(note);
        Ok(())
    }

    pub fn into_entries(self) -> Vec<Entry> {
        self.entries.into_iter().map(|parsed| parsed.entry).collect()
    }
}

/// A request asks for one token at least.
fn length(count: u64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX).max(1)
}
