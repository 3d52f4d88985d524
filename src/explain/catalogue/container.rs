//! The container: vLLM's own words come before Cloud Run's.

use super::{Entry, entry, is_other_port};
use crate::explain::Source::{Condition, ContainerLog};

pub const ENTRIES: &[Entry] = &[
    entry(
        "driver-too-old",
        &[ContainerLog],
        &[
            r"NVIDIA driver on your system is too old \(found version (?P<found>\d+)\)",
            r"CUDA driver version is insufficient for CUDA runtime version",
        ],
        "The GPU's driver is older than the CUDA version that the image was built for.",
        "Set `service.env: {VLLM_ENABLE_CUDA_COMPATIBILITY: \"1\"}`, or `image.base` to a vLLM image built for CUDA 12",
        "PyTorch, libc10_cuda; vLLM 0.32, env_override.py",
    )
    .about(&["image.base"]),
    entry(
        "driver-mismatch",
        &[ContainerLog],
        &[
            r"Error 80[34]: (?:system has unsupported display driver|forward compatibility was attempted)",
            r"unsupported display driver / cuda driver combination",
        ],
        "The image's CUDA compatibility libraries don't fit the GPU's driver, which is newer or not made for them.",
        "Take `VLLM_ENABLE_CUDA_COMPATIBILITY` out of `service.env`; if it is not there, set `service.env: {LD_LIBRARY_PATH: /usr/local/nvidia/lib64}` so that the driver's own libraries are used",
        "vllm-project/vllm#5283, gpustack/gpustack#4678",
    )
    .about(&["service.env.VLLM_ENABLE_CUDA_COMPATIBILITY", "image.base"]),
    entry(
        "no-gpu",
        &[ContainerLog],
        &[r"No CUDA GPUs are available", r"Failed to infer device type"],
        "vLLM finds no GPU.",
        "Check that `image.base` is a CUDA build of vLLM, and that nothing in `service.env` hides the GPU (`CUDA_VISIBLE_DEVICES`)",
        "PyTorch; vLLM 0.32, config/device.py",
    )
    .about(&["image.base", "service.env.CUDA_VISIBLE_DEVICES"]),
    entry(
        "max-model-len",
        &[ContainerLog],
        &[
            r"the estimated maximum model length is (?P<most>\d+)",
            r"larger than the maximum number of tokens that can be stored in KV cache \((?P<most>\d+)\)",
        ],
        "A request of `engine.max-model-len` tokens does not fit into the GPU memory that the weights leave.",
        "Set `engine.max-model-len: {most}` or less, or raise `engine.gpu-memory-utilization`",
        "vLLM 0.32, v1/core/kv_cache_utils.py; vllm-project/vllm#7195",
    )
    .about(&["engine.max-model-len", "engine.gpu-memory-utilization"]),
    entry(
        "kv-cache",
        &[ContainerLog],
        &[
            r"larger than the available KV cache memory",
            r"No available memory for the cache blocks",
        ],
        "The weights leave no GPU memory for requests.",
        "Lower `engine.max-model-len`, raise `engine.gpu-memory-utilization`, or take a quantized or smaller model or a larger `service.gpu`",
        "vLLM 0.32, v1/core/kv_cache_utils.py",
    )
    .about(&["engine.max-model-len", "engine.gpu-memory-utilization", "service.gpu"]),
    entry(
        "weights-too-large",
        &[ContainerLog],
        &[r"Failed to load model - not enough GPU memory"],
        "The weights don't fit into the GPU's memory.",
        "Take a quantized or smaller model, or a larger `service.gpu`",
        "vLLM 0.32, v1/worker/gpu_model_runner.py",
    )
    .about(&["id", "service.gpu"]),
    entry(
        "gpu-memory-taken",
        &[ContainerLog],
        &[r"Free memory on device \S* ?\((?P<free>[\d.]+)/(?P<total>[\d.]+) GiB\) on startup is less than"],
        "vLLM wants more GPU memory than is free: {free} of {total} GiB.",
        "Lower `engine.gpu-memory-utilization`",
        "vLLM 0.32, v1/worker/utils.py",
    )
    .about(&["engine.gpu-memory-utilization"]),
    entry(
        "context-too-long",
        &[ContainerLog],
        &[
            r"User-specified max_model_len \((?P<asked>\d+)\) is greater than the derived max_model_len \(\w+=(?P<most>[\d.]+)",
            r"User-specified max_model_len \((?P<asked>\d+)\) is greater than the derived",
        ],
        "`engine.max-model-len` is longer than the model was made for.",
        "Set `engine.max-model-len: {most}` or less",
        "vLLM 0.32, config/model.py",
    )
    .about(&["engine.max-model-len"]),
    entry(
        "bfloat16-unsupported",
        &[ContainerLog],
        &[r"Bfloat16 is only supported on GPUs with compute capability of at least"],
        "This GPU cannot compute with bfloat16.",
        "Set `engine.dtype: half`, or another `service.gpu`",
        "vLLM 0.32, platforms/cuda.py",
    )
    .about(&["engine.dtype", "service.gpu"]),
    entry(
        "quantization-unsupported",
        &[ContainerLog],
        &[
            r"The quantization method (?P<method>[\w-]+) is not supported for the current GPU",
            r"Quantization scheme is not supported for the current GPU",
            r"is not supported for quantization method (?P<method>[\w-]+)",
        ],
        "This GPU or `engine.dtype` does not go with the model's quantization.",
        "Take another quantization of the model, another `engine.dtype`, or a newer `service.gpu`",
        "vLLM 0.32, config/vllm.py",
    )
    .about(&["engine.args.quantization", "engine.dtype", "id"]),
    entry(
        "quantization-unknown",
        &[ContainerLog],
        &[r"Unknown quantization method: (?P<method>[\w-]+)"],
        "This vLLM does not know the model's quantization `{method}`.",
        "Take another quantization, or a newer vLLM: set `image.base`",
        "vLLM 0.32, config/model.py",
    )
    .about(&["engine.args.quantization", "id"]),
    entry(
        "dtype-unknown",
        &[ContainerLog],
        &[r"Unknown dtype: '?(?P<dtype>[\w.]+)"],
        "vLLM does not know `engine.dtype: {dtype}`.",
        "Set one of `auto`, `half`, `bfloat16`, `float`",
        "vLLM 0.32, config/model.py",
    )
    .about(&["engine.dtype"]),
    entry(
        "architecture-unsupported",
        &[ContainerLog],
        &[
            r"Model architectures \[?(?P<architecture>['\w, ]{1,100})\]? are not supported for now",
            r"Model architecture (?P<architecture>\w+) is not supported",
        ],
        "This vLLM cannot serve models of the kind {architecture}.",
        "Take a newer vLLM (`image.base`) or another model",
        "vLLM 0.32, model_executor/models/registry.py",
    )
    .about(&["id", "image.base"]),
    entry(
        "model-type-unknown",
        &[ContainerLog],
        &[r"has model type `(?P<type>[\w.-]+)` but Transformers does not recognize this architecture"],
        "The image's Transformers library does not know the model type `{type}`: the model is newer than the image.",
        "Set `image.base` to a newer vLLM image",
        "Transformers, models/auto/configuration_auto.py",
    )
    .about(&["image.base", "id"]),
    entry(
        "remote-code",
        &[ContainerLog],
        &[
            r"contains custom code which must be executed to correctly load the model",
            r"--trust-remote-code` flag in the CLI",
            r"requires you to execute the (?:configuration|model) file",
        ],
        "The model brings its own Python code, which vLLM runs only when told to.",
        "Read that code at https://huggingface.co/{model}; if you trust it, pin `revision` and set `engine.args: {trust-remote-code: true}`",
        "Transformers, dynamic_module_utils.py; vLLM 0.32, transformers_utils/config.py",
    )
    .about(&["engine.args.trust-remote-code", "id"]),
    entry(
        "flag-unknown",
        &[ContainerLog],
        &[r"error: unrecognized arguments: (?P<flag>--?[\w-]+)"],
        "This vLLM has no flag `{flag}`.",
        "Correct or remove it in `engine.args`; the flags are those of the vLLM version in `image.base`",
        "Python's argparse, as vLLM uses it",
    )
    .about(&["engine.args.{flag-name}"]),
    entry(
        "flag-value",
        &[ContainerLog],
        &[r"error: argument (?P<flag>--?[\w-]+)[^:\n]*: (?P<why>[^\n]{1,200})"],
        "vLLM does not take the value of `{flag}`: {why}.",
        "Correct it in `engine` or `engine.args`",
        "Python's argparse, as vLLM uses it",
    )
    .about(&["engine.{flag-name}", "engine.args.{flag-name}"]),
    entry(
        "hub-offline",
        &[ContainerLog],
        &[r"outgoing traffic has been disabled", r"LocalEntryNotFoundError"],
        "vLLM wants a file from Hugging Face that is not in the image; nothing is downloaded at start.",
        "Look in `engine.args` for another model (a draft model, an adapter, a tokenizer): only the model's own files are in the image",
        "huggingface_hub, _snapshot_download.py",
    )
    .about(&["engine.args"]),
    entry(
        "cuda-out-of-memory",
        &[ContainerLog],
        &[r"CUDA out of memory", r"CUDA error: out of memory"],
        "The GPU's memory ran out while vLLM started.",
        "Lower `engine.max-model-len`, `engine.gpu-memory-utilization` or `max-num-seqs` in `engine.args`, or take a quantized or smaller model",
        "PyTorch, libc10_cuda; vllm-project/vllm#16343",
    )
    .about(&["engine.max-model-len", "engine.gpu-memory-utilization", "engine.args.max-num-seqs"]),
    entry(
        "memory-limit",
        &[ContainerLog, Condition],
        &[r"Memory limit of (?P<limit>\d+)\s?M(?:iB)? exceeded"],
        "The container used more than its {limit} MiB of memory. Files that it writes count too.",
        "Raise `service.memory`",
        "googleapis/repo-automation-bots#2418, SkyTruth/cerulean-cloud#90",
    )
    .about(&["service.memory"]),
    entry(
        "killed",
        &[ContainerLog],
        &[r"Container terminated on signal 9"],
        "The container was killed, most likely because its memory ran out.",
        "Raise `service.memory`",
        "Cloud Run's system log in public threads",
    )
    .about(&["service.memory"]),
    Entry {
        when: is_other_port,
        ..entry(
            "wrong-port",
            &[ContainerLog],
            &[r"Starting vLLM (?:API )?server(?: \d+)? on https?://[\w.\[\]-]+:(?P<listens>\d+)"],
            "vLLM listens on port {listens}, Cloud Run looks at {port}.",
            "Take `port` out of `engine.args`: vLLM gets `service.port` by itself",
            "vLLM 0.32, entrypoints/launchers/api_server/entry.py",
        )
        .about(&["service.port"])
    },
    entry(
        "startup-timeout",
        &[ContainerLog],
        &[r"STARTUP \w+ probe failed (?P<times>\d+) times? consecutively"],
        "vLLM was not ready within {window}: {progress}.",
        "Raise `service.startup-timeout`; a smaller or quantized model loads faster",
        "Cloud Run's system log in public threads; vLLM 0.32 for how far it had come",
    )
    .about(&["service.startup-timeout"]),
    entry(
        "crash",
        &[ContainerLog],
        &[
            r"Container called exit\((?P<code>-?\d+)\)",
            r"Container terminated on signal (?P<signal>\d+)",
        ],
        "The container ended by itself before it was ready: {progress}.",
        "Look for the first error in its log below",
        "Cloud Run's system log in public threads",
    ),
    entry(
        "not-listening",
        &[Condition],
        &[
            r"failed to start and listen on the port",
            r"HEALTH_CHECK_CONTAINER_ERROR",
        ],
        "The container did not answer on its port within {window}.",
        "Look at its log; a big model may need a longer `service.startup-timeout`",
        "googlecodelabs/feedback#1550",
    )
    .about(&["service.startup-timeout"]),
];
