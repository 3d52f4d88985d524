//! Reading, sampling and order.

use super::*;

fn file(entries: usize) -> String {
    (0..entries)
        .map(|n| format!("{{\"prompt\":\"prompt {n}\"}}\n"))
        .collect()
}

fn texts(text: &str, seed: u64, limits: Limits) -> Result<Vec<String>, String> {
    let sample = sample(text.as_bytes(), Path::new("/data/set.jsonl"), seed, limits)?;
    let entries = sample.into_entries().into_iter();
    Ok(entries.map(|entry| entry.messages[0].content.clone()).collect())
}

const fn few(entries: usize) -> Limits {
    Limits {
        entries,
        text: 1 << 20,
    }
}

#[test]
fn the_seed_decides_the_order_and_the_sample() {
    let text = file(200);
    let one = texts(&text, 1, few(500)).unwrap();
    assert_eq!(one, texts(&text, 1, few(500)).unwrap());
    let mut other = texts(&text, 2, few(500)).unwrap();
    assert_ne!(one, other);
    other.sort();
    let mut sorted = one.clone();
    sorted.sort();
    assert_eq!(sorted, other, "all of them, in another order");
    let some = texts(&text, 1, few(20)).unwrap();
    assert_eq!(some, texts(&text, 1, few(20)).unwrap());
    assert_ne!(some, texts(&text, 2, few(20)).unwrap());
}

#[test]
fn each_entry_is_as_likely_in_a_sample_as_any_other() {
    let text = file(40);
    let mut times = std::collections::BTreeMap::new();
    for seed in 0..2000 {
        for prompt in texts(&text, seed, few(10)).unwrap() {
            *times.entry(prompt).or_insert(0) += 1;
        }
    }
    // 500 are expected; five standard deviations are 97.
    assert_eq!(times.len(), 40);
    assert!(
        times.values().all(|count| (403..597).contains(count)),
        "{times:?}"
    );
}

#[test]
fn large_texts_make_the_sample_smaller() {
    let limits = Limits {
        entries: 500,
        text: 100,
    };
    let kept = texts(&file(200), 3, limits).unwrap();
    let bytes: usize = kept.iter().map(String::len).sum();
    assert!((1..=100).contains(&bytes) && kept.len() >= 5, "{kept:?}");
}

#[test]
fn a_mistake_is_told_with_file_and_line() {
    let error = texts("{\"prompt\":\"a\"}\n\n{\"promt\":\"b\"}\n", 1, few(9)).unwrap_err();
    assert!(
        error.starts_with("the dataset /data/set.jsonl, line 3: "),
        "{error}"
    );
    assert!(error.contains("expected a JSON object with `prompt`"), "{error}");
}

#[test]
fn an_empty_dataset_is_an_error() {
    for text in ["", "\n\n", "[]", "{\"conversations\":[]}\n"] {
        let error = texts(text, 1, few(9)).unwrap_err();
        assert!(error.contains("no entry with a prompt"), "{error}");
    }
}

#[test]
fn notes_say_how_much_of_the_file_is_sent() {
    let text = format!("{}{{\"conversations\":[]}}\n", file(30));
    let note = |limits| {
        sample(text.as_bytes(), Path::new("/data/set.jsonl"), 1, limits)
            .unwrap()
            .notes[0]
            .clone()
    };
    assert!(note(few(100)).starts_with("all 30 entries of set.jsonl are sent"));
    assert!(note(few(9)).starts_with("a random sample of 9 of the 30 entries of set.jsonl is sent"));
    assert!(note(few(9)).ends_with("1 conversations without a question were left out"));
}

#[tokio::test]
async fn what_is_no_file_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let error = read(folder.path().to_owned(), Reach::Anywhere, 1)
        .await
        .unwrap_err();
    assert!(error.contains("it is a folder"), "{error}");
    let error = read(folder.path().join("none.jsonl"), Reach::Anywhere, 1)
        .await
        .unwrap_err();
    assert!(error.contains("none.jsonl can't be read"), "{error}");
    let large = folder.path().join("large.jsonl");
    std::fs::File::create(&large)
        .unwrap()
        .set_len(MAX_FILE + 1)
        .unwrap();
    let error = read(large, Reach::Anywhere, 1).await.unwrap_err();
    assert!(error.contains("larger than 1024 MiB"), "{error}");
}
