use super::*;

fn table<T: std::fmt::Debug>(read: impl Fn(&str) -> Read<T>, good: &[&str], bad: &[&str]) {
    for text in good {
        assert!(read(text).is_ok(), "{text}: {:?}", read(text));
    }
    for text in bad {
        assert!(read(text).unwrap_err().message.contains("expected"), "{text}");
    }
}

#[test]
fn each_kind_of_value_takes_what_its_service_takes() {
    table(
        project,
        &["my-project", "example.com:my-project"],
        &[
            "",
            "My-Project",
            "abc",
            "123456789",
            "a_project",
            "my-project-",
            "a:b:my-project",
        ],
    );
    table(
        region,
        &["europe-west4", "us-central1", "northamerica-northeast1"],
        &[
            "",
            "europe",
            "europe-west4-a",
            "EU-west4",
            "europe-west",
            "../x-1",
        ],
    );
    table(location, &["global", "europe-west1"], &["Global", "worldwide"]);
    table(
        model_id,
        &["Qwen/Qwen3.5-4B", "gpt2", "_org/m_1"],
        &["", "/x", "a/b/c", "a b", "a/..", "a/-b", "a/b\n", "a/$(x)"],
    );
    table(
        revision,
        &["main", "v1.0", "refs/pr/3", "0123abc"],
        &["", "-x", "a..b", "a b", "a/", "a\nb", "a;b"],
    );
    table(
        service_account,
        &[
            "a@p.iam.gserviceaccount.com",
            "1-compute@developer.gserviceaccount.com",
        ],
        &[
            "",
            "a",
            "a@b.com",
            "a b@p.iam.gserviceaccount.com",
            "a@gserviceaccount.com\n",
        ],
    );
    table(
        image,
        &[
            "vllm/vllm-openai:v1",
            "localhost:5000/x:v1",
            super::super::defaults::DEFAULT_BASE_IMAGE,
        ],
        &[
            "",
            "vllm/vllm-openai",
            "localhost:5000/x",
            "a:b c",
            "a@sha256:1",
            "-x:1",
            "a:1\nRUN x",
            "a:",
        ],
    );
    table(
        bucket,
        &["a-b", "my.bucket_1"],
        &["gs://a-b", "ab", "A-b-c", "abc-"],
    );
    table(repository, &["llm-deploy", "a"], &["", "1a", "a-", "A", "a/b"]);
    table(memory, &["16Gi", "512Mi"], &["16", "16GB", "-1Gi"]);
    table(
        secret,
        &["hf-token", "hf_token:3", "a:latest", "a:blue-1"],
        &["", "a:", "a:0", "a b", "projects/p/secrets/a", "a:1x"],
    );
}

#[test]
fn known_slips_get_the_answer() {
    let help = |wrong: Wrong| wrong.help.unwrap();
    assert_eq!(
        help(region("europe-west4-a").unwrap_err()),
        "that is a zone; its region is `europe-west4`"
    );
    assert_eq!(
        help(model_id("https://huggingface.co/Qwen/Qwen3-4B/tree/main").unwrap_err()),
        "write the id alone: `Qwen/Qwen3-4B`"
    );
    assert_eq!(help(memory("16GB").unwrap_err()), "did you mean `16Gi`?");
    assert_eq!(help(service_name("My Model").unwrap_err()), "`my-model` would do");
    let (least, most) = (Duration::from_secs(1), Duration::from_secs(60));
    assert_eq!(
        help(duration("30", least, most).unwrap_err()),
        "add a unit: `30s` is seconds"
    );
    assert!(
        duration("61s", least, most)
            .unwrap_err()
            .message
            .contains("from 1s to 1m")
    );
    assert!(help(project("123456789").unwrap_err()).contains("project number"));
}

#[test]
fn a_secret_given_by_value_is_not_repeated() {
    let value = "hf_abcdefghijklmnopqrstuvwxyz";
    let wrong = secret(value).unwrap_err();
    assert!(wrong.secret && !format!("{wrong:?}").contains(value));
    let odd = secret("p@ss word").unwrap_err();
    assert!(odd.secret && !format!("{odd:?}").contains("p@ss"));
}
