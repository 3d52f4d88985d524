//! The Cloud Run service that a target should be.

use std::{collections::BTreeMap, time::Duration};

use super::{
    engine, probe,
    target::{Stage, Target},
};
use crate::{
    config::{Access, Model},
    google::run::types::{
        AllocationType, Container, ContainerPort, EnvVar, EnvVarSource, NodeSelector, Resources,
        RevisionTemplate, Scaling, SecretKeySelector, Service, TrafficTarget,
    },
};

/// The whole desired service with `image` (by digest), apart from production's traffic and the revision's name,
/// which depend on what is live.
pub fn desired(target: &Target, image: &str, window: Duration) -> Service {
    let service = &target.model.service;
    Service {
        labels: target.labels(),
        ingress: Some("INGRESS_TRAFFIC_ALL".to_owned()),
        launch_stage: Some("GA".to_owned()),
        invoker_iam_disabled: service.access == Access::Public,
        // On the service, not the revision: a candidate without traffic then never holds a GPU of its own.
        scaling: Some(Scaling {
            min_instance_count: Some(service.min_instances),
            max_instance_count: None,
        }),
        template: Some(template(&target.model, image, window)),
        traffic: match target.stage {
            Stage::Preview { .. } => vec![TrafficTarget {
                kind: Some(AllocationType::Latest),
                percent: Some(100),
                ..TrafficTarget::default()
            }],
            Stage::Production => Vec::new(),
        },
        ..Service::default()
    }
}

fn template(model: &Model, image: &str, window: Duration) -> RevisionTemplate {
    let service = &model.service;
    RevisionTemplate {
        service_account: service.service_account.clone(),
        timeout: Some(format!("{}s", service.request_timeout.as_secs())),
        execution_environment: Some("EXECUTION_ENVIRONMENT_GEN2".to_owned()),
        max_instance_request_concurrency: Some(service.concurrency),
        gpu_zonal_redundancy_disabled: !service.zonal_redundancy,
        node_selector: Some(NodeSelector {
            accelerator: service.gpu.clone(),
        }),
        scaling: Some(Scaling {
            min_instance_count: None,
            max_instance_count: Some(service.max_instances),
        }),
        containers: vec![container(model, image, window)],
        ..RevisionTemplate::default()
    }
}

fn container(model: &Model, image: &str, window: Duration) -> Container {
    let service = &model.service;
    let limits = [
        ("cpu", service.cpu.to_string()),
        ("memory", service.memory.to_string()),
        ("nvidia.com/gpu", "1".to_owned()),
    ];
    Container {
        name: Some("vllm".to_owned()),
        image: image.to_owned(),
        args: engine::arguments(model),
        env: environment(model),
        resources: Some(Resources {
            limits: limits
                .into_iter()
                .map(|(k, v)| (k.to_owned(), v))
                .collect::<BTreeMap<_, _>>(),
            cpu_idle: false,
            startup_cpu_boost: true,
        }),
        ports: vec![ContainerPort {
            name: Some("http1".to_owned()),
            container_port: service.port,
        }],
        startup_probe: Some(probe::startup(window, service.port)),
        liveness_probe: Some(probe::liveness(service.port)),
    }
}

fn environment(model: &Model) -> Vec<EnvVar> {
    let plain = model.service.env.iter().map(|(name, value)| EnvVar {
        name: name.clone(),
        value: Some(value.clone()),
        value_source: None,
    });
    let secret = model.service.secrets.iter().map(|(name, secret)| EnvVar {
        name: name.clone(),
        value: None,
        value_source: Some(EnvVarSource {
            secret_key_ref: SecretKeySelector {
                secret: secret.name.clone(),
                version: secret.version.clone(),
            },
        }),
    });
    plain.chain(secret).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::{preview, production};

    const IMAGE: &str = "europe-west4-docker.pkg.dev/acme-llm/llm-deploy/qwen3-5-4b@sha256:1";
    const WINDOW: Duration = Duration::from_secs(240);

    #[test]
    fn productions_service_is_what_cloud_run_is_asked_for() {
        let settings = "service: { min-instances: 1, max-instances: 2, service-account: rt@p.iam.gserviceaccount.com, env: { A: x }, secrets: { KEY: 'api-key:3' } }";
        insta::assert_json_snapshot!(desired(&production(settings), IMAGE, WINDOW));
    }

    #[test]
    fn a_preview_scales_to_zero_is_capped_labelled_and_always_serves_its_newest_revision() {
        let settings = "service: { min-instances: 1, max-instances: 5, access: public }";
        insta::assert_json_snapshot!(desired(&preview(settings), IMAGE, WINDOW));
    }
}
