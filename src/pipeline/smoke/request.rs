//! What was sent, as a command line that can be pasted once `$TOKEN` is set. Pure.

use url::Url;

use crate::endpoint::ChatRequest;

/// Longest body that is shown, in characters.
const BODY: usize = 1500;

/// `curl` for a GET of `path`.
pub fn get(base: &Url, path: &str, token: bool) -> String {
    format!("curl{} {}", authorization(token), quote(&format!("{base}{path}")))
}

/// `curl` for a chat completion.
pub fn chat(base: &Url, request: &ChatRequest, token: bool) -> String {
    let body = serde_json::to_string(request).unwrap_or_default();
    let body = match body.char_indices().nth(BODY) {
        Some((end, _)) => format!("{}…", &body[..end]),
        None => body,
    };
    format!(
        "curl{} -H 'Content-Type: application/json' -d {} {}",
        authorization(token),
        quote(&body),
        quote(&format!("{base}v1/chat/completions"))
    )
}

fn authorization(token: bool) -> &'static str {
    if token {
        r#" -H "Authorization: Bearer $TOKEN""#
    } else {
        ""
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
        assert_eq!(get(&base, "health", false), "curl 'https://m-1.a.run.app/health'");
        let request = ChatRequest::user("m", "it's $(id)", 3);
        assert_eq!(
            chat(&base, &request, true),
            r#"curl -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{"model":"m","messages":[{"role":"user","content":"it'\''s $(id)"}],"max_tokens":3}' 'https://m-1.a.run.app/v1/chat/completions'"#
        );
        let long = chat(&base, &ChatRequest::user("m", &"é".repeat(9000), 3), false);
        assert!(long.contains('…') && long.chars().count() < 1700);
    }
}
