//! Prompts against the emulator's endpoint, which counts as vLLM does.

#[cfg(feature = "tokenizers")]
mod without_tokenize;

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use llm_deploy_emulator::{
    Speed,
    endpoint::{StandIn, serve},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::*;
use crate::endpoint::{
    ChatRequest, Role,
    testing::{Fixed, Script, Server, answer},
};

const LONG: Duration = Duration::from_secs(30);

/// A server that answers as vLLM; it ends with the guard.
async fn vllm() -> (Endpoint, DropGuard) {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap())
        .parse()
        .unwrap();
    let args = ["--model", "m", "--max-model-len", "4096"];
    let stand_in = StandIn {
        speed: Speed {
            ttft: Duration::ZERO,
            gap: Duration::ZERO,
        },
        args: args.map(str::to_owned).to_vec(),
        ..StandIn::default()
    };
    let stop = CancellationToken::new();
    tokio::spawn(serve(stand_in, listener, |_| {}, stop.clone()));
    let endpoint = Endpoint::new(url, Arc::new(Fixed(None)), None).unwrap();
    (endpoint, stop.drop_guard())
}

fn settings(input: Input) -> Latency {
    Latency {
        input,
        max_tokens: 16,
        ..Latency::default()
    }
}

fn synthetic(input_tokens: u32) -> Latency {
    settings(Input::Synthetic { input_tokens })
}

async fn prepare(endpoint: &Endpoint, latency: &Latency, seed: u64) -> Result<Prompts, String> {
    Prompts::prepare(endpoint, "m", latency, &Options::default(), seed).await
}

/// What the server says that it got.
async fn usage(endpoint: &Endpoint, prompt: &Prompt) -> u64 {
    let request = ChatRequest {
        messages: prompt.messages.clone(),
        ..ChatRequest::user("m", "", 1)
    };
    let completion = endpoint.chat(&request, LONG).await.unwrap();
    completion.usage.unwrap().prompt_tokens
}

fn text(prompt: &Prompt) -> &str {
    &prompt.messages[0].content
}

#[tokio::test]
async fn synthetic_prompts_are_as_long_as_asked_by_the_servers_own_usage() {
    let (endpoint, _stop) = vllm().await;
    for wanted in [32, 128, 1000] {
        for prefix_cache in [PrefixCache::Bust, PrefixCache::Keep] {
            let latency = Latency {
                prefix_cache,
                ..synthetic(wanted)
            };
            let prompts = prepare(&endpoint, &latency, 11).await.unwrap();
            for number in (0..48).chain([1 << 40, u64::MAX]) {
                let prompt = prompts.get(number);
                assert_eq!(
                    usage(&endpoint, &prompt).await,
                    u64::from(wanted),
                    "{number}: {}",
                    text(&prompt)
                );
                assert_eq!(prompt.input_tokens, Some(u64::from(wanted)));
            }
            let shape = prompts.shape();
            assert_eq!(
                (
                    shape.kind.as_str(),
                    shape.counted_by.as_str(),
                    shape.input_tokens,
                    shape.output_tokens
                ),
                ("synthetic", "server", Some(wanted), Some(16))
            );
            assert_eq!(shape.prefix_cache, prefix_cache);
        }
    }
}

#[tokio::test]
async fn no_two_prompts_begin_alike_and_the_seed_gives_the_same_again() {
    let (endpoint, _stop) = vllm().await;
    let dataset = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(dataset.path(), "{\"prompt\":\"one\"}\n{\"prompt\":\"two\"}\n").unwrap();
    for input in [
        Input::Prompts(vec!["Tell me a story.".to_owned(), "Count to ten.".to_owned()]),
        Input::Synthetic { input_tokens: 64 },
        Input::Dataset(dataset.path().to_owned()),
    ] {
        let latency = settings(input);
        let one = prepare(&endpoint, &latency, 1).await.unwrap();
        let again = prepare(&endpoint, &latency, 1).await.unwrap();
        let other = prepare(&endpoint, &latency, 2).await.unwrap();
        let mut beginnings = HashSet::new();
        for number in 0..2000 {
            assert_eq!(one.get(number).messages, again.get(number).messages);
            for prompts in [&one, &other] {
                let prompt = prompts.get(number);
                let first: Vec<&str> = text(&prompt)
                    .split_whitespace()
                    .take(prefix::LENGTH as usize)
                    .collect();
                assert!(beginnings.insert(first.join(" ")), "{number}: {first:?}");
            }
        }
        assert!(
            one.notes()
                .iter()
                .any(|note| note.contains("begins like another")),
            "{:?}",
            one.notes()
        );
    }
}

#[tokio::test]
async fn prompts_are_sent_in_turn_and_as_they_are_when_the_cache_may_help() {
    let server = Server::start(|_| Script::Close).await;
    let latency = Latency {
        prefix_cache: PrefixCache::Keep,
        ..settings(Input::Prompts(vec!["one".to_owned(), "two".to_owned()]))
    };
    let prompts = prepare(&server.endpoint(None), &latency, 5).await.unwrap();
    let sent: Vec<String> = (0..4).map(|n| text(&prompts.get(n)).to_owned()).collect();
    assert_eq!(sent, ["one", "two", "one", "two"]);
    assert_eq!(prompts.get(3).output_tokens, 16);
    assert!(prompts.notes()[0].contains("as they are"));
    assert!(server.seen().is_empty(), "nobody needs to be asked");
    let none = prepare(&server.endpoint(None), &settings(Input::Prompts(Vec::new())), 5).await;
    assert!(none.err().unwrap().contains("at least one"));
}

#[tokio::test]
async fn lengths_that_cant_be_had_are_refused_with_the_limit() {
    let (endpoint, _stop) = vllm().await;
    let error = prepare(&endpoint, &synthetic(4090), 1).await.err().unwrap();
    assert!(error.contains("4106") && error.contains("holds 4096"), "{error}");
    let error = prepare(&endpoint, &synthetic(3), 1).await.err().unwrap();
    let least: u32 = error
        .split("the shortest one has ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let prompts = prepare(&endpoint, &synthetic(least), 1).await.unwrap();
    assert_eq!(usage(&endpoint, &prompts.get(0)).await, u64::from(least));
    assert!(prepare(&endpoint, &synthetic(least - 1), 1).await.is_err());
}

#[tokio::test]
async fn a_recorded_conversation_asks_for_as_many_tokens_as_its_answer_had() {
    let (endpoint, _stop) = vllm().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ShareGPT.json");
    let set = r#"[
        {"id":"1","conversations":[{"from":"human","value":"q"},{"from":"gpt","value":"one two three four"}]},
        {"id":"2","conversations":[{"from":"system","value":"s"},{"from":"human","value":"r"}]},
        {"id":"3","conversations":[]}
    ]"#;
    std::fs::write(&path, set).unwrap();
    let latency = Latency {
        prefix_cache: PrefixCache::Keep,
        ..settings(Input::Dataset(path.clone()))
    };
    let prompts = prepare(&endpoint, &latency, 1).await.unwrap();
    let sent: BTreeMap<String, (usize, u32)> = (0..2)
        .map(|n| prompts.get(n))
        .map(|p| {
            (
                p.messages.last().unwrap().content.clone(),
                (p.messages.len(), p.output_tokens),
            )
        })
        .collect();
    assert_eq!(
        sent,
        BTreeMap::from([("q".to_owned(), (1, 4)), ("r".to_owned(), (2, 16))])
    );
    assert_eq!(prompts.shape().output_tokens, None, "it varies");
    let notes = prompts.notes();
    assert!(
        notes[0].contains("all 2 entries of ShareGPT.json") && notes[0].contains("1 conversations"),
        "{notes:?}"
    );
    assert!(notes[1].contains("counted by the server"), "{notes:?}");

    // The beginning of the system's message is the beginning of the prompt.
    let bust = prepare(&endpoint, &settings(Input::Dataset(path.clone())), 1)
        .await
        .unwrap();
    let with_system = (0..2)
        .map(|n| bust.get(n))
        .find(|p| p.messages.len() == 2)
        .unwrap();
    assert_eq!(
        (
            with_system.messages[0].role,
            text(&with_system).ends_with("\n\ns")
        ),
        (Role::System, true)
    );
    assert_eq!(with_system.messages[1].content, "r");

    let nobody = Server::start(|_| answer("404 Not Found", "text/plain", "")).await;
    let prompts = prepare(&nobody.endpoint(None), &latency, 1).await.unwrap();
    assert_eq!(prompts.shape().output_tokens, Some(16));
    assert!(
        prompts.notes()[1].contains("as the settings say"),
        "{:?}",
        prompts.notes()
    );
}
