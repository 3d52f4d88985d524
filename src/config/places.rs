//! Where a model's settings stand, so that a failure can be shown on the line that causes it. Pure.

use std::{collections::BTreeMap, sync::Arc};

use super::{Model, Origin};

/// Sections and keys of a model; others (`region`, `build.timeout`) are the file's own.
const OF_A_MODEL: [&str; 8] = [
    "id", "name", "revision", "engine", "service", "image", "smoke", "latency",
];
/// What a preview takes from `preview` instead of from its model.
const OF_A_PREVIEW: [(&str, &str); 3] = [
    ("service.cpu", "preview.cpu"),
    ("service.memory", "preview.memory"),
    ("service.max-instances", "preview.max-instances"),
];

/// Where the settings of one model stand. Cheap to clone.
#[derive(Clone, Default)]
pub struct Places {
    known: Arc<Known>,
    /// The file as it is to be named.
    file: Arc<str>,
    /// The model in the resolved configuration, `models[0]`.
    target: String,
    /// The model in the file, `model` or `models[0]`.
    path: String,
    preview: bool,
}

#[derive(Default)]
struct Known {
    /// Line of everything that the file has, by its path there.
    lines: BTreeMap<String, usize>,
    /// By path in the resolved configuration.
    origins: BTreeMap<String, Origin>,
}

/// What the whole file has is nothing to print with every model.
impl std::fmt::Debug for Places {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Places({} in {})", self.path, self.file)
    }
}

/// Where a setting was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stand {
    /// On this line of the file, from 1: its own, or that of the nearest section around it.
    File { file: String, line: usize },
    /// By an input of the action, or an option of the command.
    Input { setting: String, input: String },
}

impl Places {
    /// Gives each model its places. `lines` are those of the file `file`.
    pub(super) fn give(
        models: &mut [Model],
        file: &str,
        lines: BTreeMap<String, usize>,
        origins: &BTreeMap<String, Origin>,
    ) {
        let listed = lines.contains_key("models");
        let known = Arc::new(Known {
            lines,
            origins: origins.clone(),
        });
        for (index, model) in models.iter_mut().enumerate() {
            let target = format!("models[{index}]");
            model.places = Self {
                known: Arc::clone(&known),
                file: file.into(),
                path: if listed {
                    target.clone()
                } else {
                    "model".to_owned()
                },
                target,
                preview: false,
            };
        }
    }

    /// The same, the file by another name: its path in the repository.
    #[must_use]
    pub fn named(mut self, file: &str) -> Self {
        self.file = file.into();
        self
    }

    /// The same for a preview, whose size `preview` decides.
    #[must_use]
    pub fn of_a_preview(mut self) -> Self {
        self.preview = true;
        self
    }

    /// Where the first of `settings` that was given stands. When all are defaults, the section around the first; a
    /// setting of which there is nothing in the file has no place.
    pub fn of(&self, settings: &[String]) -> Option<Stand> {
        let settings: Vec<&str> = settings.iter().map(|setting| self.meant(setting)).collect();
        let given = settings.iter().find_map(|setting| self.given(setting));
        given.or_else(|| self.around(settings.first()?))
    }

    fn meant<'a>(&self, setting: &'a str) -> &'a str {
        let of_a_preview = OF_A_PREVIEW.iter().filter(|_| self.preview);
        let mut meant = of_a_preview.filter(|(production, _)| *production == setting);
        meant.next().map_or(setting, |(_, preview)| preview)
    }

    /// Where the very setting stands.
    fn given(&self, setting: &str) -> Option<Stand> {
        let own = format!("{}.{setting}", self.target);
        let origin = if is_of_a_model(setting) {
            self.known.origins.get(&own)
        } else {
            self.known.origins.get(setting)
        };
        match origin {
            Some(Origin::Input(input)) => Some(Stand::Input {
                setting: setting.to_owned(),
                input: input.clone(),
            }),
            Some(Origin::File(line)) => Some(self.at(self.line(setting).unwrap_or(*line))),
            Some(Origin::Default) => None,
            // A section, a list's item.
            None => self.line(setting).map(|line| self.at(line)),
        }
    }

    fn around(&self, setting: &str) -> Option<Stand> {
        let mut rest = setting;
        while let Some(end) = rest.rfind(['.', '[']) {
            rest = rest.get(..end)?;
            if let Some(line) = self.line(rest) {
                return Some(self.at(line));
            }
        }
        let model = self.known.lines.get(&self.path);
        model
            .filter(|_| is_of_a_model(setting))
            .map(|line| self.at(*line))
    }

    /// The line of the model's own key, else of the one at the file's top level.
    fn line(&self, setting: &str) -> Option<usize> {
        let own = format!("{}.{setting}", self.path);
        let lines = &self.known.lines;
        let own = lines.get(&own).filter(|_| is_of_a_model(setting));
        own.or_else(|| lines.get(setting)).copied()
    }

    fn at(&self, line: usize) -> Stand {
        Stand::File {
            file: self.file.to_string(),
            line,
        }
    }
}

fn is_of_a_model(setting: &str) -> bool {
    let first = setting.split(['.', '[']).next().unwrap_or_default();
    OF_A_MODEL.contains(&first)
}
