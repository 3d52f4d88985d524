//! What a workflow file gives the job that uses the action: permissions, triggers, concurrency.

use super::{Check, Group, Place};
use crate::config::tree::{self, Entry, Kind, Node};

/// A workflow file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// `.github/workflows/llm.yml`
    pub name: String,
    pub text: String,
}

/// Types of the `pull_request` event that a preview lives by.
const TYPES: [&str; 4] = ["opened", "synchronize", "reopened", "closed"];

/// What each permission is for.
const PERMISSIONS: [(&str, &str, &str); 5] = [
    ("contents", "read", "checking out the configuration"),
    ("id-token", "write", "signing in to Google Cloud without a key"),
    ("pull-requests", "write", "the comment on a pull request"),
    ("deployments", "write", "the deployment with the endpoint's URL"),
    ("actions", "read", "confirming that another run is newer"),
];

/// Checks of every file with a job that uses the action. `local`: this repository's own `action.yml` is llm-deploy's.
pub fn checks(files: &[File], local: bool) -> Vec<Check> {
    let mut checks = Vec::new();
    for file in files {
        if let (Some(root), _) = tree::read(&file.text) {
            checks.extend(of_file(&file.name, &root, local));
        }
    }
    if checks.is_empty() {
        let why = "no file in .github/workflows has a step that uses llm-deploy".to_owned();
        checks.push(Group::Workflow.skipped("workflow files", &super::Unseen(why)));
    }
    checks
}

/// What this job got from GitHub.
pub fn of_job(id_token: bool, github_token: bool) -> Vec<Check> {
    let group = Group::Workflow;
    let identity = if id_token {
        group.pass("id-token: write", "GitHub gives this job an identity token")
    } else {
        let detail = "GitHub gives this job no identity token, with which it signs in to Google Cloud";
        group
            .warn("id-token: write", detail)
            .advice("Add `id-token: write` to the job's `permissions`")
    };
    let token = if github_token {
        group.pass("GITHUB_TOKEN", "is there, for the comment and the deployment")
    } else {
        let detail = "is not there: no comment and no deployment will be written";
        group
            .warn("GITHUB_TOKEN", detail)
            .advice("Leave the input `github-token` at its default")
    };
    vec![identity, token]
}

struct Job<'a> {
    name: &'a str,
    entry: &'a Entry,
    /// Whether it signs in by workload identity, as far as the file shows.
    federated: bool,
    /// What its step asks for, `run` by default.
    command: &'a str,
}

fn of_file(file: &str, root: &Node, local: bool) -> Vec<Check> {
    let jobs: Vec<Job<'_>> = get(root, "jobs")
        .into_iter()
        .flat_map(entries)
        .filter_map(|entry| job(entry, local))
        .collect();
    if jobs.is_empty() {
        return Vec::new();
    }
    let mut wrong: Vec<Check> = Vec::new();
    for job in &jobs {
        wrong.extend(permissions(root, job));
    }
    for job in &jobs {
        wrong.extend(issues(root, job));
    }
    if jobs.iter().any(|job| job.command == "run") {
        wrong.extend(triggers(root));
        wrong.extend(concurrency(root, "the workflow"));
        for job in &jobs {
            wrong.extend(concurrency(&job.entry.value, job.name));
        }
    }
    if wrong.is_empty() {
        let detail = "permissions, triggers and concurrency are as a run needs them";
        return vec![Group::Workflow.pass(file, detail)];
    }
    for check in &mut wrong {
        check.place = check.place.take().map(|place| Place {
            file: file.to_owned(),
            ..place
        });
    }
    wrong
}

fn job(entry: &Entry, local: bool) -> Option<Job<'_>> {
    let steps = || get(&entry.value, "steps").into_iter().flat_map(items);
    let uses = |step: &'_ Node, is: &dyn Fn(&str) -> bool| get(step, "uses").and_then(text).is_some_and(is);
    let step = steps().find(|step| uses(step, &|name| is_ours(name, local)))?;
    let with = get(step, "with");
    let given = |key: &str| with.and_then(|with| get(with, key)).and_then(text);
    let federated = given("workload-identity-provider").is_some_and(|v| !v.is_empty())
        || steps().any(|step| uses(step, &|name| name.starts_with("google-github-actions/auth@")));
    Some(Job {
        name: &entry.key,
        entry,
        federated,
        command: given("command").filter(|c| !c.is_empty()).unwrap_or("run"),
    })
}

fn is_ours(uses: &str, local: bool) -> bool {
    let name = uses.split('@').next().unwrap_or_default();
    let last = name.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    matches!(last, "llm-deploy-action" | "llm-deploy") || local && matches!(name, "." | "./")
}

/// The job's own permissions, else the workflow's. What is not named there is not given; without any, GitHub gives
/// the token what the repository's settings say, but never `id-token`.
fn permissions(root: &Node, job: &Job<'_>) -> Vec<Check> {
    let given = given_permissions(root, job);
    let line = given.map_or(job.entry.key_mark.line, |entry| entry.key_mark.line);
    let comments = job.command == "run";
    PERMISSIONS
        .into_iter()
        .filter(|(name, ..)| comments || matches!(*name, "contents" | "id-token"))
        .filter(|(name, wanted, _)| !has(root, job, name, wanted))
        .map(|(name, wanted, purpose)| {
            let subject = format!("job {}", job.name);
            let detail = format!("lacks `{name}: {wanted}`, which is for {purpose}");
            let check = if name == "id-token" && job.federated {
                Group::Workflow.fail(subject, detail)
            } else {
                Group::Workflow.warn(subject, detail)
            };
            check
                .at("", line)
                .advice(format!("Add `{name}: {wanted}` to its `permissions`"))
        })
        .collect()
}

/// A schedule opens an issue when production fails its test. Its job asks for `run` under a condition, perhaps.
fn issues(root: &Node, job: &Job<'_>) -> Option<Check> {
    let on = get(root, "on")?;
    event(on, "schedule")?;
    if !job.command.contains("run") || has(root, job, "issues", "write") {
        return None;
    }
    let line = given_permissions(root, job).map_or(job.entry.key_mark.line, |entry| entry.key_mark.line);
    let detail = "lacks `issues: write`, which is for the issue of a failing scheduled test";
    let check = Group::Workflow
        .warn(format!("job {}", job.name), detail)
        .at("", line);
    Some(check.advice("Add `issues: write` to its `permissions`, or set `schedule.on-failure: none`"))
}

fn given_permissions<'a>(root: &'a Node, job: &Job<'a>) -> Option<&'a Entry> {
    get_entry(&job.entry.value, "permissions").or_else(|| get_entry(root, "permissions"))
}

fn has(root: &Node, job: &Job<'_>, name: &str, wanted: &str) -> bool {
    match given_permissions(root, job).map(|entry| &entry.value) {
        None => name == "contents",
        Some(node) => match text(node) {
            Some("write-all") => true,
            Some("read-all") => wanted == "read",
            _ => get(node, name)
                .and_then(text)
                .is_some_and(|v| v == wanted || v == "write"),
        },
    }
}

fn triggers(root: &Node) -> Vec<Check> {
    let Some(on) = get_entry(root, "on") else {
        return Vec::new();
    };
    let line = on.key_mark.line;
    let mut found = Vec::new();
    if let Some((at, _)) = event(&on.value, "pull_request_target") {
        let detail = "hands the credentials to whoever opens a pull request";
        let check = Group::Workflow
            .fail("on.pull_request_target", detail)
            .at("", at.unwrap_or(line));
        found.push(check.advice("Use `pull_request`: forks get a plan without credentials"));
    }
    let Some((line, settings)) =
        event(&on.value, "pull_request").map(|(at, node)| (at.unwrap_or(line), node))
    else {
        return found;
    };
    let types: Vec<&str> = match settings.and_then(|node| get(node, "types")) {
        Some(node) => text(node)
            .into_iter()
            .chain(items(node).filter_map(text))
            .collect(),
        // GitHub's own choice.
        None => TYPES[..3].to_vec(),
    };
    for missing in TYPES.into_iter().filter(|t| !types.contains(t)) {
        let detail = if missing == "closed" {
            "lacks the type `closed`: previews stay until they expire".to_owned()
        } else {
            format!("lacks the type `{missing}`: such a pull request gets no preview")
        };
        let check = Group::Workflow.warn("on.pull_request", detail).at("", line);
        found.push(check.advice(format!("Set `types: [{}]`", TYPES.join(", "))));
    }
    found
}

/// An event in any of the three notations: its line, where it has one of its own, and its settings.
fn event<'a>(on: &'a Node, name: &str) -> Option<(Option<usize>, Option<&'a Node>)> {
    if text(on) == Some(name) || items(on).filter_map(text).any(|t| t == name) {
        return Some((None, None));
    }
    get_entry(on, name).map(|entry| (Some(entry.key_mark.line), Some(&entry.value)))
}

/// A cancelled deployment leaves work for the next run, a cancelled `closed` run leaves a preview.
fn concurrency(node: &Node, whose: &str) -> Option<Check> {
    let entry = get_entry(get(node, "concurrency")?, "cancel-in-progress")?;
    if text(&entry.value) == Some("false") {
        return None;
    }
    let detail = "`cancel-in-progress` can end a deployment half-way, or the deletion of a preview";
    let check = Group::Workflow.warn(format!("concurrency of {whose}"), detail);
    Some(
        check
            .at("", entry.key_mark.line)
            .advice("Set `cancel-in-progress: false`"),
    )
}

fn entries(node: &Node) -> &[Entry] {
    match &node.kind {
        Kind::Map(entries) => entries,
        _ => &[],
    }
}

fn items(node: &Node) -> impl Iterator<Item = &Node> {
    match &node.kind {
        Kind::List(items) => items.as_slice(),
        _ => &[],
    }
    .iter()
}

fn get_entry<'a>(node: &'a Node, key: &str) -> Option<&'a Entry> {
    entries(node).iter().find(|entry| entry.key == key)
}

fn get<'a>(node: &'a Node, key: &str) -> Option<&'a Node> {
    get_entry(node, key).map(|entry| &entry.value)
}

fn text(node: &Node) -> Option<&str> {
    match &node.kind {
        Kind::Scalar(scalar) => Some(&scalar.text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{Verdict, testing};

    const GOOD: &str = "on:
  push:
    branches: [main]
  pull_request:
    types: [opened, synchronize, reopened, closed]
concurrency:
  group: llm
  cancel-in-progress: false
permissions:
  contents: read
  id-token: write
  pull-requests: write
  deployments: write
  actions: read
jobs:
  llm:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v6
      - uses: org/llm-deploy-action@v1
        with:
          workload-identity-provider: projects/1/x
";

    fn of(text: &str) -> Vec<Check> {
        let file = File {
            name: "llm.yml".to_owned(),
            text: text.to_owned(),
        };
        checks(&[file], false)
    }

    #[test]
    fn the_least_workflow_passes() {
        assert_eq!(testing::verdicts(&of(GOOD)), [Verdict::Pass]);
        let template = include_str!("../../workflow-templates/llm-deploy.yml");
        assert_eq!(testing::lines(&of(template)).split(' ').next(), Some("Pass"));
    }

    #[test]
    fn what_a_workflow_lacks_is_told_with_its_line() {
        let without = |part: &str| testing::lines(&of(&GOOD.replace(part, "")));
        insta::assert_snapshot!(without("  id-token: write\n"));
        insta::assert_snapshot!(without("  pull-requests: write\n  deployments: write\n"));
        insta::assert_snapshot!(without("  contents: read\n"));
        assert!(without("  actions: read\n").contains("lacks `actions: read`"));
        insta::assert_snapshot!(without(", closed"));
        insta::assert_snapshot!(without("    types: [opened, synchronize, reopened, closed]\n"));
        let cancels = GOOD.replace("in-progress: false", "in-progress: ${{ github.ref != 'x' }}");
        insta::assert_snapshot!(testing::lines(&of(&cancels)));
        let target = GOOD.replace("pull_request:", "pull_request_target:");
        insta::assert_snapshot!(testing::lines(&of(&target)));
    }

    #[test]
    fn a_job_s_own_permissions_replace_the_workflow_s() {
        let own = GOOD.replace("    runs-on", "    permissions: { id-token: write }\n    runs-on");
        assert_eq!(of(&own).len(), 4, "{}", testing::lines(&of(&own)));
        assert!(
            of(&own)
                .iter()
                .all(|c| c.place.as_ref().is_some_and(|p| p.line == 17))
        );
        let all = GOOD.replace("    runs-on", "    permissions: write-all\n    runs-on");
        assert_eq!(testing::verdicts(&of(&all)), [Verdict::Pass]);
    }

    #[test]
    fn other_commands_need_no_pull_request_and_other_workflows_are_left_alone() {
        let smoke = GOOD
            .replace("        with:\n", "        with:\n          command: smoke\n")
            .replace("  pull-requests: write\n  deployments: write\n", "")
            .replace("false", "true");
        assert_eq!(testing::verdicts(&of(&smoke)), [Verdict::Pass]);
        for text in [
            "jobs: { a: { steps: [{ uses: actions/checkout@v6 }] } }",
            "- a",
            "a: [",
            "",
            "on: &x push",
        ] {
            assert_eq!(testing::verdicts(&of(text)), [Verdict::Skipped], "{text}");
        }
    }

    #[test]
    fn a_schedule_needs_issues_where_its_job_runs() {
        let schedule = GOOD.replace("on:\n", "on:\n  schedule: [{ cron: '17 6 * * *' }]\n");
        assert_ne!(schedule, GOOD);
        let checks = of(&schedule);
        assert_eq!(
            testing::verdicts(&checks),
            [Verdict::Warn],
            "{}",
            testing::lines(&checks)
        );
        assert!(checks[0].detail.contains("`issues: write`"));
        let given = schedule.replace(
            "  deployments: write\n",
            "  deployments: write\n  issues: write\n",
        );
        assert_eq!(testing::verdicts(&of(&given)), [Verdict::Pass]);
    }

    #[test]
    fn the_action_is_known_however_it_is_named() {
        for (uses, local, ours) in [
            ("org/llm-deploy-action@v1", false, true),
            ("./.github/actions/llm-deploy", false, true),
            ("./", true, true),
            ("./", false, false),
            ("org/other-action@v1", true, false),
        ] {
            assert_eq!(is_ours(uses, local), ours, "{uses}");
        }
    }
}
