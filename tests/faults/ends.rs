//! How a run is to end that met a fault: by the part that the request has in it.

use llm_deploy_emulator::faults::ENDPOINT;

use crate::{
    cases::{End, Request},
    scenario::Scenario,
};

/// The part that a request has in the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Without its answer the run can't go on.
    Needed,
    /// Tells something along the way: what a container import says, a build's log, what the quick doctor asks.
    Told,
    /// Tokens for Google's APIs.
    Token,
    /// The token for the private endpoint.
    IdToken,
    Hub,
    GitHub,
    /// What the base branch allows: without it nothing is deployed.
    Limits,
    /// Waits until the endpoint is there.
    Readiness,
    /// A check or a measured request: the endpoint is what is tested, so that no answer is a bad one.
    Tested,
    /// Warms up; the next request tells.
    WarmUp,
}

fn part(request: &Request) -> Part {
    match (request.service.as_str(), request.id.as_str(), request.nth) {
        ("github", _, _) if request.path.contains("/branches/") || request.path.contains("/contents/") => {
            Part::Limits
        }
        ("github", _, _) => Part::GitHub,
        ("hf", _, _) => Part::Hub,
        ("oidc" | "sts", _, 1) => Part::Token,
        ("oidc" | "sts", _, _) => Part::IdToken,
        ("iamcredentials", id, _) if id.ends_with("generateIdToken") => Part::IdToken,
        ("iamcredentials", _, _) => Part::Token,
        ("storage", id, _) if id.ends_with("objects.get") => Part::Told,
        // After the source: what production has measured, in a bucket that is looked at once more.
        ("storage", id, 2..) if id.ends_with("objects.insert") || id.ends_with("buckets.list") => Part::Told,
        ("run", id, _) if id.ends_with("revisions.get") => Part::Told,
        // Whether an earlier commit of the pull request left a preview that the configuration has no model for.
        ("run", id, _) if id.ends_with("services.list") => Part::Told,
        // Whether another run started the same build a moment ago.
        ("cloudbuild", id, 2..) if id.ends_with("builds.list") => Part::Told,
        _ if request.is_doctors() => Part::Told,
        (ENDPOINT, _, nth) => match (request.path.as_str(), nth) {
            ("/health", 1) => Part::Readiness,
            // The server's own figures stand beside the client's where there are any.
            ("/metrics", _) => Part::Told,
            ("/health", 3) | ("/v1/chat/completions", 4) => Part::WarmUp,
            _ => Part::Tested,
        },
        _ => Part::Needed,
    }
}

pub fn after_passing(scenario: Scenario, request: &Request, fault: &str) -> End {
    if !scenario.is_whole() {
        // The endpoint is what is tested; and a refusal of GitHub or the Hub is no accident.
        let is_tested = request.service == ENDPOINT;
        let is_refused = ["github", "hf"].contains(&request.service.as_str()) && fault.starts_with("401");
        return if is_tested || is_refused {
            End::Either
        } else {
            End::Same
        };
    }
    match (part(request), fault) {
        // Not asked again while the run goes on; what it comes to is told all the same.
        (Part::GitHub, "401 for a good token") if request.is_on_the_way() => End::Told,
        // A refusal is no accident: it is not asked again, and the report says what GitHub said.
        (Part::GitHub, "401 for a good token") if !request.looks_back() => End::Warned,
        (Part::Limits, "401 for a good token") => End::Red(2, "limits"),
        (Part::Hub, "401 for a good token") => End::Red(2, "Hugging Face"),
        (Part::Tested, "slow") => End::Same,
        // A new token is asked for; and what a stranger is refused with is what is looked for.
        (Part::Tested, "401 for a good token") => End::Same,
        // The answer is refused anyway; its page is not read to the end.
        (Part::Tested, "truncated" | "garbled") if request.path == "/health" => End::Same,
        (Part::Tested, _) => End::Red(1, ""),
        _ => End::Same,
    }
}

pub fn after_lasting(scenario: Scenario, request: &Request, fault: &str) -> End {
    if !scenario.is_whole() {
        // Whose pull request can't be seen may be open: its preview's own time counts then.
        let is_state = request.service == "github" && request.path == "/pulls/";
        let sweeps = matches!(scenario, Scenario::Schedule | Scenario::Cleanup);
        // Anyone who may write could have recorded the other region, which the account may not be allowed to see.
        let is_other_place =
            scenario == Scenario::Closed && request.is("services.list") && fault.starts_with("403");
        // Without the permission for deployments no other place is known.
        let is_record = scenario == Scenario::Closed
            && request.service == "github"
            && request.path.ends_with("/deployments");
        return if is_state && sweeps || is_other_place || is_record {
            End::Less
        } else {
            End::Either
        };
    }
    match (part(request), fault) {
        (Part::Told, _) => End::Same,
        (Part::GitHub, _) if request.looks_back() => End::Same,
        // The job has no permission for it: whether it was made can't be looked up, and it is no loss.
        (Part::GitHub, _) if request.path.ends_with("/check-runs") => End::Same,
        (Part::GitHub, "403 for good") if request.is_on_the_way() => End::Told,
        // What is told last tells it all.
        (Part::GitHub, _) if request.is_on_the_way() => End::Same,
        (Part::GitHub, _) => End::Warned,
        (Part::Limits, "403 for good") => End::Red(2, "limits"),
        (Part::Limits, _) => End::Red(3, "limits"),
        // The connections that are opened ahead are opened all the same.
        (Part::WarmUp, _) if request.path == "/health" => End::Same,
        // Without a token a gated model's page is looked at instead.
        (Part::Hub, "403 for good") => End::Same,
        (Part::Hub, _) => End::Red(3, "Hugging Face"),
        (Part::Token, "403 for good") => End::Red(1, "no Google credentials"),
        (Part::Token, _) => End::Red(3, "no answer from"),
        // The check that can't be made has failed.
        (Part::IdToken, _) => End::Red(1, "credentials"),
        (Part::Tested, "403 for good") if request.path == "/health" => End::Same,
        (Part::Readiness | Part::Tested | Part::WarmUp, _) => End::Red(1, ""),
        // Whoever may not list the buckets looks at the one by its name.
        (Part::Needed, "403 for good") if request.is("buckets.list") => End::Same,
        (Part::Needed, "403 for good") => End::Red(1, "permission"),
        (Part::Needed, _) => End::Red(3, ""),
    }
}
