//! Whether a model's weights can fit the GPU, told before money is spent on a build.

use crate::{config::Model, units::human_bytes};

/// What the weights' size says about the GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fit {
    Fits,
    /// It may work; the sentence says what is tight.
    Tight(String),
    /// It can't work; the sentence says why and what to change.
    TooLarge(String),
    /// The accelerator's memory isn't known.
    Unknown,
}

/// GPU memory in bytes (Cloud Run's GPU documentation).
fn gpu_memory(accelerator: &str) -> Option<u64> {
    match accelerator {
        "nvidia-l4" => Some(24 << 30),
        "nvidia-rtx-pro-6000" => Some(96 << 30),
        "nvidia-h100-80gb" => Some(80 << 30),
        _ => None,
    }
}

/// Compares the weights with what vLLM may take of the GPU. KV cache and activations need room as well:
/// above 85 % of it the fit is tight. Weights that vLLM shrinks while loading (`quantization`) or offloads are
/// never refused.
pub fn check(model: &Model, weights_bytes: u64) -> Fit {
    let Some(memory) = gpu_memory(&model.service.gpu) else {
        return Fit::Unknown;
    };
    let usable = (memory as f64 * model.engine.gpu_memory_utilization) as u64;
    let shrinks = ["quantization", "cpu-offload-gb"]
        .iter()
        .any(|flag| model.engine.args.contains_key(*flag));
    let have = format!(
        "the weights of {} take {} and vLLM may use {} of {}'s memory (gpu-memory-utilization {})",
        model.id,
        human_bytes(weights_bytes),
        human_bytes(usable),
        model.service.gpu,
        model.engine.gpu_memory_utilization,
    );
    match weights_bytes {
        w if w <= usable / 100 * 85 => Fit::Fits,
        w if w > usable && !shrinks => Fit::TooLarge(format!(
            "{have}. Use a larger GPU (`service.gpu: nvidia-rtx-pro-6000`), a smaller or quantised model, or set `engine.args.quantization`"
        )),
        _ => Fit::Tight(format!("{have}: little is left for the KV cache")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::testing::config;

    #[test]
    fn weights_are_held_against_what_vllm_may_use() {
        let l4 = "";
        let rtx = "service: { gpu: nvidia-rtx-pro-6000, cpu: 20, memory: 80Gi }";
        let half = "engine: { gpu-memory-utilization: 0.5 }";
        let fp8 = "engine: { args: { quantization: fp8 } }";
        let cases = [
            (l4, 8, "fits"),
            (l4, 18, "fits"),
            (l4, 19, "tight"),
            (l4, 22, "too large"),
            (half, 8, "fits"),
            (half, 11, "tight"),
            (half, 13, "too large"),
            (fp8, 40, "tight"),
            (rtx, 60, "fits"),
            (rtx, 80, "tight"),
            (rtx, 90, "too large"),
        ];
        for (settings, gib, expected) in cases {
            let fit = check(&config(settings).models[0], gib << 30);
            let found = match &fit {
                Fit::Fits => "fits",
                Fit::Tight(_) => "tight",
                Fit::TooLarge(_) => "too large",
                Fit::Unknown => "unknown",
            };
            assert_eq!(found, expected, "{gib} GiB with `{settings}`: {fit:?}");
        }
    }

    #[test]
    fn a_refusal_says_how_much_there_is_and_what_would_do() {
        let Fit::TooLarge(why) = check(&config("").models[0], 60 << 30) else {
            panic!("60 GiB do not fit an L4")
        };
        for part in [
            "Qwen/Qwen3.5-4B",
            "nvidia-l4",
            "nvidia-rtx-pro-6000",
            "quantization",
        ] {
            assert!(why.contains(part), "no `{part}` in: {why}");
        }
    }
}
