use super::*;
use crate::{
    config::{Source, allowance},
    plan::testing::config,
};

fn allows(file: &str) -> Allowance {
    let name = "main:llm-deploy.yaml";
    allowance(Source { name, text: file }).unwrap()
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
