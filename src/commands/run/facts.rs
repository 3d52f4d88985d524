//! Where and with what a run happened, for the report's environment. Pure.
//!
//! A report is uploaded and passed on, so nothing gets here but what is named below: no variable that somebody else
//! set, no secret, no value from `service.env`.

use crate::{
    config::{Config, Model},
    environment::Environment,
    event::Context,
    plan::engine,
    report::Fact,
};

/// The runner's variables that are shown, and under which name.
const SHOWN: [(&str, &str); 5] = [
    ("Workflow", "GITHUB_WORKFLOW"),
    ("Job", "GITHUB_JOB"),
    ("Runner", "RUNNER_ENVIRONMENT"),
    ("Runner image", "ImageOS"),
    ("Runner image version", "ImageVersion"),
];

/// Where it ran, as the event and the runner tell.
pub fn of_run(environment: &Environment, context: &Context) -> Vec<Fact> {
    let run = context
        .run
        .map(|run| format!("{}, attempt {}", run.number, run.attempt));
    let mut facts = vec![
        fact("llm-deploy", env!("CARGO_PKG_VERSION")),
        fact("Repository", &context.repository),
        fact("Branch or tag", &context.ref_name),
        fact("Commit", &context.sha),
        fact("Event", &context.event),
        fact("GitHub", &context.server_url),
        fact("Workflow run", &run.unwrap_or_default()),
        fact("Operating system", &system(environment)),
    ];
    facts.extend(
        SHOWN
            .iter()
            .filter_map(|(name, variable)| Some(fact(name, environment.get(variable)?))),
    );
    facts.retain(|fact| !fact.value.is_empty());
    facts
}

/// What was asked for. With several models, each fact of one begins with its name.
pub fn of_config(config: &Config) -> Vec<Fact> {
    let mut facts = vec![
        fact("Google Cloud project", &config.project),
        fact("Region", &config.region),
        fact("Cloud Build location", &config.build.location),
    ];
    for model in &config.models {
        let prefix = match config.models.as_slice() {
            [_] => String::new(),
            _ => format!("{}: ", model.name),
        };
        facts.extend(of_model(model).into_iter().map(|fact| Fact {
            name: format!("{prefix}{}", fact.name),
            ..fact
        }));
    }
    facts
}

fn of_model(model: &Model) -> Vec<Fact> {
    let service = &model.service;
    let mut facts = vec![
        fact("GPU", &service.gpu),
        fact(
            "CPU and memory",
            &format!("{} CPU, {}", service.cpu, service.memory),
        ),
        fact(
            "Instances",
            &format!("{} to {}", service.min_instances, service.max_instances),
        ),
        fact("Requests per instance", &service.concurrency.to_string()),
        fact("Base image", &model.image.base),
    ];
    facts.extend(vllm(&model.image.base).map(|version| fact("vLLM", version)));
    facts.push(fact("Engine flags", &engine::arguments(model).join(" ")));
    facts
}

/// vLLM's version, where the base image's tag tells it: `vllm/vllm-openai:v0.28.0-cu129@sha256:…`.
fn vllm(base: &str) -> Option<&str> {
    let name = base.split('@').next()?;
    let (path, tag) = name.rsplit_once(':')?;
    let version = tag.strip_prefix('v')?.split('-').next()?;
    let is_version = version.starts_with(|c: char| c.is_ascii_digit())
        && version.chars().all(|c| c.is_ascii_alphanumeric() || c == '.');
    (path.ends_with("vllm-openai") && is_version).then_some(version)
}

/// As the runner names it; elsewhere that of the build.
fn system(environment: &Environment) -> String {
    let os = environment.get("RUNNER_OS").unwrap_or(std::env::consts::OS);
    let arch = environment.get("RUNNER_ARCH").unwrap_or(std::env::consts::ARCH);
    format!("{os}, {arch}")
}

fn fact(name: &str, value: &str) -> Fact {
    Fact {
        name: name.to_owned(),
        value: value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{config, event::RunId};

    fn text(facts: &[Fact]) -> String {
        facts.iter().fold(String::new(), |text, fact| {
            format!("{text}{}: {}\n", fact.name, fact.value)
        })
    }

    fn config(yaml: &str) -> Config {
        let source = config::Source {
            name: "llm-deploy.yaml",
            text: yaml,
        };
        config::resolve(Some(source), &[]).unwrap()
    }

    #[test]
    fn the_environment_tells_where_it_ran_and_nothing_that_is_not_on_the_list() {
        let environment: Environment = [
            ("GITHUB_WORKFLOW", "LLM"),
            ("GITHUB_JOB", "llm"),
            ("RUNNER_OS", "Linux"),
            ("RUNNER_ARCH", "X64"),
            ("RUNNER_ENVIRONMENT", "github-hosted"),
            ("ImageOS", "ubuntu24"),
            ("GITHUB_TOKEN", "ghs_secret"),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "secret"),
            ("MY_PASSWORD", "secret"),
            ("PATH", "/secret/bin"),
        ]
        .into_iter()
        .collect();
        let context = Context {
            repository: "acme/models".to_owned(),
            sha: "4f1c2a9".to_owned(),
            ref_name: "main".to_owned(),
            event: "push".to_owned(),
            server_url: "https://github.com".to_owned(),
            run: Some(RunId {
                number: 42,
                attempt: 2,
            }),
            ..Context::default()
        };
        let facts = text(&of_run(&environment, &context));
        assert!(!facts.contains("secret"), "{facts}");
        insta::assert_snapshot!(facts.replace(env!("CARGO_PKG_VERSION"), "VERSION"), @r"
        llm-deploy: VERSION
        Repository: acme/models
        Branch or tag: main
        Commit: 4f1c2a9
        Event: push
        GitHub: https://github.com
        Workflow run: 42, attempt 2
        Operating system: Linux, X64
        Workflow: LLM
        Job: llm
        Runner: github-hosted
        Runner image: ubuntu24
        ");
    }

    #[test]
    fn on_a_laptop_what_only_a_runner_knows_is_left_out() {
        let facts = of_run(&Environment::default(), &Context::default());
        let names: Vec<&str> = facts.iter().map(|fact| fact.name.as_str()).collect();
        assert_eq!(names, ["llm-deploy", "Operating system"]);
    }

    #[test]
    fn what_was_asked_for_is_told_without_what_the_container_is_told_in_confidence() {
        let facts = text(&of_config(&config(
            "project: acme-ml\nregion: europe-west4\nmodel: Qwen/Qwen3.5-4B\nservice:\n  env: {FLAG: not-shown}\n  \
             secrets: {VLLM_API_KEY: not-shown}\nengine:\n  args: {max-num-seqs: 64}\n",
        )));
        assert!(!facts.contains("not-shown"), "{facts}");
        let base = config::defaults::DEFAULT_BASE_IMAGE;
        insta::assert_snapshot!(facts.replace(base, "BASE"), @r"
        Google Cloud project: acme-ml
        Region: europe-west4
        Cloud Build location: global
        GPU: nvidia-l4
        CPU and memory: 8 CPU, 32Gi
        Instances: 0 to 1
        Requests per instance: 32
        Base image: BASE
        vLLM: 0.28.0
        Engine flags: --served-model-name=Qwen/Qwen3.5-4B --dtype=bfloat16 --gpu-memory-utilization=0.9 --tensor-parallel-size=1 --max-model-len=4096 --reasoning-parser=qwen3 --max-num-seqs=64
        ");
    }

    #[test]
    fn with_several_models_each_fact_says_whose_it_is() {
        let facts = of_config(&config(
            "project: acme-ml\nregion: europe-west4\nmodels:\n  - id: Qwen/Qwen3.5-4B\n  - id: google/gemma-3-4b-it\n",
        ));
        let gpus: Vec<&str> = facts
            .iter()
            .map(|f| f.name.as_str())
            .filter(|n| n.ends_with("GPU"))
            .collect();
        assert_eq!(gpus, ["qwen3-5-4b: GPU", "gemma-3-4b-it: GPU"]);
    }

    #[test]
    fn the_version_of_vllm_is_told_where_the_images_tag_has_it() {
        assert_eq!(vllm("vllm/vllm-openai:v0.28.0-cu129@sha256:5050"), Some("0.28.0"));
        assert_eq!(vllm("docker.io/vllm/vllm-openai:v0.9.0.1"), Some("0.9.0.1"));
        for unknown in [
            "vllm/vllm-openai:latest",
            "vllm/vllm-openai@sha256:5050",
            "registry:5000/vllm-openai",
            "acme/other:v1.2.3",
        ] {
            assert_eq!(vllm(unknown), None, "{unknown}");
        }
    }
}
