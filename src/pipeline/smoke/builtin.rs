//! The built-in checks after `/health`.

use super::{
    answer::Answer,
    request,
    verdict::{Failure, Target, Verdict},
};
use crate::{
    config::Model,
    endpoint::{ChatRequest, Error, error::shorten, hint},
    report::ColdStart,
};

/// Model names that a failure lists.
const LISTED: usize = 10;

/// `/v1/models` has the model's id.
pub async fn listed(target: Target<'_>) -> Verdict {
    let sent = || request::get(target.endpoint.base(), "v1/models", target.credentials());
    let models = target
        .endpoint
        .models(target.model.smoke.timeout)
        .await
        .map_err(|e| failed(&e, sent(), target))?;
    if let Some(served) = models.data.iter().find(|m| m.id == target.model.id) {
        return Ok(match served.max_model_len {
            Some(length) => format!("{}, context length {length}", shorten(&served.id, 200)),
            None => shorten(&served.id, 200),
        });
    }
    let names: Vec<_> = models
        .data
        .iter()
        .take(LISTED)
        .map(|m| shorten(&m.id, 100))
        .collect();
    Err(Box::new(Failure {
        detail: format!("`{}` is not among the models that are served", target.model.id),
        sent: sent(),
        received: Some(if names.is_empty() { "no model at all".to_owned() } else { names.join(", ") }),
        hint: Some(
            "`--served-model-name` must be the model's id; see `engine.args` for one that overrides it, and whether \
             this URL belongs to another service."
                .to_owned(),
        ),
    }))
}

/// The first inference, streamed and timed apart: a cold instance must not be mixed into the measurement.
pub async fn first_inference(target: Target<'_>, cold_start: &mut Option<ColdStart>) -> Verdict {
    let (_, answer) = streamed(target).await?;
    let (Some(ttft), Some(e2e)) = (answer.ttft, answer.e2e) else {
        return Err(incomplete(
            "no text came".to_owned(),
            &answer,
            sent_stream(target),
        ));
    };
    let ms = |d: std::time::Duration| d.as_secs_f64() * 1000.0;
    *cold_start = Some(ColdStart {
        ttft_ms: ms(ttft),
        e2e_ms: ms(e2e),
    });
    Ok(format!(
        "first token after {:.0} ms, end after {:.0} ms",
        ms(ttft),
        ms(e2e)
    ))
}

/// A chat completion in one piece, with text, finish reason and usage.
pub async fn chat(target: Target<'_>) -> Verdict {
    let request = prompt(target.model);
    let sent = request::chat(target.endpoint.base(), &request, target.credentials());
    let completion = target.endpoint.chat(&request, target.model.smoke.timeout).await;
    let completion = completion.map_err(|e| failed(&e, sent.clone(), target))?;
    let answer = Answer::of(&completion).unwrap_or_default();
    match answer.complete() {
        Ok(()) => Ok(answer.summary()),
        Err(missing) => Err(incomplete(missing, &answer, sent)),
    }
}

/// A streamed chat completion: text, finish reason, usage and `[DONE]`.
pub async fn stream(target: Target<'_>) -> Verdict {
    let (sent, answer) = streamed(target).await?;
    if let Err(missing) = answer.complete() {
        return Err(incomplete(missing, &answer, sent));
    }
    let ttft = answer.ttft.unwrap_or_default().as_secs_f64() * 1000.0;
    Ok(format!("first token after {ttft:.0} ms, {}", answer.summary()))
}

/// Without credentials even `/health` is refused: so it is Cloud Run that refuses, not vLLM's `--api-key`,
/// which guards `/v1` alone.
pub async fn closed(target: Target<'_>) -> Verdict {
    let sent = request::get(target.endpoint.base(), "health", "");
    match target.endpoint.anonymous().health(target.model.smoke.timeout).await {
        Err(e) if matches!(e.status(), Some(401 | 403)) => {
            Ok(format!("a call without credentials is refused with {}", e.status().unwrap_or_default()))
        }
        Ok(()) => Err(Box::new(Failure {
            detail: "a call without credentials was answered: anyone who knows the URL can use this model"
                .to_owned(),
            sent,
            received: Some("a success status".to_owned()),
            hint: Some(
                "Take roles/run.invoker away from allUsers and allAuthenticatedUsers and leave `invokerIamDisabled` \
                 off, or say `access: public` if it is meant to be open."
                    .to_owned(),
            ),
        })),
        Err(e) => Err(Box::new(Failure {
            detail: format!("expected a refusal with 401 or 403 for a call without credentials: {e}"),
            sent,
            received: e.received(),
            hint: Some(
                "Whether strangers are kept out could not be told from this. Look at the answer and run the check \
                 again."
                    .to_owned(),
            ),
        })),
    }
}

fn prompt(model: &Model) -> ChatRequest {
    ChatRequest::user(&model.id, &model.smoke.prompt, model.smoke.max_tokens)
}

fn sent_stream(target: Target<'_>) -> String {
    request::chat(
        target.endpoint.base(),
        &prompt(target.model).streamed(),
        target.credentials(),
    )
}

async fn streamed(target: Target<'_>) -> Result<(String, Answer), Box<Failure>> {
    let sent = sent_stream(target);
    let stream = target
        .endpoint
        .chat_stream(&prompt(target.model), target.model.smoke.timeout)
        .await;
    let stream = stream.map_err(|e| failed(&e, sent.clone(), target))?;
    match Answer::read(stream).await {
        (answer, None) => Ok((sent, answer)),
        (answer, Some(error)) => {
            let mut failure = failed(&error, sent, target);
            let before = failure
                .received
                .take()
                .map_or(String::new(), |r| format!("{r}; before that: "));
            failure.received = Some(format!("{before}{}", answer.shown()));
            Err(failure)
        }
    }
}

/// A request that was not answered as it should be.
pub fn failed(error: &Error, sent: String, target: Target<'_>) -> Box<Failure> {
    Box::new(Failure {
        detail: error.to_string(),
        sent,
        received: error.received(),
        hint: error.hint(target.private),
    })
}

/// An answer that lacks something.
fn incomplete(missing: String, answer: &Answer, sent: String) -> Box<Failure> {
    let hint = if answer.is_empty() {
        hint::for_empty_answer(answer.finish_reason.as_deref(), !answer.reasoning.is_empty())
    } else {
        "Clients rely on finish_reason and usage. Look at what stands between here and vLLM, and at vLLM's version."
    };
    Box::new(Failure {
        detail: missing,
        sent,
        received: Some(answer.shown()),
        hint: Some(hint.to_owned()),
    })
}
