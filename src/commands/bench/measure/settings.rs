//! Options over settings.

use crate::{
    bench::Sweep,
    cli::{LoadArgs, MeasureArgs},
    commands::Error,
    config::{
        Latency,
        latency::{Input, Objective},
    },
};

/// The settings of this measurement: what the options say, else `base`.
///
/// # Errors
/// When nothing is left to measure.
pub fn settle(args: &MeasureArgs, base: Latency) -> Result<Latency, Error> {
    let (load, input) = (&args.load, &args.input);
    let mut latency = base;
    if !(load.concurrency.is_empty() && load.rate.is_empty()) {
        // Who asks for one kind of load doesn't want the other from the file.
        latency.concurrency.clone_from(&load.concurrency);
        latency.rate.clone_from(&load.rate);
    }
    if let Some(requests) = load.requests {
        (latency.requests, latency.duration) = (requests, None);
    }
    latency.duration = load.duration.or(latency.duration);
    replace(&mut latency.arrivals, load.arrivals);
    replace(&mut latency.ramp_up, load.ramp_up);
    replace(&mut latency.warm_up, load.warm_up);
    replace(&mut latency.timeout, load.timeout);
    replace(&mut latency.max_tokens, input.output_tokens);
    replace(&mut latency.prefix_cache, input.prefix_cache);
    latency.seed = load.seed.or(latency.seed);
    if !input.prompt.is_empty() {
        latency.input = Input::Prompts(input.prompt.clone());
    } else if let Some(input_tokens) = input.input_tokens {
        latency.input = Input::Synthetic { input_tokens };
    } else if let Some(dataset) = &input.dataset {
        latency.input = Input::Dataset(dataset.clone());
    }
    if !args.verdict.objectives.is_empty() {
        latency.objectives.clone_from(&args.verdict.objectives);
    }
    if let Some(baseline) = &args.verdict.baseline {
        latency.baseline = Some(baseline.clone());
    }
    if latency.is_off() {
        return Err(Error::input(
            "there is nothing to measure: `latency` in llm-deploy.yaml is turned off. Give --requests N or --duration TIME",
        ));
    }
    let has = |wanted: fn(&Objective) -> bool| latency.objectives.iter().any(wanted);
    if has(|o| matches!(o, Objective::Goodput { .. })) && !has(|o| matches!(o, Objective::AtMost { .. })) {
        return Err(Error::input(
            "goodput is the share of the requests that meet the objectives for times, and there is none: add one, such as \
             --objective ttft-p95=800ms",
        ));
    }
    if args.verdict.fail_on_regression && latency.baseline.is_none() {
        return Err(Error::input(
            "--fail-on-regression has nothing to compare with: give --baseline FILE, a result of an earlier --json",
        ));
    }
    Ok(latency)
}

/// Levels after the ladder, that narrow the answer down.
const REFINING: u32 = 10;

/// The sweep that is asked for.
pub fn sweep(load: &LoadArgs) -> Option<Sweep> {
    let base = Sweep::default();
    let steps = load.sweep_steps.unwrap_or(base.steps);
    load.sweep.then_some(Sweep {
        concurrency: load.sweep_concurrency.unwrap_or(base.concurrency),
        steps,
        // The saturating one is the first.
        most_levels: 1 + steps + REFINING,
    })
}

fn replace<T>(setting: &mut T, given: Option<T>) {
    if let Some(given) = given {
        *setting = given;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cli::{InputArgs, LoadArgs, VerdictArgs};

    fn loads(load: LoadArgs) -> Latency {
        let args = MeasureArgs {
            load,
            ..MeasureArgs::default()
        };
        let base = Latency {
            rate: vec![5.0],
            duration: Some(Duration::from_secs(60)),
            ..Latency::default()
        };
        settle(&args, base).unwrap()
    }

    #[test]
    fn a_load_that_is_asked_for_replaces_the_files() {
        let asked = loads(LoadArgs {
            concurrency: vec![7],
            ..LoadArgs::default()
        });
        assert_eq!((asked.concurrency, asked.rate), (vec![7], vec![]));
        let asked = loads(LoadArgs {
            rate: vec![2.0],
            ..LoadArgs::default()
        });
        assert_eq!((asked.concurrency, asked.rate), (vec![], vec![2.0]));
        let silent = loads(LoadArgs::default());
        assert_eq!((silent.concurrency, silent.rate), (vec![1, 4], vec![5.0]));
    }

    #[test]
    fn a_number_of_requests_replaces_the_files_duration() {
        let asked = loads(LoadArgs {
            requests: Some(9),
            ..LoadArgs::default()
        });
        assert_eq!((asked.requests, asked.duration), (9, None));
        assert!(loads(LoadArgs::default()).duration.is_some());
    }

    #[test]
    fn what_is_not_asked_for_stays() {
        let base = Latency {
            max_tokens: 33,
            seed: Some(4),
            ..Latency::default()
        };
        let input = InputArgs {
            input_tokens: Some(512),
            ..InputArgs::default()
        };
        let args = MeasureArgs {
            input,
            ..MeasureArgs::default()
        };
        let latency = settle(&args, base).unwrap();
        assert_eq!((latency.max_tokens, latency.seed), (33, Some(4)));
        assert_eq!(latency.input, Input::Synthetic { input_tokens: 512 });
    }

    #[test]
    fn goodput_needs_an_objective_for_a_time() {
        let asked = |keys: &[(&str, &str)]| {
            let objectives = keys.iter().map(|(k, v)| Objective::parse(k, v).unwrap());
            let verdict = VerdictArgs {
                objectives: objectives.collect(),
                ..VerdictArgs::default()
            };
            let args = MeasureArgs {
                verdict,
                ..MeasureArgs::default()
            };
            settle(&args, Latency::default())
        };
        let error = asked(&[("goodput", "0.9")]).unwrap_err();
        assert!(error.message.contains("ttft-p95"), "{}", error.message);
        assert!(asked(&[("goodput", "0.9"), ("e2e-p50", "2s")]).is_ok());
    }

    #[test]
    fn nothing_to_measure_and_nothing_to_compare_with_are_told() {
        let off = Latency {
            requests: 0,
            ..Latency::default()
        };
        let error = settle(&MeasureArgs::default(), off).unwrap_err();
        assert!(error.message.contains("--requests"), "{}", error.message);
        let args = MeasureArgs {
            verdict: VerdictArgs {
                fail_on_regression: true,
                ..VerdictArgs::default()
            },
            ..MeasureArgs::default()
        };
        let error = settle(&args, Latency::default()).unwrap_err();
        assert!(error.message.contains("--baseline"), "{}", error.message);
    }
}
