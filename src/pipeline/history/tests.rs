//! Histories and baselines in a bucket on loopback.

use std::sync::{Arc, Mutex};

use serde_json::json;

use super::{testing::record, *};
use crate::{
    auth::Credentials,
    bench::output::samples,
    config,
    environment::Environment,
    google::testing::{Asked, Scripted, Server, answer, raw},
    progress::{Heard, Progress},
};

/// One object, which others write as well.
#[derive(Default)]
struct Object {
    body: Vec<u8>,
    /// 0: it isn't there.
    generation: u64,
    writes: usize,
    /// Lines that somebody else adds, each just before one of our writes.
    others: Vec<String>,
}

impl Object {
    fn answer(&mut self, asked: &Asked) -> Scripted {
        if asked.line.starts_with("GET") {
            return match self.generation {
                0 => raw(404, ""),
                generation => {
                    raw(200, self.body.clone()).header("x-goog-generation", &generation.to_string())
                }
            };
        }
        if let Some(line) = self.others.pop() {
            self.body.extend(line.bytes().chain([b'\n']));
            self.generation += 1;
        }
        if !asked
            .line
            .ends_with(&format!("ifGenerationMatch={}", self.generation))
        {
            return answer(412, json!({"error": {"code": 412}}));
        }
        self.body = asked.body.to_vec();
        self.generation += 1;
        self.writes += 1;
        answer(200, json!({"generation": self.generation.to_string()}))
    }
}

struct World {
    server: Server,
    services: Services,
    config: Config,
    heard: Arc<Heard>,
}

impl World {
    async fn of(answers: impl Fn(&Asked) -> Scripted + Send + Sync + 'static) -> Self {
        let server = Server::start(answers).await;
        let mut environment: Environment = server.environment();
        environment.set("CLOUDSDK_AUTH_ACCESS_TOKEN", "token".to_owned());
        environment.tempo = crate::tempo::Tempo::new(0.001);
        let credentials = Credentials::discover(&environment, None, None).await.unwrap();
        let heard = Arc::new(Heard::default());
        let services = Services {
            google: server.client(),
            environment,
            credentials,
            progress: Arc::clone(&heard) as Arc<dyn Progress>,
            hugging_face_token: None,
            api_key: None,
            files: Default::default(),
            board: crate::pipeline::live::Board::default(),
            optional: crate::pipeline::optional::Optionals::default(),
        };
        let text = "project: acme-llm\nregion: europe-west4\nmodel: Qwen/Qwen3.5-4B\n";
        let source = config::Source { name: "f", text };
        Self {
            server,
            services,
            config: config::resolve(Some(source), &[]).unwrap(),
            heard,
        }
    }

    async fn with(object: &Arc<Mutex<Object>>) -> Self {
        let object = Arc::clone(object);
        Self::of(move |asked| object.lock().unwrap().answer(asked)).await
    }

    fn store(&self) -> Store<'_> {
        Store::new(&self.services, &self.config)
    }
}

fn days(all: &[Record]) -> Vec<String> {
    all.iter().map(|one| one.run_url.clone().unwrap()).collect()
}

#[tokio::test]
async fn each_region_and_service_has_an_object_of_its_own() {
    let world = World::with(&Arc::default()).await;
    world.store().append(&record(1), 10).await.unwrap();
    let all = world.store().history("qwen").await.unwrap();
    assert_eq!(all, [record(1)]);
    let lines = world.server.lines();
    let object = "history%2Feurope-west4%2Fqwen.jsonl";
    assert_eq!(
        lines[0],
        format!("GET /storage/v1/b/acme-llm-llm-deploy/o/{object}?alt=media")
    );
    assert!(lines[1].contains(&format!("name={object}&")), "{}", lines[1]);
}

#[tokio::test]
async fn two_runs_that_add_at_once_are_both_in_it() {
    let other = |day| serde_json::to_string(&record(day)).unwrap();
    let object = Arc::new(Mutex::new(Object {
        others: vec![other(2), other(3)],
        ..Object::default()
    }));
    let world = World::with(&object).await;
    let all = world.store().append(&record(1), 10).await.unwrap();
    assert_eq!(days(&all), ["run/1", "run/2", "run/3"]);
    assert_eq!(lines::parse(&object.lock().unwrap().body), all);
    assert_eq!(object.lock().unwrap().writes, 1);
}

#[tokio::test]
async fn somebody_who_writes_for_ever_ends_in_a_failure_and_not_in_a_run_for_ever() {
    let others = (0..100).map(|_| "{}".to_owned()).collect();
    let object = Arc::new(Mutex::new(Object {
        others,
        ..Object::default()
    }));
    let world = World::with(&object).await;
    let failed = world.store().append(&record(1), 10).await.unwrap_err();
    assert!(
        failed.failure.cause.contains("again and again"),
        "{:?}",
        failed.failure
    );
    assert_eq!(object.lock().unwrap().others.len(), 100 - ROUNDS as usize);
}

#[tokio::test]
async fn a_run_that_is_recorded_already_writes_nothing() {
    let object = Arc::new(Mutex::new(Object::default()));
    let world = World::with(&object).await;
    for _ in 0..2 {
        assert_eq!(world.store().append(&record(1), 10).await.unwrap().len(), 1);
    }
    assert_eq!(object.lock().unwrap().writes, 1);
}

#[tokio::test]
async fn an_object_that_is_not_a_history_and_a_huge_one_are_replaced() {
    let spoilt = Object {
        body: b"{\"not\": \"ours\"}\n\xff\xff".to_vec(),
        generation: 4,
        ..Object::default()
    };
    let world = World::with(&Arc::new(Mutex::new(spoilt))).await;
    assert_eq!(world.store().append(&record(1), 10).await.unwrap(), [record(1)]);

    let huge = Object {
        body: vec![b'x'; LONGEST_HISTORY + 1],
        generation: 4,
        ..Object::default()
    };
    let world = World::with(&Arc::new(Mutex::new(huge))).await;
    assert_eq!(world.store().append(&record(1), 10).await.unwrap(), [record(1)]);
}

fn baseline(day: u32) -> Baseline {
    let mut result = samples::one_level();
    result.started_at = record(day).at;
    Baseline {
        production: Production {
            revision: format!("r{day}"),
            ..Production::default()
        },
        result,
    }
}

#[tokio::test]
async fn the_latest_good_measurement_stays_the_baseline() {
    let object = Arc::new(Mutex::new(Object::default()));
    let world = World::with(&object).await;
    let store = world.store();
    assert!(store.baseline("qwen").await.unwrap().is_none());
    for day in [2, 3, 1] {
        store.keep_baseline("qwen", &baseline(day)).await.unwrap();
    }
    let found = store.baseline("qwen").await.unwrap().unwrap();
    assert_eq!(found.production.revision, "r3");
    assert_eq!(object.lock().unwrap().writes, 2);
}

#[tokio::test]
async fn a_spoilt_baseline_is_told_and_the_next_good_run_replaces_it() {
    let object = Arc::new(Mutex::new(Object {
        body: b"{}".to_vec(),
        generation: 1,
        ..Object::default()
    }));
    let world = World::with(&object).await;
    let failed = world.store().baseline("qwen").await.unwrap_err();
    let failure = failed.failure;
    assert!(
        failure
            .title
            .contains("gs://acme-llm-llm-deploy/history/europe-west4/qwen.baseline.json"),
        "{failure:?}"
    );
    world.store().keep_baseline("qwen", &baseline(1)).await.unwrap();
    assert_eq!(
        world
            .store()
            .baseline("qwen")
            .await
            .unwrap()
            .unwrap()
            .production
            .revision,
        "r1"
    );
}

#[tokio::test]
async fn a_permission_that_is_missing_is_told_once_with_the_role() {
    let refused = json!({"error": {"code": 403, "message": "d@p.iam.gserviceaccount.com does not have storage.objects.get access to the Google Cloud Storage object. Permission 'storage.objects.get' denied on resource (or it may not exist)."}});
    let world = World::of(move |_| answer(403, refused.clone())).await;
    let store = world.store();
    for service in ["one", "two"] {
        store.warn(store.history(service).await.unwrap_err());
    }
    let heard = world.heard.0.lock().unwrap();
    assert_eq!(heard.len(), 1, "{heard:?}");
    for part in [
        "production's history",
        "storage.objects.get",
        "roles/storage.objectUser",
        "gs://acme-llm-llm-deploy",
    ] {
        assert!(heard[0].contains(part), "no {part}: {heard:?}");
    }
}
