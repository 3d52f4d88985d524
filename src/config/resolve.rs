//! File and inputs → [`Config`], or every mistake in them.

use super::{
    Build, Config, Image, Model, Preview, check, defaults, engine,
    gpu::{self, Accelerator},
    inputs,
    layers::{At, Resolver, Section},
    mistake::{Mistake, Mistakes, quoted},
    names, raw, schema, service, smoke, tree, values,
    values::Wrong,
};
use crate::units::Memory;
use std::time::Duration;

/// The configuration file.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Name for messages.
    pub name: &'a str,
    pub text: &'a str,
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

/// Resolves the file and the inputs (name and value, as in `action.yml`) into a configuration.
///
/// An input wins over a model's own key, which wins over the same key at the file's top level, which wins
/// over the default. Empty inputs count as absent.
///
/// # Errors
/// Every mistake in the file and the inputs at once.
pub fn resolve(file: Option<Source<'_>>, inputs: &[(String, String)]) -> Result<Config, Mistakes> {
    let schema = schema::json_schema();
    let (name, text) = file.map_or(("llm-deploy.yaml", ""), |f| (f.name, f.text));
    let Read {
        file,
        positions,
        mut mistakes,
        readable,
    } = read(text, &schema);
    if !readable {
        return Err(Mistakes::new(name, text, mistakes));
    }
    let (overlay, wrong_inputs) = inputs::read(inputs, &schema);
    mistakes.extend(wrong_inputs);
    let mut resolver = Resolver::new(positions);
    resolver.mistakes = mistakes;
    let config = config(&mut resolver, &file, &overlay);
    if resolver.mistakes.is_empty() {
        return Ok(Config {
            origins: resolver.origins,
            ..config
        });
    }
    Err(Mistakes::new(name, text, resolver.mistakes))
}

struct Read {
    file: raw::File,
    positions: check::Positions,
    mistakes: Vec<Mistake>,
    /// Whether the rest can be checked: not after a syntax error.
    readable: bool,
}

/// Reads the file: checks its tree, then deserialises it. What is wrong is left out, so that the rest can be
/// checked in the same run.
fn read(text: &str, schema: &serde_json::Value) -> Read {
    let (root, mut mistakes) = tree::read(text);
    let broken = root.is_none() && !mistakes.is_empty();
    let nothing = |mistakes, readable| Read {
        file: raw::File::default(),
        positions: check::Positions::default(),
        mistakes,
        readable,
    };
    let Some(mut root) = root else {
        return nothing(mistakes, !broken);
    };
    tree::drop_duplicates(&mut root, &mut mistakes);
    let checked = check::check(&root, schema);
    mistakes.extend(checked.mistakes);
    let empty = checked.value.is_null();
    let file = match (empty, mistakes.is_empty()) {
        (true, _) => Ok(raw::File::default()),
        (false, true) => serde_yaml::from_str(text),
        (false, false) => serde_yaml::from_value(checked.value),
    };
    match file {
        Ok(file) => Read {
            file,
            positions: checked.positions,
            mistakes,
            readable: true,
        },
        // With mistakes found already, those come first.
        Err(_) if !mistakes.is_empty() => nothing(mistakes, false),
        Err(error) => nothing(vec![unreadable(&error)], false),
    }
}

fn unreadable(error: &serde_yaml::Error) -> Mistake {
    let place = error.location().map(|l| super::mistake::Mark {
        line: l.line(),
        column: l.column(),
        width: 1,
    });
    let message = super::mistake::printable(&error.to_string(), 300);
    Mistake::at(
        place.unwrap_or_default(),
        "",
        format!("the file can't be read: {message}"),
    )
}

fn config(resolver: &mut Resolver, file: &raw::File, overlay: &raw::File) -> Config {
    let top = Section {
        target: String::new(),
        layers: vec![(At::Inputs(""), overlay), (At::File(String::new()), file)],
    };
    let project = required(resolver, &top, "project", |f| f.project.clone(), values::project);
    let region = required(resolver, &top, "region", |f| f.region.clone(), values::region);
    let models = models(resolver, file, overlay);
    if !region.is_empty() {
        for (index, model) in models.iter().enumerate() {
            check_region(resolver, &region, index, model);
        }
    }
    let build = build(resolver, file, &project);
    let preview = preview(resolver, file, &models);
    Config {
        project,
        region,
        models,
        build,
        preview,
        origins: std::collections::BTreeMap::new(),
    }
}

/// A key that must be given, in the file or as an input. Empty when it is absent or wrong.
fn required(
    resolver: &mut Resolver,
    top: &Section<'_, raw::File>,
    key: &str,
    get: impl Fn(&raw::File) -> Option<String>,
    read: fn(&str) -> Result<String, Wrong>,
) -> String {
    if let Some(value) = resolver.take(top, key, &get, |text| read(&text)) {
        return value;
    }
    let wrong = resolver.mistakes.iter().any(|m| m.key == key);
    if !wrong {
        let mistake = Mistake::without_place(key, format!("`{key}` is missing"));
        resolver
            .mistakes
            .push(mistake.help(format!("add `{key}: …` to the file, or give the input `{key}`")));
    }
    String::new()
}

fn check_region(resolver: &mut Resolver, region: &str, index: usize, model: &Model) {
    let accelerator = gpu::find(&model.service.gpu);
    if let Some(Err(message)) = accelerator.map(|a| a.check_region(region)) {
        resolver.blame(
            "region",
            Wrong::from(message).help(format!(
                "take another region, or another `service.gpu` for models[{index}]"
            )),
        );
    }
}

fn models(resolver: &mut Resolver, file: &raw::File, overlay: &raw::File) -> Vec<Model> {
    let entries = entries(resolver, file);
    let input = match &overlay.model {
        Some(raw::ModelEntry::Model(model)) => Some(model.as_ref()),
        _ => None,
    };
    if entries.len() > 1
        && let Some(input) = input
    {
        refuse_ambiguous(resolver, input, entries.len());
        return each(resolver, file, overlay, &entries, None);
    }
    if entries.is_empty() && input.and_then(|m| m.id.as_ref()).is_none() {
        let wrong = resolver.mistakes.iter().any(|m| m.key.starts_with("model"));
        if !wrong {
            let mistake = Mistake::without_place("model", "`model` is missing");
            resolver
                .mistakes
                .push(mistake.help("add `model: Qwen/Qwen3.5-4B` to the file, or give the input `model`"));
        }
        return Vec::new();
    }
    let alone = [(String::from("model"), raw::Model::default())];
    let entries = if entries.is_empty() {
        &alone[..]
    } else {
        &entries[..]
    };
    each(resolver, file, overlay, entries, input)
}

/// The file's models with the path that each stands at.
fn entries(resolver: &mut Resolver, file: &raw::File) -> Vec<(String, raw::Model)> {
    let entry = |path: String, entry: &raw::ModelEntry| match entry {
        raw::ModelEntry::Id(id) => (
            path,
            raw::Model {
                id: Some(id.clone()),
                ..raw::Model::default()
            },
        ),
        raw::ModelEntry::Model(model) => (path, model.as_ref().clone()),
    };
    match (&file.model, &file.models) {
        (Some(_), Some(_)) => {
            resolver.found("models", &At::File(String::new()), "models");
            let wrong = Wrong::from("`model` and `models` are both given");
            resolver.blame(
                "models",
                wrong.help("keep `models` and move the single model into it"),
            );
            resolver.origins.remove("models");
            Vec::new()
        }
        (Some(one), None) => vec![entry("model".to_owned(), one)],
        (None, Some(many)) => many
            .iter()
            .enumerate()
            .map(|(i, m)| entry(format!("models[{i}]"), m))
            .collect(),
        (None, None) => Vec::new(),
    }
}

fn refuse_ambiguous(resolver: &mut Resolver, input: &raw::Model, count: usize) {
    let given = [
        ("model", input.id.is_some()),
        ("model-revision", input.revision.is_some()),
        ("name", input.name.is_some()),
    ];
    for (name, _) in given.iter().filter(|(_, given)| *given) {
        let wrong = Wrong::from(format!(
            "the file has {count} models, so it isn't clear which one is meant"
        ));
        resolver.mistakes.push(inputs::mistake(
            name,
            wrong.help("set it in the file, or leave the input out"),
        ));
    }
}

fn each(
    resolver: &mut Resolver,
    file: &raw::File,
    overlay: &raw::File,
    entries: &[(String, raw::Model)],
    input: Option<&raw::Model>,
) -> Vec<Model> {
    let mut models: Vec<Model> = Vec::new();
    for (index, (path, raw)) in entries.iter().enumerate() {
        let target = format!("models[{index}]");
        let scope = Layers {
            file,
            overlay,
            path,
            raw,
            target: target.clone(),
        };
        let Some(model) = model(resolver, &scope, input) else {
            continue;
        };
        if let Some(other) = models.iter().position(|m| m.name == model.name) {
            let wrong = Wrong::from(format!(
                "the name {} is also that of models[{other}]",
                quoted(&model.name)
            ));
            let targets = [format!("{target}.name"), format!("{target}.id")];
            resolver.blame_given(&targets, wrong.help("give each model a `name` of its own"));
        }
        models.push(model);
    }
    models
}

/// What one model's sections are layered from.
struct Layers<'a> {
    file: &'a raw::File,
    overlay: &'a raw::File,
    path: &'a str,
    raw: &'a raw::Model,
    target: String,
}

impl<'a> Layers<'a> {
    fn section<R>(
        &self,
        key: &'static str,
        own: impl Fn(&'a raw::Model) -> Option<&'a R>,
        top: impl Fn(&'a raw::File) -> Option<&'a R>,
    ) -> Section<'a, R> {
        let mut layers = Vec::new();
        layers.extend(top(self.overlay).map(|r| (At::Inputs(key), r)));
        layers.extend(own(self.raw).map(|r| (At::File(check::join(self.path, key)), r)));
        layers.extend(top(self.file).map(|r| (At::File(key.to_owned()), r)));
        Section {
            target: format!("{}.{key}", self.target),
            layers,
        }
    }
}

fn model(resolver: &mut Resolver, scope: &Layers<'_>, input: Option<&raw::Model>) -> Option<Model> {
    let mut layers = Vec::new();
    layers.extend(input.map(|m| (At::Inputs("model"), m)));
    layers.push((At::File(scope.path.to_owned()), scope.raw));
    let own = Section {
        target: scope.target.clone(),
        layers,
    };
    let id = resolver.take(&own, "id", |m| m.id.clone(), |text| values::model_id(&text));
    let name = resolver.take(
        &own,
        "name",
        |m| m.name.clone(),
        |text| values::service_name(&text),
    );
    let revision = resolver.take(
        &own,
        "revision",
        |m| m.revision.clone(),
        |text| values::revision(&text.0),
    );
    let shown = id.clone().unwrap_or_default();
    let model = Model {
        name: name.unwrap_or_else(|| names::service_name(&shown)),
        id: shown.clone(),
        revision: revision.unwrap_or_else(|| defaults::REVISION.to_owned()),
        engine: engine::resolve(
            resolver,
            &scope.section("engine", |m| m.engine.as_ref(), |f| f.engine.as_ref()),
            &shown,
        ),
        service: service::resolve(
            resolver,
            &scope.section("service", |m| m.service.as_ref(), |f| f.service.as_ref()),
        ),
        image: image(
            resolver,
            &scope.section("image", |m| m.image.as_ref(), |f| f.image.as_ref()),
        ),
        smoke: smoke::smoke(
            resolver,
            &scope.section("smoke", |m| m.smoke.as_ref(), |f| f.smoke.as_ref()),
        ),
        latency: smoke::latency(
            resolver,
            &scope.section("latency", |m| m.latency.as_ref(), |f| f.latency.as_ref()),
        ),
    };
    // Without an id there is a mistake already, and no name to compare.
    id.map(|_| model)
}

fn image(resolver: &mut Resolver, section: &Section<'_, raw::Image>) -> Image {
    let base = resolver.take(section, "base", |i| i.base.clone(), |text| values::image(&text));
    let secret = resolver.take(
        section,
        "hf-token-secret",
        |i| i.hf_token_secret.clone(),
        |text| values::secret(&text),
    );
    Image {
        base: base.unwrap_or_else(|| defaults::DEFAULT_BASE_IMAGE.to_owned()),
        hf_token_secret: secret,
    }
}

fn build(resolver: &mut Resolver, file: &raw::File, project: &str) -> Build {
    let layers = file
        .build
        .iter()
        .map(|b| (At::File("build".to_owned()), b))
        .collect();
    let section = Section {
        target: "build".to_owned(),
        layers,
    };
    let location = resolver.take(
        &section,
        "location",
        |b| b.location.clone(),
        |text| values::location(&text),
    );
    let machine = resolver.plain(&section, "machine", |b| b.machine.clone());
    let disk_gb = resolver.plain(&section, "disk-gb", |b| b.disk_gb);
    let timeout = |text: String| values::duration(&text, MINUTE, DAY);
    let timeout = resolver.take(&section, "timeout", |b| b.timeout.clone(), timeout);
    let account = |text: String| values::service_account(&text);
    let service_account = resolver.take(
        &section,
        "service-account",
        |b| b.service_account.clone(),
        account,
    );
    let bucket = resolver.take(
        &section,
        "bucket",
        |b| b.bucket.clone(),
        |text| values::bucket(&text),
    );
    let repository = resolver.take(
        &section,
        "repository",
        |b| b.repository.clone(),
        |text| values::repository(&text),
    );
    let keep = resolver.plain(&section, "keep", |b| b.keep);
    let age = |text: String| values::duration(&text, HOUR, 3650 * DAY);
    let delete_older_than = resolver.take(
        &section,
        "delete-older-than",
        |b| b.delete_older_than.clone(),
        age,
    );
    Build {
        location: location.unwrap_or_else(|| defaults::BUILD_LOCATION.to_owned()),
        machine,
        disk_gb,
        timeout,
        service_account,
        bucket: bucket.unwrap_or_else(|| format!("{}-llm-deploy", project.replace([':', '.'], "-"))),
        repository: repository.unwrap_or_else(|| defaults::REPOSITORY.to_owned()),
        keep: keep.unwrap_or(defaults::KEEP),
        delete_older_than: delete_older_than.unwrap_or(defaults::DELETE_OLDER_THAN),
    }
}

/// The previews' size: by default the least that every model's GPU allows.
fn preview(resolver: &mut Resolver, file: &raw::File, models: &[Model]) -> Preview {
    let layers = file
        .preview
        .iter()
        .map(|p| (At::File("preview".to_owned()), p))
        .collect();
    let section = Section {
        target: "preview".to_owned(),
        layers,
    };
    let given_cpu = resolver.plain(&section, "cpu", |p| p.cpu);
    let given_memory = resolver.take(
        &section,
        "memory",
        |p| p.memory.clone(),
        |text| values::memory(&text),
    );
    let max_instances = resolver.plain(&section, "max-instances", |p| p.max_instances);
    let age = |text: String| values::duration(&text, HOUR, 30 * DAY);
    let expires = resolver.take(&section, "expires", |p| p.expires.clone(), age);
    let gpus: Vec<&Accelerator> = models.iter().filter_map(|m| gpu::find(&m.service.gpu)).collect();
    let least_cpu = gpus
        .iter()
        .map(|g| g.min_cpu())
        .max()
        .unwrap_or(defaults::PREVIEW_CPU);
    let least_memory = gpus
        .iter()
        .map(|g| g.min_memory)
        .max()
        .unwrap_or(defaults::PREVIEW_MEMORY);
    let cpu = given_cpu.unwrap_or(least_cpu.max(defaults::PREVIEW_CPU));
    let memory = given_memory.unwrap_or(least_memory.max(defaults::PREVIEW_MEMORY));
    check_preview(resolver, &gpus, (given_cpu, cpu), (given_memory, memory));
    Preview {
        cpu,
        memory,
        max_instances: max_instances.unwrap_or(defaults::PREVIEW_MAX_INSTANCES),
        expires: expires.unwrap_or(defaults::PREVIEW_EXPIRES),
    }
}

/// Checks what was given; defaults for several models with different GPUs can't suit each of them, and are
/// raised to its least by whoever makes that preview.
fn check_preview(
    resolver: &mut Resolver,
    gpus: &[&Accelerator],
    (given_cpu, cpu): (Option<u32>, u32),
    (given_memory, memory): (Option<Memory>, Memory),
) {
    for gpu in gpus {
        if let (Some(_), Err(message)) = (given_cpu, gpu.check_cpu(cpu)) {
            resolver.blame("preview.cpu", message.into());
        } else if given_cpu.is_some() || given_memory.is_some() {
            let targets = ["preview.memory".to_owned(), "preview.cpu".to_owned()];
            if let Err(message) = gpu.check_memory(memory, cpu) {
                resolver.blame_given(&targets, message.into());
            }
        }
    }
}
