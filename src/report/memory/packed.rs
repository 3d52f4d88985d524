//! The hidden line itself: how it is written, and how it is found again.

use std::io::{Read, Write};

use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};

use super::{Memory, Record};

/// The number is the version of what follows; a later one is not read.
const START: &str = "<!-- llm-deploy-memory:1:";
const END: &str = " -->";
/// Bytes that are unpacked at most: what a line of [`Memory::LONGEST`] bytes of ours can hold, many times over.
const UNPACKED: u64 = 1 << 20;
/// Bytes of a line that are looked at: more than a comment can have.
const PACKED: usize = 1 << 18;

/// A record among the results.
const RESULT: &str = "r";
/// A model's last good record.
const GOOD: &str = "g";

pub fn write(mut memory: Memory) -> String {
    loop {
        let line = format!("{START}{}{END}", pack(&memory));
        if line.len() <= Memory::LONGEST || !drop_oldest(&mut memory) {
            return line;
        }
    }
}

/// Whether there was something to drop.
fn drop_oldest(memory: &mut Memory) -> bool {
    let oldest = match memory.commits().as_slice() {
        [.., oldest] if memory.commits().len() > 1 => (*oldest).to_owned(),
        _ => return memory.records.pop().or_else(|| memory.last_good.pop()).is_some(),
    };
    memory.records.retain(|r| r.commit != oldest);
    true
}

fn pack(memory: &Memory) -> String {
    let marked = |mark: &'static str| {
        move |record: &Record| {
            serde_json::to_string(record)
                .ok()
                .map(|json| format!("{mark}{json}\n"))
        }
    };
    // The last good ones first: of a line that was cut, they remain.
    let good = memory.last_good.iter().filter_map(marked(GOOD));
    let text: String = good
        .chain(memory.records.iter().filter_map(marked(RESULT)))
        .collect();
    if text.is_empty() {
        return String::new();
    }
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    let packed = encoder.write_all(text.as_bytes()).and_then(|()| encoder.finish());
    // Writing to memory does not fail.
    STANDARD_NO_PAD.encode(packed.unwrap_or_default())
}

pub fn read(body: &str) -> Memory {
    let mut memory = Memory::default();
    let lines = body.rsplit(['\n', '\r']).map(str::trim);
    let Some(packed) = lines.filter_map(|line| line.strip_prefix(START)).next() else {
        return memory;
    };
    for line in unpack(packed).lines() {
        let (list, json) = if let Some(json) = line.strip_prefix(GOOD) {
            (&mut memory.last_good, json)
        } else if let Some(json) = line.strip_prefix(RESULT) {
            (&mut memory.records, json)
        } else {
            continue;
        };
        list.extend(serde_json::from_str::<Record>(json).ok());
    }
    memory
}

/// As much as can be unpacked: a line that was cut has its beginning.
fn unpack(packed: &str) -> String {
    let alphabet = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/');
    let mut packed: String = packed.chars().take_while(alphabet).take(PACKED).collect();
    // A single character more than whole groups has no byte in it.
    if packed.len() % 4 == 1 {
        packed.pop();
    }
    let lenient = base64::engine::GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        base64::engine::general_purpose::NO_PAD.with_decode_allow_trailing_bits(true),
    );
    let bytes = lenient.decode(packed).unwrap_or_default();
    let mut text = Vec::new();
    // What was unpacked before the error is there.
    let _ = DeflateDecoder::new(bytes.as_slice())
        .take(UNPACKED)
        .read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}
