//! What a pull request's preview takes and may cost: `preview.label`, `preview.limits`.

mod allow;

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

pub use allow::{ALLOWABLE, Allowable};

use super::{
    Config, Model, defaults, infrastructure,
    layers::{At, Resolver, Section},
    mistake::{Mistakes, quoted},
    raw,
    resolve::{self, Source},
    values::{self, Wrong},
};

const HOUR: Duration = Duration::from_secs(3600);
const MONTH: Duration = Duration::from_secs(30 * 86_400);
/// Longest pattern: an id has at most 193 characters.
const LONGEST: usize = 200;

/// The limits that a file writes; they bind the pull requests into its branch. `None` where it writes none.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Limits {
    /// Accelerators as Cloud Run names them.
    pub gpus: Option<Vec<String>>,
    pub max_instances: Option<u32>,
    #[serde(serialize_with = "super::human_option")]
    pub expires: Option<Duration>,
    pub models: Option<Vec<Pattern>>,
    /// US dollars for one hour of all previews of a pull request, at list price.
    pub hourly_cost: Option<f64>,
    /// Values that previews may set besides the file's own, by setting.
    pub allow: BTreeMap<String, Vec<String>>,
}

/// A Hugging Face id in which `*` stands for any text, none included. Case matters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Pattern(String);

impl Pattern {
    /// Any text, in which `*` stands for any.
    pub fn of(text: &str) -> Self {
        Self(text.to_owned())
    }

    fn read(text: &str) -> Result<Self, Wrong> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-/*".contains(c);
        if (1..=LONGEST).contains(&text.len()) && text.chars().all(allowed) && text.matches('/').count() <= 1
        {
            return Ok(Self(text.to_owned()));
        }
        let message = format!(
            "expected a model's id at Hugging Face, in which `*` stands for any text, got {}",
            quoted(text)
        );
        Err(Wrong::from(message).help("write it as `Qwen/*` or `Qwen/Qwen3.5-4B`"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub fn matches(&self, id: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = id.strip_prefix(first) else {
            return false;
        };
        let parts: Vec<&str> = parts.collect();
        let Some((last, between)) = parts.split_last() else {
            return rest.is_empty();
        };
        for part in between {
            // The leftmost place leaves the most for what follows.
            match rest.find(part) {
                Some(at) => rest = rest.get(at + part.len()..).unwrap_or_default(),
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

/// What a branch's file allows the pull requests into it, every limit filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct Allowance {
    /// Label without which there is no preview.
    pub label: Option<String>,
    /// What the file writes, else the accelerators of its own models.
    pub gpus: Vec<String>,
    /// What the file writes, else its own previews' instances.
    pub max_instances: u32,
    /// What the file writes, else its own previews' life.
    pub expires: Duration,
    /// Any model when absent.
    pub models: Option<Vec<Pattern>>,
    /// US dollars an hour; any cost when absent.
    pub hourly_cost: Option<f64>,
}

impl Default for Allowance {
    /// Of a branch without a file: what a file that says nothing allows.
    fn default() -> Self {
        Self {
            label: None,
            gpus: vec![defaults::GPU.to_owned()],
            max_instances: defaults::PREVIEW_MAX_INSTANCES,
            expires: defaults::PREVIEW_EXPIRES,
            models: None,
            hourly_cost: None,
        }
    }
}

/// The file of a branch that a pull request goes into.
#[derive(Clone, Debug, Default)]
pub struct BaseFile {
    pub allowance: Allowance,
    /// The limits as the file writes them.
    pub limits: Limits,
    file: raw::File,
}

/// What a branch's own file sets, as far as it can be compared with what a pull request asks for.
#[derive(Clone, Debug)]
pub struct BaseSettings {
    pub config: Config,
    /// For each model of the pull request the branch's settings: those of its model of the same name or id, or of its
    /// only one, else those at the top of its file.
    pub models: Vec<Model>,
}

/// Reads the file of a branch.
///
/// The file is read without the workflow's inputs, which a pull request may change: a project or a model that only an
/// input names isn't missed, and an accelerator that only an input names isn't counted.
///
/// # Errors
/// Unknown keys and wrong values anywhere in the file, whether they touch the limits or not: who mistyped one limit
/// must not get none.
pub fn base_file(file: Source<'_>) -> Result<BaseFile, Mistakes> {
    let schema = super::json_schema();
    let text = file.text.strip_prefix('\u{feff}').unwrap_or(file.text);
    let read = resolve::read(text, &schema);
    let mut resolver = Resolver::new(read.positions);
    resolver.mistakes = read.mistakes;
    let preview = infrastructure::preview(&mut resolver, &read.file, &[]);
    if !resolver.mistakes.is_empty() {
        return Err(Mistakes::new(file.name, text, resolver.mistakes));
    }
    let limits = preview.limits;
    let allowance = Allowance {
        label: preview.label,
        gpus: limits.gpus.clone().unwrap_or_else(|| gpus(&read.file)),
        max_instances: limits.max_instances.unwrap_or(preview.max_instances),
        expires: limits.expires.unwrap_or(preview.expires),
        models: limits.models.clone(),
        hourly_cost: limits.hourly_cost,
    };
    Ok(BaseFile {
        allowance,
        limits,
        file: read.file,
    })
}

impl BaseFile {
    /// Resolves what the file sets. Where it names no project, region or model, those of the pull request stand in:
    /// nothing on the branch says otherwise.
    ///
    /// # Errors
    /// Mistakes in the file that only show when it is resolved. `name` is the file's, for messages.
    pub fn settings(&self, name: &str, asked: &Config) -> Result<BaseSettings, Mistakes> {
        let first = asked.models.first().map(|model| model.id.as_str());
        let no_model = match &self.file.model {
            Some(raw::ModelEntry::Model(model)) => model.id.is_none(),
            Some(raw::ModelEntry::Id(_)) => false,
            None => self.file.models.is_none(),
        };
        let config = self.resolve(name, asked, first.filter(|_| no_model))?;
        let mut models = Vec::new();
        for model in &asked.models {
            let same = config
                .models
                .iter()
                .find(|own| own.name == model.name)
                .or_else(|| config.models.iter().find(|own| own.id == model.id))
                .or(config
                    .models
                    .first()
                    .filter(|_| config.models.len() == 1 && asked.models.len() == 1));
            models.push(match same {
                Some(same) => same.clone(),
                None => self.top(name, asked, &model.id)?,
            });
        }
        Ok(BaseSettings { config, models })
    }

    /// A model with nothing but the settings at the top of the file.
    fn top(&self, name: &str, asked: &Config, id: &str) -> Result<Model, Mistakes> {
        let bare = Self {
            file: raw::File {
                model: None,
                models: None,
                ..self.file.clone()
            },
            ..self.clone()
        };
        let mut config = bare.resolve(name, asked, Some(id))?;
        config
            .models
            .pop()
            .ok_or_else(|| Mistakes::new(name, "", Vec::new()))
    }

    /// Whether the file has the sections `preview` and, in it, `limits`.
    pub fn sections(&self) -> (bool, bool) {
        let preview = self.file.preview.as_ref();
        (
            preview.is_some(),
            preview.is_some_and(|preview| preview.limits.is_some()),
        )
    }

    fn resolve(&self, name: &str, asked: &Config, model: Option<&str>) -> Result<Config, Mistakes> {
        let first = self.resolve_with(name, asked, model, None);
        // Where only an input names the accelerator, its size in the file fits no other.
        first.or_else(|mistakes| {
            let service = asked.models.first().map(|model| raw::Service {
                gpu: Some(model.service.gpu.clone()),
                ..raw::Service::default()
            });
            self.resolve_with(name, asked, model, service)
                .map_err(|_| mistakes)
        })
    }

    fn resolve_with(
        &self,
        name: &str,
        asked: &Config,
        model: Option<&str>,
        service: Option<raw::Service>,
    ) -> Result<Config, Mistakes> {
        let missing = |own: &Option<String>, asked: &str| own.is_none().then(|| asked.to_owned());
        let overlay = raw::File {
            project: missing(&self.file.project, &asked.project),
            region: missing(&self.file.region, &asked.region),
            model: model.map(|id| {
                raw::ModelEntry::Model(Box::new(raw::Model {
                    id: Some(id.to_owned()),
                    ..raw::Model::default()
                }))
            }),
            service,
            ..raw::File::default()
        };
        let mut resolver = Resolver::default();
        let config = resolve::config(&mut resolver, &self.file, &overlay);
        match resolver.mistakes.is_empty() {
            true => Ok(config),
            false => Err(Mistakes::new(name, "", resolver.mistakes)),
        }
    }
}

/// The accelerators of the file's models, each once.
fn gpus(file: &raw::File) -> Vec<String> {
    let top = file.service.as_ref().and_then(|service| service.gpu.clone());
    let top = top.unwrap_or_else(|| defaults::GPU.to_owned());
    let own = |entry: &raw::ModelEntry| match entry {
        raw::ModelEntry::Id(_) => None,
        raw::ModelEntry::Model(model) => model.service.as_ref()?.gpu.clone(),
    };
    let models = file.model.iter().chain(file.models.iter().flatten());
    let mut all: Vec<String> = Vec::new();
    for gpu in models.map(|model| own(model).unwrap_or_else(|| top.clone())) {
        if !all.contains(&gpu) {
            all.push(gpu);
        }
    }
    if all.is_empty() { vec![top] } else { all }
}

/// Resolves `preview.limits`.
pub(super) fn resolve(resolver: &mut Resolver, preview: &Section<'_, raw::Preview>) -> Limits {
    let layers = preview
        .layers
        .iter()
        .filter_map(|(_, p)| Some((At::File("preview.limits".to_owned()), p.limits.as_ref()?)))
        .collect();
    let section = Section {
        target: "preview.limits".to_owned(),
        layers,
    };
    let age = |text: String| values::duration(&text, HOUR, MONTH);
    let patterns = |texts: Vec<String>| texts.iter().map(|text| Pattern::read(text)).collect();
    Limits {
        gpus: resolver.plain(&section, "gpus", |l| l.gpus.clone()),
        max_instances: resolver.plain(&section, "max-instances", |l| l.max_instances),
        expires: resolver.take(&section, "expires", |l| l.expires.clone(), age),
        models: resolver.take(&section, "models", |l| l.models.clone(), patterns),
        hourly_cost: resolver.plain(&section, "hourly-cost", |l| l.hourly_cost),
        allow: allow::resolve(resolver, &section),
    }
}

#[cfg(test)]
mod tests;
