//! What to look at, by what came back: the table of known situations, in terms of the configuration. Pure.

use super::Error;

impl Error {
    /// What to look at. `private` says whether callers need a Google ID token.
    pub fn hint(&self, private: bool) -> Option<String> {
        for_error(self, private)
    }
}

fn for_error(error: &Error, private: bool) -> Option<String> {
    let text = match error {
        Error::Refused {
            status,
            message,
            request,
        } => return for_status(*status, message, request, private),
        Error::Credentials { .. } => {
            "An ID token comes from the deploying service account: give it \
             roles/iam.serviceAccountOpenIdTokenCreator on itself, or set `access: public`."
        }
        Error::Unreachable { .. } => {
            "No HTTP answer came back. Look at the service's ingress setting, at DNS and proxies on this machine, \
             and at the container's log for a crash."
        }
        Error::Timeout { .. } => {
            "Look at the container's log: the model may still be loading or each request may take this long. A slow \
             model needs a longer `smoke.timeout` (or the check's `deadline`) or fewer tokens."
        }
        Error::Broken { .. } | Error::CutShort { .. } => {
            "The instance or something in front of it closed the connection in the middle of the answer. Look at the \
             container's log (out of memory, a crash of the engine) and at `service.request-timeout`."
        }
        Error::InStream { .. } => "vLLM failed while it answered. Its log has the traceback.",
        Error::Unexpected { .. } => {
            "Something other than vLLM's OpenAI server seems to answer. Look at the URL, at a proxy in front, and at \
             the arguments that the container runs with."
        }
        Error::TooLarge { .. } => {
            "The answer has no end. Look at what serves this URL, and lower `max-tokens`."
        }
        Error::BadUrl(_) | Error::Client(_) => return None,
    };
    Some(text.to_owned())
}

fn for_status(status: u16, message: &str, request: &str, private: bool) -> Option<String> {
    let text = match status {
        300..=399 => {
            "The service redirects, as Identity-Aware Proxy or a load balancer does. Call the service's own URL."
        }
        // vLLM's own middleware answers with this one word; Cloud Run sends a page.
        401 if message == "Unauthorized" => {
            "vLLM itself refused: it runs with `--api-key` or `VLLM_API_KEY`, and the request carried no or another \
             key. Give this run the key in `LLM_DEPLOY_API_KEY`; the service takes its own from Secret Manager \
             (`service.secrets`)."
        }
        401 if private => {
            "The ID token was not accepted. Its audience must be the service's own URL, without a path, also when a \
             tag's URL is called."
        }
        403 if private => {
            "The caller lacks roles/run.invoker on the service (a new grant takes a minute or two), or the ID token's \
             audience is not the service's URL."
        }
        401 | 403 => {
            "A public service should not ask for credentials. Look at its `invokerIamDisabled` setting and at the \
             organization policies on public access."
        }
        404 if message.contains("does not exist") => {
            "vLLM serves another name. `--served-model-name` must be the model's id; see `engine.args` for one that \
             overrides it."
        }
        404 if request.contains("/v1/") => {
            "The server has no such route. Look at whether vLLM's OpenAI server runs in the container, and at the URL."
        }
        404 => {
            "Nothing answers at this URL. Look at whether the revision's tag exists, and at the service's ingress \
             setting."
        }
        400 | 422 => {
            "vLLM refused the request for the reason above. Look at `max-tokens` against `engine.max-model-len`, and \
             at the model's chat template."
        }
        408 | 504 => {
            "The request took longer than something in front allows. Look at `service.request-timeout`."
        }
        429 if message.contains("no available instance") => {
            "No instance was free and none could be started. Look at `service.max-instances`, at \
             `service.concurrency` and at the GPU quota of the region."
        }
        429 => "Too many requests at a time. Look at `service.concurrency` and `service.max-instances`.",
        500 if message.contains("could not start") => {
            "The container did not start. Its log says why: out of memory, missing weights, a wrong argument, a \
             driver that is too old."
        }
        500..=599 => {
            "The container crashed, is still starting, or vLLM failed. Its log has the reason; an out-of-memory kill \
             calls for more `service.memory`, CUDA out of memory for a lower `engine.max-model-len`."
        }
        _ => return None,
    };
    Some(text.to_owned())
}

/// The answer has no text of the kind that was wanted.
pub fn for_empty_answer(finish_reason: Option<&str>, reasoned: bool) -> &'static str {
    match finish_reason {
        Some("length") if reasoned => {
            "The model used up its tokens while it was reasoning. Raise `max-tokens`, or turn thinking off in the \
             model's chat template."
        }
        Some("length") => {
            "The tokens ran out before any text came. Raise `max-tokens`; a wrong `engine.reasoning-parser` can hide \
             text, too."
        }
        _ => {
            "The model ended its answer at once. Look at its chat template (a base model has none that fits), and at \
             whether the weights are complete."
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, message: &str, request: &str) -> Error {
        let (message, request) = (message.to_owned(), request.to_owned());
        Error::Refused {
            request,
            status,
            message,
        }
    }

    #[test]
    fn known_situations_have_their_own_hint() {
        let chat = "POST /v1/chat/completions";
        for (error, private, part) in [
            (refused(401, "Unauthorized", chat), true, "--api-key"),
            (
                refused(401, "401 Unauthorized Your client …", chat),
                true,
                "audience",
            ),
            (refused(403, "Forbidden", chat), true, "roles/run.invoker"),
            (refused(403, "Forbidden", chat), false, "invokerIamDisabled"),
            (
                refused(404, "The model `x` does not exist.", chat),
                true,
                "--served-model-name",
            ),
            (refused(404, "Not Found", chat), true, "no such route"),
            (refused(404, "Page not found", "GET /health"), true, "tag"),
            (refused(400, "max_tokens", chat), true, "max-model-len"),
            (
                refused(429, "aborted because there was no available instance", chat),
                true,
                "quota",
            ),
            (refused(429, "slow down", chat), true, "concurrency"),
            (
                refused(500, "the instance could not start successfully", chat),
                true,
                "did not start",
            ),
            (refused(503, "oops", chat), true, "log"),
            (refused(504, "oops", chat), true, "request-timeout"),
            (refused(302, "a redirect", chat), true, "Identity-Aware Proxy"),
            (
                Error::CutShort {
                    request: chat.to_owned(),
                },
                true,
                "middle of the answer",
            ),
        ] {
            let hint = for_error(&error, private).unwrap();
            assert!(hint.contains(part), "{error}: {hint}");
        }
        assert_eq!(for_error(&refused(418, "teapot", chat), true), None);
        assert!(for_empty_answer(Some("length"), true).contains("Raise `max-tokens`"));
        assert!(for_empty_answer(Some("stop"), false).contains("chat template"));
    }
}
