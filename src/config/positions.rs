//! Where everything of the file stands.

use std::collections::{BTreeMap, HashMap};

use super::mistake::Mark;

/// Where each key's value stands, by dotted path (`models[0].service.cpu`).
#[derive(Debug, Default)]
pub struct Positions {
    pub(super) values: HashMap<String, Mark>,
    /// Lines of the keys themselves: a map begins on the line below its key.
    pub(super) keys: HashMap<String, usize>,
}

impl Positions {
    /// The place of the value, or of the nearest map around it.
    pub fn find(&self, path: &str) -> Option<Mark> {
        let mut path = path;
        loop {
            if let Some(mark) = self.values.get(path) {
                return Some(*mark);
            }
            path = &path[..path.rfind(['.', '['])?];
        }
    }

    /// The line (from 1) of everything that is written: of a key where it has one, else of the list's item.
    pub fn lines(&self) -> BTreeMap<String, usize> {
        let values = self.values.iter().filter(|(path, _)| !path.is_empty());
        let line = |path: &String, mark: &Mark| self.keys.get(path).copied().unwrap_or(mark.line);
        values
            .map(|(path, mark)| (path.clone(), line(path, mark)))
            .collect()
    }
}
