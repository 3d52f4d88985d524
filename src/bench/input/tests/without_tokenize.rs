//! Synthetic prompts for servers that don't count tokens, or count them wrongly.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use tokenizers::{Tokenizer, pre_tokenizers::byte_level::ByteLevel};

use super::*;
use crate::{
    endpoint::testing::json,
    file::open::{Named, Reach},
};

/// Letters are tokens, and so are some short words with the space before them. The file asks for a truncation, which
/// counts must not heed.
fn tokenizer(folder: &Path) -> (Tokenizer, PathBuf) {
    let mut pieces: Vec<String> = ByteLevel::alphabet().into_iter().map(String::from).collect();
    pieces.sort();
    let mut merges = Vec::new();
    for word in words::WORDS.iter().filter(|word| word.len() <= 4) {
        for start in ["", "Ġ"] {
            let mut left = start.to_owned();
            for letter in word.chars() {
                let joined = format!("{left}{letter}");
                if !left.is_empty() && !pieces.contains(&joined) {
                    merges.push((left, letter.to_string()));
                    pieces.push(joined.clone());
                }
                left = joined;
            }
        }
    }
    let vocabulary: BTreeMap<String, u32> = pieces.into_iter().zip(0..).collect();
    let saved = serde_json::json!({
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 8, "strategy": "LongestFirst", "stride": 0},
        "pre_tokenizer":
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "vocab": vocabulary, "merges": merges},
    });
    let file = folder.join("tokenizer.json");
    std::fs::write(&file, saved.to_string()).unwrap();
    let mut tokenizer = Tokenizer::from_file(&file).unwrap();
    tokenizer.with_truncation(None).unwrap();
    (tokenizer, file)
}

/// A server without `/tokenize` that counts with this tokenizer and a template of ten tokens.
async fn counting(tokenizer: Tokenizer) -> Server {
    Server::start(move |request| {
        let Some((_, body)) = request
            .split_once("\r\n\r\n")
            .filter(|_| request.starts_with("POST /v1/chat"))
        else {
            return answer("404 Not Found", "application/json", r#"{"detail":"Not Found"}"#);
        };
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        let content = body["messages"][0]["content"].as_str().unwrap();
        let count = tokenizer.encode(content, false).unwrap().len() + 10;
        json(&format!(
            r#"{{"choices":[],"usage":{{"prompt_tokens":{count},"completion_tokens":1}}}}"#
        ))
    })
    .await
}

fn with(tokenizer: &Path) -> Options {
    Options {
        tokenizer: Some(Named {
            path: tokenizer.to_owned(),
            reach: Reach::Anywhere,
        }),
        ..Options::default()
    }
}

#[tokio::test]
async fn the_tokenizer_counts_where_the_server_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let (tokenizer, file) = tokenizer(folder.path());
    let server = counting(tokenizer).await;
    let endpoint = server.endpoint(None);
    for path in [file.as_path(), folder.path()] {
        let prompts = Prompts::prepare(&endpoint, "m", &synthetic(100), &with(path), 3)
            .await
            .unwrap();
        for number in 0..50 {
            assert_eq!(usage(&endpoint, &prompts.get(number)).await, 100);
        }
        assert_eq!(prompts.shape().counted_by, "tokenizer");
        assert_eq!(prompts.get(0).input_tokens, Some(100));
        assert!(
            prompts.notes()[0].contains("by the given tokenizer"),
            "{:?}",
            prompts.notes()
        );
    }
    let missing = folder.path().join("none.json");
    let error = Prompts::prepare(&endpoint, "m", &synthetic(100), &with(&missing), 3).await;
    assert!(error.err().unwrap().contains("none.json can't be used"));
    std::fs::write(&missing, "{}").unwrap();
    let error = Prompts::prepare(&endpoint, "m", &synthetic(100), &with(&missing), 3).await;
    assert!(error.err().unwrap().contains("tokenizer.json"));
}

#[tokio::test]
async fn without_anybody_who_counts_the_length_is_an_estimate_and_said_to_be() {
    let folder = tempfile::tempdir().unwrap();
    let (tokenizer, _) = tokenizer(folder.path());
    let server = counting(tokenizer).await;
    let prompts = prepare(&server.endpoint(None), &synthetic(100), 3).await.unwrap();
    assert_eq!(prompts.shape().counted_by, "estimate");
    assert_eq!(prompts.shape().input_tokens, Some(100));
    assert_eq!(prompts.get(0).input_tokens, None);
    assert!(prompts.notes()[0].contains("estimate"), "{:?}", prompts.notes());

    let silent = Server::start(|_| answer("404 Not Found", "text/plain", "")).await;
    let prompts = prepare(&silent.endpoint(None), &synthetic(100), 3).await.unwrap();
    assert_eq!(text(&prompts.get(7)).split(' ').count(), 100);
    assert!(
        prompts.notes()[0].contains("comes on top"),
        "{:?}",
        prompts.notes()
    );
}

#[tokio::test]
async fn a_server_whose_counts_are_nonsense_ends_with_a_note_or_an_error() {
    for count in ["1", "18446744073709551615", "77"] {
        let server = Server::start(move |request| match request {
            r if r.starts_with("POST /tokenize") => json(&format!("{{\"count\":{count}}}")),
            _ => answer("404 Not Found", "text/plain", ""),
        })
        .await;
        match prepare(&server.endpoint(None), &synthetic(50), 1).await {
            Ok(prompts) => {
                assert!(prompts.notes()[1].contains('±'), "{count}: {:?}", prompts.notes());
                assert_eq!(prompts.get(0).input_tokens, None);
            }
            Err(error) => assert!(error.contains("can't be made"), "{count}: {error}"),
        }
    }
}

#[tokio::test]
async fn a_server_out_of_reach_is_no_reason_to_guess() {
    let server = Server::start(|_| Script::Close).await;
    let error = prepare(&server.endpoint(None), &synthetic(50), 1)
        .await
        .err()
        .unwrap();
    assert!(error.contains("could not be asked for token counts"), "{error}");
}
