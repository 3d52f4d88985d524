//! Which faults a request can meet, and how the run is to end then.

use std::time::Duration;

use llm_deploy_emulator::faults::{ENDPOINT, Fault, Pattern, Quota, Rule, Seen};
use serde_json::Value;

use crate::{
    ends::{after_lasting, after_passing},
    fields,
    scenario::Scenario,
    world::Turn,
};

/// One kind of request, and which of its kind it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    pub service: String,
    pub id: String,
    pub method: String,
    /// Part of the path that is the same in every run; empty when the id says it all.
    pub path: String,
    /// Part of the body that is the same in every run; empty when the rest says it all.
    pub body: &'static str,
    /// 1 for the first.
    pub nth: u32,
    /// Tells GitHub how far the run is: how often is a matter of time, and so is whether at all.
    pub live: bool,
}

/// The run's own line in the comment, while it goes on and at its end.
const GOES_ON: &str = "llm-deploy-run:42-0 live -->";
const ENDED: &str = "llm-deploy-run:42-0 -->";
/// All comments of the pull request, whose number is the emulator's.
const LIST: &str = "/12/comments";
const STATES: [&str; 6] = [
    r#""state":"queued""#,
    r#""state":"in_progress""#,
    r#""state":"success""#,
    r#""state":"failure""#,
    r#""state":"error""#,
    r#""state":"inactive""#,
];

/// One disturbed run.
#[derive(Clone, Debug)]
pub struct Case {
    pub scenario: Scenario,
    pub request: Request,
    pub name: &'static str,
    pub fault: Fault,
    /// Requests of the kind that meet it.
    pub times: u32,
    pub end: End,
    /// Takes long even in quick time: hanging answers, deadlines.
    pub slow: bool,
    /// The run that comes after the disturbed one.
    pub again: Turn,
}

/// How a run is to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// As if nothing had been.
    Same,
    /// As if nothing had been; but the log tells of it.
    Told,
    /// Green, and Google's side is the same; the log tells what GitHub did not take.
    Warned,
    /// Red, with this exit code; the explanation has this word.
    Red(u8, &'static str),
    /// Green as if nothing had been, or red with an explanation; never green with less done.
    Either,
    /// As that, or green with less done and a warning that says so: what could not be looked at may be deleted later.
    Less,
    /// What the answer says is what is to be deployed: green or red, and the next run sets it right.
    Other,
}

impl Request {
    pub fn rule(&self, fault: Fault, times: u32) -> Rule {
        let some = |text: &String| (!text.is_empty()).then(|| text.clone());
        Rule {
            on: Pattern {
                service: some(&self.service),
                id: some(&self.id),
                method: some(&self.method),
                path: some(&self.path),
                body: some(&self.body.to_owned()),
            },
            skip: self.nth - 1,
            times,
            fault,
        }
    }

    /// Whether nothing is there afterwards that wasn't before: the posts among them ask for tokens and answers.
    fn reads(&self) -> bool {
        let asks = [ENDPOINT, "sts", "iamcredentials"].contains(&self.service.as_str());
        self.method == "GET" || asks || self.is("operations.wait") || self.is("testIamPermissions")
    }

    /// Whether another run may have written a comment at the same time: the comment is there by then.
    pub fn looks_back(&self) -> bool {
        self.method == "GET" && self.path == LIST && self.nth > 1
    }

    /// A status or a text that another one follows.
    pub fn is_on_the_way(&self) -> bool {
        [STATES[0], STATES[1], GOES_ON].contains(&self.body)
    }

    /// Asked by the quick form of the doctor, beside the run's own requests.
    pub fn is_doctors(&self) -> bool {
        self.service == "cloudquotas" || self.is("testIamPermissions") || self.is("services.batchGet")
    }

    pub fn is(&self, id: &str) -> bool {
        self.id.ends_with(id)
    }
}

impl From<&Seen> for Request {
    /// The first of its kind.
    fn from(seen: &Seen) -> Self {
        let path = match seen.id.is_empty() {
            // A part of a single comment's path is the end of this one.
            true if seen.path.ends_with(LIST) => LIST.to_owned(),
            true => same_in_every_run(&seen.path),
            false => String::new(),
        };
        let says = |part: &&&str| seen.body.contains(**part);
        let (body, live) = match (seen.method.as_str(), path.as_str()) {
            ("POST", "/statuses") => (STATES.iter().find(says).copied(), says(&&STATES[1])),
            ("PATCH", "/comments/") => ([GOES_ON, ENDED].iter().find(says).copied(), says(&&GOES_ON)),
            // Looked at before each time that it is written to.
            ("GET", "/comments/") => (None, true),
            _ => (None, false),
        };
        Self {
            service: seen.service.clone(),
            id: seen.id.clone(),
            method: seen.method.clone(),
            path,
            body: body.unwrap_or_default(),
            nth: 1,
            live,
        }
    }
}

/// The requests that tell how far a run is, whether or not the undisturbed run had the time for them.
fn live(scenario: Scenario) -> Vec<Request> {
    let of = |method: &str, path: &str, body| Request {
        service: "github".to_owned(),
        id: String::new(),
        method: method.to_owned(),
        path: path.to_owned(),
        body,
        nth: 1,
        live: true,
    };
    let status = of("POST", "/statuses", STATES[1]);
    match scenario {
        Scenario::Production => vec![status],
        Scenario::Preview => vec![
            status,
            of("GET", "/comments/", ""),
            of("PATCH", "/comments/", GOES_ON),
        ],
        _ => Vec::new(),
    }
}

/// The requests of an undisturbed run. Of a kind that comes more than four times, as when something is polled, the
/// first, the middle one and the last but one stand for all: how often it comes is a matter of time. Of what tells how
/// far the run is, the first does.
pub fn requests(scenario: Scenario, seen: &[Seen]) -> Vec<Request> {
    let mut kinds: Vec<(Request, u32)> = Vec::new();
    for kind in seen.iter().map(Request::from).filter(|kind| !kind.live) {
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => kinds.push((kind, 1)),
        }
    }
    let mut all = live(scenario);
    for (kind, count) in kinds {
        let mut chosen: Vec<u32> = match count {
            5.. if kind.service != ENDPOINT => vec![1, count.div_ceil(2), count - 1],
            _ => (1..=count).collect(),
        };
        chosen.dedup();
        all.extend(chosen.into_iter().map(|nth| Request { nth, ..kind.clone() }));
    }
    all
}

/// All other cases, and of those about a field one, each time another kind of lie.
fn one_lie_for_each_field(cases: Vec<Case>) -> Vec<Case> {
    let field = |case: &Case| match &case.fault {
        Fault::Altered(lie) => Some(lie.at.clone()),
        _ => None,
    };
    let mut by_field: Vec<(Option<String>, Vec<Case>)> = Vec::new();
    for case in cases {
        match by_field.last_mut() {
            Some((last, group)) if *last == field(&case) => group.push(case),
            _ => by_field.push((field(&case), vec![case])),
        }
    }
    let chosen = by_field.into_iter().enumerate();
    chosen
        .flat_map(|(n, (field, group))| match field {
            Some(_) => vec![group[n % group.len()].clone()],
            None => group,
        })
        .collect()
}

/// The path from its last part that is no number.
fn same_in_every_run(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').collect();
    let numbered = parts
        .iter()
        .rposition(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
    match numbered {
        Some(n) if n + 1 < parts.len() => format!("/{}", parts[n + 1..].join("/")),
        Some(n) => format!("/{}/", parts[n.saturating_sub(1)]),
        None => path.to_owned(),
    }
}

/// Every fault that the request can meet.
fn cases(scenario: Scenario, request: &Request, answers: &[&Value]) -> Vec<Case> {
    let mut all = Vec::new();
    let mut add = |name, fault: Fault, times, end, slow| {
        all.push(Case {
            scenario,
            request: request.clone(),
            name,
            fault,
            times,
            end,
            slow,
            again: Turn::SecondAttempt,
        });
    };
    for (name, fault) in passing()
        .into_iter()
        .filter(|(name, fault)| applies(request, name, fault))
    {
        let hangs = matches!(fault, Fault::Hang | Fault::HangAfter);
        let end = after_passing(scenario, request, name);
        add(name, fault.clone(), 1, end, hangs);
    }
    for (name, fault) in lasting()
        .into_iter()
        .filter(|(name, fault)| applies(request, name, fault))
    {
        let end = after_lasting(scenario, request, name);
        add(name, fault.clone(), u32::MAX, end, true);
    }
    for (name, fault, times, end) in special(request) {
        let slow = times == u32::MAX || matches!(fault, Fault::Endless);
        add(name, fault, times, end, slow);
    }
    for (alteration, end) in fields::lies(scenario, request, answers) {
        add("", Fault::Altered(alteration), u32::MAX, end, true);
    }
    all
}

/// Those of all scenarios that are run: with `full` every case, followed by both a second attempt and the next event;
/// otherwise every fault of the whole scenarios and a lie for each field, and of the others one case for each request,
/// each with another fault.
pub fn chosen(scenario: Scenario, requests: &[Request], answers: &[(Seen, Value)], full: bool) -> Vec<Case> {
    let turns = [Turn::SecondAttempt, Turn::NextEvent];
    let with = |case: &Case, again| Case {
        again,
        ..case.clone()
    };
    let mut all = Vec::new();
    for (at, request) in requests.iter().enumerate() {
        let of_kind = answers.iter().filter(|(seen, _)| {
            let kind = Request::from(seen);
            (&kind.service, &kind.id, &kind.method, &kind.path)
                == (&request.service, &request.id, &request.method, &request.path)
        });
        let of_kind: Vec<&Value> = of_kind.map(|(_, answer)| answer).collect();
        let cases = cases(scenario, request, &of_kind);
        if full {
            all.extend(cases.iter().flat_map(|case| turns.map(|again| with(case, again))));
        } else if scenario.is_whole() {
            let alternating = one_lie_for_each_field(cases).into_iter().enumerate();
            all.extend(alternating.map(|(n, case)| with(&case, turns[(at + n) % 2])));
        } else {
            // 7 has no divisor in common with most numbers of faults.
            let one = cases.get(at * 7 % cases.len().max(1));
            all.extend(one.map(|case| with(case, turns[at % 2])));
        }
    }
    all
}

/// Whether the fault is another than those that the request meets anyway.
fn applies(request: &Request, name: &str, fault: &Fault) -> bool {
    match fault {
        // What only reads has no effect before or after which anything could happen.
        Fault::AnswerAfter(_) | Fault::ResetAfter | Fault::HangAfter if request.reads() => false,
        // An ID token is good until it expires, and GitHub's token until the job ends: nobody takes them back.
        Fault::Revoked => !matches!(
            request.service.as_str(),
            ENDPOINT | "github" | "hf" | "oidc" | "sts"
        ),
        // Its quotas are asked for in the same way.
        _ if request.service == "cloudquotas" && request.nth > 1 => false,
        // A wait that was asked for is the business of the client, whichever request of a kind it is. What lasts
        // lasts from the first on; later, one that refuses and one that fails stand for all.
        _ if request.nth == 1 => true,
        Fault::Slow(_) => false,
        _ => !matches!(
            name,
            "429 with Retry-After" | "503 with Retry-After" | "no network" | "hangs for good"
        ),
    }
}

fn status(status: u16, retry_after: Option<u64>) -> Fault {
    Fault::Answer {
        status,
        retry_after,
        body: None,
    }
}

/// Over after one request.
fn passing() -> Vec<(&'static str, Fault)> {
    vec![
        ("429", status(429, None)),
        ("429 with Retry-After", status(429, Some(2))),
        ("500", status(500, None)),
        ("503", status(503, None)),
        ("503 with Retry-After", status(503, Some(2))),
        ("503 after the effect", Fault::AnswerAfter(503)),
        ("500 after the effect", Fault::AnswerAfter(500)),
        ("reset before the effect", Fault::ResetBefore),
        ("reset after the effect", Fault::ResetAfter),
        ("truncated", Fault::Truncated),
        ("garbled", Fault::Garbled),
        ("slow", Fault::Slow(Duration::from_millis(150))),
        ("hang before the effect", Fault::Hang),
        ("hang after the effect", Fault::HangAfter),
        ("401 for a good token", status(401, None)),
        ("revoked token", Fault::Revoked),
    ]
}

/// As long as the run lasts.
fn lasting() -> Vec<(&'static str, Fault)> {
    vec![
        ("403 for good", status(403, None)),
        ("503 for good", status(503, None)),
        ("no network", Fault::ResetBefore),
        ("hangs for good", Fault::Hang),
    ]
}

fn special(request: &Request) -> Vec<(&'static str, Fault, u32, End)> {
    let red = |word| End::Red(1, word);
    let mut all = Vec::new();
    if request.is("services.create") || request.is("services.patch") {
        all.push(("GPU quota", Fault::Quota(Quota::Gpu), 1, red("quota")));
        all.push(("zonal GPU quota", Fault::Quota(Quota::ZonalGpu), 1, red("quota")));
        all.push(("CPU quota", Fault::Quota(Quota::CpuAndMemory), 1, red("quota")));
        // Planned anew, some times.
        all.push(("conflict", status(409, None), 1, End::Same));
        all.push((
            "conflicts for good",
            status(409, None),
            u32::MAX,
            red("Somebody else"),
        ));
        all.push((
            "endless operation",
            Fault::Endless,
            1,
            End::Red(3, "still running"),
        ));
    }
    if request.is("repositories.create") {
        all.push((
            "endless operation",
            Fault::Endless,
            1,
            End::Red(3, "still running"),
        ));
    }
    if request.is("builds.create") {
        all.push(("build quota", Fault::Quota(Quota::Builds), 1, red("quota")));
        all.push((
            "endless build",
            Fault::Endless,
            1,
            End::Red(3, "finish the build"),
        ));
        all.push(("log stops", Fault::LogStops, 1, End::Same));
        all.push(("log gone", Fault::LogGone, 1, End::Same));
    }
    if request.is("builds.get") && request.nth < 3 {
        all.push(("build cancelled", Fault::CancelBuilds, 1, red("cancelled")));
    }
    if [
        "services.create",
        "repositories.create",
        "builds.create",
        "buckets.insert",
    ]
    .iter()
    .any(|id| request.is(id))
    {
        all.push(("found late", Fault::FoundLate(3), 1, End::Same));
    }
    if request.service == ENDPOINT && request.path == "/health" && request.nth == 1 {
        all.push(("granted late", status(403, None), 3, End::Same));
        all.push(("routed late", status(404, None), 3, End::Same));
    }
    all
}
