//! Values from several layers: an input wins over a model's own key, which wins over the file's top level.

use std::collections::{BTreeMap, HashMap};

use super::{
    Origin,
    check::{join, shown_path},
    inputs,
    mistake::{Mark, Mistake},
    positions::Positions,
    values::Wrong,
};

/// Where a layer's values stand.
#[derive(Clone, Debug)]
pub enum At {
    /// In the file, below this dotted path.
    File(String),
    /// Among the inputs; the path is the one at the file's top level.
    Inputs(&'static str),
}

/// One section of the configuration, with its layers, the strongest first.
pub struct Section<'a, R> {
    /// Dotted path in the resolved configuration, `models[0].service`.
    pub target: String,
    pub layers: Vec<(At, &'a R)>,
}

/// Where a value was found.
#[derive(Clone, Debug)]
enum Place {
    File(String),
    Input(&'static str),
}

/// Collects values, where they came from, and what is wrong with them.
#[derive(Default)]
pub struct Resolver {
    positions: Positions,
    places: HashMap<String, Place>,
    pub origins: BTreeMap<String, Origin>,
    pub mistakes: Vec<Mistake>,
}

impl Resolver {
    pub fn new(positions: Positions) -> Self {
        Self {
            positions,
            ..Self::default()
        }
    }

    /// The line of everything that the file has, by its path there.
    pub fn lines(&self) -> BTreeMap<String, usize> {
        self.positions.lines()
    }

    /// The strongest layer's value of `key`, read. `None` when it is absent or wrong; the mistake is noted.
    pub fn take<R, T, U>(
        &mut self,
        section: &Section<'_, R>,
        key: &str,
        get: impl Fn(&R) -> Option<T>,
        read: impl FnOnce(T) -> Result<U, Wrong>,
    ) -> Option<U> {
        let target = join(&section.target, key);
        let found = section
            .layers
            .iter()
            .find_map(|(at, layer)| Some((at, get(layer)?)));
        let Some((at, value)) = found else {
            self.origins.insert(target, Origin::Default);
            return None;
        };
        self.found(&target, at, key);
        read(value).map_err(|wrong| self.blame(&target, wrong)).ok()
    }

    /// [`Resolver::take`] for values that the schema has checked already.
    pub fn plain<R, T>(
        &mut self,
        section: &Section<'_, R>,
        key: &str,
        get: impl Fn(&R) -> Option<T>,
    ) -> Option<T> {
        self.take(section, key, get, Ok)
    }

    /// Notes where the value at `target` was found.
    pub fn found(&mut self, target: &str, at: &At, key: &str) {
        let (place, origin) = match at {
            At::File(prefix) => {
                let path = join(prefix, key);
                let line = self.positions.find(&path).map_or(1, |mark| mark.line);
                (Place::File(path), Origin::File(line))
            }
            At::Inputs(prefix) => {
                let name = inputs::input_for(&join(prefix, key)).unwrap_or_default();
                (Place::Input(name), Origin::Input(name.to_owned()))
            }
        };
        self.places.insert(target.to_owned(), place);
        self.origins.insert(target.to_owned(), origin);
    }

    /// Tells where the value of `key` came from under the name that the resolved configuration has for it.
    pub fn alias(&mut self, section: &str, key: &str, name: &str) {
        if let Some(origin) = self.origins.remove(&join(section, key)) {
            self.origins.insert(join(section, name), origin);
        }
    }

    /// Notes a mistake in the value at `target`, at the place where that value was given.
    pub fn blame(&mut self, target: &str, wrong: Wrong) {
        let mistake = match self.places.get(target) {
            Some(Place::Input(input)) => inputs::mistake(input, wrong),
            Some(Place::File(path)) => {
                let mark = self.positions.find(path).unwrap_or_default();
                in_file(mark, path, wrong)
            }
            None => in_file(Mark::default(), target, wrong),
        };
        self.mistakes.push(mistake);
    }

    /// Notes that the model at `path` of the file has no id, unless something there is known to be wrong.
    pub fn missing_id(&mut self, target: &str, path: &str) {
        let own = [target.to_owned() + ".id", path.to_owned(), join(path, "id")];
        if self
            .mistakes
            .iter()
            .any(|m| own.contains(&m.key) || m.key == "model")
        {
            return;
        }
        let mark = self.positions.find(path).unwrap_or_default();
        let mistake = Mistake::at(mark, path, format!("`{}`: `id` is missing", shown_path(path)));
        self.mistakes
            .push(mistake.help("give the model's id at Hugging Face, such as `id: Qwen/Qwen3.5-4B`"));
    }

    /// Blames the first of `targets` whose value was given rather than a default.
    pub fn blame_given(&mut self, targets: &[String], wrong: Wrong) {
        let given = targets
            .iter()
            .find(|t| self.places.contains_key(*t))
            .or(targets.first());
        if let Some(target) = given.cloned() {
            self.blame(&target, wrong);
        }
    }
}

fn in_file(mark: Mark, path: &str, wrong: Wrong) -> Mistake {
    let mistake =
        Mistake::at(mark, path, format!("`{}`: {}", shown_path(path), wrong.message)).maybe_help(wrong.help);
    if wrong.secret { mistake.secret() } else { mistake }
}
