//! What a pull request may cost is decided by the branch that it goes into: by its file, by a label, by nothing else.

use llm_deploy_emulator::github::{Access, GitHub};
use serde_json::Value;

use crate::support::{PULL_REQUEST, REPOSITORY, Ran, World, config};

const SERVICE: &str = "qwen3-5-4b-pr-12";
const FILE: &str = "llm-deploy.yaml";
const RTX: &str = "service: { gpu: nvidia-rtx-pro-6000 }";
const QUICK: &str = "latency: { requests: 1, concurrency: [1], max-tokens: 2 }";

/// A world in which `main` has this file.
fn world(base: &str) -> World {
    let world = World::new();
    world.write(FILE, &config(QUICK));
    github(&world).put_file(REPOSITORY, "main", FILE, base);
    world
}

fn github(world: &World) -> &GitHub {
    &world.emulator.emulator.github
}

/// Runs on a pull request that asks for this much.
fn ask(world: &World, more: &str) -> Ran {
    world.write(FILE, &config(&format!("{more}\n{QUICK}")));
    world.run("pull_request.opened")
}

/// Runs on `labeled` or `unlabeled`, with the label that the event is about.
fn on_label(world: &World, action: &str, label: &str) -> Ran {
    let (name, mut payload) = world.event("pull_request.opened");
    payload["action"] = action.into();
    payload["label"] = serde_json::json!({ "id": 1, "name": label });
    // Old labels, as a run that is started again has them.
    payload["pull_request"]["labels"] = serde_json::json!([{ "id": 1, "name": "deploy-preview" }]);
    world.write("event.json", &payload.to_string());
    world.actions(&["run"], &name, &[])
}

/// Nothing was written at Google; signing in is no writing.
#[track_caller]
fn expect_untouched(world: &World) {
    let read_only = |request: &Value| {
        let service = request["service"].as_str().unwrap();
        request["method"] == "GET" || ["github", "hf", "iamcredentials", "sts", "oidc"].contains(&service)
    };
    let wrote: Vec<String> = world
        .requests()
        .iter()
        .filter(|r| !read_only(r))
        .map(ToString::to_string)
        .collect();
    assert!(wrote.is_empty(), "{wrote:#?}");
}

/// A red run, a plan, and the failure's words.
#[track_caller]
fn expect_refused(world: &World, ran: &Ran, code: i32) -> String {
    ran.expect_code(code);
    expect_untouched(world);
    let report = world.report();
    let model = &report["models"][0];
    assert_eq!(
        (&report["status"], &report["kind"]),
        (&"failed".into(), &"preview".into())
    );
    let plan = model["stages"][0]["detail"].as_str().unwrap();
    assert!(
        plan.contains("would serve") && plan.contains("image key"),
        "{plan}"
    );
    assert!(
        world.comments()[0].contains("Not deployed: limits of the base branch"),
        "{}",
        world.comments()[0]
    );
    let failure = &model["failure"];
    format!("{} {} {}", failure["title"], failure["cause"], failure["fix"])
}

#[test]
fn each_limit_makes_the_check_red_with_its_name_and_nothing_is_deployed() {
    for (limit, base, asked) in [
        ("gpus", "", RTX),
        ("max-instances", "", "preview: { max-instances: 2 }"),
        ("expires", "", "preview: { expires: 30d }"),
        ("models", "preview: { limits: { models: ['acme/*'] } }", ""),
        ("hourly-cost", "preview: { limits: { hourly-cost: 1 } }", ""),
    ] {
        let world = world(base);
        let ran = ask(&world, asked);
        let said = expect_refused(&world, &ran, 2);
        assert!(
            said.contains(&format!("`preview.limits.{limit}` on `main`")),
            "{limit}: {said}"
        );
        assert!(world.service(SERVICE).is_none());
    }
}

#[test]
fn the_limits_of_the_pull_request_itself_do_not_count() {
    let world = world("preview: { limits: { gpus: [nvidia-l4] } }");
    let own = format!("{RTX}\npreview: {{ limits: {{ gpus: [nvidia-rtx-pro-6000] }} }}");
    github(&world).put_file(REPOSITORY, "faster-model", FILE, &own);
    let ran = ask(&world, &own);
    let said = expect_refused(&world, &ran, 2);
    assert!(said.contains("allows nvidia-l4"), "{said}");
    let place = &world.report()["models"][0]["failure"]["place"];
    assert_eq!((&place["file"], &place["line"]), (&FILE.into(), &4.into()));
}

#[test]
fn an_input_of_the_workflow_raises_no_limit() {
    let world = world("");
    world.write(FILE, &config(QUICK));
    let ran = world.run_with(
        "pull_request.opened",
        &[("LLM_DEPLOY_GPU", "nvidia-rtx-pro-6000")],
    );
    let said = expect_refused(&world, &ran, 2);
    assert!(said.contains("(input `gpu`)"), "{said}");
}

#[test]
fn what_the_base_branch_allows_is_deployed() {
    let limits =
        "limits: { max-instances: 2, expires: 100h, models: ['acme/*', 'Qwen/*'], hourly-cost: 2.1 }";
    let world = world(&config(&format!("preview: {{ {limits} }}")));
    ask(&world, "preview: { max-instances: 2, expires: 100h }").expect_code(0);
    let service = world.service(SERVICE).unwrap();
    assert_eq!(service["template"]["scaling"]["maxInstanceCount"], 2);
}

#[test]
fn a_base_branch_without_the_file_allows_the_defaults() {
    let world = world("");
    github(&world).remove_file(REPOSITORY, "main", FILE);
    ask(&world, "").expect_code(0);
    assert!(world.service(SERVICE).is_some());
    world.forget_requests();
    let ran = ask(&world, RTX);
    expect_refused(&world, &ran, 2);
}

#[test]
fn a_configuration_that_was_moved_leaves_neither_label_nor_limits_behind() {
    let world = world("preview: { limits: { models: ['acme/*'] } }");
    world.write("moved.yaml", &config(QUICK));
    let moved = [("LLM_DEPLOY_CONFIG", "moved.yaml")];
    let ran = world.run_with("pull_request.opened", &moved);
    let said = expect_refused(&world, &ran, 2);
    assert!(said.contains("`preview.limits.models` on `main`"), "{said}");
    assert!(said.contains("in `llm-deploy.yaml` on `main`"), "{said}");
    github(&world).put_file(REPOSITORY, "main", FILE, "preview: { label: deploy-preview }");
    world.run_with("pull_request.opened", &moved).expect_code(0);
    assert_eq!(world.report()["kind"], "plan_only");
    expect_untouched(&world);
    // A file of its own on the branch decides alone.
    github(&world).put_file(REPOSITORY, "main", "moved.yaml", "");
    world.run_with("pull_request.opened", &moved).expect_code(0);
    assert!(world.service(SERVICE).is_some());
}

#[test]
fn a_limit_that_was_tightened_counts_at_once_and_a_live_preview_stays_as_it_is() {
    let world = world("preview: { max-instances: 2 }");
    ask(&world, "preview: { max-instances: 2 }").expect_code(0);
    let before = world.service(SERVICE).unwrap();
    github(&world).put_file(REPOSITORY, "main", FILE, "preview: { max-instances: 1 }");
    world.forget_requests();
    // The very same event again: its payload knows nothing of it.
    let ran = world.run("pull_request.opened");
    let said = expect_refused(&world, &ran, 2);
    assert!(said.contains("max-instances` asks for 2"), "{said}");
    assert_eq!(world.service(SERVICE).unwrap(), before);
}

#[test]
fn limits_that_can_not_be_read_allow_nothing() {
    type Break = fn(&World);
    let cases: [(&str, i32, Break); 4] = [
        ("contents: read", 2, |world| {
            github(world).permit("contents", Access::None);
        }),
        ("Branch not found", 2, |world| {
            github(world).retarget(REPOSITORY, PULL_REQUEST, "gone");
        }),
        ("unknown key `limit`", 2, |world| {
            github(world).put_file(REPOSITORY, "main", FILE, "preview: { limit: {} }");
        }),
        ("larger than 1 MB", 2, |world| {
            github(world).put_file(REPOSITORY, "main", FILE, &format!("# {}", "x".repeat(1 << 20)));
        }),
    ];
    for (words, code, spoil) in cases {
        let world = world("");
        spoil(&world);
        let ran = ask(&world, "");
        let said = expect_refused(&world, &ran, code);
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn without_a_token_no_preview_is_deployed() {
    let world = world("");
    let ran = world.run_with("pull_request.opened", &[("GITHUB_TOKEN", "")]);
    ran.expect_code(2);
    expect_untouched(&world);
    let failure = &world.report()["models"][0]["failure"];
    assert!(
        failure["fix"].as_str().unwrap().contains("GITHUB_TOKEN"),
        "{failure}"
    );
}

#[test]
fn a_preview_by_hand_is_nobodys_business_but_its_authors() {
    let world = world("preview: { label: deploy-preview, limits: { models: ['acme/*'] } }");
    let arguments = ["deploy", "--pull-request", "12"];
    let mut command = world.command(&arguments);
    command
        .env_remove("GITHUB_TOKEN")
        .env("GITHUB_REPOSITORY", REPOSITORY);
    crate::support::ran(command).expect_code(0);
    assert!(world.service(SERVICE).is_some());
}

#[test]
fn a_pull_request_on_top_of_another_is_held_to_the_default_branchs_limits_too() {
    let world = world("preview: { label: deploy-preview, limits: { gpus: [nvidia-l4] } }");
    github(&world).put_file(REPOSITORY, "mine", FILE, &config(RTX));
    github(&world).retarget(REPOSITORY, PULL_REQUEST, "mine");
    github(&world).label(REPOSITORY, PULL_REQUEST, "deploy-preview");
    let ran = ask(&world, RTX);
    let said = expect_refused(&world, &ran, 2);
    assert!(said.contains("`preview.limits.gpus` on `main`"), "{said}");
}

#[test]
fn without_the_label_there_is_a_plan_and_with_it_a_preview() {
    let world = world("preview: { label: deploy-preview }");
    ask(&world, "").expect_code(0);
    expect_untouched(&world);
    assert_eq!(world.report()["kind"], "plan_only");
    let summary = world.read("summary.md");
    assert!(
        summary.contains("deploy-preview") && summary.contains("would serve"),
        "{summary}"
    );

    github(&world).label(REPOSITORY, PULL_REQUEST, "Deploy-Preview");
    on_label(&world, "labeled", "Deploy-Preview").expect_code(0);
    assert!(world.service(SERVICE).is_some());
}

#[test]
fn taking_the_label_away_deletes_the_preview_and_says_why() {
    let world = world("preview: { label: deploy-preview }");
    github(&world).label(REPOSITORY, PULL_REQUEST, "deploy-preview");
    ask(&world, "").expect_code(0);
    github(&world).unlabel(REPOSITORY, PULL_REQUEST, "deploy-preview");
    on_label(&world, "unlabeled", "deploy-preview").expect_code(0);
    assert!(world.service(SERVICE).is_none());
    let comment = &world.comments()[0];
    assert!(
        comment.contains("no longer has the label") && comment.contains("deploy-preview"),
        "{comment}"
    );
}

#[test]
fn a_removal_whose_run_was_cancelled_is_made_up_for_by_the_next() {
    let world = world("preview: { label: deploy-preview }");
    github(&world).label(REPOSITORY, PULL_REQUEST, "deploy-preview");
    ask(&world, "").expect_code(0);
    github(&world).unlabel(REPOSITORY, PULL_REQUEST, "deploy-preview");
    world.run("pull_request.synchronize").expect_code(0);
    assert!(world.service(SERVICE).is_none());
}

/// GitHub shows a preview, and Google can't be asked whether there is one.
#[test]
fn a_preview_that_may_still_be_there_without_its_label_makes_the_run_red() {
    let world = world("preview: { label: deploy-preview }");
    github(&world).label(REPOSITORY, PULL_REQUEST, "deploy-preview");
    ask(&world, "").expect_code(0);
    github(&world).unlabel(REPOSITORY, PULL_REQUEST, "deploy-preview");
    let (name, payload) = world.event("pull_request.synchronize");
    world.write("event.json", &payload.to_string());
    let none = [
        ("CLOUDSDK_AUTH_ACCESS_TOKEN", ""),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", ""),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere"),
    ];
    assert_ne!(world.actions(&["run"], &name, &none).code, 0);
    world.run("pull_request.synchronize").expect_code(0);
    assert!(world.service(SERVICE).is_none());
    // Nothing is shown any more: a plan, green, and the comment doesn't go on about the preview.
    assert_eq!(world.actions(&["run"], &name, &none).code, 0);
    let comment = &world.comments()[0];
    assert!(
        comment.contains("Plan only") && comment.contains("Add the label"),
        "{comment}"
    );
    assert_eq!(world.comments().len(), 1);
}

#[test]
fn another_label_writes_nothing() {
    let world = world("preview: { label: deploy-preview }");
    github(&world).label(REPOSITORY, PULL_REQUEST, "deploy-preview");
    ask(&world, "").expect_code(0);
    let before = world.service(SERVICE).unwrap();
    for action in ["labeled", "unlabeled"] {
        on_label(&world, action, "documentation").expect_code(0);
        let after = world.service(SERVICE).unwrap();
        assert_eq!(before["generation"], after["generation"], "{action}");
    }
}

#[test]
fn labels_that_may_not_be_read_switch_nothing_on() {
    let world = world("preview: { label: deploy-preview }");
    github(&world).label(REPOSITORY, PULL_REQUEST, "deploy-preview");
    github(&world).permit("pull-requests", Access::None);
    let ran = on_label(&world, "labeled", "deploy-preview");
    let said = expect_refused(&world, &ran, 2);
    assert!(said.contains("pull-requests: read"), "{said}");
}

#[test]
fn without_a_label_to_look_at_the_pull_requests_own_page_is_not_needed() {
    let world = world("");
    github(&world).permit("pull-requests", Access::None);
    ask(&world, "").expect_code(0);
    assert!(world.service(SERVICE).is_some());
}

#[test]
fn a_fork_gets_a_plan_whatever_the_base_branch_allows() {
    let world = world("preview: { limits: { gpus: [nvidia-l4, nvidia-rtx-pro-6000], max-instances: 10 } }");
    let (name, mut payload) = world.event("pull_request.opened");
    payload["pull_request"]["head"]["repo"]["id"] = 99.into();
    world.write("event.json", &payload.to_string());
    world.actions(&["run"], &name, &[]).expect_code(0);
    expect_untouched(&world);
    assert_eq!(world.report()["kind"], "plan_only");
}

#[test]
fn pull_request_target_is_refused_with_the_danger() {
    let world = world("");
    let (_, payload) = world.event("pull_request.opened");
    world.write("event.json", &payload.to_string());
    for command in ["run", "build", "deploy", "smoke", "cleanup", "doctor"] {
        let ran = world.actions(&[command], "pull_request_target", &[]);
        ran.expect_code(2);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains("checkout of the pull request's head"), "{said}");
        expect_untouched(&world);
    }
}

/// A file with a token, both accounts, and the strictest limits.
const GUARDED: &str = "image: { hf-token-secret: hf-token }
build: { service-account: llm-builder@demo-project.iam.gserviceaccount.com }
service: { access: private, service-account: llm-runtime@demo-project.iam.gserviceaccount.com }
preview: { limits: { gpus: [nvidia-l4], max-instances: 1, expires: 72h, models: ['Qwen/*'], hourly-cost: 2.50 } }
";
const RUNTIME: &str = "service-account: llm-runtime@demo-project.iam.gserviceaccount.com";
const BUILDER: &str = "service-account: llm-builder@demo-project.iam.gserviceaccount.com";

#[test]
fn one_line_takes_no_secret_account_access_or_code_and_the_printed_lines_allow_it() {
    // What is asked of the service and of the build, anything else, and what is printed.
    let cases = [
        (
            "",
            "",
            "image: { base: 'evil.example/vllm:v1' }",
            r#"image.base: ["evil.example/vllm:v1"]"#,
        ),
        (
            "secrets: { STOLEN: hf-token }",
            "",
            "",
            "service.secrets: [hf-token]",
        ),
        ("access: public", "", "", "service.access: [public]"),
        (
            "env: { LD_PRELOAD: /tmp/x.so }",
            "",
            "",
            "service.env: [LD_PRELOAD]",
        ),
        ("", "machine: E2_HIGHCPU_32", "", "build.machine: [E2_HIGHCPU_32]"),
        (
            "",
            "",
            "engine: { args: { trust-remote-code: true } }",
            "engine.args: [trust-remote-code]",
        ),
        (
            "",
            "",
            "engine: { args: { tokenizer: evil/tok } }",
            "engine.args: [tokenizer]",
        ),
        (
            "",
            "",
            "engine: { args: { trust-remote-cod: true } }",
            "engine.args: [trust-remote-cod]",
        ),
        ("", "", "region: us-central1", "region: [us-central1]"),
    ];
    for (service, build, other, printed) in cases {
        let text = format!("{QUICK}\nservice: {{ {RUNTIME}, {service} }}\nbuild: {{ {BUILDER}, {build} }}\n");
        let text = match other.strip_prefix("region: ") {
            Some(region) => config(&text).replace("europe-west4", region),
            None => config(&format!("{text}{other}\n")),
        };
        let world = world(&config(GUARDED));
        world.write(FILE, &text);
        let ran = world.run("pull_request.opened");
        let said = expect_refused(&world, &ran, 2).replace("\\\"", "\"");
        assert!(said.contains(&format!("allow: {{ {printed} }}")), "{said}");
        assert!(world.service(SERVICE).is_none());
        // What is printed replaces the file's own limits, which are part of it.
        let lines = said
            .split('`')
            .find(|part| part.starts_with("limits: {"))
            .unwrap();
        assert!(
            lines.contains("hourly-cost: 2.5") && lines.contains("gpus: [nvidia-l4]"),
            "{lines}"
        );
        let base = config(GUARDED);
        let (own, _) = base.split_once("preview:").unwrap();
        let base = format!("{own}preview: {{ {lines} }}\n");
        github(&world).put_file(REPOSITORY, "main", FILE, &base);
        let ran = world.run("pull_request.opened");
        let stages = world.report()["models"][0]["stages"].to_string();
        assert!(
            !stages.contains("limits of the base branch"),
            "{lines}: {}",
            ran.stdout
        );
    }
}

#[test]
fn to_name_no_account_is_to_ask_for_the_projects_default_one() {
    let world = world(&config(GUARDED));
    let ran = ask(&world, "");
    let said = expect_refused(&world, &ran, 2);
    let printed = "allow: { build.service-account: [default], service.service-account: [default] }";
    assert!(said.contains(printed), "{said}");
}

#[test]
fn the_token_is_not_mounted_into_another_base_image_and_the_comment_lists_what_differs() {
    let base =
        "image: { hf-token-secret: hf-token }\npreview: { limits: { allow: { image.base: ['acme/*'] } } }";
    let world = world(&config(base));
    ask(
        &world,
        "image: { hf-token-secret: hf-token, base: 'acme/vllm:v1' }",
    )
    .expect_code(0);
    let builds: Vec<Value> = world
        .requests()
        .into_iter()
        .filter(|r| r["id"].as_str().is_some_and(|id| id.ends_with("builds.create")))
        .collect();
    assert_eq!(builds.len(), 1);
    let build = builds[0].to_string();
    assert!(
        build.contains("acme/vllm:v1") && !build.contains("hf-token"),
        "{build}"
    );
    let comment = world.comments()[0].replace('\u{200b}', "");
    for words in [
        "without the Hugging Face token",
        "Limited settings that are not as on",
        "acme/vllm:v1",
    ] {
        assert!(comment.contains(words), "{words}: {comment}");
    }
    // With the branch's own image the token is mounted, and nothing differs.
    github(&world).put_file(
        REPOSITORY,
        "main",
        FILE,
        &config("image: { hf-token-secret: hf-token, base: 'acme/vllm:v2' }"),
    );
    world.forget_requests();
    ask(
        &world,
        "image: { hf-token-secret: hf-token, base: 'acme/vllm:v2' }",
    )
    .expect_code(0);
    let mounted = |r: &Value| {
        r["id"].as_str().is_some_and(|id| id.ends_with("builds.create")) && r.to_string().contains("hf-token")
    };
    assert!(world.requests().iter().any(mounted));
    assert!(
        !world.comments()[0].contains("Limited settings"),
        "{}",
        world.comments()[0]
    );
}

#[test]
fn the_minimal_workflow_and_the_first_pull_request_with_a_file_get_a_preview() {
    let inputs = [
        ("LLM_DEPLOY_MODEL", "Qwen/Qwen3.5-4B"),
        ("LLM_DEPLOY_PROJECT", "demo-project"),
        ("LLM_DEPLOY_REGION", "europe-west4"),
    ];
    for (file, inputs) in [
        (None, &inputs[..]),
        (Some(config(QUICK)), &[][..]),
        (Some(QUICK.to_owned()), &inputs[..]),
    ] {
        let world = world("");
        github(&world).remove_file(REPOSITORY, "main", FILE);
        match &file {
            Some(text) => world.write(FILE, text),
            None => std::fs::remove_file(world.path(FILE)).unwrap(),
        }
        world.run_with("pull_request.opened", inputs).expect_code(0);
        assert!(world.service(SERVICE).is_some(), "{file:?}");
    }
}
