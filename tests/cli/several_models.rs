//! Several models in one file: each its own service, all in one comment.

use crate::support::World;

const THREE: &str = "project: demo-project\nregion: europe-west4\nlatency: { requests: 1, concurrency: [1], max-tokens: 2 }\nmodels:\n  - Qwen/Qwen3.5-4B\n  - Qwen/Qwen3-0.6B\n  - Qwen/Qwen3-8B\n";

#[test]
fn three_models_get_three_services_and_one_comment() {
    let world = World::new();
    world.write("llm-deploy.yaml", THREE);
    world.run("pull_request.opened").expect_code(0);
    for service in ["qwen3-5-4b-pr-12", "qwen3-0-6b-pr-12", "qwen3-8b-pr-12"] {
        assert!(world.service(service).is_some(), "{service}");
        assert!(world.comments()[0].contains(service), "{service}");
    }
    assert_eq!(world.comments().len(), 1);
    let models: serde_json::Value = serde_json::from_str(&world.output("models").unwrap()).unwrap();
    assert_eq!(models.as_array().unwrap().len(), 3);
}

#[test]
fn one_broken_model_does_not_stop_the_others() {
    let world = World::new();
    world.write(
        "llm-deploy.yaml",
        &THREE.replace("Qwen/Qwen3-8B", "Qwen/Qwen99-1B"),
    );
    world.run("pull_request.opened").expect_code(2);
    assert!(world.service("qwen3-5-4b-pr-12").is_some());
    assert!(world.service("qwen3-0-6b-pr-12").is_some());
    assert_eq!(world.output("status").as_deref(), Some("failed"));
}

#[test]
fn all_models_are_built_and_deployed_at_the_same_time() {
    let world = World::with(|settings| settings.pace = 0.3);
    world.write("llm-deploy.yaml", THREE);
    world.run("pull_request.opened").expect_code(0);
    let at = |id: &str| -> Vec<usize> {
        let requests = world.requests();
        let hits = requests.iter().enumerate().filter(|(_, r)| r["id"] == id);
        hits.map(|(index, _)| index).collect()
    };
    let builds = at("cloudbuild.projects.locations.builds.create");
    let services = at("run.projects.locations.services.create");
    assert_eq!((builds.len(), services.len()), (3, 3));
    assert!(
        builds.iter().max() < services.iter().min(),
        "{builds:?} {services:?}"
    );
}
