//! Substitutions: `$NAME` and `${NAME}` in a build, `$$` for a literal dollar.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{PROJECT_NUMBER, run::refusal::Refusal};

/// Keys that the service fills in; those of triggers are empty for builds made through the API.
const BUILT_IN: [&str; 17] = [
    "PROJECT_ID",
    "PROJECT_NUMBER",
    "BUILD_ID",
    "LOCATION",
    "TRIGGER_NAME",
    "COMMIT_SHA",
    "REVISION_ID",
    "SHORT_SHA",
    "REPO_NAME",
    "REPO_FULL_NAME",
    "BRANCH_NAME",
    "TAG_NAME",
    "REF_NAME",
    "TRIGGER_BUILD_CONFIG_PATH",
    "SERVICE_ACCOUNT_EMAIL",
    "SERVICE_ACCOUNT",
    "PR_NUMBER",
];

/// Walks over a text: literals as they are, names by `replace`.
fn expand(text: &str, mut replace: impl FnMut(&str) -> String) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
            continue;
        }
        let braced = rest.starts_with('{');
        let inside = rest.strip_prefix('{').unwrap_or(rest);
        let named = |c: char| c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit();
        let end = inside.find(|c| !named(c)).unwrap_or(inside.len());
        let name = &inside[..end];
        let closed = !braced || inside[end..].starts_with('}');
        if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !closed {
            out.push('$');
            continue;
        }
        out.push_str(&replace(name));
        rest = &inside[end + usize::from(braced)..];
    }
    out.push_str(rest);
    out
}

/// Texts of a build in which substitutions take place; `script` is not one of them.
fn each(build: &mut Value, act: &mut dyn FnMut(&mut Value)) {
    for list in ["images", "tags"] {
        build
            .get_mut(list)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
            .for_each(&mut *act);
    }
    for single in ["logsBucket", "serviceAccount"] {
        build.get_mut(single).into_iter().for_each(&mut *act);
    }
    if let Some(env) = build.pointer_mut("/options/env").and_then(Value::as_array_mut) {
        env.iter_mut().for_each(&mut *act);
    }
    if let Some(secrets) = build
        .pointer_mut("/availableSecrets/secretManager")
        .and_then(Value::as_array_mut)
    {
        secrets
            .iter_mut()
            .filter_map(|s| s.get_mut("versionName"))
            .for_each(&mut *act);
    }
    for step in build
        .get_mut("steps")
        .and_then(Value::as_array_mut)
        .into_iter()
        .flatten()
    {
        for list in ["args", "env"] {
            step.get_mut(list)
                .and_then(Value::as_array_mut)
                .into_iter()
                .flatten()
                .for_each(&mut *act);
        }
        for single in ["name", "dir", "entrypoint", "id"] {
            step.get_mut(single).into_iter().for_each(&mut *act);
        }
    }
}

fn given(build: &Value) -> BTreeMap<String, String> {
    let map = build["substitutions"].as_object().into_iter().flatten();
    map.map(|(k, v)| (k.clone(), v.as_str().unwrap_or_default().to_owned()))
        .collect()
}

/// Every name is known, every given one is used (unless ALLOW_LOOSE).
///
/// # Errors
/// 400, in Cloud Build's words.
pub fn check(build: &Value) -> Result<(), Refusal> {
    let refuse = |text: String| {
        Err(Refusal::invalid(format!(
            "invalid value for 'build.substitutions': {text}"
        )))
    };
    let given = given(build);
    for key in given.keys() {
        let good = key.starts_with('_')
            && key
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        if !good {
            return refuse(format!(
                "substitution key {key} does not respect format: ^_[A-Z0-9_]+$"
            ));
        }
    }
    let mut used = Vec::new();
    each(&mut build.clone(), &mut |text| {
        expand(text.as_str().unwrap_or_default(), |name| {
            used.push(name.to_owned());
            String::new()
        });
    });
    let known = |name: &String| BUILT_IN.contains(&name.as_str()) || given.contains_key(name);
    let loose = build
        .pointer("/options/substitutionOption")
        .and_then(Value::as_str)
        == Some("ALLOW_LOOSE");
    if let Some(name) = used.iter().find(|n| !known(n)) {
        if !name.starts_with('_') {
            return refuse(format!(
                "key in the template \"{name}\" is not a valid built-in substitution"
            ));
        }
        if !loose {
            return refuse(format!(
                "key in the template \"{name}\" is not matched in the substitution data"
            ));
        }
    }
    match given.keys().find(|k| !used.contains(k)) {
        Some(key) if !loose => refuse(format!(
            "key \"{key}\" in the substitution data is not matched in the template"
        )),
        _ => Ok(()),
    }
}

/// The build with every substitution carried out.
pub fn apply(build: &Value) -> Value {
    let mut values = given(build);
    let text = |key: &str| build[key].as_str().unwrap_or_default().to_owned();
    values.insert("PROJECT_ID".to_owned(), text("projectId"));
    values.insert("PROJECT_NUMBER".to_owned(), PROJECT_NUMBER.to_owned());
    values.insert("BUILD_ID".to_owned(), text("id"));
    let location = text("name").split('/').nth(3).unwrap_or("global").to_owned();
    values.insert("LOCATION".to_owned(), location);
    let mut applied = build.clone();
    each(&mut applied, &mut |value| {
        if let Some(text) = value.as_str() {
            *value = Value::from(expand(text, |name| values.get(name).cloned().unwrap_or_default()));
        }
    });
    applied
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(arg: &str, substitutions: &Value) -> Value {
        json!({"steps": [{"name": "docker", "args": [arg]}], "substitutions": substitutions, "id": "b-1",
            "projectId": "p", "name": "projects/1/locations/europe-west4/builds/b-1"})
    }

    #[test]
    fn unknown_and_unused_substitutions_are_refused() {
        let cases = [
            ("$$HF_TOKEN and $$(id)", json!({}), None),
            (
                "$HF_TOKEN",
                json!({}),
                Some("\"HF_TOKEN\" is not a valid built-in substitution"),
            ),
            ("$PROJECT_ID $(date) $1 $lower ${PROJECT_ID}", json!({}), None),
            ("${_IMAGE}", json!({"_IMAGE": "x"}), None),
            (
                "$_IMAGE",
                json!({}),
                Some("\"_IMAGE\" is not matched in the substitution data"),
            ),
            (
                "plain",
                json!({"_IMAGE": "x"}),
                Some("key \"_IMAGE\" in the substitution data is not matched"),
            ),
            ("$_a", json!({"image": "x"}), Some("does not respect format")),
        ];
        for (arg, substitutions, refused) in cases {
            let result = check(&with(arg, &substitutions));
            match refused {
                None => assert_eq!(result, Ok(()), "{arg}"),
                Some(text) => {
                    let message = result.unwrap_err().message;
                    assert!(message.contains(text), "{arg}: {message}");
                }
            }
        }
        let mut loose = with("plain", &json!({"_IMAGE": "x"}));
        loose["options"] = json!({"substitutionOption": "ALLOW_LOOSE"});
        assert_eq!(check(&loose), Ok(()));
    }

    #[test]
    fn two_dollars_become_one_and_names_their_values() {
        let build = with(
            "a/${PROJECT_ID}/$_IMG:$$X $BUILD_ID/$LOCATION",
            &json!({"_IMG": "i"}),
        );
        assert_eq!(apply(&build)["steps"][0]["args"][0], "a/p/i:$X b-1/europe-west4");
    }
}
