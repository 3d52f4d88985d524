//! The values of a deployment that an explanation may name.

use super::Services;
use crate::{config, explain::Facts, plan::target::Target};

/// What is known of any deployment.
pub fn of(services: &Services, target: &Target) -> Facts {
    let service = &target.model.service;
    let secret = target
        .model
        .image
        .hf_token_secret
        .as_ref()
        .map_or("", |s| s.name.as_str());
    place(services, &target.project, &target.region, &target.service)
        .with("model", &target.model.id)
        .with("gpu", &service.gpu)
        .with("cpu", &service.cpu.to_string())
        .with("memory", &service.memory.to_string())
        .with("port", &service.port.to_string())
        .with(
            "runtime-account",
            service.service_account.as_deref().unwrap_or_default(),
        )
        .with("token-secret", secret)
        .with("secret", secret)
}

/// What is known of a service that is only deleted.
pub fn place(services: &Services, project: &str, region: &str, service: &str) -> Facts {
    let deployer = services
        .environment
        .get("LLM_DEPLOY_SERVICE_ACCOUNT")
        .unwrap_or_default();
    Facts::default()
        .with("project", project)
        .with("region", region)
        .with("service", service)
        .with("deployer", deployer)
}

/// What a build adds.
pub fn build(config: &config::Build) -> Facts {
    Facts::default()
        .with(
            "build-account",
            config.service_account.as_deref().unwrap_or_default(),
        )
        .with("bucket", &config.bucket)
        .with("repository", &config.repository)
        .with("location", &config.location)
}
