use super::*;

fn files(names: &[&str]) -> Files {
    names.iter().map(|n| ((*n).to_owned(), b"x".to_vec())).collect()
}

fn args(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs
        .iter()
        .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
        .collect()
}

const TEXT: &str = r#"# syntax=docker/dockerfile:1
ARG BASE_IMAGE
FROM ${BASE_IMAGE} AS weights
ARG MODEL
ARG REVISION=main
COPY download.sh manifest.tsv /build/
RUN --mount=type=secret,id=hf_token,required=false \
    sh /build/download.sh "${MODEL}" "$REVISION" /layers

FROM ${BASE_IMAGE}
COPY --link --from=weights /layers/00/ /
COPY conf/*.json /etc/
ENTRYPOINT ["/x"]
"#;

#[test]
fn a_dockerfile_is_followed_with_its_arguments() {
    let files = files(&["download.sh", "manifest.tsv", "conf/a.json", "conf/b.json"]);
    let given = args(&[
        ("BASE_IMAGE", "vllm/vllm-openai@sha256:1"),
        ("MODEL", "org/m"),
        ("OTHER", "x"),
    ]);
    let followed = follow(TEXT, &files, &given).unwrap();
    assert_eq!(followed.bases, ["vllm/vllm-openai@sha256:1"]);
    assert_eq!(followed.unused, ["OTHER"]);
    assert_eq!(followed.copied["/build/download.sh"], "download.sh");
    assert_eq!(followed.copied["/etc/b.json"], "conf/b.json");
    let run = &followed.runs[0];
    assert_eq!(run.secrets, [("hf_token".to_owned(), false)]);
    assert_eq!(run.command, "sh /build/download.sh \"org/m\" \"main\" /layers");
    assert_eq!(run.line, 7);
}

#[test]
fn what_buildkit_refuses_is_refused_in_its_words() {
    let base = args(&[("BASE_IMAGE", "b"), ("MODEL", "m")]);
    let cases = [
        (
            TEXT,
            files(&["download.sh"]),
            base.clone(),
            "\"/manifest.tsv\": not found",
        ),
        (
            TEXT,
            files(&[]),
            args(&[]),
            "base name (${BASE_IMAGE}) should not be blank",
        ),
        (
            "FROM x\nFETCH y",
            files(&[]),
            args(&[]),
            "parse error on line 2: unknown instruction: FETCH",
        ),
        (
            "RUN x",
            files(&[]),
            args(&[]),
            "no build stage in current context",
        ),
        (
            "FROM x\nCOPY a",
            files(&["a"]),
            args(&[]),
            "COPY requires at least two arguments",
        ),
        (
            "FROM x\nRUN",
            files(&[]),
            args(&[]),
            "RUN requires at least one argument",
        ),
        ("# nothing", files(&[]), args(&[]), "file with no instructions"),
    ];
    for (text, files, given, expected) in cases {
        let error = follow(text, &files, &given).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn here_documents_belong_to_their_instruction() {
    let followed = follow(
        "FROM x\nRUN <<EOT\nhf download a/b\nEOT\nUSER 1",
        &Files::new(),
        &args(&[]),
    )
    .unwrap();
    assert!(followed.runs[0].command.contains("hf download a/b"));
}
