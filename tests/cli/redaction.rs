//! What others write can hold a secret of the run, in any form: no surface shows it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use llm_deploy_emulator::{
    faults::{Fault, Pattern, Rule},
    hugging_face,
};
use serde_json::json;

use crate::{
    scheduled::receiver::Receiver,
    support::{REPOSITORY, Ran, World, config, found_below},
};

/// Stands before the secrets, so that a surface that left the whole text out is noticed.
const MARK: &str = "marked";
const QUICK: &str = "latency: { requests: 1, concurrency: [1], max-tokens: 2 }";

/// A world with every secret that a step can have.
struct Guarded {
    world: World,
    receiver: Receiver,
}

impl Guarded {
    fn new() -> Self {
        let world = World::new();
        world.write(
            "llm-deploy.yaml",
            &config(&format!("{QUICK}\nschedule: {{ on-failure: [issue, webhook] }}")),
        );
        Self {
            world,
            receiver: Receiver::new(&[]),
        }
    }

    /// By the variable that holds each.
    fn secrets(&self) -> Vec<(&'static str, String)> {
        let tokens = &self.world.emulator.emulator.tokens;
        vec![
            ("LLM_DEPLOY_GITHUB_TOKEN", tokens.github().to_owned()),
            ("CLOUDSDK_AUTH_ACCESS_TOKEN", tokens.ready().to_owned()),
            ("HF_TOKEN", hugging_face::TOKEN.to_owned()),
            ("LLM_DEPLOY_API_KEY", "Sesame-open_14159265".to_owned()),
            ("LLM_DEPLOY_WEBHOOK_URL", self.receiver.url.clone()),
            (
                "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
                "runner_Request-token/2718281828".to_owned(),
            ),
            // Of another step's: known by its name.
            ("MY_PASSWORD", "p4ss+W0rd/of_another-Step".to_owned()),
        ]
    }

    fn run(&self, event: &str, number: &str) -> Ran {
        let secrets = self.secrets();
        let mut more: Vec<(&str, &str)> = secrets
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        more.push(("GITHUB_RUN_ID", number));
        self.world.run_with(event, &more)
    }

    fn meets(&self, service: &str, id: Option<&str>, message: &str) {
        let body = json!({"error": {"code": 400, "status": "INVALID_ARGUMENT", "message": message, "type": "BadRequestError"}});
        self.world.emulator.emulator.faults.clear();
        self.world.emulator.emulator.faults.add(Rule {
            on: Pattern {
                service: Some(service.to_owned()),
                id: id.map(str::to_owned),
                ..Pattern::default()
            },
            skip: 0,
            times: u32::MAX,
            fault: Fault::Answer {
                status: 400,
                retry_after: None,
                body: Some(body),
            },
        });
    }

    /// Everything that can be read after a run.
    fn surfaces(&self, ran: &Ran) -> Vec<(String, String)> {
        let world = &self.world;
        let github = &world.emulator.emulator.github;
        let mut surfaces = vec![
            ("standard output".to_owned(), ran.stdout.clone()),
            ("standard error".to_owned(), ran.stderr.clone()),
            ("what was sent".to_owned(), world.read("requests.jsonl")),
            ("the comment".to_owned(), world.comments().join("\n")),
        ];
        for file in [
            "summary.md",
            "outputs.txt",
            "report/report.json",
            "report/report.html",
            "report/comment.md",
        ] {
            surfaces.push((file.to_owned(), world.read(file)));
        }
        surfaces.extend(
            github
                .issues(REPOSITORY)
                .into_iter()
                .map(|issue| ("the issue".to_owned(), issue.body)),
        );
        let messages = self.receiver.messages().into_iter();
        surfaces.extend(messages.map(|message| ("the webhook".to_owned(), message.to_string())));
        surfaces
    }

    #[track_caller]
    fn hides_all(&self, ran: &Ran, form: &str, must_show: &[&str]) {
        let surfaces = self.surfaces(ran);
        for surface in must_show {
            let shown = surfaces
                .iter()
                .any(|(name, text)| name == surface && text.contains(MARK));
            assert!(shown, "{form}: {surface} lacks the text: {surfaces:#?}");
        }
        for (name, secret) in self.secrets() {
            for needle in needles(&secret) {
                for (surface, text) in &surfaces {
                    assert!(
                        !as_read(text).contains(&needle),
                        "{name} as {form} in {surface}: {text}"
                    );
                }
            }
            let files = found_below(&self.world.path("report"), &secret);
            assert!(files.is_empty(), "{name} as {form} in {files:?}");
        }
    }
}

/// A text as a reader can put it together: without line breaks and the escapes of Markdown, JSON and HTML.
fn as_read(text: &str) -> String {
    let text = text
        .replace("\\n", "")
        .replace("&#43;", "+")
        .replace("&#47;", "/");
    text.chars()
        .filter(|c| !c.is_whitespace() && *c != '\\' && *c != '\u{200b}')
        .collect()
}

/// What may be on no surface: the secret, and it in base64 and a URL.
fn needles(secret: &str) -> Vec<String> {
    let base64 = STANDARD.encode(secret);
    let basic = STANDARD.encode(format!("x-access-token:{secret}"));
    vec![
        secret.to_owned(),
        // The last characters depend on what follows.
        base64[..base64.len() - 4].to_owned(),
        basic[24..basic.len() - 4].to_owned(),
        percent_encoded(secret),
    ]
}

fn percent_encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// How a text writes a secret, by name.
type Form = (&'static str, fn(&str) -> String);

fn forms() -> Vec<Form> {
    vec![
        ("itself", str::to_owned),
        ("base64", |secret| STANDARD.encode(secret)),
        ("basic authentication", |secret| {
            STANDARD.encode(format!("x-access-token:{secret}"))
        }),
        ("part of a URL", percent_encoded),
        ("two lines", |secret| {
            let (start, end) = secret.split_at(secret.len() / 2);
            format!("{start}\n{end}")
        }),
    ]
}

#[test]
fn a_preview_that_fails_shows_no_secret_that_google_repeats() {
    let guarded = Guarded::new();
    let mut number = 42;
    for (form, written) in forms() {
        for (name, secret) in guarded.secrets() {
            let text = format!("{MARK} {}", written(&secret));
            guarded.meets("run", Some("run.projects.locations.services.create"), &text);
            guarded.world.forget_requests();
            number += 1;
            let ran = guarded.run("pull_request.opened", &number.to_string());
            assert_ne!(ran.code, 0, "{}", ran.stdout);
            guarded.hides_all(
                &ran,
                &format!("{form} ({name})"),
                &[
                    "standard output",
                    "what was sent",
                    "the comment",
                    "summary.md",
                    "report/report.json",
                    "report/report.html",
                ],
            );
        }
    }
}

#[test]
fn a_scheduled_test_that_fails_shows_no_secret_that_the_model_repeats() {
    let guarded = Guarded::new();
    guarded.run("push", "42").expect_code(0);
    let mut number = 42;
    for (form, written) in forms() {
        let secrets = guarded.secrets();
        let all: Vec<String> = secrets.iter().map(|(_, secret)| written(secret)).collect();
        guarded.meets("endpoint", None, &format!("{MARK} {}", all.join(" ")));
        guarded.world.forget_requests();
        number += 1;
        guarded.run("schedule", &number.to_string()).expect_code(1);
        let ran = guarded.run("schedule", &number.to_string());
        guarded.hides_all(
            &ran,
            form,
            &[
                "standard output",
                "the issue",
                "the webhook",
                "summary.md",
                "report/report.json",
            ],
        );
    }
}
