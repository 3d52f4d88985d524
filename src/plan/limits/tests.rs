use super::*;
use crate::{
    config::{Allowance, BaseFile, Source, base_file},
    plan::testing::config,
};

fn allows(file: &str) -> Allowance {
    let name = "main:llm-deploy.yaml";
    base_file(Source { name, text: file }).unwrap().allowance
}

const RTX: &str = "service: { gpu: nvidia-rtx-pro-6000 }";

#[test]
fn what_is_within_every_limit_is_no_violation() {
    let limits = "preview: { limits: { gpus: [nvidia-l4], max-instances: 2, expires: 72h, models: ['Qwen/*'], hourly-cost: 2.10 } }";
    let asked = config("preview: { max-instances: 2, expires: 72h }");
    assert_eq!(check("main", &allows(limits), &asked), []);
    assert_eq!(check("main", &Allowance::default(), &config("")), []);
}

#[test]
fn each_limit_is_named_with_what_was_asked_and_what_is_allowed() {
    for (limits, asked, limit, setting, words) in [
        (
            "",
            RTX,
            "gpus",
            "models[0].service.gpu",
            ["nvidia-rtx-pro-6000", "nvidia-l4"],
        ),
        (
            "service: { gpu: nvidia-rtx-pro-6000 }",
            "service: { gpu: nvidia-l4 }",
            "gpus",
            "models[0].service.gpu",
            ["nvidia-l4", "nvidia-rtx-pro-6000"],
        ),
        (
            "",
            "preview: { max-instances: 2 }",
            "max-instances",
            "preview.max-instances",
            ["2", "1"],
        ),
        (
            "",
            "preview: { expires: 73h }",
            "expires",
            "preview.expires",
            ["73h", "72h"],
        ),
        (
            "preview: { limits: { models: ['acme/*', 'Qwen/Qwen3-*'] } }",
            "",
            "models",
            "models[0].id",
            ["Qwen/Qwen3.5-4B", "acme/*, Qwen/Qwen3-*"],
        ),
        (
            "preview: { limits: { hourly-cost: 1.04 } }",
            "",
            "hourly-cost",
            "models[0].service.gpu",
            ["$1.047 an hour", "$1.040 an hour"],
        ),
        (
            "preview: { limits: { hourly-cost: 2, max-instances: 5 } }",
            "preview: { max-instances: 2 }",
            "hourly-cost",
            "preview.max-instances",
            ["$2.093 an hour", "$2.000 an hour"],
        ),
        (
            "preview: { limits: { hourly-cost: 100, gpus: [nvidia-h100-80gb] } }",
            "service: { gpu: nvidia-h100-80gb }",
            "hourly-cost",
            "models[0].service.gpu",
            [
                "a price that is not known (nvidia-h100-80gb in europe-west4)",
                "$100.000 an hour",
            ],
        ),
    ] {
        let found = check("main", &allows(limits), &config(asked));
        let [one] = &found[..] else {
            panic!("{limits} {asked}: {found:?}")
        };
        assert_eq!(one.limit, format!("preview.limits.{limit}"));
        assert_eq!(one.setting, setting);
        assert_eq!([one.asked.as_str(), one.allowed.as_str()], words);
    }
}

#[test]
fn the_pull_requests_own_limits_raise_nothing() {
    let own = "service: { gpu: nvidia-rtx-pro-6000 }\npreview: { limits: { gpus: [nvidia-rtx-pro-6000] } }";
    assert_eq!(check("main", &Allowance::default(), &config(own)).len(), 1);
}

#[test]
fn all_models_of_a_pull_request_count_together() {
    let text = "project: acme-llm\nregion: europe-west4\nmodels: [a/one, b/two, { id: a/three, service: { gpu: nvidia-rtx-pro-6000 } }]\n";
    let source = Source {
        name: "llm-deploy.yaml",
        text,
    };
    let asked = crate::config::resolve(Some(source), &[]).unwrap();
    let limits =
        "preview: { limits: { hourly-cost: 5, models: ['a/*'], gpus: [nvidia-l4, nvidia-rtx-pro-6000] } }";
    let found = check("main", &allows(limits), &asked);
    let [models, cost] = &found[..] else {
        panic!("{found:?}")
    };
    assert_eq!((models.model, models.asked.as_str()), (Some(1), "b/two"));
    // Two L4 at 1.047 and one RTX PRO 6000 at 3.187.
    assert_eq!((cost.model, cost.asked.as_str()), (None, "$5.280 an hour"));
    assert_eq!(cost.setting, "models[2].service.gpu");
    assert!(cost.concerns(0) && !models.concerns(0) && models.concerns(1));
}

#[test]
fn a_violation_points_at_the_line_that_asks_for_it() {
    let asked = config(&format!("{RTX}\npreview: {{ expires: 30d }}"));
    let found = check("main", &Allowance::default(), &asked);
    let lines: Vec<_> = found
        .iter()
        .map(|one| (one.written(), one.line(&asked)))
        .collect();
    assert_eq!(lines, [("service.gpu", Some(4)), ("preview.expires", Some(5))]);
    insta::assert_snapshot!(
        found
            .iter()
            .map(|one| one.sentence(&asked, "llm-deploy.yaml"))
            .collect::<Vec<_>>()
            .join("\n")
    );
}

/// The minimal file with more settings, as the base branch has it.
fn base(more: &str) -> BaseFile {
    let name = "main:llm-deploy.yaml";
    let text = format!("project: acme-llm\nregion: europe-west4\nmodel: Qwen/Qwen3.5-4B\n{more}");
    base_file(Source { name, text: &text }).unwrap()
}

/// The settings that the base branch does not allow, and the lines that would allow them.
fn refused(base: &BaseFile, asked: &Config) -> (Vec<String>, Option<String>) {
    let settings = base.settings("main:llm-deploy.yaml", asked).unwrap();
    let branch = BaseBranch {
        name: "main",
        settings: &settings,
    };
    let mut all = check("main", &base.allowance, asked);
    all.extend(check_authority(&branch, asked));
    let lines = widening("main", base, &all.iter().collect::<Vec<_>>());
    let yaml = |said: String| {
        said.split('`')
            .rfind(|part| part.contains("limits:"))
            .unwrap()
            .to_owned()
    };
    let lines = lines.map(|said| match yaml(said) {
        limits if limits.starts_with("limits") => format!("preview: {{ {limits} }}"),
        whole => whole,
    });
    (all.into_iter().map(|one| one.setting).collect(), lines)
}

/// Settings that carry authority, each with the setting that is refused.
const AUTHORITY: &[(&str, &str)] = &[
    (
        "image: { base: 'evil.example/vllm:latest' }",
        "models[0].image.base",
    ),
    (
        "image: { hf-token-secret: hf-token }",
        "models[0].image.hf-token-secret",
    ),
    ("service: { access: public }", "models[0].service.access"),
    (
        "service: { service-account: admin@acme-llm.iam.gserviceaccount.com }",
        "models[0].service.service-account",
    ),
    (
        "service: { zonal-redundancy: true }",
        "models[0].service.zonal-redundancy",
    ),
    (
        "service: { env: { LD_PRELOAD: /tmp/x.so } }",
        "models[0].service.env.LD_PRELOAD",
    ),
    (
        "service: { env: { HF_HUB_OFFLINE: '0' } }",
        "models[0].service.env.HF_HUB_OFFLINE",
    ),
    (
        "service: { secrets: { STOLEN: other-secret } }",
        "models[0].service.secrets.STOLEN",
    ),
    (
        "engine: { args: { trust-remote-code: true } }",
        "models[0].engine.args.trust-remote-code",
    ),
    (
        "engine: { args: { tokenizer: evil/tok } }",
        "models[0].engine.args.tokenizer",
    ),
    (
        "engine: { args: { max-num-seq: 9 } }",
        "models[0].engine.args.max-num-seq",
    ),
    (
        "engine: { args: { speculative-config: { model: evil/draft, num_speculative_tokens: 3 } } }",
        "models[0].engine.args.speculative-config",
    ),
    (
        "engine: { args: { speculative-config.model: evil/draft } }",
        "models[0].engine.args.speculative-config.model",
    ),
    (
        "engine: { args: { chat-template: /etc/passwd } }",
        "models[0].engine.args.chat-template",
    ),
    ("build: { location: us-central1 }", "build.location"),
    ("build: { machine: E2_HIGHCPU_32 }", "build.machine"),
    ("build: { disk-gb: 4000 }", "build.disk-gb"),
    ("build: { timeout: 24h }", "build.timeout"),
    (
        "build: { service-account: admin@acme-llm.iam.gserviceaccount.com }",
        "build.service-account",
    ),
    ("build: { bucket: somewhere-else }", "build.bucket"),
    ("build: { repository: production }", "build.repository"),
    ("build: { keep: 1 }", "build.keep"),
    ("build: { delete-older-than: 1h }", "build.delete-older-than"),
    ("preview: { cpu: 8 }", "preview.cpu"),
    ("latency: { duration: 1h }", "models[0].latency"),
    ("latency: { requests: 1000000 }", "models[0].latency"),
];

#[test]
fn every_setting_that_carries_authority_is_refused_and_the_printed_lines_allow_it() {
    for (asked, setting) in AUTHORITY {
        for base_more in [
            "",
            "preview: { limits: { allow: { engine.args: [quantization] } } }",
        ] {
            let asked = config(asked);
            let (refused_settings, lines) = refused(&base(base_more), &asked);
            assert_eq!(refused_settings, [*setting]);
            let lines = lines.unwrap();
            assert_eq!(refused(&base(&lines), &asked).0, Vec::<String>::new(), "{lines}");
        }
        // On a branch without a file as well.
        assert_eq!(refused(&BaseFile::default(), &config(asked)).0, [*setting]);
    }
}

#[test]
fn a_larger_instance_than_the_base_branchs_is_refused() {
    let asked = config("preview: { cpu: 8, memory: 32Gi }");
    let (settings, lines) = refused(&base("preview: { cpu: 6, memory: 16Gi }"), &asked);
    assert_eq!(settings, ["preview.cpu", "preview.memory"]);
    let lines = format!("{}\n", lines.unwrap());
    assert_eq!(refused(&base(&lines), &asked).0, Vec::<String>::new(), "{lines}");
    assert_eq!(
        refused(&base("preview: { cpu: 8, memory: 32Gi }"), &asked).0,
        Vec::<String>::new()
    );
}

#[test]
fn what_the_base_branch_sets_itself_needs_no_allowance() {
    for (asked, _) in AUTHORITY {
        assert_eq!(
            refused(&base(asked), &config(asked)).0,
            Vec::<String>::new(),
            "{asked}"
        );
    }
}

#[test]
fn less_authority_than_on_the_base_branch_is_no_violation_but_another_account_is() {
    let base = base(
        "image: { base: 'acme/vllm:v1', hf-token-secret: hf-token }
build: { timeout: 3h, disk-gb: 500, service-account: build@acme-llm.iam.gserviceaccount.com, keep: 3 }
service: { access: public, zonal-redundancy: true, secrets: { VLLM_API_KEY: key }, env: { A: b },
           service-account: run@acme-llm.iam.gserviceaccount.com }
engine: { args: { tokenizer: acme/tok } }
preview: { cpu: 8, memory: 32Gi }
",
    );
    let asked = config(
        "image: { base: 'acme/vllm:v1' }
build: { timeout: 2h, disk-gb: 100, service-account: build@acme-llm.iam.gserviceaccount.com, keep: 5 }
service: { service-account: run@acme-llm.iam.gserviceaccount.com }
",
    );
    assert_eq!(refused(&base, &asked).0, Vec::<String>::new());
    // Not to name the account means the project's default one, which may do more.
    let (settings, _) = refused(&base, &config("image: { base: 'acme/vllm:v1' }"));
    assert_eq!(
        settings,
        ["build.service-account", "models[0].service.service-account"]
    );
    // The same secret under another variable, and another value of the same variable.
    let renamed = config(
        "image: { base: 'acme/vllm:v1' }
build: { service-account: build@acme-llm.iam.gserviceaccount.com }
service: { secrets: { LEAK: key }, env: { A: c }, service-account: run@acme-llm.iam.gserviceaccount.com }
",
    );
    let (settings, _) = refused(&base, &renamed);
    assert_eq!(
        settings,
        ["models[0].service.env.A", "models[0].service.secrets.LEAK"]
    );
}

#[test]
fn a_model_takes_the_authority_of_its_namesake_and_a_new_one_that_of_the_top() {
    let base = base_file(Source {
        name: "main:llm-deploy.yaml",
        text: "project: acme-llm\nregion: europe-west4\nservice: { env: { ALL: x } }\nmodels:\n  \
               - { id: a/one, service: { secrets: { KEY: one-key } } }\n  - { id: a/two, service: { access: public } }\n",
    })
    .unwrap();
    let asked = |models: &str| {
        let text = format!("project: acme-llm\nregion: europe-west4\nmodels:\n{models}");
        crate::config::resolve(
            Some(Source {
                name: "x",
                text: &text,
            }),
            &[],
        )
        .unwrap()
    };
    let own = asked(
        "  - { id: a/one, service: { env: { ALL: x }, secrets: { KEY: one-key } } }\n  - { id: a/two, service: { access: public } }\n",
    );
    assert_eq!(refused(&base, &own).0, Vec::<String>::new());
    let other = asked(
        "  - { id: a/one, service: { access: public } }\n  - { id: a/three, service: { env: { ALL: x }, secrets: { KEY: one-key } } }\n",
    );
    assert_eq!(
        refused(&base, &other).0,
        ["models[0].service.access", "models[1].service.secrets.KEY"]
    );
}

#[test]
fn code_of_another_model_or_revision_than_the_base_branchs_is_refused() {
    let base = base("engine: { args: { trust-remote-code: true } }");
    let code = "engine: { args: { trust-remote-code: true } }";
    assert_eq!(refused(&base, &config(code)).0, Vec::<String>::new());
    let text = format!("project: acme-llm\nregion: europe-west4\n{code}\nmodel: ");
    for model in ["evil/model", "{ id: Qwen/Qwen3.5-4B, revision: refs/pr/7 }"] {
        let text = format!("{text}{model}\n");
        let asked = crate::config::resolve(
            Some(Source {
                name: "x",
                text: &text,
            }),
            &[],
        )
        .unwrap();
        assert_eq!(
            refused(&base, &asked).0,
            ["models[0].engine.args.trust-remote-code"],
            "{model}"
        );
    }
}

#[test]
fn project_and_region_are_the_base_branchs_or_the_workflows() {
    let other = "project: other-project\nregion: us-central1\nmodel: Qwen/Qwen3.5-4B\n";
    let of = |text: &str, inputs: &[(&str, &str)]| {
        let inputs: Vec<_> = inputs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        crate::config::resolve(Some(Source { name: "x", text }), &inputs).unwrap()
    };
    let (settings, lines) = refused(&base(""), &of(other, &[]));
    assert_eq!(settings, ["project", "region"]);
    assert_eq!(
        refused(&base(&lines.unwrap()), &of(other, &[])).0,
        Vec::<String>::new()
    );
    let inputs = [("project", "other-project"), ("region", "us-central1")];
    assert_eq!(
        refused(&base(""), &of("model: Qwen/Qwen3.5-4B\n", &inputs)).0,
        Vec::<String>::new()
    );
    // The first pull request with a file: nothing says otherwise.
    assert_eq!(
        refused(&BaseFile::default(), &of(other, &[])).0,
        Vec::<String>::new()
    );
}

#[test]
fn the_first_file_that_bootstrap_writes_keeps_its_preview() {
    let asked = config(
        "build: { service-account: llm-builder@acme-llm.iam.gserviceaccount.com }
service: { service-account: llm-runtime@acme-llm.iam.gserviceaccount.com }
",
    );
    assert_eq!(refused(&BaseFile::default(), &asked).0, Vec::<String>::new());
    let named = base("service: { service-account: run@acme-llm.iam.gserviceaccount.com }");
    assert_eq!(refused(&named, &asked).0, ["models[0].service.service-account"]);
}

#[test]
fn harmless_settings_need_no_allowance() {
    let asked = config(
        "engine: { max-model-len: 2048, dtype: half, args: { max-num-seqs: 8, enable-prefix-caching: false,
           speculative-config: { method: ngram, num_speculative_tokens: 3 } } }
service: { concurrency: 1000, request-timeout: 1h, startup-timeout: 30m, port: 9000, env: { VLLM_LOGGING_LEVEL: DEBUG } }
smoke: { prompt: Hello }
latency: { requests: 50, concurrency: [1, 8] }
build: { timeout: 10m, disk-gb: 50, machine: E2_HIGHCPU_8, keep: 10, delete-older-than: 30d, logs: cloud-logging }
",
    );
    assert_eq!(refused(&base(""), &asked).0, Vec::<String>::new());
}

#[test]
fn each_key_that_takes_allowances_is_tried_above() {
    for one in crate::config::ALLOWABLE {
        let elsewhere = ["project", "region", "preview.memory"].contains(&one.key);
        let tried = |setting: &str| {
            let setting = setting.trim_start_matches("models[0].");
            setting == one.key || setting.starts_with(&format!("{}.", one.key))
        };
        assert!(
            elsewhere || AUTHORITY.iter().any(|(_, setting)| tried(setting)),
            "{}",
            one.key
        );
    }
}

#[test]
fn a_base_file_that_the_workflows_inputs_complete_refuses_nothing_by_itself() {
    let of = |text: &str, inputs: &[(&str, &str)]| {
        let inputs: Vec<_> = inputs
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        crate::config::resolve(Some(Source { name: "x", text }), &inputs).unwrap()
    };
    let place = "project: acme-llm\nregion: europe-west4\n";
    for (text, inputs) in [
        ("model: { name: qwen }\n", &[("model", "Qwen/Qwen3.5-4B")][..]),
        (
            "model: Qwen/Qwen3.5-4B\nservice: { cpu: 20, memory: 80Gi }\npreview: { limits: { gpus: [nvidia-rtx-pro-6000] } }\n",
            &[("gpu", "nvidia-rtx-pro-6000")],
        ),
        (
            "model: google/gemma-3-4b-it\n",
            &[("hf-token-secret", "hf-token")],
        ),
    ] {
        let text = format!("{place}{text}");
        let base = base_file(Source {
            name: "main:x",
            text: &text,
        })
        .unwrap();
        assert_eq!(
            refused(&base, &of(&text, inputs)).0,
            Vec::<String>::new(),
            "{text}"
        );
    }
}

#[test]
fn the_lines_keep_the_limits_that_the_file_has_and_hold_for_all_models_together() {
    let base = base(
        "preview: { expires: 24h, limits: { hourly-cost: 9.5, models: ['Qwen/*'], allow: { service.env: [A] } } }",
    );
    let settings_of = |asked: &Config| base.settings("main:x", asked).unwrap();
    let text = "project: acme-llm\nregion: europe-west4\nmodels:\n  - { id: Qwen/a, service: { secrets: { K: sec-a } } }\n  - { id: Qwen/b, service: { secrets: { K: sec-b } } }\npreview: { expires: 24h }\n";
    let asked = crate::config::resolve(Some(Source { name: "x", text }), &[]).unwrap();
    let settings = settings_of(&asked);
    let branch = BaseBranch {
        name: "main",
        settings: &settings,
    };
    let all = check_authority(&branch, &asked);
    let said = widening("main", &base, &all.iter().collect::<Vec<_>>()).unwrap();
    assert_eq!(
        said,
        "replace `limits`, under `preview`, by `limits: { hourly-cost: 9.5, models: [\"Qwen/*\"], \
         allow: { service.env: [A], service.secrets: [sec-a, sec-b] } }`"
    );
}

#[test]
fn the_value_of_a_variable_is_in_no_sentence() {
    let asked = config("service: { env: { TOKEN: s3cret-value } }");
    let base = base("");
    let settings = base.settings("main:x", &asked).unwrap();
    let branch = BaseBranch {
        name: "main",
        settings: &settings,
    };
    let violations = check_authority(&branch, &asked);
    let said = violations[0].sentence(&asked, "x") + &differences(&branch, &asked).join(" ");
    assert!(said.contains("TOKEN") && !said.contains("s3cret"), "{said}");
    assert!(
        !widening("main", &base, &violations.iter().collect::<Vec<_>>())
            .unwrap()
            .contains("s3cret")
    );
}
