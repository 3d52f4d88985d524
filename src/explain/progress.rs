//! How far vLLM had come with starting, by its log. The lines are those of vLLM 0.32's sources.

use std::sync::LazyLock;

use regex::Regex;

/// Phases in vLLM's order: what shows that one was reached, and how it is told.
const PHASES: &[(&str, &str)] = &[
    (r"Starting to load model", "it was about to load the weights"),
    // `model_loader/weight_utils.py`; the last such line has the highest share.
    (
        r"Loading [\w ]*checkpoint shards[^:\n]*:\s+(\d+)% Completed",
        "{} % of the weights' files were loaded",
    ),
    (
        r"Loading weights took ([\d.]+) seconds",
        "the weights were loaded, after {} s",
    ),
    (
        r"Model loading took",
        "the weights were loaded, and it was about to compile",
    ),
    (
        r"Starting torch\.compile",
        "the weights were loaded, and it was compiling",
    ),
    (
        r"torch\.compile took ([\d.]+) s",
        "the weights were loaded and it had compiled, which took {} s",
    ),
    (
        r"Capturing CUDA graphs[^:\n]*:\s+(\d+)%",
        "{} % of the CUDA graphs were captured",
    ),
    (r"Graph capturing finished", "the CUDA graphs were captured"),
    (r"Starting vLLM server on", "it was about to listen"),
];

static PATTERNS: LazyLock<Vec<(Option<Regex>, &str)>> = LazyLock::new(|| {
    PHASES
        .iter()
        .map(|(p, told)| (Regex::new(p).ok(), *told))
        .collect()
});

/// The last phase that `log` shows. `None` when it shows none.
pub fn reached(log: &str) -> Option<String> {
    PATTERNS.iter().rev().find_map(|(pattern, told)| {
        let found = pattern.as_ref()?.captures_iter(log).last()?;
        let value = found.get(1).map_or("", |v| v.as_str());
        Some(told.replace("{}", value))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_phase_counts() {
        let load = "Loading safetensors checkpoint shards:   0% Completed | 0/5 [00:00<?, ?it/s]\n\
                    Loading safetensors checkpoint shards:  40% Completed | 2/5 [01:12<01:48, 36.01s/it]";
        assert!(PATTERNS.iter().all(|(pattern, _)| pattern.is_some()));
        let cases = [
            (load.to_owned(), Some("40 % of the weights' files were loaded")),
            (
                format!(
                    "{load}\n(EngineCore pid=77) INFO 11-24 10:00:00 [default_loader.py:502] Loading weights took 35.20 seconds"
                ),
                Some("the weights were loaded, after 35.20 s"),
            ),
            (
                "torch.compile took 41.37 s in total".to_owned(),
                Some("the weights were loaded and it had compiled, which took 41.37 s"),
            ),
            (
                "Capturing CUDA graphs (mixed prefill-decode, PIECEWISE):  66%|████".to_owned(),
                Some("66 % of the CUDA graphs were captured"),
            ),
            ("INFO hello".to_owned(), None),
        ];
        for (log, expected) in cases {
            assert_eq!(reached(&log).as_deref(), expected, "{log}");
        }
    }
}
