//! Wanted against found: the steps, as data. Pure.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Found, Wanted,
    files::File,
    roles::{self, ACT_AS_JOB, Grant},
    wanted::{self, BY_REF, BY_REPOSITORY, ISSUER, NUMBER},
};
use crate::{
    google::{
        resource::Resource,
        workload_identity::{Provider, State as Life},
    },
    units::human_duration,
};

/// One thing that shall be there.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Keeps steps of two plans apart: `account llm-runtime@…`.
    pub id: String,
    /// What shall be, in a few words.
    pub title: String,
    /// What the step consists of, or what differs, line by line.
    pub details: Vec<String>,
    pub state: State,
}

/// What is to be done for a step.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// It is there already.
    Exists,
    ToDo(Action),
    /// It was done just now.
    Done,
    /// It is not ours to change: how it is, and what the user may do.
    Left(String),
    /// Nothing can be done before the user does something.
    Refused(String),
}

/// A change. Each can be done again after it was done, or half done.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    EnableApis(Vec<&'static str>),
    CreateAccount {
        id: String,
        purpose: &'static str,
    },
    EnableAccount {
        email: String,
    },
    CreatePool,
    UndeletePool,
    EnablePool,
    CreateProvider,
    UndeleteProvider,
    PatchProvider,
    CreateBucket,
    SetLifecycle,
    CreateRepository,
    SetCleanup,
    CreateSecret {
        secret: String,
    },
    AddToken {
        secret: String,
    },
    Grant {
        on: Resource,
        grants: Vec<Grant>,
    },
    /// Takes a role away that a job's account must not be reached by any more.
    Revoke {
        on: Resource,
        role: &'static str,
        member: String,
    },
    Write(File),
}

impl Action {
    /// Whether what is there must be looked at anew afterwards: it could not be seen before.
    pub fn reveals(&self) -> bool {
        matches!(
            self,
            Self::EnableApis(_) | Self::UndeletePool | Self::UndeleteProvider
        )
    }
}

/// Every step in the order in which they are done. `files` are the files that shall be written, if any.
pub fn plan(wanted: &Wanted, found: &Found, files: Vec<Step>) -> Vec<Step> {
    let mut steps = vec![apis(found)];
    steps.extend(
        wanted
            .accounts()
            .into_iter()
            .map(|(email, purpose)| account(wanted, found, email, purpose)),
    );
    steps.push(pool(wanted, found));
    steps.push(provider(wanted, found));
    steps.push(bucket(wanted, found));
    steps.push(repository(wanted, found));
    for secret in &wanted.token_secrets {
        steps.extend(token(found, secret));
    }
    steps.extend(grants(wanted, found));
    steps.extend(other_jobs(wanted, found));
    steps.extend(files);
    steps
}

fn step(id: impl Into<String>, title: impl Into<String>, state: State) -> Step {
    Step {
        id: id.into(),
        title: title.into(),
        details: Vec::new(),
        state,
    }
}

fn apis(found: &Found) -> Step {
    let all = wanted::APIS.len();
    if found.off.is_empty() {
        return step("apis", format!("all {all} APIs"), State::Exists);
    }
    let title = format!("{} of {all} APIs", found.off.len());
    Step {
        details: found.off.iter().map(|api| (*api).to_owned()).collect(),
        ..step("apis", title, State::ToDo(Action::EnableApis(found.off.clone())))
    }
}

fn account(wanted: &Wanted, found: &Found, email: &str, purpose: &'static str) -> Step {
    let state = match (found.accounts.get(email), wanted.account_id(email)) {
        (Some(account), _) if account.disabled => State::ToDo(Action::EnableAccount {
            email: email.to_owned(),
        }),
        (Some(_), _) => State::Exists,
        (None, Some(id)) => State::ToDo(Action::CreateAccount {
            id: id.to_owned(),
            purpose,
        }),
        (None, None) => State::Refused(format!(
            "it is not there, and accounts of other projects are not made here. Give an account of project {}, or none",
            wanted.project
        )),
    };
    step(
        format!("account {email}"),
        format!("service account {email}"),
        state,
    )
}

fn pool(wanted: &Wanted, found: &Found) -> Step {
    let state = match &found.pool {
        None => State::ToDo(Action::CreatePool),
        // Its name can't be taken anew for 30 days.
        Some(pool) if pool.state == Life::Deleted => State::ToDo(Action::UndeletePool),
        Some(pool) if pool.disabled => State::ToDo(Action::EnablePool),
        Some(_) => State::Exists,
    };
    step("pool", format!("workload identity pool {}", wanted.pool), state)
}

fn provider(wanted: &Wanted, found: &Found) -> Step {
    let settings = wanted.provider_settings();
    let (state, details) = match &found.provider {
        None => (
            State::ToDo(Action::CreateProvider),
            vec![format!("only where {}", settings.attribute_condition)],
        ),
        Some(provider) if provider.state == Life::Deleted => {
            (State::ToDo(Action::UndeleteProvider), Vec::new())
        }
        Some(provider) => existing_provider(provider, &settings),
    };
    Step {
        details,
        ..step(
            "provider",
            format!(
                "workload identity provider {} for {} (repository id {}, owner id {})",
                wanted.provider, wanted.github.full_name, wanted.github.id, wanted.github.owner_id
            ),
            state,
        )
    }
}

fn existing_provider(provider: &Provider, settings: &Provider) -> (State, Vec<String>) {
    let differences = differences(provider, settings);
    if differences.is_empty() {
        return (State::Exists, Vec::new());
    }
    if wanted::is_ours(&provider.description) {
        return (State::ToDo(Action::PatchProvider), differences);
    }
    // Somebody's own condition is fine as long as the repository is known by its id.
    let same = |attribute| {
        provider.attribute_mapping.get(attribute) == settings.attribute_mapping.get(attribute)
            || !settings.attribute_mapping.contains_key(attribute)
    };
    let usable = !provider.disabled
        && provider.oidc.issuer_uri == ISSUER
        && provider.oidc.allowed_audiences.is_empty()
        && same(BY_REPOSITORY)
        && same(BY_REF);
    let state = if usable {
        State::Left("llm-deploy did not make it, so its own condition stays; what the jobs may do hangs on the repository's id all the same".to_owned())
    } else {
        State::Refused("llm-deploy did not make it and does not change it. Leave `--workload-identity-provider` out, or name a provider that is not there yet".to_owned())
    };
    (state, differences)
}

/// What the provider has, and what it shall have.
fn differences(found: &Provider, settings: &Provider) -> Vec<String> {
    let mut lines = Vec::new();
    let mut compare = |what: &str, old: &str, new: &str| {
        if old != new {
            lines.push(format!("{what}: {} → {}", or_none(old), or_none(new)));
        }
    };
    compare(
        "condition",
        &found.attribute_condition,
        &settings.attribute_condition,
    );
    compare("issuer", &found.oidc.issuer_uri, &settings.oidc.issuer_uri);
    compare("audiences", &found.oidc.allowed_audiences.join(", "), "");
    for (to, from) in &settings.attribute_mapping {
        let old = found.attribute_mapping.get(to).map_or("", String::as_str);
        compare(to, old, from);
    }
    for (to, from) in &found.attribute_mapping {
        if !settings.attribute_mapping.contains_key(to) {
            compare(to, from, "");
        }
    }
    if found.disabled {
        lines.push("it is disabled".to_owned());
    }
    lines
}

fn or_none(text: &str) -> &str {
    if text.is_empty() { "none" } else { text }
}

fn bucket(wanted: &Wanted, found: &Found) -> Step {
    let rule = "sources and logs are deleted after 7 days";
    let (state, details) = match &found.bucket {
        None => (
            State::ToDo(Action::CreateBucket),
            vec![format!("in {}; not public; {rule}", wanted.region)],
        ),
        Some(bucket) if bucket.has_former_lifecycle() && wanted.default_bucket => (
            State::ToDo(Action::SetLifecycle),
            vec![format!("{rule}, production's history is kept; was: everything is deleted")],
        ),
        Some(bucket) if bucket.deletes_history() => (
            State::Left("its lifecycle rule deletes production's history as well; llm-deploy did not make it, or the bucket may hold other things".to_owned()),
            Vec::new(),
        ),
        Some(bucket) if bucket.has_lifecycle() => (State::Exists, Vec::new()),
        Some(_) if wanted.default_bucket => (State::ToDo(Action::SetLifecycle), vec![rule.to_owned()]),
        Some(_) => (
            State::Left("it has no lifecycle rule: sources and build logs pile up in it. llm-deploy deletes nothing in a bucket that may hold other things".to_owned()),
            Vec::new(),
        ),
    };
    Step {
        details,
        ..step(
            "bucket",
            format!("bucket {} for sources and build logs", wanted.bucket),
            state,
        )
    }
}

fn repository(wanted: &Wanted, found: &Found) -> Step {
    let policy = format!(
        "of each model the newest {} images stay, others go after {}",
        wanted.keep,
        age(wanted.delete_older_than)
    );
    let (state, details) = match &found.repository {
        None => (State::ToDo(Action::CreateRepository), vec![policy]),
        Some(found) if found.cleans_up(wanted.keep, wanted.delete_older_than) => (State::Exists, Vec::new()),
        Some(found) if found.is_ours() || !found.has_cleanup() && wanted.default_repository => {
            let old = found.cleanup_in_words().into_iter().map(|line| format!("was: {line}"));
            let details = old.chain([format!("will be: {policy}")]).collect();
            (State::ToDo(Action::SetCleanup), details)
        }
        Some(found) if found.has_cleanup() => (
            State::Left("it has a cleanup policy that llm-deploy did not make; be sure that it keeps the newest two or three images of each model, or nothing is left to roll back to".to_owned()),
            found.cleanup_in_words(),
        ),
        Some(_) => (
            State::Left("it has no cleanup policy, and llm-deploy did not make it; images of many gigabytes pile up in it until you set one".to_owned()),
            Vec::new(),
        ),
    };
    Step {
        details,
        ..step(
            "repository",
            format!("Artifact Registry repository {}", wanted.repository),
            state,
        )
    }
}

/// In days where it is whole days.
fn age(duration: Duration) -> String {
    const DAY: u64 = 24 * 60 * 60;
    match (duration.as_secs() / DAY, duration.as_secs() % DAY) {
        (1, 0) => "a day".to_owned(),
        (days @ 2.., 0) => format!("{days} days"),
        _ => human_duration(duration),
    }
}

fn token(found: &Found, secret: &str) -> [Step; 2] {
    let there = found.secrets.get(secret);
    let secret_state = match there {
        Some(_) => State::Exists,
        None => State::ToDo(Action::CreateSecret {
            secret: secret.to_owned(),
        }),
    };
    let token_state = match there {
        Some(true) => State::Exists,
        _ => State::ToDo(Action::AddToken {
            secret: secret.to_owned(),
        }),
    };
    [
        step(
            format!("secret {secret}"),
            format!("secret {secret}"),
            secret_state,
        ),
        step(
            format!("token {secret}"),
            format!("Hugging Face token in secret {secret}"),
            token_state,
        ),
    ]
}

/// One step for each resource: its policy is written once.
fn grants(wanted: &Wanted, found: &Found) -> Vec<Step> {
    let mut by_resource: Vec<(Resource, Vec<Grant>)> = Vec::new();
    // Unknown while an API is off; nothing is granted before that is on, and then all is looked at anew.
    let number = found.number.as_deref().unwrap_or(NUMBER);
    for grant in roles::grants(wanted, number) {
        match by_resource.iter_mut().find(|(on, _)| *on == grant.on) {
            Some((_, list)) => list.push(grant),
            None => by_resource.push((grant.on.clone(), vec![grant])),
        }
    }
    let made_here: BTreeMap<Resource, ()> = wanted
        .token_secrets
        .iter()
        .map(|s| (secret(wanted, s), ()))
        .collect();
    by_resource
        .into_iter()
        .map(|(on, all)| {
            let foreign = matches!(on, Resource::Secret { .. }) && !made_here.contains_key(&on);
            if foreign && found.number.is_some() && !found.has(&on) {
                return missing_secret(&on);
            }
            grants_on(found, on, all)
        })
        .collect()
}

fn secret(wanted: &Wanted, name: &str) -> Resource {
    Resource::Secret {
        project: wanted.project.clone(),
        secret: name.to_owned(),
    }
}

fn missing_secret(on: &Resource) -> Step {
    step(
        format!("grants {on}"),
        format!("roles on {on}"),
        State::Left("`service.secrets` names it and it is not there: create it, and run bootstrap again for its roles".to_owned()),
    )
}

fn grants_on(found: &Found, on: Resource, all: Vec<Grant>) -> Step {
    let policy = found.policies.get(&on);
    let held = |grant: &Grant| policy.is_some_and(|p| p.grants(grant.role, &grant.member));
    let title = format!("{} on {on}", if all.len() == 1 { "role" } else { "roles" });
    let id = format!("grants {on}");
    let missing: Vec<Grant> = all.into_iter().filter(|grant| !held(grant)).collect();
    if missing.is_empty() {
        return step(id, title, State::Exists);
    }
    let details = missing
        .iter()
        .map(|grant| format!("{} → {}: {}", grant.role, short(&grant.member), grant.why))
        .collect();
    Step {
        details,
        ..step(id, title, State::ToDo(Action::Grant { on, grants: missing }))
    }
}

/// Where production is protected: who else can act as its account. What bootstrap gave before is taken back; what it did
/// not give is shown.
fn other_jobs(wanted: &Wanted, found: &Found) -> Vec<Step> {
    let on = Resource::ServiceAccount {
        project: wanted.project.clone(),
        email: wanted.deployer.clone(),
    };
    let (Some(_), Some(number), Some(policy)) =
        (&wanted.preview_deployer, &found.number, found.policies.get(&on))
    else {
        return Vec::new();
    };
    let (every, own) = (wanted.repository_jobs(number), wanted.default_branch_jobs(number));
    let title = format!("only jobs of {} act as {on}", wanted.github.default_branch);
    let foreign: Vec<String> = policy
        .members_of(&[ACT_AS_JOB, "roles/iam.serviceAccountTokenCreator"])
        .filter(|member| member.starts_with("principal") && **member != every && **member != own)
        .map(|member| short(member))
        .collect();
    let mut steps = vec![if policy.grants(ACT_AS_JOB, &every) {
        Step {
            details: vec![format!("{ACT_AS_JOB} → {}", short(&every))],
            ..step(
                "other jobs",
                title.clone(),
                State::ToDo(Action::Revoke {
                    on,
                    role: ACT_AS_JOB,
                    member: every,
                }),
            )
        }
    } else {
        step("other jobs", title.clone(), State::Exists)
    }];
    if !foreign.is_empty() {
        steps.push(Step {
            details: foreign,
            ..step(
                "other members",
                title,
                State::Left("these can act as it as well, and llm-deploy did not let them; take the role away from those that pull requests reach".to_owned()),
            )
        });
    }
    steps
}

/// A member as people know it.
fn short(member: &str) -> String {
    match member.strip_prefix("serviceAccount:") {
        Some(email) => email.split('@').next().unwrap_or(email).to_owned(),
        None => match member.rsplit_once("/attribute.") {
            Some((_, rest)) => match rest.split_once('/') {
                Some(("repository_id", id)) => format!("jobs of repository {id}"),
                Some(("repository_ref", both)) => match both.split_once(':') {
                    Some((id, git_ref)) => format!("jobs of {git_ref} of repository {id}"),
                    None => member.to_owned(),
                },
                _ => member.to_owned(),
            },
            None => member.to_owned(),
        },
    }
}
