//! The keys under `latency:` → [`Latency`].

use std::{
    path::{Component, Path, PathBuf},
    time::Duration,
};

use super::{Arrivals, Input, Latency, Objective, PrefixCache};
use crate::config::{
    check::join,
    defaults,
    layers::{At, Resolver, Section},
    mistake::quoted,
    raw,
    smoke::{not_blank, timeout},
    values::{self, Wrong},
};

type Layers<'a> = Section<'a, raw::Latency>;

/// Longest time at one load.
const LONGEST: Duration = Duration::from_secs(3600);
const LONGEST_RAMP: Duration = Duration::from_secs(600);

/// Whether a layer has a key.
type Has = fn(&raw::Latency) -> bool;

const INPUTS: [(&str, Has); 4] = [
    ("prompt", |l| l.prompt.is_some()),
    ("prompts", |l| l.prompts.is_some()),
    ("input-tokens", |l| l.input_tokens.is_some()),
    ("dataset", |l| l.dataset.is_some()),
];
const LENGTHS: [(&str, Has); 2] = [
    ("requests", |l| l.requests.is_some()),
    ("duration", |l| l.duration.is_some()),
];
const OUTPUTS: [(&str, Has); 2] = [
    ("output-tokens", |l| l.output_tokens.is_some()),
    ("max-tokens", |l| l.max_tokens.is_some()),
];
const LOADS: [(&str, Has); 2] = [
    ("concurrency", |l| l.concurrency.is_some()),
    ("rate", |l| l.rate.is_some()),
];

/// Resolves the latency measurement. Of keys that stand for one another, a model's own replaces the one at the
/// file's top level.
pub fn resolve(resolver: &mut Resolver, section: &Layers<'_>) -> Latency {
    let base = Latency::default();
    let (requests, duration) = length(resolver, section);
    let (concurrency, rate) = loads(resolver, section);
    let arrivals = arrivals(resolver, section);
    let ramp_up = resolver.take(
        section,
        "ramp-up",
        |l| l.ramp_up.clone(),
        |text| values::duration(&text, Duration::ZERO, LONGEST_RAMP),
    );
    let warm_up = resolver.plain(section, "warm-up", |l| l.warm_up);
    let seed = resolver.plain(section, "seed", |l| l.seed);
    let input = input(resolver, section);
    let output_tokens = output_tokens(resolver, section);
    let prefix_cache = resolver.plain(section, "prefix-cache", |l| l.prefix_cache.clone());
    let deadline = resolver.take(section, "timeout", |l| l.timeout.clone(), |text| timeout(&text));
    let objectives = objectives(resolver, section);
    let baseline = resolver.take(section, "baseline", |l| l.baseline.clone(), |text| inside(&text));
    Latency {
        requests: requests.unwrap_or(base.requests),
        duration,
        concurrency,
        rate,
        arrivals,
        ramp_up: ramp_up.unwrap_or(base.ramp_up),
        warm_up: warm_up.unwrap_or(base.warm_up),
        seed,
        input: input.unwrap_or(base.input),
        max_tokens: output_tokens.unwrap_or(base.max_tokens),
        prefix_cache: match prefix_cache.as_deref() {
            Some("keep") => PrefixCache::Keep,
            _ => PrefixCache::Bust,
        },
        timeout: deadline.unwrap_or(base.timeout),
        objectives,
        baseline,
    }
}

/// The strongest layer that has one of `keys`: what the layers below say of them is replaced as a whole.
fn own<'a>(section: &Layers<'a>, keys: &[(&str, Has)]) -> Layers<'a> {
    let has = |layer: &raw::Latency| keys.iter().any(|(_, has)| has(layer));
    let strongest = section.layers.iter().find(|(_, layer)| has(layer));
    Section {
        target: section.target.clone(),
        layers: strongest
            .map(|(at, layer)| (at.clone(), *layer))
            .into_iter()
            .collect(),
    }
}

/// Of `keys`, which mean the same in different ways, at most one may be given: the others are mistakes.
fn only_one(resolver: &mut Resolver, section: &Layers<'_>, keys: &[(&str, Has)], help: &str) {
    let Some((at, layer)) = section.layers.first() else {
        return;
    };
    let mut given = keys.iter().filter(|(_, has)| has(layer)).map(|(key, _)| key);
    let Some(first) = given.next() else { return };
    for other in given {
        let target = join(&section.target, other);
        resolver.found(&target, at, other);
        resolver.blame(
            &target,
            Wrong::from(format!("`{first}` is given, too")).help(help),
        );
    }
}

fn length(resolver: &mut Resolver, section: &Layers<'_>) -> (Option<u32>, Option<Duration>) {
    let section = own(section, &LENGTHS);
    let requests = resolver.plain(&section, "requests", |l| l.requests);
    let duration = resolver.take(
        &section,
        "duration",
        |l| l.duration.clone(),
        |text| values::duration(&text, Duration::from_secs(1), LONGEST),
    );
    only_one(
        resolver,
        &section,
        &LENGTHS,
        "a load is measured either for a number of requests or for a time",
    );
    (requests, duration)
}

/// Closed loops and open ones; the default closed loops only when neither is given.
fn loads(resolver: &mut Resolver, section: &Layers<'_>) -> (Vec<u32>, Vec<f64>) {
    let section = own(section, &LOADS);
    let concurrency = resolver.take(
        &section,
        "concurrency",
        |l| l.concurrency.clone(),
        |list| ascending(list, "concurrency"),
    );
    let rate = resolver.take(
        &section,
        "rate",
        |l| l.rate.clone(),
        |list| ascending(list, "rate"),
    );
    let concurrency = match (&concurrency, &rate) {
        (None, Some(_)) => Vec::new(),
        _ => concurrency.unwrap_or_else(|| defaults::LATENCY_CONCURRENCY.to_vec()),
    };
    (concurrency, rate.unwrap_or_default())
}

fn arrivals(resolver: &mut Resolver, section: &Layers<'_>) -> Arrivals {
    let name = resolver.plain(section, "arrivals", |l| l.arrivals.clone());
    // At the file's top level it may be meant for other models.
    let own = section.layers.first().is_some_and(|(_, l)| l.arrivals.is_some());
    if own && !section.layers.iter().any(|(_, l)| l.rate.is_some()) {
        let wrong = Wrong::from("there is no `rate`, so nothing arrives by itself");
        resolver.blame(
            &join(&section.target, "arrivals"),
            wrong.help("add `rate`, such as `rate: [2, 4]`, or leave `arrivals` out"),
        );
    }
    match name.as_deref() {
        Some("constant") => Arrivals::Constant,
        _ => Arrivals::Poisson,
    }
}

fn input(resolver: &mut Resolver, section: &Layers<'_>) -> Option<Input> {
    let section = &own(section, &INPUTS);
    only_one(
        resolver,
        section,
        &INPUTS,
        "keep one of `prompt`, `prompts`, `input-tokens` and `dataset`",
    );
    let first = section.layers.first();
    let key = first.and_then(|(_, layer)| INPUTS.iter().find(|(_, has)| has(layer)));
    match key.map(|(key, _)| *key) {
        Some("input-tokens") => resolver
            .plain(section, "input-tokens", |l| l.input_tokens)
            .map(|input_tokens| Input::Synthetic { input_tokens }),
        Some("dataset") => resolver
            .take(section, "dataset", |l| l.dataset.clone(), |text| inside(&text))
            .map(Input::Dataset),
        Some("prompt") => {
            let prompt = resolver.take(section, "prompt", |l| l.prompt.clone(), not_blank);
            resolver.alias(&section.target, "prompt", "prompts");
            prompt.map(|prompt| Input::Prompts(vec![prompt]))
        }
        _ => {
            let read = |list: Vec<String>| list.into_iter().map(not_blank).collect();
            resolver
                .take(section, "prompts", |l| l.prompts.clone(), read)
                .map(Input::Prompts)
        }
    }
}

fn output_tokens(resolver: &mut Resolver, section: &Layers<'_>) -> Option<u32> {
    let section = &own(section, &OUTPUTS);
    only_one(
        resolver,
        section,
        &OUTPUTS,
        "`max-tokens` is the older name: keep `output-tokens`",
    );
    let older = section
        .layers
        .first()
        .is_some_and(|(_, l)| l.output_tokens.is_none());
    if older {
        let tokens = resolver.plain(section, "max-tokens", |l| l.max_tokens);
        resolver.alias(&section.target, "max-tokens", "output-tokens");
        return tokens;
    }
    resolver.plain(section, "output-tokens", |l| l.output_tokens)
}

/// A model's own objectives replace those at the file's top level.
fn objectives(resolver: &mut Resolver, section: &Layers<'_>) -> Vec<Objective> {
    let given = resolver.plain(section, "objectives", |l| l.objectives.clone());
    let at = section
        .layers
        .iter()
        .find_map(|(at, layer)| layer.objectives.as_ref().map(|_| at));
    let (Some(raw::Objectives(given)), Some(At::File(prefix))) = (given, at) else {
        return Vec::new();
    };
    let at = At::File(join(prefix, "objectives"));
    let mut blame = |key: &str, wrong: Wrong| {
        let target = join(&section.target, &format!("objectives.{key}"));
        resolver.found(&target, &at, key);
        resolver.blame(&target, wrong);
    };
    let mut objectives = Vec::new();
    for (key, value) in &given {
        match Objective::parse(key, &value.0) {
            Ok(objective) => objectives.push(objective),
            Err(why) => blame(key, with_help(&why)),
        }
    }
    let timed = given.keys().any(|key| key.contains("-p"));
    if given.contains_key("goodput") && !timed {
        let wrong = Wrong::from("there is no objective for a time, so every request would be good");
        blame(
            "goodput",
            wrong.help("add one that a request can meet or miss, such as `ttft-p95: 800ms`"),
        );
    }
    objectives
}

/// What follows the semicolon says what to do.
fn with_help(why: &str) -> Wrong {
    match why.split_once("; ") {
        Some((why, help)) => Wrong::from(why).help(help),
        None => why.into(),
    }
}

fn ascending<T: PartialOrd>(list: Vec<T>, what: &str) -> Result<Vec<T>, Wrong> {
    if list.is_sorted_by(|a, b| a < b) {
        Ok(list)
    } else {
        let wrong = Wrong::from("expected ascending numbers, each once");
        Err(wrong.help(format!("each {what} is measured on its own, the smallest first")))
    }
}

/// A path that stays inside the repository.
fn inside(text: &str) -> Result<PathBuf, Wrong> {
    let path = Path::new(text);
    let stays = path
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if stays && !text.trim().is_empty() {
        Ok(path.to_owned())
    } else {
        let wrong = Wrong::from(format!(
            "expected a path inside the repository, got {}",
            quoted(text)
        ));
        Err(wrong.help("write it as seen from the repository's top folder, such as `bench/prompts.jsonl`"))
    }
}
