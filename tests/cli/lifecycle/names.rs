//! Names: each preview its own, among those of other repositories and of production.

use serde_json::json;

use super::{OTHERS, QUICK, SERVICE, close, named, run_in, services, world};
use crate::{
    race::{CREATE, NEWER, held_at},
    support::config,
};

#[test]
fn two_repositories_with_the_same_model_and_number_have_a_preview_each() {
    let world = world();
    run_in(&world, OTHERS, "pull_request.opened").expect_code(0);
    let theirs = world.service(SERVICE).unwrap();
    world.run("pull_request.opened").expect_code(0);
    assert_eq!(
        world.service(SERVICE).unwrap()["generation"],
        theirs["generation"]
    );
    let all = services(&world);
    assert_eq!(all.len(), 2, "{all:?}");
    let ours = all.iter().find(|name| *name != SERVICE).unwrap();
    assert!(
        ours.starts_with("qwen3-5-4b-") && ours.ends_with("-pr-12"),
        "{ours}"
    );
    // Every surface tells the name that it got.
    let url = world.service(ours).unwrap()["uri"].as_str().unwrap().to_owned();
    assert_eq!(world.output("url"), Some(url));
    let report = &world.report()["models"][0];
    assert_eq!(report["service"], ours.as_str());
    assert!(
        report["links"].to_string().contains(&format!("/{ours}/logs")),
        "{report}"
    );

    // The next commit updates it, also when the plain name has become free.
    run_in(&world, OTHERS, "pull_request.closed").expect_code(0);
    assert!(world.service(SERVICE).is_none());
    world.write(
        "llm-deploy.yaml",
        &config(&format!("engine: {{ max-model-len: 2048 }}\n{QUICK}")),
    );
    world.run("pull_request.synchronize").expect_code(0);
    assert_eq!(services(&world), [ours.as_str()]);
    close(&world, false).expect_code(0);
    assert_eq!(services(&world), Vec::<String>::new());
}

#[test]
fn a_production_service_with_the_previews_name_is_left_alone_and_the_preview_has_another() {
    let world = world();
    world.write("llm-deploy.yaml", &named(SERVICE));
    world.run("push").expect_code(0);
    let production = world.service(SERVICE).unwrap();
    world.write("llm-deploy.yaml", &config(QUICK));
    world.run("pull_request.opened").expect_code(0);
    assert_eq!(world.service(SERVICE), Some(production));
    assert_eq!(services(&world).len(), 2);
    close(&world, false).expect_code(0);
    assert_eq!(services(&world), [SERVICE]);
}

#[test]
fn production_is_not_put_over_a_preview_and_the_refusal_names_the_label() {
    let world = world();
    world.run("pull_request.opened").expect_code(0);
    world.write("llm-deploy.yaml", &named(SERVICE));
    let before = world.service(SERVICE).unwrap();
    world.run("push").expect_code(2);
    let summary = world.read("summary.md").replace('\u{200b}', "");
    assert!(
        summary.contains("llm-deploy-kind") && summary.contains("preview"),
        "{summary}"
    );
    assert_eq!(
        world.service(SERVICE).unwrap()["generation"],
        before["generation"]
    );
}

#[test]
fn of_two_repositories_that_create_the_same_name_at_once_each_gets_its_own_preview() {
    let world = world();
    let held = held_at(&world, CREATE, NEWER, "pull_request.opened", true);
    run_in(&world, OTHERS, "pull_request.opened").expect_code(0);
    NEWER.expect(&world, &held.let_go(), "succeeded");
    let all = services(&world);
    assert_eq!(all.len(), 2, "{all:?}");
    let ours = all.iter().find(|name| *name != SERVICE).unwrap();
    let label = |service: &str| world.service(service).unwrap()["labels"]["llm-deploy-repository"].clone();
    assert_eq!(
        (label(SERVICE), label(ours)),
        (json!("octo-org_another"), json!("octo-org_llm-endpoint"))
    );
    let report = world.json("newer-report/report.json");
    assert_eq!(report["models"][0]["service"], ours.as_str());
}
