#!/usr/bin/env bash
# Serves the tiny model with real vLLM in the container's stead, with the container's arguments and its port. What the
# model is called and how long its context is comes from those arguments alone.
#
# usage: VLLM_DIR=… PORT=… serve.sh [vLLM flags]
set -euo pipefail

dir=${VLLM_DIR:?}
unset VLLM_DIR # vLLM warns of variables under its prefix that it does not know
export HF_HUB_OFFLINE=1 VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1 VLLM_CPU_KVCACHE_SPACE=1
# On a CPU the last flag is a share of the machine's memory, which must be free at the start: not the GPU's 90 %.
exec "$dir/venv/bin/vllm" serve "$dir/model" "$@" --host 127.0.0.1 --port "${PORT:?}" --gpu-memory-utilization 0.2
