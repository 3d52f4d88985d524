//! What to do about a missing permission.

use crate::google::{
    resource::Resource,
    roles::{self, On},
};

/// The role that has it and the command that grants it, with places for values in braces.
pub fn grant(permission: &str) -> String {
    let Some((role, on)) = roles::holding(permission) else {
        return "Grant {member} a role that has it: https://cloud.google.com/iam/docs/roles-permissions"
            .to_owned();
    };
    let command = roles::grant(&place(on), "serviceAccount:{member}", role);
    format!("Grant {role}: `{command}`")
}

fn place(on: On) -> Resource {
    let project = "{project}".to_owned();
    match on {
        On::Project => Resource::Project(project),
        On::Bucket => Resource::Bucket("{bucket}".to_owned()),
        On::Repository => Resource::Repository {
            project,
            location: "{region}".to_owned(),
            repository: "{repository}".to_owned(),
        },
        On::Secret => Resource::Secret {
            project,
            secret: "{secret}".to_owned(),
        },
        On::Account => Resource::service_account("{account}", &project),
        On::Itself => Resource::service_account("{deployer}", &project),
    }
}
