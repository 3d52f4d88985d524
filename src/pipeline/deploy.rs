//! Carries the plan out on Cloud Run and waits until the revision is really ready.

use std::time::Duration;

use super::{
    Services,
    failed::{Blame, End, Failed},
    standing::{Standing, Turn},
    survey,
};
use crate::{
    explain::Source,
    google::{
        self, logging,
        run::{
            self, Location,
            types::{Service, short_name},
        },
    },
    plan::{
        Action, ModelPlan, diff, owner,
        target::{Stage, label},
        traffic,
    },
    units::human_duration,
};

/// Import of a large image into Cloud Run: 7 minutes were measured for one without weights.
const IMPORT_ALLOWANCE: Duration = Duration::from_secs(30 * 60);
/// Times that a write is worked out anew because somebody else's came first.
const CONFLICTS: u32 = 5;
/// Last lines of the container's log in which a failure's cause is looked for: vLLM's tracebacks are long.
const LOG_LINES: u32 = 500;

/// A revision that is ready to be tested.
pub struct Deployed {
    pub service: Service,
    /// Short name.
    pub revision: String,
    /// Where to test it: the candidate's tag, or the service itself.
    pub url: String,
    /// Audience of ID tokens: the service's own URL, for tag URLs too.
    pub audience: String,
    /// Whether the revision still has to be given production's traffic.
    pub candidate: bool,
}

/// Works out what is to be done with the service as it is now, and does it; once more when somebody else changed the
/// service in between. One line says what was done.
pub async fn roll_out(
    services: &Services,
    standing: &Standing<'_>,
    surveyed: &ModelPlan,
    digest: &str,
) -> Result<((ModelPlan, Deployed), String), Failed> {
    let mut conflicts = 0;
    loop {
        let plan = survey::again(services, surveyed, digest).await?;
        if standing.check(&plan.target, plan.facts.live.as_ref()).await? == Turn::Waited {
            continue;
        }
        match deploy(services, standing, &plan, digest).await {
            Err(failed) if failed.end == End::Conflict && conflicts < CONFLICTS => {
                conflicts += 1;
                let said = "the service was changed meanwhile, looking again";
                services.progress.note(&plan.target.service, said);
            }
            done => return done.map(|(deployed, said)| ((plan, deployed), said)),
        }
    }
}

/// Creates or updates the service as planned; one line says what was done.
async fn deploy(
    services: &Services,
    standing: &Standing<'_>,
    plan: &ModelPlan,
    digest: &str,
) -> Result<(Deployed, String), Failed> {
    match &plan.action {
        Action::Create => create(services, plan, digest).await,
        Action::Update {
            changes,
            new_revision,
        } => update(services, plan, digest, changes, *new_revision).await,
        Action::Resume { revision } => {
            let live = plan.facts.live.clone().unwrap_or_default();
            let said = format!("revision {revision} was there, without traffic");
            Ok((testable(services, plan, live).await?, said))
        }
        Action::Wait { revision } => {
            let progress = |text: &str| services.progress.status(&plan.target.service, text);
            let live = run::settled(
                &services.google,
                &location(plan),
                &plan.target.service,
                deadline(plan),
                &progress,
            )
            .await;
            let live = explained(services, plan, live).await?;
            let said = format!("revision {revision} was on its way");
            Ok((testable(services, plan, live).await?, said))
        }
        Action::Pinned { newest, shares } => Err(pinned(plan, newest, shares)),
        Action::Nothing => {
            let mut live = plan.facts.live.clone().unwrap_or_default();
            if standing.must_sign(&live) {
                live = sign(services, plan, live).await?;
            }
            Ok((deployed(plan, live)?, "nothing to change".to_owned()))
        }
    }
}

/// Writes on the service which run was here last, so that an older one sees it. The rest stays, a preview's end too.
async fn sign(services: &Services, plan: &ModelPlan, live: Service) -> Result<Service, Failed> {
    let mut labels = live.labels;
    let mut ours = plan.target.labels();
    ours.retain(|key, _| [label::RUN, label::COMMIT].contains(&key.as_str()));
    labels.extend(ours);
    let body = Service {
        labels,
        etag: live.etag,
        ..Service::default()
    };
    patch(services, plan, &body, &["labels"]).await
}

/// Somebody rolled back, or split the traffic: undoing that behind their back could put a broken model into production.
fn pinned(plan: &ModelPlan, newest: &str, shares: &str) -> Failed {
    let (target, service) = (&plan.target, &plan.target.service);
    Failed::new(
        Blame::Deployment,
        format!("the traffic of {service} was moved by hand"),
        format!("revision {newest} is what the configuration asks for, but {shares}"),
    )
    .fix(format!(
        "To go on with it: `gcloud run services update-traffic {service} --to-revisions {newest}=100 --project {} --region {}`. To replace it: push a change",
        target.project, target.region
    ))
}

async fn create(services: &Services, plan: &ModelPlan, digest: &str) -> Result<(Deployed, String), Failed> {
    let target = &plan.target;
    let progress = |text: &str| services.progress.status(&target.service, text);
    let desired = plan.desired(digest);
    let live = run::create(
        &services.google,
        &location(plan),
        &target.service,
        &desired,
        deadline(plan),
        &progress,
    )
    .await;
    let live = explained(services, plan, live).await?;
    // After an answer that did not arrive, what is there may be what somebody else made in the same moment.
    if let Some(whose) = owner::foreign(target, &live.labels) {
        let title = format!(
            "service {} was created by somebody else meanwhile",
            target.service
        );
        return Err(Failed::new(Blame::Deployment, title, whose).conflict());
    }
    let deployed = deployed(plan, live)?;
    let said = format!("service created, revision {}", deployed.revision);
    Ok((deployed, said))
}

async fn update(
    services: &Services,
    plan: &ModelPlan,
    digest: &str,
    changes: &[diff::Change],
    new_revision: bool,
) -> Result<(Deployed, String), Failed> {
    let mut desired = plan.desired(digest);
    desired.etag = plan.facts.live.as_ref().and_then(|live| live.etag.clone());
    let mut mask = diff::update_mask(changes);
    if !mask.contains(&"labels") {
        mask.push("labels");
    }
    if new_revision {
        if !mask.contains(&"template") {
            mask.push("template");
        }
        mask.push("traffic");
        if let Some(name) = plan.next_revision(&desired) {
            desired.traffic = plan.traffic(&name);
            if let Some(template) = desired.template.as_mut() {
                template.revision = Some(name);
            }
        }
    }
    let live = patch(services, plan, &desired, &mask).await?;
    let deployed = testable(services, plan, live).await?;
    let said = if new_revision {
        format!("revision {} is ready", deployed.revision)
    } else {
        "settings updated, same revision".to_owned()
    };
    Ok((deployed, said))
}

/// What there is to test. A candidate without its tag (traffic was moved by hand, or tags were swept) gets it again.
async fn testable(services: &Services, plan: &ModelPlan, live: Service) -> Result<Deployed, Failed> {
    let newest = live.latest_ready_revision.as_deref().map(short_name);
    let untagged = newest.filter(|newest| {
        plan.target.stage == Stage::Production
            && !traffic::serves_all(&live, newest)
            && traffic::candidate_url(&live, newest).is_none()
    });
    match untagged {
        Some(newest) => deployed(plan, tag_candidate(services, plan, &live, newest).await?),
        None => deployed(plan, live),
    }
}

async fn tag_candidate(
    services: &Services,
    plan: &ModelPlan,
    live: &Service,
    revision: &str,
) -> Result<Service, Failed> {
    let body = Service {
        traffic: traffic::with_candidate(live, revision),
        etag: live.etag.clone(),
        ..Service::default()
    };
    patch(services, plan, &body, &["traffic"]).await
}

/// What became of a tested revision.
pub enum Settled {
    /// It serves.
    Serves(Box<Service>),
    /// An older run put its own over it: it has to be rolled out again.
    Overtaken,
}

/// Gives a tested revision all of production's traffic, unless it has it, and checks that it has it.
pub async fn settle(
    services: &Services,
    standing: &Standing<'_>,
    plan: &ModelPlan,
    tested: &Deployed,
) -> Result<(Settled, String), Failed> {
    let revision = &tested.revision;
    let mut conflicts = 0;
    let live = loop {
        let now = survey::live_service(services, &plan.target).await?;
        if standing.check(&plan.target, now.as_ref()).await? == Turn::Waited {
            continue;
        }
        let now = now.ok_or_else(|| changed_meanwhile(plan, revision))?;
        if standing.undone_by_older(&tested.service, &now) {
            let said = "an older run changed the service meanwhile, once more";
            return Ok((Settled::Overtaken, said.to_owned()));
        }
        // Another run of the same commit may have been quicker.
        if !tested.candidate || traffic::serves_all(&now, revision) {
            break now;
        }
        // The etag may have moved on by itself in the minutes of testing; the generation counts what people change.
        if now.generation != tested.service.generation {
            return Err(changed_meanwhile(plan, revision));
        }
        match promote(services, plan, revision, now).await {
            Err(failed) if failed.end == End::Conflict && conflicts < CONFLICTS => conflicts += 1,
            done => break done?,
        }
    };
    Ok((
        Settled::Serves(Box::new(live)),
        format!("revision {revision} serves 100 %"),
    ))
}

async fn promote(
    services: &Services,
    plan: &ModelPlan,
    revision: &str,
    now: Service,
) -> Result<Service, Failed> {
    let mut labels = now.labels;
    labels.extend(plan.target.labels());
    let body = Service {
        labels,
        traffic: traffic::all_on(revision),
        etag: now.etag,
        ..Service::default()
    };
    let live = patch(services, plan, &body, &["labels", "traffic"]).await?;
    if !traffic::serves_all(&live, revision) {
        return Err(Failed::new(
            Blame::Deployment,
            format!("revision {revision} was tested but does not get all traffic"),
            format!("Cloud Run reports {:?}", traffic::serving(&live)),
        )
        .fix("See who else changes this service's traffic, then run again"));
    }
    Ok(live)
}

fn changed_meanwhile(plan: &ModelPlan, revision: &str) -> Failed {
    Failed::new(
        Blame::Deployment,
        format!(
            "service {} was changed while revision {revision} was tested",
            plan.target.service
        ),
        "somebody else, or another run, changed or deleted it; its traffic was left as it is",
    )
    .fix("See who else changes this service, then run again: a tested revision is taken up where it is")
}

async fn patch(
    services: &Services,
    plan: &ModelPlan,
    body: &Service,
    mask: &[&str],
) -> Result<Service, Failed> {
    let target = &plan.target;
    let progress = |text: &str| services.progress.status(&target.service, text);
    let result = run::patch(
        &services.google,
        &location(plan),
        &target.service,
        body,
        mask,
        deadline(plan),
        &progress,
    )
    .await;
    explained(services, plan, result).await
}

fn location(plan: &ModelPlan) -> Location<'_> {
    Location {
        project: &plan.target.project,
        region: &plan.target.region,
    }
}

fn deadline(plan: &ModelPlan) -> Duration {
    IMPORT_ALLOWANCE + plan.startup_window
}

/// Adds the container's last log lines to a failure, so that nobody has to look for them.
async fn explained(
    services: &Services,
    plan: &ModelPlan,
    result: Result<Service, google::Error>,
) -> Result<Service, Failed> {
    let error = match result {
        Ok(live) => return Ok(live),
        Err(error) => error,
    };
    let failed = Failed::google(&format!("deploy service {}", plan.target.service), &error)
        .fact("window", &human_duration(plan.startup_window));
    if error.is_conflict() || error.is_not_found() {
        return Err(failed.fix("Somebody else, or another run, changed or deleted the service or its image after this run looked at them. Run again: what is to be done is worked out anew"));
    }
    let Some(revision) = error.revision() else {
        return Err(failed);
    };
    let target = &plan.target;
    let log = logging::revision_log(
        &services.google,
        &target.project,
        &target.region,
        &target.service,
        short_name(revision),
        LOG_LINES,
    )
    .await;
    Err(match log {
        Ok(lines) => failed.log(Source::ContainerLog, &lines),
        Err(why) => failed.log(
            Source::ContainerLog,
            &[format!("(the container's log could not be read: {why})")],
        ),
    })
}

/// What there is to test once the service is ready.
pub fn deployed(plan: &ModelPlan, live: Service) -> Result<Deployed, Failed> {
    let missing = |what: &str| {
        Failed::new(
            Blame::Service,
            format!("Cloud Run gave no {what} for service {}", plan.target.service),
            "the service is ready, but its description lacks it",
        )
        .fix("Run again; if it stays so, look at the service in the Google Cloud console")
    };
    let revision = live
        .latest_ready_revision
        .as_deref()
        .map(short_name)
        .ok_or_else(|| missing("ready revision"))?
        .to_owned();
    let audience = live.uri.clone().ok_or_else(|| missing("URL"))?;
    let tag = traffic::candidate_url(&live, &revision).map(str::to_owned);
    let serves = traffic::serves_all(&live, &revision);
    let url = match tag {
        Some(url) if !serves => url,
        _ if serves => audience.clone(),
        // Testing the service's own URL would test whatever else has the traffic.
        _ => return Err(missing("URL of the candidate's tag")),
    };
    Ok(Deployed {
        revision,
        url,
        audience,
        candidate: !serves,
        service: live,
    })
}
