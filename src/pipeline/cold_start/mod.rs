//! `bench cold-start`: waits until a service has no instance, sends one request, and reads from the log what the time
//! to the first token was made of.

mod idle;
pub mod result;
mod split;

use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    Services,
    failed::{Blame, Failed},
    verify,
};
use crate::{
    endpoint::{ChatRequest, Endpoint, Error, Event},
    google::{
        logging::{self, Line},
        monitoring,
        run::{
            self, Location,
            types::{Service, short_name},
        },
    },
    plan::{cost, target::Target, traffic},
    units::human_duration,
};
use idle::Seen;
use result::{ColdStart, Round, SCHEMA_VERSION};

/// Pauses between two looks at whether an instance is there: short at first, then as the counts come.
const FIRST_LOOK: Duration = Duration::from_secs(5);
const LONGEST_LOOK: Duration = Duration::from_secs(30);
/// How long the log may take to have a start's last line.
const LOG: Duration = Duration::from_secs(90);
const LOG_LOOK: Duration = Duration::from_secs(5);
/// How far this machine's clock may be from Google's.
const SKEW: TimeDelta = TimeDelta::seconds(30);
/// Longest wait for the TCP connection that is timed.
const CONNECT: Duration = Duration::from_secs(10);
/// Tokens of each round's answer: a few show that it goes on after the first.
const TOKENS: u32 = 8;

/// What to do.
#[derive(Clone, Copy, Debug)]
pub struct Wanted {
    pub rounds: u32,
    /// Longest wait before each round until no instance is there.
    pub wait: Duration,
    /// Deadline of each request.
    pub timeout: Duration,
}

/// Measures `wanted.rounds` cold starts of the target's live service. A round whose request fails is in the result.
///
/// # Errors
/// When the service isn't there, keeps instances, doesn't become idle in time, or Google can't be asked.
pub async fn measure(services: &Services, target: &Target, wanted: Wanted) -> Result<ColdStart, Failed> {
    let subject = Subject::find(services, target).await?;
    let mut result = ColdStart {
        schema_version: SCHEMA_VERSION,
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        started_at: Utc::now(),
        project: target.project.clone(),
        region: target.region.clone(),
        service: target.service.clone(),
        revision: subject.revision.clone(),
        model: target.model.id.clone(),
        rounds: Vec::new(),
        median: None,
        hourly_cost_usd: cost::hourly_usd(&target.region, &target.model.service),
    };
    for number in 1..=wanted.rounds {
        let round = subject.round(number, wanted).await?;
        result.rounds.push(round);
    }
    result.median = result::median(&result.rounds);
    Ok(result)
}

/// No instance is there.
struct Rest {
    evidence: String,
    /// When the log's last line until then was written.
    last_line: Option<DateTime<Utc>>,
}

/// The live service, and how to reach it.
struct Subject<'a> {
    services: &'a Services,
    target: &'a Target,
    revision: String,
    endpoint: Endpoint,
}

impl<'a> Subject<'a> {
    async fn find(services: &'a Services, target: &'a Target) -> Result<Self, Failed> {
        let location = Location {
            project: &target.project,
            region: &target.region,
        };
        let name = &target.service;
        let live = run::get(&services.google, &location, name)
            .await
            .map_err(|e| Failed::google(&format!("read Cloud Run service {name}"), &e))?
            .ok_or_else(|| {
                let title = format!("service {name} doesn't exist in {}", target.region);
                Failed::new(Blame::Deployment, title, "there is nothing to measure")
                    .fix("Deploy it first: push to the default branch, or run `llm-deploy deploy`")
            })?;
        scales_to_zero(name, &live)?;
        let latest = || {
            live.latest_ready_revision
                .as_deref()
                .map(|n| short_name(n).to_owned())
        };
        let revision = traffic::mostly(&live).or_else(latest).unwrap_or_default();
        let url = live.uri.as_deref().ok_or_else(|| {
            let title = format!("service {name} has no URL");
            Failed::new(Blame::Deployment, title, "its default URL is disabled")
        })?;
        Ok(Self {
            services,
            target,
            revision,
            endpoint: verify::endpoint(services, &target.model, url, url)?,
        })
    }

    async fn round(&self, number: u32, wanted: Wanted) -> Result<Round, Failed> {
        let progress = &self.services.progress;
        progress.stage(
            &self.target.service,
            &format!("round {number} of {}", wanted.rounds),
        );
        let began = Instant::now();
        let Rest { evidence, last_line } = self.until_zero(number, wanted.wait).await?;
        let mut round = Round {
            evidence,
            waited: self
                .services
                .environment
                .tempo
                .nominal(began.elapsed())
                .as_secs_f64(),
            sent_at: Utc::now(),
            error: None,
            connect_ms: self.connect().await,
            first_byte_ms: None,
            first_token_ms: None,
            end_ms: None,
            instance: None,
            stages: Vec::new(),
            notes: Vec::new(),
        };
        progress.status(
            &self.target.service,
            "no instance is there: waiting for the first token",
        );
        round.sent_at = Utc::now();
        match self.ask(wanted.timeout, &mut round).await {
            Ok(first_token) => self.take_apart(&mut round, first_token, last_line).await,
            Err(error) => round.error = Some(error.to_string()),
        }
        match (round.first_token_ms, &round.error) {
            (Some(ms), None) => {
                let took = human_duration(Duration::from_secs_f64(ms / 1000.0));
                progress.note(
                    &self.target.service,
                    &format!("round {number}: first token after {took}"),
                );
            }
            (_, error) => {
                let why = error.as_deref().unwrap_or("no token came");
                progress.warn(&self.target.service, &format!("round {number} failed: {why}"));
            }
        }
        Ok(round)
    }

    /// Waits until no instance is there; how that is known.
    async fn until_zero(&self, number: u32, wait: Duration) -> Result<Rest, Failed> {
        let tempo = self.services.environment.tempo;
        let (began, began_at) = (Instant::now(), Utc::now());
        let quiet = idle::QUIET
            .to_std()
            .map(|nominal| tempo.of(nominal))
            .unwrap_or_default();
        let quiet = TimeDelta::from_std(quiet).unwrap_or(idle::QUIET);
        let mut pause = FIRST_LOOK;
        loop {
            let now = Utc::now();
            let since = now - idle::STALE - idle::QUIET - TimeDelta::minutes(1);
            let counts = monitoring::instance_count(
                &self.services.google,
                &self.target.project,
                &self.target.region,
                &self.target.service,
                since,
            );
            let counts = counts
                .await
                .map_err(|e| Failed::google("see how many instances there are", &e))?;
            let lines = self.lines(since.min(began_at)).await?;
            let why = match idle::judge(&counts, &lines, now, quiet) {
                Seen::Zero(evidence) => {
                    let last_line = lines.last().map(|line| line.at);
                    return Ok(Rest { evidence, last_line });
                }
                Seen::Up(why) => why,
            };
            let waited = tempo.nominal(began.elapsed());
            if waited + pause >= wait {
                return Err(self.never_idle(number, wait, &why, &lines, began_at));
            }
            self.services.progress.status(
                &self.target.service,
                &format!(
                    "waiting for no instance ({} of {}): {why}",
                    human_duration(waited),
                    human_duration(wait)
                ),
            );
            tempo.sleep(pause).await;
            pause = (pause * 2).min(LONGEST_LOOK);
        }
    }

    fn never_idle(
        &self,
        number: u32,
        wait: Duration,
        why: &str,
        lines: &[Line],
        since: DateTime<Utc>,
    ) -> Failed {
        let title = format!(
            "service {} still had an instance after {}, before round {number}",
            self.target.service,
            human_duration(wait)
        );
        match idle::others(lines, since) {
            Some((count, at, request)) => {
                let cause = format!(
                    "others keep it up: {count} request(s) came that are not this command's, the last at {} ({} {}, {}); {why}",
                    at.format("%H:%M:%S UTC"),
                    short(&request.request_method),
                    short(&request.request_url),
                    short(&request.user_agent)
                );
                Failed::new(Blame::Deployment, title, cause).fix(
                    "Measure when nobody calls the service, or measure a preview: `--pull-request NUMBER`",
                )
            }
            None => Failed::new(Blame::Deployment, title, why)
                .fix("Cloud Run keeps an idle GPU instance for about ten minutes: give a longer `--wait`"),
        }
    }

    async fn lines(&self, since: DateTime<Utc>) -> Result<Vec<Line>, Failed> {
        let Target {
            project,
            region,
            service,
            ..
        } = self.target;
        logging::service_lines(&self.services.google, project, region, service, since)
            .await
            .map_err(|e| Failed::google("read the service's log", &e))
    }

    /// Milliseconds of a TCP connection, which no instance hears of.
    async fn connect(&self) -> Option<f64> {
        let base = self.endpoint.base();
        let address = (base.host_str()?, base.port_or_known_default()?);
        let began = Instant::now();
        let connecting = tokio::time::timeout(CONNECT, tokio::net::TcpStream::connect(address));
        connecting.await.ok()?.ok()?;
        Some(ms(began.elapsed()))
    }

    /// One streamed request; the time to its first token.
    async fn ask(&self, timeout: Duration, round: &mut Round) -> Result<Duration, Error> {
        let request = ChatRequest::user(&self.target.model.id, "Count from one to ten.", TOKENS);
        let mut stream = self.endpoint.chat_stream(&request, timeout).await?;
        let sent = stream.sent();
        round.first_byte_ms = Some(ms(sent.elapsed()));
        // Credentials were got in between.
        round.sent_at = Utc::now() - TimeDelta::from_std(sent.elapsed()).unwrap_or_default();
        let mut first = None;
        while let Some(arrived) = stream.next().await {
            let arrived = arrived?;
            if let Event::Chunk(chunk) = &arrived.event
                && first.is_none()
                && chunk.has_text()
            {
                first = Some(arrived.at - sent);
            }
        }
        round.end_ms = Some(ms(sent.elapsed()));
        round.first_token_ms = first.map(ms);
        first.ok_or_else(|| Error::Unexpected {
            request: "POST /v1/chat/completions".to_owned(),
            reason: "the answer had no token".to_owned(),
            start: String::new(),
        })
    }

    /// Reads the log until it has the whole start, or won't have it any more.
    async fn take_apart(&self, round: &mut Round, first_token: Duration, last_line: Option<DateTime<Utc>>) {
        let tempo = self.services.environment.tempo;
        let first_token = TimeDelta::from_std(first_token).unwrap_or_default();
        let began = Instant::now();
        self.services
            .progress
            .status(&self.target.service, "reading the log of the start");
        let since = round.sent_at - SKEW;
        let lines = loop {
            let lines = match self.lines(since).await {
                Ok(lines) => lines,
                Err(failed) => {
                    let said = format!("the time can't be split: {}", failed.failure.cause);
                    round.notes.push(said);
                    return;
                }
            };
            let new = lines
                .into_iter()
                .filter(|line| last_line.is_none_or(|last| line.at > last));
            let new: Vec<Line> = new.collect();
            if split::is_complete(&new) || tempo.nominal(began.elapsed()) >= LOG {
                break new;
            }
            tempo.sleep(LOG_LOOK).await;
        };
        let split = split::split(&lines, round.sent_at, first_token);
        round.instance = split.instance;
        round.stages = split.stages;
        round.notes.extend(split.notes);
    }
}

/// Refuses a service that keeps instances whatever happens.
fn scales_to_zero(name: &str, live: &Service) -> Result<(), Failed> {
    let of_service = live.scaling.as_ref();
    let of_revision = live.template.as_ref().and_then(|t| t.scaling.as_ref());
    let least = [of_service, of_revision]
        .into_iter()
        .flatten()
        .filter_map(|s| s.min_instance_count)
        .max();
    match least {
        Some(least @ 1..) => Err(Failed::new(
            Blame::Input,
            format!("service {name} never scales to zero"),
            format!("it keeps {least} instance(s) (`min-instances`), so there is no cold start to measure"),
        )
        .fix(
            "Set `service.min-instances: 0` and deploy, or measure a preview, which scales to zero: `--pull-request NUMBER`",
        )),
        _ => Ok(()),
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

fn short(text: &str) -> String {
    crate::endpoint::error::shorten(text, 120)
}
