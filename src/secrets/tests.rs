use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE},
};

use super::*;

const TOKEN: &str = "ghs_16C7e42F292c6912E7710c838347Ae178B4a";
/// Its issuer is a URL, which in base64 looks like that of any other JSON.
const JWT: &str = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL2dpdGh1Yi5jb20iLCJzdWIiOiJyZXBvOm9jdG8vYXBwIn0.c2lnbmF0dXJlLXdpdGgtLV9fMTI";
const PEM: &str = "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7VJTUt9Us8cKj\nMzEfYyjiWA4R4ypbHqGC0H0Ay\n-----END PRIVATE KEY-----\n";
const MADE_UP: &str = "correct-horse/battery+staple";

fn masks() -> Masks {
    let masks = Masks::default();
    for secret in [TOKEN, JWT, PEM, MADE_UP] {
        masks.add(&secret.to_owned().into());
    }
    masks
}

/// What others make of a secret, by how they do it.
fn forms(secret: &str) -> Vec<(&'static str, String)> {
    let bytes = |text: &str| text.as_bytes().to_vec();
    let percent = |byte: &u8| format!("%{byte:02x}");
    let middle = secret.len() / 2;
    let (start, end) = secret.split_at(middle);
    vec![
        ("as it is", secret.to_owned()),
        ("base64", STANDARD.encode(secret)),
        ("base64 for URLs", URL_SAFE.encode(secret)),
        (
            "basic authentication",
            STANDARD.encode(format!("x-access-token:{secret}")),
        ),
        (
            "base64, one in",
            STANDARD.encode([bytes("a"), bytes(secret), bytes("zz")].concat()),
        ),
        (
            "base64, two in",
            STANDARD.encode([bytes("ab"), bytes(secret), bytes("z")].concat()),
        ),
        (
            "URL",
            percent_encoding::utf8_percent_encode(secret, percent_encoding::NON_ALPHANUMERIC).to_string(),
        ),
        ("URL, all of it", secret.as_bytes().iter().map(percent).collect()),
        ("JSON", serde_json::to_string(secret).unwrap()),
        ("two lines", format!("{start}\n{end}")),
        ("two lines of Windows", format!("{start}\r\n  {end}")),
        (
            "two lines in JSON",
            serde_json::to_string(&format!("{start}\n{end}")).unwrap(),
        ),
        ("invisible", format!("{start}\u{200b}{end}")),
        ("Markdown", secret.replace('_', "\\_").replace('-', "\\-")),
        (
            "HTML",
            secret
                .replace('+', "&#43;")
                .replace('/', "&#x2F;")
                .replace('_', "&#95;"),
        ),
        ("base64 in two lines", {
            let text = STANDARD.encode(secret);
            let (start, end) = text.split_at(text.len() / 2);
            format!("{start}\n{end}")
        }),
    ]
}

#[test]
fn each_secret_is_told_once() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let list = Arc::clone(&told);
    let masks = Masks::new(move |secret| list.lock().unwrap().push(secret.to_owned()));
    for secret in ["one", "two", "one", "", " \n"] {
        masks.clone().add(&SecretString::from(secret));
    }
    assert_eq!(*told.lock().unwrap(), ["one", "two"]);
}

#[test]
fn a_secret_is_taken_out_in_every_form() {
    let masks = masks();
    for secret in [TOKEN, JWT, PEM, MADE_UP] {
        for (form, text) in forms(secret) {
            let around = format!("before >{text}< after");
            let redacted = masks.redact(&around);
            assert!(redacted.starts_with("before >"), "{form} of {secret}: {redacted}");
            assert!(redacted.ends_with("< after"), "{form} of {secret}: {redacted}");
            assert!(redacted.contains(HIDDEN), "{form} of {secret}: {redacted}");
            // A few characters of base64 belong to what stands beside the secret, too.
            let left = redacted.len() - "before >< after".len();
            assert!(left <= 30, "{form} of {secret}: {redacted}");
        }
    }
}

#[test]
fn what_is_left_of_a_long_secret_is_taken_out_as_well() {
    let masks = masks();
    for (secret, cuts) in [
        (TOKEN, [20, TOKEN.len() - 20]),
        (JWT, [JWT.len() - 16, JWT.len() - 20]),
    ] {
        for cut in cuts {
            let halves = [&secret[..cut], &secret[cut..]];
            // Of a web token the signature counts.
            for half in &halves[usize::from(secret == JWT)..] {
                let line = format!("token={half}");
                let redacted = masks.redact(&line);
                assert!(redacted.contains(HIDDEN), "{half}: {redacted}");
                assert!(!redacted.contains(&half[half.len() - 12..]) || !redacted.contains(&half[..12]));
            }
        }
    }
}

#[test]
fn tokens_of_others_are_known_by_their_shape() {
    let masks = Masks::default();
    for token in [
        "ghp_0123456789abcdefghijABCDEFGHIJ012345",
        "github_pat_11ABCDEFG0123456789_abcdefghijklmnop",
        "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH",
        "ya29.a0AfH6SMBx_0123456789-abcdef",
        "AIzaSyA0123456789abcdefghijklmnopqrstuv",
        "AKIAIOSFODNN7EXAMPLE",
        "xoxb-123456789012-abcdefABCDEF",
        JWT,
        "hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
        "Authorization: Basic eC1hY2Nlc3MtdG9rZW46YWJj",
        PEM.trim(),
    ] {
        for text in [
            token.to_owned(),
            serde_json::json!({"a": token, "b": "c"}).to_string(),
            token.replace('_', "\\_"),
        ] {
            let redacted = masks.redact(&text);
            assert!(redacted.contains(HIDDEN), "{text}: {redacted}");
            assert!(
                !redacted.contains(&token[token.len() - 8..]),
                "{text}: {redacted}"
            );
            if text.starts_with('{') {
                let value: Value = serde_json::from_str(&redacted).unwrap();
                assert_eq!(value["b"], "c", "{redacted}");
            }
        }
    }
}

#[test]
fn a_document_stays_one() {
    let masks = masks();
    masks.add(&"status-1234".to_owned().into());
    let value = serde_json::json!({
        "Authorization": "Bearer abcdefgh0123456", "status-1234": [TOKEN, 1.50], "text": format!("x {MADE_UP}"),
    });
    for text in [
        value.to_string(),
        format!("{value:#}"),
        format!("{value}\n{value}\n"),
    ] {
        let shown = masks.redact_document(&text);
        for line in shown.lines().filter(|_| !text.starts_with("{\n")) {
            let read: Value = serde_json::from_str(line).unwrap();
            assert_eq!(read["status-1234"], serde_json::json!(["***", 1.50]), "{line}");
            assert_eq!(read["text"], "x ***");
        }
        if text.starts_with("{\n") {
            let read: Value = serde_json::from_str(&shown).unwrap();
            assert_eq!(
                read["Authorization"], "Bearer abcdefgh0123456",
                "a value alone has no shape"
            );
            assert_eq!(shown.lines().count(), text.lines().count());
        }
    }
    let clean = format!("{:#}", serde_json::json!({"a": 1.10}));
    assert!(matches!(masks.redact_document(&clean), Cow::Borrowed(_)));
    assert_eq!(masks.redact_document(&format!("no JSON {TOKEN}")), "no JSON ***");
}

#[test]
fn ordinary_text_stays_as_it_is() {
    let masks = masks();
    masks.add(&"qwen3-5-4b-secret".to_owned().into());
    masks.add(&"short".to_owned().into());
    masks.add(
        &"https://hooks.example.com/services/T0123/B0123/Xyz0123456789abc"
            .to_owned()
            .into(),
    );
    for text in [
        "",
        "qwen3-5-4b answers at https://qwen3-5-4b-481516234200.europe-west4.run.app/v1 in 81 ms (p95), short of 100%",
        "sha256:3b1f2c9a7d6e5f40182736455463728190abcdefabcdefabcdefabcdefabcdef",
        "curl -H \"Authorization: Bearer $(gcloud auth print-identity-token)\" https://example.com",
        "task-scheduler-of-a-very-long-name, hf_transfer, hf_hub_download, ghs, eyJ",
        "-----BEGIN CERTIFICATE-----",
        "https://hub.example.com, eyJpc3MiOiJodHRwczovL2dpdGh1Yi5jb20iLCJzdWIiOiJyZXBvOm9jdG8vYXBwIn0",
        "eyJydW5fdXJsIjoiaHR0cHM6Ly9nIn0 eyJhIjoiaHR0cHM6Ly9ob29rcy4ifQ eyJhYSI6Imh0dHBzOi8vaG9va3MifQ",
        "correct-horse is a name",
        "50%zz \\ \\u12 &unknown; &#xFFFFFFFF; é\u{301}",
    ] {
        assert!(
            matches!(masks.redact(text), Cow::Borrowed(same) if same == text),
            "{text}"
        );
    }
}

#[test]
fn neither_length_nor_odd_bytes_of_a_text_matter() {
    let masks = masks();
    for odd in [
        "%",
        "%f",
        "%ff%fe",
        "\\",
        "&",
        "&#",
        "&#;",
        "\\u",
        "é",
        "\u{1f600}",
        "\u{feff}",
    ] {
        let text = format!("{odd}{TOKEN}{odd}");
        assert_eq!(masks.redact(&text), format!("{odd}{HIDDEN}{odd}"));
    }
    let long = format!("{}{TOKEN}", "a1B2 ".repeat(200_000));
    assert!(masks.redact(&long).ends_with(" ***"));
}

#[test]
fn every_text_of_a_json_value_is_redacted() {
    let mut value = serde_json::json!({"a": [TOKEN, 1, {"b": format!("x{TOKEN}")}], "c": null, "d": "e"});
    masks().redact_json(&mut value);
    assert_eq!(
        value,
        serde_json::json!({"a": ["***", 1, {"b": "x***"}], "c": null, "d": "e"})
    );
}
