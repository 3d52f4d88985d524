//! What was sent, as a command line that can be pasted once `$TOKEN` (and `$VLLM_API_KEY`) is set. Pure.

use url::Url;

use crate::endpoint::ChatRequest;

/// Longest body that is shown, in characters.
const BODY: usize = 1500;

/// `curl` for a GET of `path`.
pub fn get(base: &Url, path: &str, credentials: &str) -> String {
    format!("curl{credentials} {}", quote(&format!("{base}{path}")))
}

/// `curl` for a chat completion.
pub fn chat(base: &Url, request: &ChatRequest, credentials: &str) -> String {
    let body = serde_json::to_string(request).unwrap_or_default();
    let body = match body.char_indices().nth(BODY) {
        Some((end, _)) => format!("{}…", &body[..end]),
        None => body,
    };
    format!(
        "curl{credentials} -H 'Content-Type: application/json' -d {} {}",
        quote(&body),
        quote(&format!("{base}v1/chat/completions"))
    )
}

/// The headers that let a caller in: Google's ID token, vLLM's own key, or both.
pub const fn credentials(private: bool, api_key: bool) -> &'static str {
    match (private, api_key) {
        (true, true) => {
            r#" -H "X-Serverless-Authorization: Bearer $TOKEN" -H "Authorization: Bearer $VLLM_API_KEY""#
        }
        (true, false) => r#" -H "Authorization: Bearer $TOKEN""#,
        (false, true) => r#" -H "Authorization: Bearer $VLLM_API_KEY""#,
        (false, false) => "",
    }
}

/// Single quotes, as a POSIX shell reads them.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_quoted_and_holds_no_secret() {
        let base: Url = "https://m-1.a.run.app/".parse().unwrap();
        assert_eq!(get(&base, "health", ""), "curl 'https://m-1.a.run.app/health'");
        let request = ChatRequest::user("m", "it's $(id)", 3);
        assert_eq!(
            chat(&base, &request, credentials(true, false)),
            r#"curl -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{"model":"m","messages":[{"role":"user","content":"it'\''s $(id)"}],"max_tokens":3}' 'https://m-1.a.run.app/v1/chat/completions'"#
        );
        let long = chat(&base, &ChatRequest::user("m", &"é".repeat(9000), 3), "");
        assert!(long.contains('…') && long.chars().count() < 1700);
    }

    #[test]
    fn a_key_of_vllms_takes_authorization_and_the_id_token_moves() {
        let base: Url = "https://m-1.a.run.app/".parse().unwrap();
        assert_eq!(
            get(&base, "v1/models", credentials(true, true)),
            r#"curl -H "X-Serverless-Authorization: Bearer $TOKEN" -H "Authorization: Bearer $VLLM_API_KEY" 'https://m-1.a.run.app/v1/models'"#
        );
        assert_eq!(
            get(&base, "v1/models", credentials(false, true)),
            r#"curl -H "Authorization: Bearer $VLLM_API_KEY" 'https://m-1.a.run.app/v1/models'"#
        );
    }
}
