//! Resource Manager: the project itself.

use serde::Deserialize;

use super::{
    client::Client,
    error::Error,
    request::{Request, segment},
};
use crate::environment::Api;

/// The project's number, decimal digits.
pub async fn project_number(c: &Client, project: &str) -> Result<String, Error> {
    #[derive(Deserialize)]
    struct Project {
        name: String,
    }
    let request = Request::get(
        Api::ResourceManager,
        format!("v3/projects/{}", segment(project)),
        format!("look up the number of project `{project}`"),
    );
    let project: Project = c.json(request).await?;
    Ok(project.name.trim_start_matches("projects/").to_owned())
}
