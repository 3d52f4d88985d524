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

/// curl and Python for a person, and a workflow's steps for a private endpoint; when there is one to be called.
pub fn snippets(model: &ModelReport) -> Vec<Snippet> {
    let Some(url) = model.url.as_deref().and_then(safe_url) else {
        return Vec::new();
    };
    let base = format!("{}/v1", url.trim_end_matches('/'));
    let id = line(&model.model);
    let mut snippets = vec![
        Snippet {
            title: "curl",
            language: "sh",
            code: curl(&base, &id, model, GCLOUD),
        },
        Snippet {
            title: "Python",
            language: "python",
            code: python(&base, &id, model),
        },
    ];
    if model.private {
        snippets.push(Snippet {
            title: "GitHub workflow",
            language: "yaml",
            code: workflow(&url, &curl(&base, &id, model, "$ID_TOKEN"), model.api_key),
        });
    }
    snippets
}

/// Who may call a private endpoint, and what a service does instead of gcloud.
pub const PRIVATE_NOTE: &str = "The endpoint is private: the caller needs the role Cloud Run Invoker. \
A person signs in with `gcloud auth login` first; a workflow takes its token as in the last snippet. \
A service on Google Cloud takes its own from `google.oauth2.id_token.fetch_id_token`, with the endpoint's URL as audience.";

/// A signed-in person's ID token, which Cloud Run takes whatever its audience.
const GCLOUD: &str = "$(gcloud auth print-identity-token)";

/// With a key of vLLM's as well, `Authorization` is the key's: Cloud Run takes its token from a header of its own.
fn curl(base: &str, model: &str, report: &ModelReport, token: &str) -> String {
    let body = json!({
        "model": model,
        "messages": [{ "role": "user", "content": PROMPT }],
        "max_tokens": 512,
    });
    let token = match (report.private, report.api_key) {
        (true, true) => format!("  -H \"X-Serverless-Authorization: Bearer {token}\" \\\n"),
        (true, false) => format!("  -H \"Authorization: Bearer {token}\" \\\n"),
        (false, _) => String::new(),
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

/// The steps of a job that calls the endpoint as a service account: the audience of its token is the service's URL.
fn workflow(url: &str, curl: &str, api_key: bool) -> String {
    let key = if api_key {
        "\n      VLLM_API_KEY: ${{ secrets.VLLM_API_KEY }}"
    } else {
        ""
    };
    let audience = url.trim_end_matches('/');
    // In a workflow GitHub looks for expressions before the shell sees anything.
    let curl = curl.replace("${{", "${{ '${{' }}").replace('\n', "\n      ");
    format!(
        "# The job needs: permissions: {{ id-token: write }}\n\
         steps:\n  - id: auth\n    uses: google-github-actions/auth@v3\n    with:\n      \
         workload_identity_provider: projects/NUMBER/locations/global/workloadIdentityPools/POOL/providers/PROVIDER\n      \
         service_account: CALLER@PROJECT.iam.gserviceaccount.com\n      \
         token_format: id_token\n      id_token_audience: {audience}\n  \
         - env:\n      ID_TOKEN: ${{{{ steps.auth.outputs.id_token }}}}{key}\n    run: |\n      {curl}"
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
    fn a_workflow_calls_a_private_endpoint_with_a_service_accounts_token() {
        let mut model = hostile();
        model.model.push_str("${{ secrets.X }}");
        (model.private, model.api_key) = (true, true);
        let yaml = &snippets(&model)[2].code;
        let parsed: serde_json::Value = serde_yaml::from_str(yaml).unwrap();
        let [auth, call] = parsed["steps"].as_array().unwrap().as_slice() else {
            panic!("{yaml}")
        };
        assert_eq!(
            auth["with"]["id_token_audience"],
            "https://qwen3-5-4b-pr-7-k3x2m5q7za-ez.a.run.app"
        );
        let run = call["run"].as_str().unwrap();
        assert!(
            run.contains("X-Serverless-Authorization: Bearer $ID_TOKEN"),
            "{run}"
        );
        assert!(run.contains("Authorization: Bearer $VLLM_API_KEY"), "{run}");
        assert!(!run.contains("gcloud") && !run.contains("${{ secrets"), "{run}");
        model.private = false;
        assert_eq!(snippets(&model).len(), 2, "whoever has the key can use curl");
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
                let person = snippet.title != "GitHub workflow";
                assert_eq!(
                    snippet.code.contains("gcloud"),
                    private && person,
                    "{}",
                    snippet.code
                );
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
