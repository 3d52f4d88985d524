//! What a RUN would download from Hugging Face, and what the hub says to it.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderValue, Method, header};
use regex::Regex;
use serde_json::Value;

use super::{
    context::Files,
    dockerfile::{Followed, Run},
    shell::{self, Variables},
};
use crate::{Call, Shared, hugging_face::Hub};

/// A model asked for by `hf download`, `huggingface-cli download` or `snapshot_download`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    pub model: String,
    pub revision: String,
}

/// Scripts call scripts; this deep and no deeper.
const DEPTH: usize = 4;

/// Finds the downloads of a RUN, following scripts that were copied from the context.
pub fn of(run: &Run, followed: &Followed, files: &Files) -> Vec<Download> {
    let mut found = Vec::new();
    search(&run.command, Variables::new(), followed, files, DEPTH, &mut found);
    found
}

fn search(
    script: &str,
    mut variables: Variables,
    followed: &Followed,
    files: &Files,
    depth: usize,
    found: &mut Vec<Download>,
) {
    let mut keep = |download: Option<Download>| {
        if let Some(download) = download.filter(|d| !found.contains(d)) {
            found.push(download);
        }
    };
    keep(python(script));
    let commands = shell::commands(script, &mut variables);
    for command in &commands {
        keep(client(&command.words));
    }
    if depth == 0 {
        return;
    }
    for command in commands {
        let shell = command
            .words
            .first()
            .is_some_and(|w| w.ends_with("sh") && !w.contains('.'));
        let words: Vec<String> = if shell {
            command
                .words
                .into_iter()
                .skip(1)
                .skip_while(|w| w.starts_with('-'))
                .collect()
        } else {
            command.words
        };
        let Some((path, parameters)) = words.split_first() else {
            continue;
        };
        let Some(source) = followed.copied.get(path).and_then(|name| files.get(name)) else {
            continue;
        };
        let positional: Variables = parameters
            .iter()
            .enumerate()
            .map(|(n, p)| ((n + 1).to_string(), p.clone()))
            .collect();
        search(
            &String::from_utf8_lossy(source),
            positional,
            followed,
            files,
            depth - 1,
            found,
        );
    }
}

fn client(words: &[String]) -> Option<Download> {
    let (program, rest) = words.split_first()?;
    let program = program.rsplit('/').next()?;
    let ("hf" | "huggingface-cli") = program else {
        return None;
    };
    let (verb, rest) = rest.split_first()?;
    if verb != "download" {
        return None;
    }
    let mut model = None;
    let mut revision = "main".to_owned();
    let mut words = rest.iter();
    while let Some(word) = words.next() {
        match word.split_once('=') {
            Some(("--revision", value)) => value.clone_into(&mut revision),
            _ if word == "--revision" => revision = words.next()?.clone(),
            _ if word.starts_with("--") && !word.contains('=') => drop(words.next()),
            _ if model.is_none() && !word.is_empty() => model = Some(word.clone()),
            _ => {}
        }
    }
    Some(Download {
        model: model?,
        revision,
    })
}

static SNAPSHOT: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"snapshot_download\([ \n]*(?:repo_id[ ]*=[ ]*)?["']([^"']+)["']([^)]*)"#).ok()
});
static REVISION: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"revision[ ]*=[ ]*["']([^"']+)["']"#).ok());

fn python(script: &str) -> Option<Download> {
    if !script.contains("snapshot_download(") {
        return None;
    }
    let found = SNAPSHOT.as_ref()?.captures(script)?;
    let revision = REVISION.as_ref()?.captures(&found[2]);
    let revision = revision.map_or_else(|| "main".to_owned(), |c| c[1].to_owned());
    Some(Download {
        model: found[1].to_owned(),
        revision,
    })
}

/// Files that the context lists with their sizes: lines of three columns, the second a number of bytes, the third
/// a path.
pub fn listed(followed: &Followed, files: &Files) -> Vec<(String, u64)> {
    let row = |line: &str| {
        let mut columns = line.split('\t');
        let (_, bytes, path) = (columns.next()?, columns.next()?.parse().ok()?, columns.next()?);
        (columns.next().is_none() && !path.is_empty()).then(|| (path.to_owned(), bytes))
    };
    let lists = followed
        .copied
        .values()
        .filter_map(|name| files.get(name))
        .filter_map(|content| {
            let text = std::str::from_utf8(content).ok()?;
            text.lines()
                .filter(|l| !l.is_empty())
                .map(row)
                .collect::<Option<Vec<_>>>()
        });
    lists.flatten().collect()
}

/// Asks the hub as its client does. Answers the bytes that are downloaded.
///
/// # Errors
/// The lines that the client or the context's script would print.
pub async fn fetch(
    emulator: &Shared,
    download: &Download,
    token: Option<&str>,
    listed: &[(String, u64)],
) -> Result<u64, Vec<String>> {
    let (status, code, body) = ask(emulator, download, token).await;
    if status != 200 {
        return Err(refusal(
            download,
            status,
            &code,
            body["error"].as_str().unwrap_or_default(),
        ));
    }
    let siblings = body["siblings"].as_array().into_iter().flatten();
    let there: Vec<(&str, u64)> = siblings
        .filter_map(|s| Some((s["rfilename"].as_str()?, s["size"].as_u64().unwrap_or(0))))
        .collect();
    if listed.is_empty() {
        return Ok(there.iter().map(|(_, bytes)| bytes).sum());
    }
    let mut total = 0;
    for (path, bytes) in listed {
        match there.iter().find(|(p, _)| p == path) {
            None => return Err(vec![format!("{path} is missing after the download")]),
            Some((_, found)) if found != bytes => {
                return Err(vec![format!("{path} has {found} bytes, expected {bytes}")]);
            }
            Some(_) => total += bytes,
        }
    }
    Ok(total)
}

async fn ask(emulator: &Shared, download: &Download, token: Option<&str>) -> (u16, String, Value) {
    let mut headers = HeaderMap::new();
    if let Some(value) = token.and_then(|t| HeaderValue::from_str(&format!("Bearer {}", t.trim())).ok()) {
        headers.insert(header::AUTHORIZATION, value);
    }
    let encode = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    let model: Vec<String> = download.model.split('/').map(encode).collect();
    let call = Call {
        id: String::new(),
        method: Method::GET,
        path: format!(
            "api/models/{}/revision/{}",
            model.join("/"),
            encode(&download.revision)
        ),
        params: std::collections::BTreeMap::new(),
        query: vec![("blobs".to_owned(), "true".to_owned())],
        headers,
        body: bytes::Bytes::new(),
        caller: None,
        json: Value::Null,
    };
    let reply = Hub::handle(emulator, &call).await;
    let code = reply
        .headers
        .get("x-error-code")
        .and_then(|c| c.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let body = axum::body::to_bytes(reply.body, 16 << 20)
        .await
        .unwrap_or_default();
    (
        reply.status.as_u16(),
        code,
        serde_json::from_slice(&body).unwrap_or_default(),
    )
}

fn refusal(download: &Download, status: u16, code: &str, message: &str) -> Vec<String> {
    let url = format!(
        "https://huggingface.co/api/models/{}/revision/{}",
        download.model, download.revision
    );
    let (kind, text) = match (status, code) {
        (_, "GatedRepo") => (
            "GatedRepoError",
            format!("Cannot access gated repo for url {url}."),
        ),
        (_, "RevisionNotFound") => (
            "RevisionNotFoundError",
            format!("Revision Not Found for url: {url}."),
        ),
        (401 | 404, _) => (
            "RepositoryNotFoundError",
            format!("Repository Not Found for url: {url}."),
        ),
        _ => ("HfHubHTTPError", format!("Unexpected answer for url: {url}.")),
    };
    let side = if status < 500 { "Client" } else { "Server" };
    let mut lines = vec![
        format!("huggingface_hub.errors.{kind}: {status} {side} Error."),
        text,
    ];
    if kind == "RepositoryNotFoundError" {
        lines.push("Please make sure you specified the correct `repo_id` and `repo_type`.".to_owned());
        lines.push(
            "If you are trying to access a private or gated repo, make sure you are authenticated and your token has \
             the required permissions."
                .to_owned(),
        );
    }
    lines.extend((!message.is_empty()).then(|| message.to_owned()));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(command: &str) -> Run {
        Run {
            line: 1,
            command: command.to_owned(),
            secrets: Vec::new(),
        }
    }

    fn pair(model: &str, revision: &str) -> Download {
        Download {
            model: model.to_owned(),
            revision: revision.to_owned(),
        }
    }

    #[test]
    fn downloads_are_found_in_every_usual_form() {
        let none = (Followed::default(), Files::new());
        let cases = [
            (
                "hf download a/b --revision abc --local-dir /m",
                vec![pair("a/b", "abc")],
            ),
            (
                "x && HF_XET=1 huggingface-cli download --revision=v1 a/b",
                vec![pair("a/b", "v1")],
            ),
            (
                r#"python3 -c "from huggingface_hub import *; snapshot_download('a/b', revision='r')""#,
                vec![pair("a/b", "r")],
            ),
            ("hf upload a/b", vec![]),
            ("echo nothing", vec![]),
        ];
        for (command, expected) in cases {
            assert_eq!(of(&run(command), &none.0, &none.1), expected, "{command}");
        }
    }

    #[test]
    fn scripts_of_the_context_are_followed_with_their_parameters() {
        let script = "#!/bin/sh\nset -eu\nmodel=$1\nrevision=$2\nif command -v hf >/dev/null; then\n  hf download \
                      \"$model\" \"$@\" --revision \"$revision\"\nfi\n";
        let files: Files = [("download.sh".to_owned(), script.as_bytes().to_vec())].into();
        let mut followed = Followed::default();
        followed
            .copied
            .insert("/build/download.sh".to_owned(), "download.sh".to_owned());
        let found = of(
            &run("sh -e /build/download.sh \"a/b\" \"c0ffee\""),
            &followed,
            &files,
        );
        assert_eq!(found, [pair("a/b", "c0ffee")]);
    }

    #[test]
    fn a_list_of_files_with_sizes_is_recognised() {
        let mut followed = Followed::default();
        followed.copied.insert("/m".to_owned(), "manifest.tsv".to_owned());
        followed.copied.insert("/e".to_owned(), "entry.sh".to_owned());
        let files: Files = [
            (
                "manifest.tsv".to_owned(),
                b"00\t12\tconfig.json\n01\t99\tmodel.safetensors\n".to_vec(),
            ),
            ("entry.sh".to_owned(), b"exec vllm".to_vec()),
        ]
        .into();
        assert_eq!(
            listed(&followed, &files),
            [
                ("config.json".to_owned(), 12),
                ("model.safetensors".to_owned(), 99)
            ]
        );
    }
}
