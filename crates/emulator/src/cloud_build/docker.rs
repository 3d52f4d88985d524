//! The arguments of `docker build`.

use std::collections::BTreeMap;

/// What a `docker build` was asked to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DockerBuild {
    pub tags: Vec<String>,
    pub file: Option<String>,
    pub context: String,
    /// Name and value; without a value it is taken from the environment.
    pub args: BTreeMap<String, Option<String>>,
    pub secrets: Vec<SecretSource>,
    pub target: Option<String>,
    pub push: bool,
}

/// A `--secret`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SecretSource {
    pub id: String,
    pub env: Option<String>,
    pub file: Option<String>,
}

const WITH_VALUE: [&str; 25] = [
    "--add-host",
    "--allow",
    "--annotation",
    "--attest",
    "--build-context",
    "--builder",
    "--cache-from",
    "--cache-to",
    "--cgroup-parent",
    "--iidfile",
    "--label",
    "--metadata-file",
    "--network",
    "--no-cache-filter",
    "--output",
    "-o",
    "--platform",
    "--progress",
    "--provenance",
    "--sbom",
    "--shm-size",
    "--ssh",
    "--ulimit",
    "--memory",
    "-m",
];
const SWITCHES: [&str; 8] = [
    "--load",
    "--no-cache",
    "--pull",
    "-q",
    "--quiet",
    "--rm",
    "--force-rm",
    "-D",
];

/// Reads the words after `docker`: `build …` or `buildx build …`. `None` when it is another command.
pub fn parse(words: &[String]) -> Option<Result<DockerBuild, String>> {
    let words = match words {
        [first, rest @ ..] if first == "build" => rest,
        [first, second, rest @ ..] if first == "buildx" && second == "build" => rest,
        [first, second, rest @ ..] if (first == "image" || first == "builder") && second == "build" => rest,
        _ => return None,
    };
    Some(arguments(words))
}

fn arguments(words: &[String]) -> Result<DockerBuild, String> {
    let mut build = DockerBuild::default();
    let mut contexts = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (flag, inline) = match word.split_once('=') {
            Some((flag, value)) if word.starts_with("--") => (flag, Some(value.to_owned())),
            _ => (word.as_str(), None),
        };
        let mut value = || {
            let missing = || format!("flag needs an argument: {flag}");
            inline
                .clone()
                .or_else(|| words.next().cloned())
                .ok_or_else(missing)
        };
        match flag {
            "-t" | "--tag" => build.tags.push(value()?),
            "-f" | "--file" => build.file = Some(value()?),
            "--target" => build.target = Some(value()?),
            "--build-arg" => {
                let value = value()?;
                let (name, value) = value
                    .split_once('=')
                    .map_or((value.as_str(), None), |(n, v)| (n, Some(v)));
                build.args.insert(name.to_owned(), value.map(str::to_owned));
            }
            "--secret" => build.secrets.push(secret(&value()?)?),
            "--push" => build.push = true,
            _ if SWITCHES.contains(&flag) => {}
            _ if WITH_VALUE.contains(&flag) => drop(value()?),
            _ if flag.starts_with('-') && flag != "-" => return Err(format!("unknown flag: {flag}")),
            _ => contexts.push(word.clone()),
        }
    }
    match <[String; 1]>::try_from(contexts) {
        Ok([context]) => build.context = context,
        Err(_) => return Err("\"docker build\" requires exactly 1 argument.".to_owned()),
    }
    Ok(build)
}

fn secret(text: &str) -> Result<SecretSource, String> {
    let mut secret = SecretSource::default();
    for part in text.split(',') {
        let Some((key, value)) = part.split_once('=') else {
            return Err(format!("invalid field '{part}' must be a key=value pair"));
        };
        match key {
            "id" => value.clone_into(&mut secret.id),
            "env" => secret.env = Some(value.to_owned()),
            "src" | "source" => secret.file = Some(value.to_owned()),
            "type" => {}
            _ => return Err(format!("unexpected key '{key}' in '{part}'")),
        }
    }
    if secret.id.is_empty() {
        return Err("secret id is required".to_owned());
    }
    Ok(secret)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Option<Result<DockerBuild, String>> {
        parse(&text.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn build_arguments_are_read_in_both_forms() {
        let build = read(
            "buildx build --progress=plain --tag a:1 -t=b --build-arg X=y=z --build-arg HOME --secret \
             id=hf_token,env=HF_TOKEN -f docker/File --push .",
        );
        // `-t=b` isn't what Docker means by a short flag with a value.
        assert!(build.unwrap().is_err());
        let build = read(
            "build --tag a:1 --build-arg X=y=z --build-arg HOME --secret id=hf_token,env=HF_TOKEN -f docker/File --push .",
        );
        let build = build.unwrap().unwrap();
        assert_eq!(
            (build.tags.as_slice(), build.context.as_str()),
            (["a:1".to_owned()].as_slice(), ".")
        );
        assert_eq!(build.args["X"].as_deref(), Some("y=z"));
        assert_eq!(build.args["HOME"], None);
        assert_eq!(build.secrets[0].env.as_deref(), Some("HF_TOKEN"));
        assert!(build.push && build.file.as_deref() == Some("docker/File"));
    }

    #[test]
    fn what_docker_refuses_is_refused() {
        for (text, expected) in [
            ("build --tags x .", "unknown flag: --tags"),
            ("build -t x", "requires exactly 1 argument"),
            ("build . other", "requires exactly 1 argument"),
            ("build . -t", "needs an argument"),
            ("build --secret env=X .", "secret id is required"),
        ] {
            let error = read(text).unwrap().unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
        assert_eq!(read("push x"), None);
    }
}
