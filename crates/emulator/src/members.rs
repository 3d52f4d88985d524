//! Members that a policy names must be there.

use serde_json::Value;

use super::{Call, PROJECT_NUMBER, Reply, Shared};

/// The refusal of a new policy, when one of its members is an account or a pool of this project that isn't known.
pub fn refuse(emulator: &Shared, call: &Call) -> Option<Reply> {
    if !call.id.ends_with(".setIamPolicy") {
        return None;
    }
    // Cloud Storage takes the policy itself.
    let policy = if call.json["policy"].is_object() {
        &call.json["policy"]
    } else {
        &call.json
    };
    let bindings = policy["bindings"].as_array().into_iter().flatten();
    let members = bindings.flat_map(|b| b["members"].as_array().into_iter().flatten());
    let message = members
        .filter_map(Value::as_str)
        .find_map(|m| unknown(emulator, m))?;
    Some(Reply::invalid(&message))
}

fn unknown(emulator: &Shared, member: &str) -> Option<String> {
    if let Some(email) = member.strip_prefix("serviceAccount:") {
        let own = format!("@{}.iam.gserviceaccount.com", emulator.settings.project);
        let known = !email.ends_with(&own) || emulator.iam.is_known(email);
        return (!known).then(|| format!("Service account {email} does not exist."));
    }
    let rest = member
        .strip_prefix("principalSet://")
        .or_else(|| member.strip_prefix("principal://"))?;
    let pools =
        format!("iam.googleapis.com/projects/{PROJECT_NUMBER}/locations/global/workloadIdentityPools/");
    let pool = rest.strip_prefix(&pools)?.split('/').next()?;
    (!emulator.iam.is_known_pool(pool)).then(|| {
        format!(
            "Identity Pool does not exist (projects/{PROJECT_NUMBER}/locations/global/workloadIdentityPools/{pool}). Please check that you specified a valid resource name as returned in the `name` attribute in the configuration API."
        )
    })
}
