//! How to call the endpoint: snippets that work when pasted.

use serde_json::json;

use super::ModelReport;
use super::escape::{line, safe_url};

/// A snippet and the language that a highlighter knows it by.
pub struct Snippet {
    pub title: &'static str,
    pub language: &'static str,
    pub code: String,
}

const PROMPT: &str = "Say hello in one sentence.";

/// curl and Python, when there is an endpoint that can be called.
pub fn snippets(model: &ModelReport) -> Vec<Snippet> {
    let Some(url) = model.url.as_deref().and_then(safe_url) else {
        return Vec::new();
    };
    let base = format!("{}/v1", url.trim_end_matches('/'));
    let id = line(&model.model);
    vec![
        Snippet {
            title: "curl",
            language: "sh",
            code: curl(&base, &id, model),
        },
        Snippet {
            title: "Python",
            language: "python",
            code: python(&base, &id, model),
        },
    ]
}

/// Who may call a private endpoint, and what a service does instead of gcloud.
pub const PRIVATE_NOTE: &str = "The endpoint is private: the caller needs the role Cloud Run Invoker. \
A service account takes its token from `google.oauth2.id_token.fetch_id_token` with the endpoint's URL as audience.";

/// With a key of vLLM's as well, `Authorization` is the key's: Cloud Run takes its token from a header of its own.
fn curl(base: &str, model: &str, report: &ModelReport) -> String {
    let body = json!({
        "model": model,
        "messages": [{ "role": "user", "content": PROMPT }],
        "max_tokens": 512,
    });
    let token = match (report.private, report.api_key) {
        (true, true) => {
            "  -H \"X-Serverless-Authorization: Bearer $(gcloud auth print-identity-token)\" \\\n"
        }
        (true, false) => "  -H \"Authorization: Bearer $(gcloud auth print-identity-token)\" \\\n",
        (false, _) => "",
    };
    let key = if report.api_key {
        "  -H \"Authorization: Bearer $VLLM_API_KEY\" \\\n"
    } else {
        ""
    };
    format!(
        "curl {} \\\n{token}{key}  -H 'Content-Type: application/json' \\\n  -d {}",
        shell(&format!("{base}/chat/completions")),
        shell(&body.to_string())
    )
}

fn python(base: &str, model: &str, report: &ModelReport) -> String {
    const TOKEN: &str =
        "subprocess.check_output([\"gcloud\", \"auth\", \"print-identity-token\"], text=True).strip()";
    let (import, key) = match (report.private, report.api_key) {
        (true, false) => ("import subprocess\n\n", TOKEN),
        (true, true) => ("import os\nimport subprocess\n\n", "os.environ[\"VLLM_API_KEY\"]"),
        (false, true) => ("import os\n\n", "os.environ[\"VLLM_API_KEY\"]"),
        (false, false) => ("", "\"not-needed\""),
    };
    let (token, headers) = if report.private && report.api_key {
        (
            format!("token = {TOKEN}\n"),
            "    default_headers={\"X-Serverless-Authorization\": f\"Bearer {token}\"},\n",
        )
    } else {
        (String::new(), "")
    };
    format!(
        "# pip install openai\n{import}from openai import OpenAI\n\n\
         {token}client = OpenAI(\n    base_url={},\n    api_key={key},\n{headers})\n\
         answer = client.chat.completions.create(\n    model={},\n    \
         messages=[{{\"role\": \"user\", \"content\": {}}}],\n    max_tokens=512,\n)\n\
         print(answer.choices[0].message.content)",
        literal(base),
        literal(model),
        literal(PROMPT)
    )
}

/// One word for a POSIX shell.
fn shell(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A JSON string is a Python string literal.
fn literal(text: &str) -> String {
    json!(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    fn hostile() -> ModelReport {
        let mut model = samples::model();
        model.model = "a/b'; rm -rf ~ \"$(id)\"\n`x`\\".to_owned();
        model
    }

    #[test]
    fn a_shell_reads_the_model_id_as_data() {
        let mut model = hostile();
        model.private = false;
        let curl = &snippets(&model)[0].code;
        let quoted = curl.replace("curl ", "printf '%s\\n' ");
        let out = std::process::Command::new("sh")
            .args(["-c", &quoted])
            .output()
            .unwrap();
        let words = String::from_utf8(out.stdout).unwrap();
        let body: serde_json::Value = serde_json::from_str(words.lines().last().unwrap()).unwrap();
        assert_eq!(body["model"], "a/b'; rm -rf ~ \"$(id)\" `x`\\");
        assert_eq!(out.status.code(), Some(0));
        assert!(out.stderr.is_empty());
    }

    #[test]
    fn python_quotes_the_model_id() {
        let python = &snippets(&hostile())[1].code;
        assert!(
            python.contains(r#"model="a/b'; rm -rf ~ \"$(id)\" `x`\\","#),
            "{python}"
        );
    }

    #[test]
    fn a_private_endpoint_is_called_with_an_identity_token() {
        let mut model = samples::model();
        model.private = true;
        let both = snippets(&model);
        assert!(both[0].code.contains("$(gcloud auth print-identity-token)"));
        assert!(both[1].code.contains("print-identity-token"));
        model.private = false;
        assert!(snippets(&model).iter().all(|s| !s.code.contains("gcloud")));
    }

    #[test]
    fn a_key_of_vllms_takes_authorization_and_the_identity_token_moves() {
        let mut model = samples::model();
        model.api_key = true;
        for private in [true, false] {
            model.private = private;
            for snippet in snippets(&model) {
                let moved = snippet.code.contains("X-Serverless-Authorization");
                assert_eq!(moved, private, "{}", snippet.code);
                assert_eq!(snippet.code.contains("gcloud"), private, "{}", snippet.code);
                assert!(snippet.code.contains("VLLM_API_KEY"), "{}", snippet.code);
            }
        }
        model.private = true;
        insta::assert_snapshot!(snippets(&model)[1].code, @r#"
        # pip install openai
        import os
        import subprocess

        from openai import OpenAI

        token = subprocess.check_output(["gcloud", "auth", "print-identity-token"], text=True).strip()
        client = OpenAI(
            base_url="https://qwen3-5-4b-pr-7-k3x2m5q7za-ez.a.run.app/v1",
            api_key=os.environ["VLLM_API_KEY"],
            default_headers={"X-Serverless-Authorization": f"Bearer {token}"},
        )
        answer = client.chat.completions.create(
            model="Qwen/Qwen3.5-4B",
            messages=[{"role": "user", "content": "Say hello in one sentence."}],
            max_tokens=512,
        )
        print(answer.choices[0].message.content)
        "#);
    }

    #[test]
    fn without_an_endpoint_there_is_nothing_to_call() {
        let mut model = samples::model();
        model.url = None;
        assert!(snippets(&model).is_empty());
    }
}
