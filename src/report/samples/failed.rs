//! Runs that fail, each at another point.

use super::*;

pub fn failed(stage_name: &str, failure: Failure) -> ModelReport {
    let mut model = model();
    model.status = Status::Failed;
    model.failure = Some(failure);
    model.latency.clear();
    model.cold_start = None;
    let at = model.stages.iter().position(|s| s.name == stage_name).unwrap();
    model.stages[at].status = Status::Failed;
    model.stages[at].detail = "failed".to_owned();
    for later in &mut model.stages[at + 1..] {
        *later = stage(&later.name, Status::Skipped, 0, "not reached");
    }
    model
}

pub fn failed_build() -> Report {
    let mut model = failed(
        "build",
        Failure {
            stage: "build".to_owned(),
            title: "Cloud Build could not bake `meta-llama/Llama-3.1-8B-Instruct` into an image".to_owned(),
            cause: "Step 1 (docker build) ended with status 1: 401 from huggingface.co, the repository is gated".to_owned(),
            fix: Some("Accept the model's licence at https://huggingface.co/meta-llama/Llama-3.1-8B-Instruct, store a token with \
                `gcloud secrets create hf-token --data-file=-` and set `hf-token-secret: hf-token`".to_owned()),
            said: None,
            log: vec![
                "#9 [weights 1/4] RUN --mount=type=secret,id=hf_token download.sh".to_owned(),
                "#9 3.112 huggingface_hub.errors.GatedRepoError: 401 Client Error.".to_owned(),
                "ERROR: build step 0 \"gcr.io/cloud-builders/docker\" failed: step exited with non-zero status: 1".to_owned(),
            ],
            settings: Vec::new(),
            place: None,
        },
    );
    model.url = None;
    model.image = None;
    model.revision = None;
    model.checks.clear();
    model.links.truncate(1);
    report(Kind::Preview, Status::Failed, vec![model])
}

pub fn failed_deploy() -> Report {
    let mut model = failed(
        "deploy",
        Failure {
            stage: "deploy".to_owned(),
            title: "Revision qwen3-5-4b-00002-abc did not become ready".to_owned(),
            cause: "The GPU's memory ran out while vLLM started.".to_owned(),
            fix: Some("Lower `engine.max-model-len` or `engine.gpu-memory-utilization`".to_owned()),
            said: Some("The user-provided container failed the configured startup probe checks. [HEALTH_CHECK_CONTAINER_ERROR]".to_owned()),
            log: vec![
                "INFO 11-24 09:08:11 [gpu_model_runner.py:1801] Starting to load model".to_owned(),
                "ERROR 11-24 09:08:40 [core.py:600] torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.".to_owned(),
            ],
            settings: Vec::new(),
            place: None,
        },
    );
    model.url = None;
    model.checks.clear();
    report(Kind::Production, Status::Failed, vec![model])
}

pub fn failed_smoke() -> Report {
    let mut model = failed(
        "smoke",
        Failure {
            stage: "smoke".to_owned(),
            title: "1 of 5 smoke checks failed: capital of France".to_owned(),
            cause: "The answer does not contain \"Paris\"".to_owned(),
            fix: Some("Compare the answer below with the check in llm-deploy.yaml".to_owned()),
            said: None,
            log: Vec::new(),
            settings: Vec::new(),
            place: None,
        },
    );
    let last = model.checks.last_mut().unwrap();
    last.passed = false;
    last.detail = "expected the answer to contain \"Paris\"".to_owned();
    last.sent = Some("POST /v1/chat/completions\n{\"model\":\"Qwen/Qwen3.5-4B\",\"messages\":[{\"role\":\"user\",\"content\":\"What is the capital of France?\"}]}".to_owned());
    last.received =
        Some("200\n{\"choices\":[{\"message\":{\"content\":\"Lyon, says @octocat\"}}]}".to_owned());
    last.hint = Some(
        "The model answered, but not what the check wants: look at the prompt, or at `--chat-template`"
            .to_owned(),
    );
    report(Kind::Preview, Status::Failed, vec![model])
}

pub fn failed_latency() -> Report {
    let mut model = failed(
        "latency",
        Failure {
            stage: "latency".to_owned(),
            title: "3 of 20 requests failed at concurrency 4".to_owned(),
            cause: "503 from the endpoint: no available instance".to_owned(),
            fix: Some("Raise `service.max-instances`, or lower the load in `latency.concurrency`".to_owned()),
            said: None,
            log: Vec::new(),
            settings: Vec::new(),
            place: None,
        },
    );
    let mut four = latency(4, 2.1);
    four.errors = 3;
    four.error_samples =
        vec!["503: The request was aborted because there was no available instance.".to_owned()];
    four.tokens_counted_by_server = false;
    four.notes = vec!["the server refused `ignore_eos`: answers differ in length".to_owned()];
    model.latency = vec![latency(1, 1.0), four];
    report(Kind::ScheduledTest, Status::Failed, vec![model])
}

/// A run whose configuration is wrong: no model was looked at.
pub fn broken() -> Report {
    let mut report = report(Kind::Preview, Status::Failed, Vec::new());
    report.failure = Some(Failure {
        stage: "setup".to_owned(),
        title: "the run could not start".to_owned(),
        cause: "error: unknown key `memroy`\n --> llm-deploy.yaml:5:3\n  |\n5 |   memroy: 24Gi\n  |   ^^^^^^\n  = help: did you mean `memory`?".to_owned(),
        fix: Some("Correct `llm-deploy.yaml` and push again".to_owned()),
        said: None,
        log: Vec::new(),
        settings: Vec::new(),
        place: None,
    });
    report
}
