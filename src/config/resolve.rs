//! File and inputs → [`Config`], or every mistake in them.

use std::collections::BTreeMap;

use super::{
    Config, Places, check, infrastructure, inputs,
    layers::{At, Resolver, Section},
    mistake::{Mark, Mistake, Mistakes, printable},
    models,
    positions::Positions,
    raw, schedule, schema, tree, values,
    values::Wrong,
};

/// The configuration file.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// Name for messages.
    pub name: &'a str,
    pub text: &'a str,
}

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
    // Windows editors write a byte-order mark, which libyaml takes for a document of its own.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
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
    let mut config = config(&mut resolver, &file, &overlay);
    if resolver.mistakes.is_empty() {
        let (lines, origins) = (resolver.lines(), resolver.origins);
        Places::give(&mut config.models, name, lines, &origins);
        return Ok(Config { origins, ..config });
    }
    Err(Mistakes::new(name, text, resolver.mistakes))
}

pub(super) struct Read {
    pub file: raw::File,
    pub positions: Positions,
    pub mistakes: Vec<Mistake>,
    /// Whether the rest can be checked: not after a syntax error.
    readable: bool,
}

/// Reads the file: checks its tree, then deserialises the values that were checked. The text itself is read once only: a
/// second YAML reader would take some scalars (`0x10`, `.inf`) for something else than what was checked and shown. What
/// is wrong is left out, so that the rest can be checked in the same run.
pub(super) fn read(text: &str, schema: &serde_json::Value) -> Read {
    let (root, mut mistakes) = tree::read(text);
    let broken = root.is_none() && !mistakes.is_empty();
    let nothing = |mistakes, readable| Read {
        file: raw::File::default(),
        positions: Positions::default(),
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
    if empty && !mistakes.is_empty() {
        return nothing(mistakes, false);
    }
    let file = if empty {
        Ok(raw::File::default())
    } else {
        serde_yaml::from_value(checked.value)
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
    let message = printable(&error.to_string(), 300);
    Mistake::at(Mark::default(), "", format!("could not read the file: {message}"))
}

pub(super) fn config(resolver: &mut Resolver, file: &raw::File, overlay: &raw::File) -> Config {
    let top = Section {
        target: String::new(),
        layers: vec![(At::Inputs(""), overlay), (At::File(String::new()), file)],
    };
    let project = required(resolver, &top, "project", |f| f.project.clone(), values::project);
    let region = required(resolver, &top, "region", |f| f.region.clone(), values::region);
    let models = models::resolve(resolver, file, overlay);
    let build = infrastructure::build(resolver, file, &project);
    let preview = infrastructure::preview(resolver, file, &models);
    let schedule = schedule::resolve(resolver, file);
    Config {
        project,
        region,
        models,
        build,
        preview,
        schedule,
        origins: BTreeMap::new(),
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
        resolver.mistakes.push(mistake.help(format!(
            "add `{key}: …` to the file (llm-deploy.yaml), or give the input `{key}` (`--{key}`)"
        )));
    }
    String::new()
}
