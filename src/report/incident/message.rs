//! The webhook's message: what Slack's incoming webhooks take, and flat fields for other receivers.
//! <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>

use serde::Serialize;

use super::{Announce, Incident, State};
use crate::report::{
    ModelReport,
    escape::{clip, line, safe_url},
    record::Record,
    words,
};

/// Characters of a sentence.
const SENTENCE: usize = 600;

/// The body of the request. All values but two are text, which every receiver can map; what is not known is empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Message {
    /// For people.
    pub text: String,
    /// `failing` or `recovered`.
    pub status: &'static str,
    pub service: String,
    pub model: String,
    /// The endpoint's.
    pub url: String,
    pub cause: String,
    pub fix: String,
    pub run_url: String,
    /// When it began to fail: RFC 3339, UTC.
    pub since: String,
    pub repository: String,
    /// Slack would fetch what a cause links to.
    pub unfurl_links: bool,
    pub unfurl_media: bool,
}

/// What is told of a run. `ended` is the incident that it ended.
pub fn message(
    announce: Announce,
    repository: &str,
    model: &ModelReport,
    record: &Record,
    state: &State,
    ended: Option<&Incident>,
) -> Message {
    let recovered = announce == Announce::Recovered;
    let incident = state.incident.as_ref().or(ended);
    let (cause, fix) = match &model.failure {
        Some(failure) => (
            format!("{}: {}", failure.title, failure.cause),
            failure.fix.clone().unwrap_or_default(),
        ),
        None => (
            incident.map(|i| i.title.clone()).unwrap_or_default(),
            String::new(),
        ),
    };
    let plain = |text: &str| clip(&line(text), SENTENCE);
    let (cause, fix) = (plain(cause.trim_end_matches([' ', ':'])), plain(&fix));
    // Shown as it is by whoever gets it.
    let address = |url: &Option<String>| url.as_deref().and_then(safe_url).unwrap_or_default();
    let run_url = address(&record.run_url);
    Message {
        text: text(announce, repository, model, incident, &cause, &fix, &run_url),
        status: if recovered { "recovered" } else { "failing" },
        service: plain(&model.service),
        model: plain(&model.model),
        url: address(&model.url).trim_end_matches('/').to_owned(),
        cause,
        fix,
        run_url,
        since: incident
            .map(|i| i.first.at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
            .unwrap_or_default(),
        repository: repository.to_owned(),
        unfurl_links: false,
        unfurl_media: false,
    }
}

fn text(
    announce: Announce,
    repository: &str,
    model: &ModelReport,
    incident: Option<&Incident>,
    cause: &str,
    fix: &str,
    run_url: &str,
) -> String {
    let service = slack(&clip(&line(&model.service), SENTENCE));
    let since = incident.map(|i| words::time(i.first.at)).unwrap_or_default();
    let what = match announce {
        Announce::Fails => format!("LLM endpoint {service} fails its scheduled test"),
        Announce::FailsAgain => format!("LLM endpoint {service} fails its scheduled test again"),
        Announce::Flaps => format!(
            "LLM endpoint {service} fails its scheduled test again, after it went good and bad several times; no further messages until it was good three times in a row"
        ),
        Announce::CauseChanged => format!(
            "LLM endpoint {service} fails its scheduled test for another reason now; it has failed since {since}"
        ),
        Announce::Recovered => format!("LLM endpoint {service} is well again; it failed since {since}"),
    };
    let mut lines = vec![format!("*{what}* ({})", slack(repository))];
    if announce != Announce::Recovered {
        lines.push(slack(cause));
        if !fix.is_empty() {
            lines.push(format!("What to do: {}", slack(fix)));
        }
    }
    if !run_url.is_empty() {
        lines.push(format!("Run: {}", slack(run_url)));
    }
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}

/// Text of others: Slack's three characters are encoded, so that nothing is a link, a channel or a person. An `@`
/// gets a mark behind it that takes no room: other receivers of the same format call people by it.
/// <https://docs.slack.dev/messaging/formatting-message-text#escaping>
fn slack(text: &str) -> String {
    let mut out = String::new();
    for c in line(text).chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '@' => out.push_str("@\u{200b}"),
            // Ends or begins bold, italic, struck text and code.
            '*' => out.push('∗'),
            '`' => out.push('\''),
            '~' => out.push('∼'),
            c => out.push(c),
        }
    }
    out
}
