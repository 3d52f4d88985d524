//! What a branch allows the pull requests into it, against what a pull request asks for. Pure.

mod authority;
mod compare;
mod keys;
mod lines;

use std::time::Duration;

use crate::config::{Allowance, Config, Model, Origin};

use super::cost;

pub use compare::{BaseBranch, check_authority, differences, is_same_image};
pub use lines::widening;

/// Prices are sums of rounded ones: a hundredth of a cent is no difference.
const NO_DIFFERENCE_USD: f64 = 0.0001;

/// A setting that asks for more than is allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Branch whose file decides.
    pub branch: String,
    /// The limit's dotted path in that file, whether it is written there or follows from other settings.
    pub limit: &'static str,
    /// Index of the model that it is about; `None` for all of them together.
    pub model: Option<usize>,
    /// Dotted path of the setting in the pull request's resolved configuration: `models[0].service.gpu`.
    pub setting: String,
    pub asked: String,
    pub allowed: String,
    /// Key below `preview.limits` or `preview.limits.allow`, and what it would have to list; `None` where no value would
    /// do.
    pub widen: Option<Widen>,
}

/// What a limit would have to hold for the setting to be allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Widen {
    /// One more entry of a list: `gpus`, `models`.
    Entry(&'static str, String),
    /// Another value: `max-instances`, `expires`, `hourly-cost`.
    Value(&'static str, String),
    /// One more entry of a list below `allow`.
    Allow(&'static str, String),
}

/// Everything in `config` that asks for more than the named limits of `branch`, in their order.
pub fn check(branch: &str, allowance: &Allowance, config: &Config) -> Vec<Violation> {
    let found = |limit, model, setting: String, asked, allowed, widen| Violation {
        branch: branch.to_owned(),
        limit,
        model,
        setting,
        asked,
        allowed,
        widen,
    };
    let mut all = Vec::new();
    for (index, model) in config.models.iter().enumerate() {
        let gpu = &model.service.gpu;
        if !allowance.gpus.contains(gpu) {
            let setting = format!("models[{index}].service.gpu");
            all.push(found(
                "preview.limits.gpus",
                Some(index),
                setting,
                gpu.clone(),
                allowance.gpus.join(", "),
                Some(Widen::Entry("gpus", gpu.clone())),
            ));
        }
        if let Some(patterns) = &allowance.models
            && !patterns.iter().any(|pattern| pattern.matches(&model.id))
        {
            let allowed: Vec<&str> = patterns.iter().map(crate::config::Pattern::as_str).collect();
            let setting = format!("models[{index}].id");
            all.push(found(
                "preview.limits.models",
                Some(index),
                setting,
                model.id.clone(),
                allowed.join(", "),
                Some(Widen::Entry("models", model.id.clone())),
            ));
        }
    }
    let preview = &config.preview;
    if preview.max_instances > allowance.max_instances {
        all.push(found(
            "preview.limits.max-instances",
            None,
            "preview.max-instances".to_owned(),
            preview.max_instances.to_string(),
            allowance.max_instances.to_string(),
            Some(Widen::Value("max-instances", preview.max_instances.to_string())),
        ));
    }
    if preview.expires > allowance.expires {
        all.push(found(
            "preview.limits.expires",
            None,
            "preview.expires".to_owned(),
            hours(preview.expires),
            hours(allowance.expires),
            Some(Widen::Value("expires", hours(preview.expires))),
        ));
    }
    if let Some(limit) = allowance.hourly_cost {
        let allowed = usd(limit);
        all.extend(dear(config, limit).map(|dear| {
            // Rounded up, so that it is enough.
            let enough = dear
                .total
                .map(|total| format!("{:.2}", (total * 100.0 - 1e-6).ceil() / 100.0));
            let widen = enough.map(|enough| Widen::Value("hourly-cost", enough));
            let limit = "preview.limits.hourly-cost";
            found(limit, dear.model, dear.setting, dear.asked, allowed, widen)
        }));
    }
    all
}

/// What passes the limit of the cost.
struct Dear {
    model: Option<usize>,
    setting: String,
    asked: String,
    /// US dollars an hour; `None` when a price isn't known.
    total: Option<f64>,
}

/// What is dearer than `limit`: all previews together, or a model whose price isn't known, which may cost anything.
fn dear(config: &Config, limit: f64) -> Option<Dear> {
    let mut total = 0.0;
    let mut dearest = (0, 0.0);
    for (index, model) in config.models.iter().enumerate() {
        let Some(hour) = hourly_usd(config, model) else {
            let asked = format!(
                "a price that is not known ({} in {})",
                model.service.gpu, config.region
            );
            return Some(Dear {
                model: Some(index),
                setting: format!("models[{index}].service.gpu"),
                asked,
                total: None,
            });
        };
        total += hour;
        if hour > dearest.1 {
            dearest = (index, hour);
        }
    }
    let setting = match config.preview.max_instances {
        1 => format!("models[{}].service.gpu", dearest.0),
        _ => "preview.max-instances".to_owned(),
    };
    (total > limit + NO_DIFFERENCE_USD).then(|| Dear {
        model: None,
        setting,
        asked: usd(total),
        total: Some(total),
    })
}

/// US dollars for an hour of a model's preview with all of its instances.
fn hourly_usd(config: &Config, model: &Model) -> Option<f64> {
    let mut service = model.service.clone();
    (service.cpu, service.memory) = config.preview.size_on(&service.gpu);
    let one = cost::hourly_usd(&config.region, &service)?;
    Some(one * f64::from(config.preview.max_instances))
}

/// With tenths of a cent: a limit and what passes it by little must not look the same.
fn usd(amount: f64) -> String {
    format!("${amount:.3} an hour")
}

/// As it is written in the file: the limit and what passes it in the same unit.
fn hours(duration: Duration) -> String {
    match duration.as_secs() {
        seconds if seconds.is_multiple_of(3600) => format!("{}h", seconds / 3600),
        seconds => format!("{seconds}s"),
    }
}

impl Violation {
    /// Whether it keeps this model from being deployed.
    pub fn concerns(&self, model: usize) -> bool {
        self.model.is_none_or(|index| index == model)
    }

    /// The setting as it is written below a model, `service.gpu`, or at the top of the file, `preview.expires`.
    pub fn written(&self) -> &str {
        match self.setting.split_once("].") {
            Some((_, below)) => below,
            None => &self.setting,
        }
    }

    /// Line of the pull request's file that asks for it; `None` when no line does.
    pub fn line(&self, config: &Config) -> Option<usize> {
        match config.origins.get(&self.setting) {
            Some(Origin::File(line)) => Some(*line),
            _ => None,
        }
    }

    /// One sentence; `file` is the pull request's configuration file.
    pub fn sentence(&self, config: &Config, file: &str) -> String {
        let place = match config.origins.get(&self.setting) {
            Some(Origin::File(line)) => format!(" ({file}, line {line})"),
            Some(Origin::Input(name)) => format!(" (input `{name}`)"),
            Some(Origin::Default) | None => " (the default)".to_owned(),
        };
        let Self {
            asked,
            allowed,
            branch,
            limit,
            ..
        } = self;
        let setting = self.written();
        match *limit {
            "preview.limits.allow" => {
                format!("`{setting}` asks for {asked}{place}, but `{branch}` allows {allowed}")
            }
            "preview.limits.hourly-cost" => {
                format!("the previews ask for {asked}, but `{limit}` on `{branch}` allows {allowed}")
            }
            _ => format!("`{setting}` asks for {asked}{place}, but `{limit}` on `{branch}` allows {allowed}"),
        }
    }
}

#[cfg(test)]
mod tests;
