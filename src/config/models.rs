//! The models: which there are, and each one's sections layered over the file's top level.

use super::{
    Image, Model, Places, check, defaults, engine, inputs, latency,
    layers::{At, Resolver, Section},
    mistake::{Mistake, quoted},
    names, raw, service, smoke, values,
    values::Wrong,
};

/// Resolves the models, from the file's `model` or `models` and the inputs.
pub fn resolve(resolver: &mut Resolver, file: &raw::File, overlay: &raw::File) -> Vec<Model> {
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
        let is_model = |key: &str| key == "model" || key.starts_with("models") || key.starts_with("model.");
        if !resolver.mistakes.iter().any(|m| is_model(&m.key)) {
            let mistake = Mistake::without_place("model", "`model` is missing");
            resolver
                .mistakes
                .push(mistake.help("add `model: Qwen/Qwen3.5-4B` to the file (llm-deploy.yaml), or give the input `model` (`--model`)"));
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
        latency: latency::resolve(
            resolver,
            &scope.section("latency", |m| m.latency.as_ref(), |f| f.latency.as_ref()),
        ),
        places: Places::default(),
    };
    if id.is_none() {
        resolver.missing_id(&scope.target, scope.path);
    }
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
